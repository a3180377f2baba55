package import CQL
package import DataModel
import Primitives

/// Plans a SELECT: what is selected, which partitions and rows are read, in which order.
package struct SelectPlanner {
    package let table: CompiledTable
    private var compiler: SelectorCompiler

    package init(_ table: CompiledTable, _ binder: TermBinder, keyspace: KeyspaceDefinition) {
        self.table = table
        self.compiler = SelectorCompiler(table, binder, keyspace: keyspace)
    }

    package var binder: TermBinder {
        get { compiler.binder }
        set { compiler.binder = newValue }
    }

    package mutating func plan(_ statement: SelectStatement) throws(CQLError) -> SelectPlan {
        var outputs: [OutputColumn] = try select(statement.selection)
        var analyzer = WhereAnalyzer(table, purpose: .select(allowsFiltering: statement.allowsFiltering))
        let restrictions = try analyzer.analyze(statement.whereClause, &binder)
        try checkFiltering(restrictions, statement)
        let grouping: Grouping = try groupBy(statement.groupBy, restrictions)
        let order = try self.order(statement.orderBy, restrictions)
        if statement.isDistinct {
            try checkDistinct(outputs, statement, restrictions)
            if grouping.columnCount > table.partitionKey.count {
                throw .invalid(message: "Grouping on clustering columns is not allowed for SELECT DISTINCT queries")
            }
        }
        let perPartitionLimit: Expression? = try statement.perPartitionLimit.map { term throws(CQLError) in
            try binder.bind(term, to: .int, named: "[per_partition_limit]")
        }
        if perPartitionLimit != nil, statement.isDistinct {
            throw .invalid(message: "PER PARTITION LIMIT is not allowed with SELECT DISTINCT queries")
        }
        if perPartitionLimit != nil, !compiler.aggregates.isEmpty, grouping.columnCount == 0 {
            throw .invalid(message: "PER PARTITION LIMIT is not allowed with aggregate queries.")
        }
        let limit: Expression? = try statement.limit.map { term throws(CQLError) in
            try binder.bind(term, to: .int, named: "[limit]")
        }
        if statement.isJSON { outputs = try jsonOutputs(outputs) }
        return SelectPlan(
            table: table, restrictions: restrictions, outputs: outputs, aggregates: compiler.aggregates,
            grouping: grouping, isDistinct: statement.isDistinct, isJSON: statement.isJSON,
            isReversed: order.isReversed, sortsRows: order.sortsRows, limit: limit,
            perPartitionLimit: perPartitionLimit, warnings: warnings(grouping, restrictions))
    }

    private func warnings(_ grouping: Grouping, _ restrictions: Restrictions) -> [String] {
        guard !compiler.aggregates.isEmpty || grouping.columnCount > 0, !table.isComputed else { return [] }
        if !restrictions.namesPartitions { return ["Aggregation query used without partition key"] }
        let hasIn: Bool = restrictions.partitionKey.contains {
            if case .isIn = $0 { return true }
            return false
        }
        return hasIn ? ["Aggregation query used on multiple partition keys (IN restriction)"] : []
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
        let selectors: [CompiledSelector] = outputs.map(\.selector) + compiler.aggregates.compactMap(\.argument)
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
                let compiled = try compiler.compile(item.selector)
                let specification = table.specification(named: item.alias ?? compiled.name, type: compiled.type)
                outputs.append(OutputColumn(specification: specification, selector: compiled.selector))
            }
            return outputs
        }
    }

    private func jsonOutputs(_ outputs: [OutputColumn]) throws(CQLError) -> [OutputColumn] {
        let function = ScalarFunction.jsonRow(outputs.map { ($0.specification.name, $0.specification.type) })
        let whole = CompiledSelector.call(function, outputs.map(\.selector))
        return [OutputColumn(specification: table.specification(named: "[json]", type: .text), selector: whole)]
    }

    // MARK: Grouping and order

    /// How many columns of the primary key make a group, and the function that stands for the last of them.
    private mutating func groupBy(_ selectors: [Selector], _ restrictions: Restrictions) throws(CQLError) -> Grouping {
        guard !selectors.isEmpty else { return Grouping() }
        let keys: [CompiledColumn] = table.partitionKey + table.clustering
        var grouping = Grouping()
        for selector in selectors {
            let column: CompiledColumn
            if case .column(let name) = selector {
                column = try table.required(name)
                guard column.isPrimaryKey else {
                    throw .invalid(
                        message: "Group by is currently only supported on the columns of the PRIMARY KEY, got \(name)")
                }
                guard grouping.function == nil else {
                    throw .invalid(message: "Functions are only supported on the last element of the GROUP BY clause")
                }
            } else {
                let function = try groupFunction(selector)
                grouping.function = function.selector
                column = function.column
            }
            while grouping.columnCount < keys.count, keys[grouping.columnCount] !== column,
                isFixed(grouping.columnCount, restrictions)
            {
                grouping.columnCount += 1
            }
            guard grouping.columnCount < keys.count, keys[grouping.columnCount] === column else {
                throw .invalid(
                    message:
                        "Group by currently only support groups of columns following their declared order in the PRIMARY KEY"
                )
            }
            grouping.columnCount += 1
        }
        guard grouping.columnCount >= table.partitionKey.count else {
            throw .invalid(message: "Group by is not supported on only a part of the partition key")
        }
        return grouping
    }

    private mutating func groupFunction(
        _ selector: Selector
    ) throws(CQLError) -> (selector: CompiledSelector, column: CompiledColumn) {
        let aggregateCount: Int = compiler.aggregates.count
        let compiled = try compiler.compile(selector)
        guard compiler.aggregates.count == aggregateCount else {
            throw .invalid(
                message: "Aggregate functions are not supported within the GROUP BY clause, got: \(compiled.name)")
        }
        var columns: [CompiledColumn] = []
        for column in compiled.selector.columns where !columns.contains(where: { $0 === column }) {
            columns.append(column)
        }
        guard let column = columns.first else {
            throw .invalid(message: "GROUP BY functions must have one clustering column name as parameter")
        }
        guard columns.count == 1 else {
            let names: String = columns.map { CQLIdentifier.quotedIfNeeded($0.name) }.joined(separator: ",")
            throw .invalid(
                message: "GROUP BY functions accept only one clustering column as parameter, got: \(names)")
        }
        guard column.kind == .clustering else {
            throw .invalid(message: "Group by functions are only supported on clustering columns, got \(column.name)")
        }
        return (compiled.selector, column)
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
