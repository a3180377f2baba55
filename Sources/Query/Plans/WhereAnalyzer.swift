package import CQL
import DataModel
import Primitives

/// Sorts the relations of a WHERE clause: what names partitions, what names rows, what must be filtered.
package struct WhereAnalyzer {
    package enum Purpose {
        case select(allowsFiltering: Bool)
        case modification(String)
    }

    private let table: CompiledTable
    private let purpose: Purpose
    private var keyRestrictions: [String: KeyRestriction] = [:]
    private var keyFilters: [Filter] = []
    private var clusteringValues: [Int: KeyRestriction] = [:]
    private var lowerBounds: [Int: RangeBound] = [:]
    private var upperBounds: [Int: RangeBound] = [:]
    private var clusteringFilters: [(position: Int, filter: Filter)] = []
    private var result = Restrictions()

    package init(_ table: CompiledTable, purpose: Purpose) {
        self.table = table
        self.purpose = purpose
    }

    package mutating func analyze(
        _ whereClause: WhereClause, _ binder: inout TermBinder
    ) throws(CQLError) -> Restrictions {
        guard whereClause.indexExpressions.isEmpty else {
            throw .invalid(
                message:
                    "Invalid index name \(whereClause.indexExpressions[0].index): \(table.keyspace).\(table.name) has no such index"
            )
        }
        for relation in whereClause.relations { try add(relation, &binder) }
        try assemblePartitionKey(&binder)
        try assembleClustering()
        return result
    }

    private mutating func add(_ relation: Relation, _ binder: inout TermBinder) throws(CQLError) {
        switch relation.subject {
        case .column(let name): try addColumn(try table.required(name), relation.predicate, &binder)
        case .columns(let names): try addColumns(names, relation.predicate, &binder)
        case .token(let names): try addToken(names, relation.predicate, &binder)
        case .element(let name, let key): try addElement(try table.required(name), key, relation.predicate, &binder)
        }
    }

    private var allowsFilters: Bool {
        if case .select = purpose { return true }
        return false
    }

    // MARK: Single columns

    private mutating func addColumn(
        _ column: CompiledColumn, _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) {
        switch column.kind {
        case .partitionKey: try addPartitionColumn(column, predicate, &binder)
        case .clustering: try addClusteringColumn(column, predicate, &binder)
        case .static, .regular:
            guard allowsFilters else {
                throw .invalid(message: "Non PRIMARY KEY columns found in where clause: \(column.name)")
            }
            result.filters.append(try filter(column, predicate, &binder))
        }
    }

    private mutating func addPartitionColumn(
        _ column: CompiledColumn, _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) {
        guard let restriction = try keyRestriction(column, predicate, &binder) else {
            guard allowsFilters else {
                throw .invalid(
                    message: "Only EQ and IN relation are supported on the partition key (unless you use the token() "
                        + "function) for \(statementName) statements")
            }
            if case .select(false) = purpose {
                throw .invalid(
                    message: "Only EQ and IN relation are supported on the partition key (unless you use the token() "
                        + "function or allow filtering)")
            }
            keyFilters.append(try filter(column, predicate, &binder))
            return
        }
        guard keyRestrictions[column.name] == nil else { throw twice(column, predicate) }
        keyRestrictions[column.name] = restriction
    }

    private mutating func addClusteringColumn(
        _ column: CompiledColumn, _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) {
        let position: Int = column.slot
        if let restriction = try keyRestriction(column, predicate, &binder) {
            guard clusteringValues[position] == nil, lowerBounds[position] == nil, upperBounds[position] == nil else {
                throw twice(column, predicate)
            }
            clusteringValues[position] = restriction
            return
        }
        switch predicate {
        case .compare(let comparison, let term) where comparison != .notEqual:
            let value = try binder.bind(term, to: column.type, named: column.name)
            try addBound(
                position, comparison, RangeBound(values: [value], isInclusive: comparison.isInclusive), column.name)
        case .between(let low, let high):
            let lower = try binder.bind(low, to: column.type, named: column.name)
            let upper = try binder.bind(high, to: column.type, named: column.name)
            try addBound(position, .greaterOrEqual, RangeBound(values: [lower], isInclusive: true), column.name)
            try addBound(position, .lessOrEqual, RangeBound(values: [upper], isInclusive: true), column.name)
        default:
            guard allowsFilters else {
                throw .invalid(
                    message: "Invalid restriction on clustering column \(column.name) for \(statementName) statements")
            }
            clusteringFilters.append((position, try filter(column, predicate, &binder)))
        }
    }

    private mutating func addBound(
        _ position: Int, _ comparison: ComparisonOperator, _ bound: RangeBound, _ name: String
    ) throws(CQLError) {
        guard clusteringValues[position] == nil else {
            throw .invalid(message: "\(name) cannot be restricted by more than one relation if it includes an Equal")
        }
        switch comparison {
        case .greater, .greaterOrEqual:
            guard lowerBounds[position] == nil else {
                throw .invalid(message: "More than one restriction was found for the start bound on \(name)")
            }
            lowerBounds[position] = bound
        default:
            guard upperBounds[position] == nil else {
                throw .invalid(message: "More than one restriction was found for the end bound on \(name)")
            }
            upperBounds[position] = bound
        }
    }

    private func keyRestriction(
        _ column: CompiledColumn, _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) -> KeyRestriction? {
        switch predicate {
        case .compare(.equal, let term): return .equal(try binder.bind(term, to: column.type, named: column.name))
        case .isIn(let values): return .isIn(try membership(values, column, &binder))
        default: return nil
        }
    }

    private func membership(
        _ values: MembershipValues, _ column: CompiledColumn, _ binder: inout TermBinder
    ) throws(CQLError) -> Membership {
        switch values {
        case .terms(let terms):
            var bound: [Expression] = []
            for term in terms { bound.append(try binder.bind(term, to: column.type, named: column.name)) }
            return .expressions(bound)
        case .bindMarker(let marker):
            let type = CQLType.list(column.type, isMultiCell: false)
            return .list(
                try binder.bind(.bindMarker(marker), to: type, named: "in(\(column.name))"), element: column.type)
        }
    }

    private func filter(
        _ column: CompiledColumn, _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) -> Filter {
        func bound(_ term: Term) throws(CQLError) -> Expression {
            try binder.bind(term, to: column.type, named: column.name)
        }
        switch predicate {
        case .compare(let comparison, let term):
            if column.isMultiCell {
                throw .invalid(
                    message: "Collection column '\(column.name)' (\(column.type.cqlName)) cannot be restricted by a "
                        + "'\(comparison.rawValue)' relation")
            }
            return Filter(column: column, check: .compare(comparison, try bound(term)))
        case .isIn(let values): return Filter(column: column, check: .isIn(try membership(values, column, &binder)))
        case .isNotIn(let values):
            return Filter(column: column, check: .isNotIn(try membership(values, column, &binder)))
        case .between(let low, let high):
            return Filter(column: column, check: .between(try bound(low), try bound(high)))
        case .contains(let term):
            let (value, form) = try element(column, term, ofKeys: false, &binder)
            return Filter(column: column, check: .contains(value, element: form))
        case .containsKey(let term):
            let (value, form) = try element(column, term, ofKeys: true, &binder)
            return Filter(column: column, check: .containsKey(value, element: form))
        case .notContains(let term):
            let (value, form) = try element(column, term, ofKeys: false, &binder)
            return Filter(column: column, check: .notContains(value, element: form))
        case .notContainsKey(let term):
            let (value, form) = try element(column, term, ofKeys: true, &binder)
            return Filter(column: column, check: .notContainsKey(value, element: form))
        case .like:
            throw .invalid(
                message:
                    "LIKE restriction is only supported on properly indexed columns. \(column.name) LIKE is not valid.")
        case .isNotNull:
            throw .invalid(message: "Unsupported restriction: \(column.name) IS NOT NULL")
        }
    }

    private func element(
        _ column: CompiledColumn, _ term: Term, ofKeys: Bool, _ binder: inout TermBinder
    ) throws(CQLError) -> (Expression, ComparableForm) {
        let word: String = ofKeys ? "CONTAINS KEY" : "CONTAINS"
        let type: CQLType
        switch column.type {
        case .list(let element, _) where !ofKeys: type = element
        case .set(let element, _) where !ofKeys: type = element
        case .map(let key, let value, _): type = ofKeys ? key : value
        default:
            throw .invalid(message: "Cannot use \(word) on non-\(ofKeys ? "map" : "collection") column \(column.name)")
        }
        let name: String = "\(ofKeys ? "key" : "value")(\(column.name))"
        return (try binder.bind(term, to: type, named: name), ComparableForm(type))
    }

    private mutating func addElement(
        _ column: CompiledColumn, _ key: Term, _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) {
        guard allowsFilters else {
            throw .invalid(message: "Non PRIMARY KEY columns found in where clause: \(column.name)")
        }
        guard case .map(let keyType, let valueType, _) = column.type else {
            throw .invalid(message: "Column \(column.name) cannot be used as a map")
        }
        guard case .compare(let comparison, let term) = predicate else {
            throw .invalid(message: "Unsupported relation on an entry of map \(column.name)")
        }
        let keyExpression = try binder.bind(key, to: keyType, named: "key(\(column.name))")
        let value = try binder.bind(term, to: valueType, named: "value(\(column.name))")
        let check = Filter.Check.entry(
            key: keyExpression, comparison, value, keyForm: ComparableForm(keyType),
            valueForm: ComparableForm(valueType))
        result.filters.append(Filter(column: column, check: check))
    }

    // MARK: Several columns

    private mutating func addColumns(
        _ names: [String], _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) {
        var columns: [CompiledColumn] = []
        for name in names { columns.append(try table.required(name)) }
        for (index, column) in columns.enumerated() {
            guard column.kind == .clustering else {
                throw .invalid(
                    message:
                        "Multi-column relations can only be applied to clustering columns but was applied to: \(column.name)"
                )
            }
            guard index == 0 || column.slot == columns[index - 1].slot + 1 else {
                throw .invalid(
                    message: "Clustering columns must appear in the PRIMARY KEY order in multi-column relations: "
                        + "(\(names.joined(separator: ", ")))")
            }
        }
        let position: Int = columns[0].slot
        switch predicate {
        case .compare(.equal, let term):
            for (column, value) in zip(columns, try tuple(term, columns, &binder)) {
                guard clusteringValues[column.slot] == nil else { throw twice(column, predicate) }
                clusteringValues[column.slot] = .equal(value)
            }
        case .compare(let comparison, let term) where comparison != .notEqual:
            let bound = RangeBound(values: try tuple(term, columns, &binder), isInclusive: comparison.isInclusive)
            try addBound(position, comparison, bound, "(\(names.joined(separator: ", ")))")
        case .isIn(let values):
            result.clusteringTuples = try tuples(values, columns, position, &binder)
        default:
            throw .invalid(message: "Unsupported multi-column relation: (\(names.joined(separator: ", ")))")
        }
    }

    private func tuple(
        _ term: Term, _ columns: [CompiledColumn], _ binder: inout TermBinder
    ) throws(CQLError) -> [Expression] {
        switch term {
        case .tuple(let fields):
            guard fields.count == columns.count else {
                throw .invalid(
                    message:
                        "Expected \(columns.count) elements in value for tuple \(WhereAnalyzer.names(columns)), but got \(fields.count)"
                )
            }
            var bound: [Expression] = []
            for (field, column) in zip(fields, columns) {
                bound.append(try binder.bind(field, to: column.type, named: column.name))
            }
            return bound
        case .bindMarker:
            let type = CQLType.tuple(columns.map { $0.type.frozen })
            let whole = try binder.bind(term, to: type, named: WhereAnalyzer.names(columns))
            return columns.indices.map { index in
                .call(ScalarFunction.field(index, of: type, named: columns[index].name), [whole])
            }
        default:
            throw .invalid(message: "Invalid value for tuple \(WhereAnalyzer.names(columns))")
        }
    }

    private func tuples(
        _ values: MembershipValues, _ columns: [CompiledColumn], _ position: Int, _ binder: inout TermBinder
    ) throws(CQLError) -> ClusteringTuples {
        var tuples = ClusteringTuples(position: position, columnCount: columns.count, choices: [], list: nil)
        switch values {
        case .terms(let terms):
            for term in terms { tuples.choices.append(try tuple(term, columns, &binder)) }
        case .bindMarker(let marker):
            let type = CQLType.list(.tuple(columns.map { $0.type.frozen }), isMultiCell: false)
            tuples.list = try binder.bind(.bindMarker(marker), to: type, named: "in\(WhereAnalyzer.names(columns))")
        }
        return tuples
    }

    private static func names(_ columns: [CompiledColumn]) -> String {
        "(" + columns.map(\.name).joined(separator: ",") + ")"
    }

    private mutating func addToken(
        _ names: [String], _ predicate: Predicate, _ binder: inout TermBinder
    ) throws(CQLError) {
        guard names == table.partitionKey.map(\.name) else {
            throw .invalid(
                message: "The token function arguments must be in the partition key order: "
                    + table.partitionKey.map(\.name).joined(separator: ","))
        }
        guard allowsFilters else {
            throw .invalid(
                message: "The token function cannot be used in WHERE clauses for \(statementName) statements")
        }
        func bound(_ term: Term) throws(CQLError) -> Expression {
            try binder.bind(term, to: .bigint, named: "partition key token")
        }
        switch predicate {
        case .compare(.equal, let term):
            guard !result.hasTokenRange else { throw tokenTwice() }
            let value = try bound(term)
            result.tokenLower = RangeBound(values: [value], isInclusive: true)
            result.tokenUpper = RangeBound(values: [value], isInclusive: true)
        case .compare(let comparison, let term) where comparison != .notEqual:
            let range = RangeBound(values: [try bound(term)], isInclusive: comparison.isInclusive)
            if comparison == .greater || comparison == .greaterOrEqual {
                guard result.tokenLower == nil else { throw tokenTwice() }
                result.tokenLower = range
            } else {
                guard result.tokenUpper == nil else { throw tokenTwice() }
                result.tokenUpper = range
            }
        case .between(let low, let high):
            guard !result.hasTokenRange else { throw tokenTwice() }
            result.tokenLower = RangeBound(values: [try bound(low)], isInclusive: true)
            result.tokenUpper = RangeBound(values: [try bound(high)], isInclusive: true)
        default:
            throw .invalid(message: "Unsupported relation on token()")
        }
    }

    private func tokenTwice() -> CQLError {
        .invalid(message: "More than one restriction was found for the token of the partition key")
    }

    // MARK: Putting it together

    private mutating func assemblePartitionKey(_ binder: inout TermBinder) throws(CQLError) {
        let missing: [String] = table.partitionKey.map(\.name).filter { keyRestrictions[$0] == nil }
        if missing.isEmpty && !result.hasTokenRange {
            for column in table.partitionKey {
                guard let restriction = keyRestrictions[column.name] else { continue }
                result.partitionKey.append(restriction)
                guard case .equal(let expression) = restriction else {
                    binder.markers.partitionKeyMarkers.append(nil)
                    continue
                }
                binder.markers.partitionKeyMarkers.append(expression.markerIndex)
            }
        } else {
            guard case .select = purpose else {
                throw .invalid(message: "Some partition key parts are missing: \(missing.joined(separator: ", "))")
            }
            for column in table.partitionKey {
                guard let restriction = keyRestrictions[column.name] else { continue }
                result.filters.append(WhereAnalyzer.filter(column, restriction))
            }
        }
        result.filters += keyFilters
    }

    private static func filter(_ column: CompiledColumn, _ restriction: KeyRestriction) -> Filter {
        switch restriction {
        case .equal(let expression): Filter(column: column, check: .compare(.equal, expression))
        case .isIn(let membership): Filter(column: column, check: .isIn(membership))
        }
    }

    private mutating func assembleClustering() throws(CQLError) {
        var position = 0
        while position < table.clustering.count, let restriction = clusteringValues[position] {
            result.clustering.append(restriction)
            clusteringValues[position] = nil
            position += 1
        }
        if let tuples = result.clusteringTuples {
            guard tuples.position == position else { throw unrestrictedBefore(tuples.position) }
            position += tuples.columnCount
        }
        if lowerBounds[position] != nil || upperBounds[position] != nil {
            result.clusteringRange = ClusteringRange(
                position: position, lower: lowerBounds[position], upper: upperBounds[position])
            lowerBounds[position] = nil
            upperBounds[position] = nil
        }
        try addSkippedClustering()
        result.filters += clusteringFilters.map(\.filter)
    }

    /// Clustering columns after a gap, or after a range, cannot use the order of rows.
    private mutating func addSkippedClustering() throws(CQLError) {
        for position in 0..<table.clustering.count {
            let column = table.clustering[position]
            var checks: [Filter] = []
            if let restriction = clusteringValues[position] { checks.append(WhereAnalyzer.filter(column, restriction)) }
            if let lower = lowerBounds[position] {
                checks.append(
                    Filter(
                        column: column, check: .compare(lower.isInclusive ? .greaterOrEqual : .greater, lower.values[0])
                    ))
            }
            if let upper = upperBounds[position] {
                checks.append(
                    Filter(column: column, check: .compare(upper.isInclusive ? .lessOrEqual : .less, upper.values[0])))
            }
            guard !checks.isEmpty else { continue }
            if case .select(true) = purpose {
                result.filters += checks
            } else if let range = result.clusteringRange, range.position < position {
                throw .invalid(
                    message: "Clustering column \"\(column.name)\" cannot be restricted (preceding column "
                        + "\"\(table.clustering[range.position].name)\" is restricted by a non-EQ relation)")
            } else {
                throw unrestrictedBefore(position)
            }
        }
    }

    private func unrestrictedBefore(_ position: Int) -> CQLError {
        let first: Int = result.clustering.count
        let preceding: String = first < table.clustering.count ? table.clustering[first].name : ""
        return .invalid(
            message:
                "PRIMARY KEY column \"\(table.clustering[position].name)\" cannot be restricted as preceding column "
                + "\"\(preceding)\" is not restricted")
    }

    private var statementName: String {
        if case .modification(let name) = purpose { return name }
        return "SELECT"
    }

    private func twice(_ column: CompiledColumn, _ predicate: Predicate) -> CQLError {
        if case .isIn = predicate {
            return .invalid(
                message: "\(column.name) cannot be restricted by more than one relation if it includes a IN")
        }
        return .invalid(
            message: "\(column.name) cannot be restricted by more than one relation if it includes an Equal")
    }
}

extension ComparisonOperator {
    var isInclusive: Bool { self == .lessOrEqual || self == .greaterOrEqual || self == .equal }
}
