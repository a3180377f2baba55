package import CQL
import DataModel
import Primitives

/// Plans INSERT, UPDATE and DELETE: checks them against the table and works out what each does to which column.
package struct ModificationPlanner {
    package let table: CompiledTable
    package var binder: TermBinder

    package init(_ table: CompiledTable, _ binder: TermBinder) throws(CQLError) {
        self.table = table
        self.binder = binder
        if table.isComputed {
            throw .invalid(message: "Modification is not supported by table \(table.keyspace).\(table.name)")
        }
    }

    // MARK: INSERT

    package mutating func plan(_ statement: InsertStatement) throws(CQLError) -> ModificationPlan {
        guard statement.columns.count == statement.values.count else {
            throw .invalid(message: "Unmatched column names/values")
        }
        guard !statement.columns.isEmpty else { throw .invalid(message: "No columns provided to INSERT") }
        if table.isCounter {
            throw .invalid(message: "INSERT statements are not allowed on counter tables, use UPDATE instead")
        }
        var keys: [String: Expression] = [:]
        var changes: [ColumnChange] = []
        var seen: Set<String> = []
        for (name, value) in zip(statement.columns, statement.values) {
            let column = try table.required(name)
            guard seen.insert(name).inserted else {
                throw .invalid(message: "The column names contains duplicates")
            }
            let expression = try binder.bind(value, to: column.type, named: column.name)
            if column.isPrimaryKey {
                keys[name] = expression
            } else {
                changes.append(ColumnChange(column: column, action: .assign(expression)))
            }
        }
        var restrictions = Restrictions()
        let missingPartition: [String] = table.partitionKey.map(\.name).filter { keys[$0] == nil }
        guard missingPartition.isEmpty else {
            throw .invalid(message: "Some partition key parts are missing: \(missingPartition.joined(separator: ", "))")
        }
        for column in table.partitionKey {
            guard let expression = keys[column.name] else { continue }
            restrictions.partitionKey.append(.equal(expression))
            binder.markers.partitionKeyMarkers.append(expression.markerIndex)
        }
        let missing: [String] = table.clustering.map(\.name).filter { keys[$0] == nil }
        let isStaticOnly: Bool =
            missing.count == table.clustering.count && !table.clustering.isEmpty && !changes.isEmpty
            && changes.allSatisfy { $0.column.kind == .static }
        guard missing.isEmpty || isStaticOnly else {
            throw .invalid(message: "Some clustering keys are missing: \(missing.joined(separator: ", "))")
        }
        for column in table.clustering where !isStaticOnly {
            if let expression = keys[column.name] { restrictions.clustering.append(.equal(expression)) }
        }
        return try finish(
            .insert, restrictions, changes, statement.using.timestamp, statement.using.timeToLive,
            statement.ifNotExists ? .notExists : .none, namesRows: !isStaticOnly)
    }

    /// INSERT … JSON: every column is taken from the document.
    package mutating func plan(_ statement: InsertJSONStatement) throws(CQLError) -> ModificationPlan {
        if table.isCounter {
            throw .invalid(message: "INSERT statements are not allowed on counter tables, use UPDATE instead")
        }
        let document = try binder.bind(statement.value, to: .text, named: "[json]")
        let names: Set<String> = Set(table.columns.map(\.name))
        func field(_ column: CompiledColumn) -> Expression {
            .documentField(
                document,
                DocumentField(
                    name: column.name, type: column.type, knownNames: names,
                    leavesUnset: statement.leavesMissingColumnsUnset && !column.isPrimaryKey))
        }
        var restrictions = Restrictions()
        for column in table.partitionKey {
            restrictions.partitionKey.append(.equal(field(column)))
            binder.markers.partitionKeyMarkers.append(nil)
        }
        for column in table.clustering { restrictions.clustering.append(.equal(field(column))) }
        let changes: [ColumnChange] = (table.statics + table.regulars).map {
            ColumnChange(column: $0, action: .assign(field($0)))
        }
        return try finish(
            .insert, restrictions, changes, statement.using.timestamp, statement.using.timeToLive,
            statement.ifNotExists ? .notExists : .none, namesRows: true)
    }

    // MARK: UPDATE

    package mutating func plan(_ statement: UpdateStatement) throws(CQLError) -> ModificationPlan {
        var changes: [ColumnChange] = []
        for assignment in statement.assignments {
            let column = try table.required(assignment.column)
            if column.isPrimaryKey {
                throw .invalid(message: "PRIMARY KEY part \(column.name) found in SET part")
            }
            changes.append(try change(assignment, column))
        }
        try checkOverlap(changes)
        var analyzer = WhereAnalyzer(table, purpose: .modification("UPDATE"))
        let restrictions = try analyzer.analyze(statement.whereClause, &binder)
        let condition = try self.condition(statement.condition)
        let isStaticOnly: Bool =
            changes.allSatisfy { $0.column.kind == .static } && restrictions.clustering.isEmpty
            && restrictions.clusteringTuples == nil && !table.clustering.isEmpty
        if restrictions.clusteringRange != nil {
            throw .invalid(
                message: "Slice restrictions are not supported on the clustering columns in UPDATE statements")
        }
        try requireWholeKey(restrictions, unless: isStaticOnly)
        return try finish(
            .update, restrictions, changes, statement.using.timestamp, statement.using.timeToLive, condition,
            namesRows: !isStaticOnly)
    }

    private func requireWholeKey(_ restrictions: Restrictions, unless isExcused: Bool) throws(CQLError) {
        let given: Int = restrictions.clustering.count + (restrictions.clusteringTuples?.columnCount ?? 0)
        guard isExcused || given == table.clustering.count else {
            let missing: [String] = table.clustering[given...].map(\.name)
            throw .invalid(message: "Some clustering keys are missing: \(missing.joined(separator: ", "))")
        }
    }

    private mutating func change(_ assignment: Assignment, _ column: CompiledColumn) throws(CQLError) -> ColumnChange {
        switch assignment {
        case .set(_, let value):
            if column.type == .counter {
                throw .invalid(
                    message:
                        "Cannot set the value of counter column \(column.name) (counters can only be incremented/decremented, not set)"
                )
            }
            return ColumnChange(
                column: column, action: .assign(try binder.bind(value, to: column.type, named: column.name)))
        case .add(_, let value): return try addition(value, column)
        case .subtract(_, let value): return try subtraction(value, column)
        case .prepend(_, let value):
            if column.type == .counter { return try addition(value, column) }
            guard case .list = column.type, column.isMultiCell else {
                throw invalidOperation("\(value.cqlText) + \(column.name)", column, isList: false)
            }
            return ColumnChange(
                column: column, action: .prepend(try binder.bind(value, to: column.type, named: column.name)))
        case .setElement(_, let key, let value): return try elementAssignment(key, value, column)
        case .setField(_, let field, let value):
            let (index, type) = try self.field(field, of: column, isDeletion: false)
            let expression = try binder.bind(value, to: type, named: "\(column.name).\(field)")
            return ColumnChange(column: column, action: .assignField(index: index, value: expression))
        }
    }

    private mutating func addition(_ value: Term, _ column: CompiledColumn) throws(CQLError) -> ColumnChange {
        let bound = { (binder: inout TermBinder, type: CQLType) throws(CQLError) -> Expression in
            try binder.bind(value, to: type, named: column.name)
        }
        switch column.type {
        case .counter:
            return ColumnChange(column: column, action: .count(try bound(&binder, .bigint), isNegative: false))
        case .list where column.isMultiCell:
            return ColumnChange(column: column, action: .append(try bound(&binder, column.type)))
        case .set where column.isMultiCell, .map where column.isMultiCell:
            return ColumnChange(column: column, action: .add(try bound(&binder, column.type)))
        default: throw invalidOperation("\(column.name) + \(value.cqlText)", column, isList: false)
        }
    }

    private mutating func subtraction(_ value: Term, _ column: CompiledColumn) throws(CQLError) -> ColumnChange {
        switch column.type {
        case .counter:
            let expression = try binder.bind(value, to: .bigint, named: column.name)
            return ColumnChange(column: column, action: .count(expression, isNegative: true))
        case .list where column.isMultiCell, .set where column.isMultiCell:
            return ColumnChange(
                column: column, action: .remove(try binder.bind(value, to: column.type, named: column.name)))
        case .map(let key, _, _) where column.isMultiCell:
            let keys = CQLType.set(key, isMultiCell: false)
            return ColumnChange(column: column, action: .remove(try binder.bind(value, to: keys, named: column.name)))
        default: throw invalidOperation("\(column.name) - \(value.cqlText)", column, isList: false)
        }
    }

    private func invalidOperation(_ operation: String, _ column: CompiledColumn, isList: Bool) -> CQLError {
        let kind: String = column.type.isCollection ? "frozen collection column" : "non counter column"
        return .invalid(message: "Invalid operation (\(column.name) = \(operation)) for \(kind) \(column.name)")
    }

    private mutating func elementAssignment(
        _ key: Term, _ value: Term, _ column: CompiledColumn
    ) throws(CQLError) -> ColumnChange {
        guard column.isMultiCell || !column.type.isCollection else {
            throw .invalid(
                message:
                    "Invalid operation (\(column.name)[\(key.cqlText)] = \(value.cqlText)) for frozen collection column \(column.name)"
            )
        }
        switch column.type {
        case .list(let element, _):
            let index = try binder.bind(key, to: .int, named: "idx(\(column.name))")
            let expression = try binder.bind(value, to: element, named: "value(\(column.name))")
            return ColumnChange(column: column, action: .assignElement(key: index, value: expression))
        case .map(let keyType, let valueType, _):
            let keyExpression = try binder.bind(key, to: keyType, named: "key(\(column.name))")
            let expression = try binder.bind(value, to: valueType, named: "value(\(column.name))")
            return ColumnChange(column: column, action: .assignElement(key: keyExpression, value: expression))
        default:
            throw .invalid(
                message:
                    "Invalid operation (\(column.name)[\(key.cqlText)] = \(value.cqlText)) for non collection column \(column.name)"
            )
        }
    }

    private func field(
        _ name: String, of column: CompiledColumn, isDeletion: Bool
    ) throws(CQLError) -> (index: Int, type: CQLType) {
        guard case .userDefined(let type, _) = column.type else {
            throw .invalid(
                message:
                    "Invalid \(isDeletion ? "deletion" : "field assignment") operation for non-UDT column \(column.name)"
            )
        }
        guard column.isMultiCell else {
            throw .invalid(
                message:
                    "Invalid \(isDeletion ? "deletion" : "field assignment") operation for frozen UDT column \(column.name)"
            )
        }
        guard let index = type.fieldNames.firstIndex(of: name) else {
            throw .invalid(message: "UDT column \(column.name) does not have a field named \(name)")
        }
        return (index, type.fieldTypes[index])
    }

    /// A statement may change a column several times unless one of the changes replaces the whole value, or two the
    /// same field.
    private func checkOverlap(_ changes: [ColumnChange]) throws(CQLError) {
        var changed: Set<String> = []
        var replaced: Set<String> = []
        var fields: [String: Set<Int>] = [:]
        for change in changes {
            let name: String = change.column.name
            var isClear: Bool = !replaced.contains(name)
            switch change.action {
            case .assign:
                isClear = !changed.contains(name)
                replaced.insert(name)
            case .assignField(let index, _):
                if !fields[name, default: []].insert(index).inserted { isClear = false }
            default: break
            }
            guard isClear else { throw .invalid(message: "Multiple incompatible setting of column \(name)") }
            changed.insert(name)
        }
    }

    // MARK: DELETE

    package mutating func plan(_ statement: DeleteStatement) throws(CQLError) -> ModificationPlan {
        var changes: [ColumnChange] = []
        for target in statement.deletions { changes.append(try deletion(target)) }
        var analyzer = WhereAnalyzer(table, purpose: .modification("DELETE"))
        let restrictions = try analyzer.analyze(statement.whereClause, &binder)
        let condition = try self.condition(statement.condition)
        let given: Int = restrictions.clustering.count + (restrictions.clusteringTuples?.columnCount ?? 0)
        let hasWholeKey: Bool = given == table.clustering.count && restrictions.clusteringRange == nil
        let isStaticOnly: Bool = !changes.isEmpty && changes.allSatisfy { $0.column.kind == .static }
        if changes.contains(where: { $0.column.kind == .regular }), !hasWholeKey {
            if restrictions.clusteringRange == nil {
                throw .invalid(
                    message: "Some clustering keys are missing: "
                        + table.clustering[given...].map(\.name).joined(separator: ", "))
            }
            throw .invalid(message: "Range deletions are not supported for specific columns")
        }
        if condition.isPresent, !hasWholeKey, !isStaticOnly {
            throw .invalid(
                message: "DELETE statements must restrict all PRIMARY KEY columns with equality relations in order to "
                    + "use IF conditions, but column '\(table.clustering.dropFirst(given).first?.name ?? "")' is not restricted"
            )
        }
        let namesRows: Bool = changes.isEmpty ? hasWholeKey : !isStaticOnly
        return try finish(
            .delete, restrictions, changes, statement.timestamp, nil, condition, namesRows: namesRows)
    }

    private mutating func deletion(_ target: DeletionTarget) throws(CQLError) -> ColumnChange {
        let column = try table.required(target.column)
        if column.isPrimaryKey {
            throw .invalid(message: "Invalid identifier \(column.name) for deletion (should not be a PRIMARY KEY part)")
        }
        switch target {
        case .column: return ColumnChange(column: column, action: .delete)
        case .element(_, let key):
            guard column.isMultiCell else {
                let kind: String = column.type.isCollection ? "frozen collection" : "non collection"
                throw .invalid(message: "Invalid deletion operation for \(kind) column \(column.name)")
            }
            let type: CQLType
            switch column.type {
            case .list: type = .int
            case .set(let element, _): type = element
            case .map(let keyType, _, _): type = keyType
            default: throw .invalid(message: "Invalid deletion operation for non collection column \(column.name)")
            }
            return ColumnChange(
                column: column,
                action: .deleteElement(key: try binder.bind(key, to: type, named: "key(\(column.name))")))
        case .field(_, let name):
            return ColumnChange(
                column: column, action: .deleteField(index: try field(name, of: column, isDeletion: true).index))
        }
    }

    // MARK: Conditions and the rest

    private mutating func condition(_ clause: ConditionClause) throws(CQLError) -> WriteCondition {
        switch clause {
        case .none: return .none
        case .ifExists: return .exists
        case .columns(let conditions):
            var checks: [ColumnCondition] = []
            for condition in conditions { checks.append(try self.condition(condition)) }
            return .columns(checks)
        }
    }

    private mutating func condition(_ condition: Condition) throws(CQLError) -> ColumnCondition {
        let name: String
        switch condition.subject {
        case .column(let column), .element(let column, _), .field(let column, _): name = column
        }
        let column = try table.required(name)
        if column.isPrimaryKey {
            throw .invalid(message: "PRIMARY KEY column '\(column.name)' cannot have IF conditions")
        }
        if column.type == .counter { throw .invalid(message: "Conditions on counters are not supported") }
        var subject = ColumnCondition.Subject.whole
        var type: CQLType = column.type
        switch condition.subject {
        case .column: break
        case .element(_, let key):
            switch column.type {
            case .list(let element, _):
                subject = .element(try binder.bind(key, to: .int, named: "idx(\(column.name))"))
                type = element
            case .map(let keyType, let valueType, _):
                subject = .element(try binder.bind(key, to: keyType, named: "key(\(column.name))"))
                type = valueType
            default: throw .invalid(message: "Invalid element access syntax for non-collection column \(column.name)")
            }
        case .field(_, let fieldName):
            guard case .userDefined(let definition, _) = column.type,
                let index = definition.fieldNames.firstIndex(of: fieldName)
            else { throw .invalid(message: "Unknown field \(fieldName) for column \(column.name)") }
            subject = .field(index)
            type = definition.fieldTypes[index]
        }
        return ColumnCondition(
            column: column, subject: subject, check: try check(condition.predicate, column, type), type: type)
    }

    private mutating func check(
        _ predicate: Predicate, _ column: CompiledColumn, _ type: CQLType
    ) throws(CQLError) -> ColumnCondition.Check {
        switch predicate {
        case .compare(let comparison, let term):
            return .compare(comparison, try binder.bind(term, to: type, named: column.name))
        case .isIn(.terms(let terms)):
            var bound: [Expression] = []
            for term in terms { bound.append(try binder.bind(term, to: type, named: column.name)) }
            return .isIn(.expressions(bound))
        case .isIn(.bindMarker(let marker)):
            let list = CQLType.list(type.frozen, isMultiCell: false)
            return .isIn(
                .list(try binder.bind(.bindMarker(marker), to: list, named: "in(\(column.name))"), element: type))
        case .contains(let term): return try contains(term, column, type, inKeys: false)
        case .containsKey(let term): return try contains(term, column, type, inKeys: true)
        default: throw .invalid(message: "Unsupported condition on column \(column.name)")
        }
    }

    private mutating func contains(
        _ term: Term, _ column: CompiledColumn, _ type: CQLType, inKeys: Bool
    ) throws(CQLError) -> ColumnCondition.Check {
        let element: CQLType
        switch type {
        case .list(let part, _) where !inKeys: element = part
        case .set(let part, _) where !inKeys: element = part
        case .map(let key, let value, _): element = inKeys ? key : value
        default:
            throw .invalid(
                message: "Cannot use \(inKeys ? "CONTAINS KEY" : "CONTAINS") on non-\(inKeys ? "map" : "collection") "
                    + "column \(column.name)")
        }
        let name: String = "\(inKeys ? "key" : "value")(\(column.name))"
        return .contains(try binder.bind(term, to: element, named: name), element: element, inKeys: inKeys)
    }

    private mutating func finish(
        _ kind: ModificationPlan.Kind, _ restrictions: Restrictions, _ changes: [ColumnChange], _ timestamp: Term?,
        _ timeToLive: Term?, _ condition: WriteCondition, namesRows: Bool
    ) throws(CQLError) -> ModificationPlan {
        let hasIn: Bool =
            !restrictions.namesOnePartition || restrictions.clusteringTuples != nil
            || restrictions.clustering.contains {
                if case .isIn = $0 { return true }
                return false
            }
        if condition.isPresent {
            if hasIn {
                throw .invalid(
                    message: "IN on the clustering key columns is not supported with conditional updates and deletes")
            }
            if timestamp != nil { throw .invalid(message: "Cannot provide custom timestamp for conditional updates") }
        }
        if table.isCounter {
            if timestamp != nil { throw .invalid(message: "Cannot provide custom timestamp for counter updates") }
            if timeToLive != nil { throw .invalid(message: "Cannot provide custom TTL for counter updates") }
            if condition.isPresent {
                throw .invalid(message: "Conditional updates are not supported on counter tables")
            }
        }
        let boundTimestamp: Expression? = try timestamp.map { term throws(CQLError) in
            try binder.bind(term, to: .bigint, named: "[timestamp]")
        }
        let boundTTL: Expression? = try timeToLive.map { term throws(CQLError) in
            try binder.bind(term, to: .int, named: "[ttl]")
        }
        return ModificationPlan(
            kind: kind, table: table, restrictions: restrictions, changes: changes, timestamp: boundTimestamp,
            timeToLive: boundTTL, condition: condition, namesRows: namesRows)
    }
}
