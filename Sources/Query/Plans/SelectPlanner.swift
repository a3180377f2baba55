package import CQL
package import DataModel
import Primitives

/// Plans a SELECT: what is selected, which partitions and rows are read, in which order.
package struct SelectPlanner {
    package let table: CompiledTable
    package var binder: TermBinder
    private var aggregates: [AggregateUse] = []
    private let resolver: TypeResolver

    package init(_ table: CompiledTable, _ binder: TermBinder, keyspace: KeyspaceDefinition) {
        self.table = table
        self.binder = binder
        self.resolver = TypeResolver(keyspace: keyspace)
    }

    package mutating func plan(_ statement: SelectStatement) throws(CQLError) -> SelectPlan {
        var outputs: [OutputColumn] = try select(statement.selection)
        var analyzer = WhereAnalyzer(table, purpose: .select(allowsFiltering: statement.allowsFiltering))
        let restrictions = try analyzer.analyze(statement.whereClause, &binder)
        try checkFiltering(restrictions, statement)
        let groupColumnCount: Int = try groupBy(statement.groupBy, restrictions)
        let order = try self.order(statement.orderBy, restrictions)
        if statement.isDistinct { try checkDistinct(outputs, statement, restrictions) }
        let perPartitionLimit: Expression? = try statement.perPartitionLimit.map { term throws(CQLError) in
            try binder.bind(term, to: .int, named: "[per_partition_limit]")
        }
        if perPartitionLimit != nil, statement.isDistinct {
            throw .invalid(message: "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
        }
        if perPartitionLimit != nil, !aggregates.isEmpty, groupColumnCount == 0 {
            throw .invalid(message: "PER PARTITION LIMIT is not allowed with aggregate queries.")
        }
        let limit: Expression? = try statement.limit.map { term throws(CQLError) in
            try binder.bind(term, to: .int, named: "[limit]")
        }
        if statement.isJSON { outputs = try jsonOutputs(outputs) }
        var warnings: [String] = []
        if !aggregates.isEmpty, groupColumnCount == 0, !restrictions.namesPartitions, !table.isComputed {
            warnings.append("Aggregation query used without partition key")
        }
        return SelectPlan(
            table: table, restrictions: restrictions, outputs: outputs, aggregates: aggregates,
            groupColumnCount: groupColumnCount, isDistinct: statement.isDistinct, isJSON: statement.isJSON,
            isReversed: order.isReversed, sortsRows: order.sortsRows, limit: limit,
            perPartitionLimit: perPartitionLimit, warnings: warnings)
    }

    private func checkFiltering(_ restrictions: Restrictions, _ statement: SelectStatement) throws(CQLError) {
        let scansByClustering: Bool = restrictions.restrictsClustering && !restrictions.namesPartitions
        guard !statement.allowsFiltering, !table.isComputed || restrictions.filters.isEmpty && !scansByClustering else {
            return
        }
        if !restrictions.filters.isEmpty || scansByClustering {
            throw .invalid(
                message: "Cannot execute this query as it might involve data filtering and thus may have unpredictable "
                    + "performance. If you want to execute this query despite the performance unpredictability, use ALLOW FILTERING"
            )
        }
    }

    private func checkDistinct(
        _ outputs: [OutputColumn], _ statement: SelectStatement, _ restrictions: Restrictions
    ) throws(CQLError) {
        var selected: Set<String> = []
        let selectors: [CompiledSelector] = outputs.map(\.selector) + aggregates.compactMap(\.argument)
        for column in selectors.flatMap(\.columns) {
            guard column.kind == .partitionKey || column.kind == .static else {
                throw .invalid(
                    message:
                        "SELECT DISTINCT queries must only request partition key columns and/or static columns (not \(column.name))"
                )
            }
            selected.insert(column.name)
        }
        let selectsKeys: Bool = !selected.isDisjoint(with: table.partitionKey.map(\.name))
        if let missing = table.partitionKey.first(where: { !selected.contains($0.name) }),
            selectsKeys || !restrictions.namesPartitions
        {
            throw .invalid(
                message: "SELECT DISTINCT queries must request all the partition key columns (missing \(missing.name))")
        }
        if restrictions.restrictsClustering
            || restrictions.filters.contains(where: { $0.column.kind == .regular || $0.column.kind == .clustering })
        {
            throw .invalid(
                message:
                    "SELECT DISTINCT with WHERE clause only supports restriction by partition key and/or static columns."
            )
        }
    }

    // MARK: Selection

    private mutating func select(_ selection: Selection) throws(CQLError) -> [OutputColumn] {
        switch selection {
        case .all:
            return table.columns.map { column in
                OutputColumn(specification: table.specification(column), selector: .column(column))
            }
        case .items(let items):
            var outputs: [OutputColumn] = []
            for item in items {
                let (selector, type) = try compile(item.selector, insideAggregate: false)
                let name: String
                if let alias = item.alias { name = alias } else { name = try resultName(item.selector) }
                outputs.append(
                    OutputColumn(specification: table.specification(named: name, type: type), selector: selector))
            }
            return outputs
        }
    }

    private func resultName(_ selector: Selector) throws(CQLError) -> String {
        switch selector {
        case .countRows: return "count"
        case .column(let name): return name
        case .call(let function, let arguments):
            if function.name == "count", function.keyspace == nil, arguments.count == 1, case .literal = arguments[0] {
                return "count"
            }
            var names: [String] = []
            for argument in arguments { names.append(try resultName(argument)) }
            return "\(function.keyspace ?? "system").\(function.name)(\(names.joined(separator: ", ")))"
        default: return selector.cqlText
        }
    }

    private mutating func compile(
        _ selector: Selector, insideAggregate: Bool
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        switch selector {
        case .column(let name):
            let column = try table.required(name)
            return (.column(column), column.type)
        case .countRows: return (try aggregate(AggregateFunctions.countRows, nil, insideAggregate), .bigint)
        case .call(let name, let arguments): return try call(name, arguments, insideAggregate)
        case .cellAttribute(let attribute, let inner): return try cellAttribute(attribute, inner)
        case .cast(let inner, let target):
            let (compiled, type) = try compile(inner, insideAggregate: insideAggregate)
            let function = try ScalarFunctions.cast(from: type, to: CQLType(target))
            return (.call(function, [compiled]), function.returnType)
        case .hint(let written, let inner):
            let type = try resolver.resolve(written)
            return try hinted(inner, type)
        case .field(let inner, let name):
            let (compiled, type) = try compile(inner, insideAggregate: insideAggregate)
            guard case .userDefined(let definition, _) = type else {
                throw .invalid(
                    message: "Invalid field selection: \(inner.cqlText) of type \(type.cqlName) is not a user type")
            }
            guard let index = definition.fieldNames.firstIndex(of: name) else {
                throw .invalid(message: "\(inner.cqlText) of type \(type.cqlName) has no field \(name)")
            }
            return (.call(ScalarFunction.field(index, of: type, named: name), [compiled]), definition.fieldTypes[index])
        case .element(let inner, let key): return try element(inner, key, insideAggregate)
        case .slice(let inner, let from, let to): return try slice(inner, from, to, insideAggregate)
        case .operation(let left, let operation, let right):
            return try operate(left, operation, right, insideAggregate)
        case .negation(let inner):
            let (compiled, type) = try compile(inner, insideAggregate: insideAggregate)
            let function = try Arithmetic.negation(type)
            return (.call(function, [compiled]), function.returnType)
        case .literal(.integer(let text)):
            let type: CQLType = Int32(text) != nil ? .int : (Int64(text) != nil ? .bigint : .varint)
            return (.term(try binder.bind(.literal(.integer(text)), to: type, named: "[selection]")), type)
        case .literal(.float(let text)):
            return (.term(try binder.bind(.literal(.float(text)), to: .double, named: "[selection]")), .double)
        case .literal, .bindMarker, .list, .set, .map, .tuple:
            throw .invalid(
                message:
                    "Cannot infer type for term \(selector.cqlText) in selection clause (try using a cast to force a type)"
            )
        }
    }

    private mutating func hinted(_ inner: Selector, _ type: CQLType) throws(CQLError) -> (CompiledSelector, CQLType) {
        if let term = inner.asTerm {
            return (.term(try binder.bind(term, to: type, named: "[selection]")), type)
        }
        let (compiled, own) = try compile(inner, insideAggregate: false)
        guard own.frozen == type.frozen else {
            throw .invalid(
                message: "Cannot assign value \(inner.cqlText) of type \(own.cqlName) to type \(type.cqlName)")
        }
        return (compiled, own)
    }

    private mutating func call(
        _ name: QualifiedName, _ arguments: [Selector], _ insideAggregate: Bool
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        if AggregateFunctions.isName(name) {
            if name.name == "count", arguments.count == 1, case .literal = arguments[0] {
                return (try aggregate(AggregateFunctions.countRows, nil, insideAggregate), .bigint)
            }
            guard arguments.count == 1 else {
                throw .invalid(
                    message:
                        "Invalid number of arguments in call to function system.\(name.name): 1 required but \(arguments.count) provided"
                )
            }
            let (argument, type) = try compile(arguments[0], insideAggregate: true)
            let function = try AggregateFunctions.resolve(name, argument: type)
            return (try aggregate(function, argument, insideAggregate), function.returnType)
        }
        var compiled: [CompiledSelector?] = []
        var known: [CQLType?] = []
        for argument in arguments {
            if argument.isUntyped {
                compiled.append(nil)
                known.append(nil)
            } else {
                let (selector, type) = try compile(argument, insideAggregate: insideAggregate)
                compiled.append(selector)
                known.append(type)
            }
        }
        if name.name == "token", name.keyspace == nil || name.keyspace == "system" {
            return try token(arguments, compiled)
        }
        let function = try ScalarFunctions.resolve(name, arguments: known, receiver: nil)
        var final: [CompiledSelector] = []
        for (index, argument) in compiled.enumerated() {
            if let argument {
                final.append(argument)
            } else if let term = arguments[index].asTerm {
                final.append(.term(try binder.bind(term, to: function.argumentTypes[index], named: "arg\(index)")))
            } else {
                throw .invalid(
                    message:
                        "Cannot infer type for term \(arguments[index].cqlText) in selection clause (try using a cast to force a type)"
                )
            }
        }
        return (.call(function, final), function.returnType)
    }

    private mutating func token(
        _ arguments: [Selector], _ compiled: [CompiledSelector?]
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        guard arguments.count == table.partitionKey.count else {
            throw .invalid(
                message:
                    "Invalid number of arguments in call to function system.token: \(table.partitionKey.count) required "
                    + "but \(arguments.count) provided"
            )
        }
        var final: [CompiledSelector] = []
        for (index, argument) in compiled.enumerated() {
            if let argument {
                final.append(argument)
            } else if let term = arguments[index].asTerm {
                final.append(
                    .term(try binder.bind(term, to: table.partitionKey[index].type, named: "arg\(index)(system.token)"))
                )
            }
        }
        return (.call(ScalarFunction.token(of: table), final), .bigint)
    }

    private mutating func aggregate(
        _ function: AggregateFunction, _ argument: CompiledSelector?, _ insideAggregate: Bool
    ) throws(CQLError) -> CompiledSelector {
        if insideAggregate {
            throw .invalid(message: "aggregate functions cannot be used as arguments of aggregate functions")
        }
        aggregates.append(AggregateUse(function: function, argument: argument))
        return .aggregate(aggregates.count - 1)
    }

    private mutating func cellAttribute(
        _ attribute: CellAttribute, _ inner: Selector
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        guard case .column(let name) = inner else {
            throw .invalid(message: "\(attribute.rawValue) of an element or field of a column cannot be selected")
        }
        let column = try table.required(name)
        if column.isPrimaryKey {
            throw .invalid(message: "Cannot use selection function \(attribute.rawValue) on PRIMARY KEY part \(name)")
        }
        if column.isMultiCell, attribute != .maxWriteTime {
            throw .invalid(
                message: "Cannot use selection function \(attribute.rawValue) on non-frozen "
                    + (column.type.isCollection ? "collection" : "UDT") + " \(name)")
        }
        return attribute == .timeToLive ? (.timeToLive(column), .int) : (.writeTime(column), .bigint)
    }

    private mutating func element(
        _ inner: Selector, _ key: Term, _ insideAggregate: Bool
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        let (compiled, type) = try compile(inner, insideAggregate: insideAggregate)
        let function = try ScalarFunction.element(of: type, named: inner.cqlText)
        let bound = try binder.bind(key, to: function.argumentTypes[1], named: "key(\(inner.cqlText))")
        return (.call(function, [compiled, .term(bound)]), function.returnType)
    }

    private mutating func slice(
        _ inner: Selector, _ from: Term?, _ to: Term?, _ insideAggregate: Bool
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        let (compiled, type) = try compile(inner, insideAggregate: insideAggregate)
        let function = try ScalarFunction.slice(of: type, named: inner.cqlText)
        let lower = try from.map { term throws(CQLError) in
            try binder.bind(term, to: function.argumentTypes[1], named: "key(\(inner.cqlText))")
        }
        let upper = try to.map { term throws(CQLError) in
            try binder.bind(term, to: function.argumentTypes[2], named: "key(\(inner.cqlText))")
        }
        return (
            .call(function, [compiled, .term(lower ?? .constant(nil)), .term(upper ?? .constant(nil))]),
            function.returnType
        )
    }

    private mutating func operate(
        _ left: Selector, _ operation: ArithmeticOperator, _ right: Selector, _ insideAggregate: Bool
    ) throws(CQLError) -> (CompiledSelector, CQLType) {
        let (leftCompiled, leftType) = try compile(left, insideAggregate: insideAggregate)
        let (rightCompiled, rightType) = try compile(right, insideAggregate: insideAggregate)
        let function = try Arithmetic.function(operation, leftType, rightType)
        return (.call(function, [leftCompiled, rightCompiled]), function.returnType)
    }

    private func jsonOutputs(_ outputs: [OutputColumn]) throws(CQLError) -> [OutputColumn] {
        let function = ScalarFunction.jsonRow(outputs.map { ($0.specification.name, $0.specification.type) })
        let whole = CompiledSelector.call(function, outputs.map(\.selector))
        return [OutputColumn(specification: table.specification(named: "[json]", type: .text), selector: whole)]
    }

    // MARK: Grouping and order

    private func groupBy(_ selectors: [Selector], _ restrictions: Restrictions) throws(CQLError) -> Int {
        guard !selectors.isEmpty else { return 0 }
        let keys: [CompiledColumn] = table.partitionKey + table.clustering
        var position = 0
        for selector in selectors {
            guard case .column(let name) = selector else {
                throw .invalid(
                    message:
                        "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
                )
            }
            let column = try table.required(name)
            guard column.isPrimaryKey else {
                throw .invalid(
                    message: "Group by is currently only supported on the columns of the PRIMARY KEY, got \(name)")
            }
            while position < keys.count, keys[position].name != name, isFixed(position, restrictions) { position += 1 }
            guard position < keys.count, keys[position].name == name else {
                throw .invalid(
                    message:
                        "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
                )
            }
            position += 1
        }
        guard position >= table.partitionKey.count else {
            throw .invalid(message: "Group by is not supported on only a part of the partition key")
        }
        return position
    }

    private func isFixed(_ position: Int, _ restrictions: Restrictions) -> Bool {
        let list: [KeyRestriction] =
            position < table.partitionKey.count ? restrictions.partitionKey : restrictions.clustering
        let index: Int = position < table.partitionKey.count ? position : position - table.partitionKey.count
        guard index < list.count, case .equal = list[index] else { return false }
        return true
    }

    private func order(
        _ orderings: [Ordering], _ restrictions: Restrictions
    ) throws(CQLError) -> (isReversed: Bool, sortsRows: Bool) {
        guard !orderings.isEmpty else { return (false, false) }
        if orderings.contains(where: { $0.nearestTo != nil }) {
            throw .invalid(message: "ANN ordering by vector requires the column to be indexed")
        }
        guard restrictions.namesPartitions else {
            throw .invalid(
                message: "ORDER BY is only supported when the partition key is restricted by an EQ or an IN.")
        }
        var isReversed: Bool?
        var position = 0
        for ordering in SelectPlanner.latest(orderings) {
            let column = try table.required(ordering.column)
            guard column.kind == .clustering else {
                throw .invalid(
                    message:
                        "Order by is currently only supported on the clustered columns of the PRIMARY KEY, got \(column.name)"
                )
            }
            while position < column.slot, position < restrictions.clustering.count,
                case .equal = restrictions.clustering[position]
            {
                position += 1
            }
            guard column.slot == position else {
                throw .invalid(
                    message:
                        "Order by currently only supports the ordering of columns following their declared order in the PRIMARY KEY"
                )
            }
            let wanted: Bool = ordering.isDescending != column.definition.isDescending
            guard isReversed == nil || isReversed == wanted else {
                throw .invalid(message: "Unsupported order by relation")
            }
            isReversed = wanted
            position += 1
        }
        return (isReversed ?? false, !restrictions.namesOnePartition)
    }

    /// A column that is named again keeps its place and takes the later direction.
    private static func latest(_ orderings: [Ordering]) -> [Ordering] {
        var latest: [Ordering] = []
        var places: [String: Int] = [:]
        for ordering in orderings {
            if let place = places[ordering.column] {
                latest[place] = ordering
            } else {
                places[ordering.column] = latest.count
                latest.append(ordering)
            }
        }
        return latest
    }
}

extension Selector {
    /// The same as a term, for what says nothing of a row.
    var asTerm: Term? {
        switch self {
        case .literal(let literal): return .literal(literal)
        case .bindMarker(let marker): return .bindMarker(marker)
        case .list(let elements):
            let terms = elements.compactMap(\.asTerm)
            return terms.count == elements.count ? .list(terms) : nil
        case .set(let elements):
            let terms = elements.compactMap(\.asTerm)
            return terms.count == elements.count ? .set(terms) : nil
        case .tuple(let elements):
            let terms = elements.compactMap(\.asTerm)
            return terms.count == elements.count ? .tuple(terms) : nil
        case .map(let entries):
            var pairs: [TermEntry] = []
            for entry in entries {
                guard let key = entry.key.asTerm, let value = entry.value.asTerm else { return nil }
                pairs.append(TermEntry(key: key, value: value))
            }
            return .map(pairs)
        default: return nil
        }
    }

    /// Whether the type is for somebody else to say.
    var isUntyped: Bool {
        switch self {
        case .literal(.integer), .literal(.float): false
        default: asTerm != nil
        }
    }
}
