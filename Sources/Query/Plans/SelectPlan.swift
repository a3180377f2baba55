package import CQL
import DataModel

/// An expression of a selection whose type is known.
package indirect enum CompiledSelector: Sendable {
    case column(CompiledColumn)
    case cellTimes(CellTimes)
    /// A constant, or a bound value.
    case term(Expression)
    case call(ScalarFunction, [CompiledSelector])
    /// The value of the aggregate at an index of the plan's list.
    case aggregate(Int)
}

extension CompiledSelector {
    /// The columns that it takes values from.
    package var columns: [CompiledColumn] {
        switch self {
        case .column(let column): [column]
        case .cellTimes(let times): [times.column]
        case .call(_, let arguments): arguments.flatMap(\.columns)
        case .term, .aggregate: []
        }
    }
}

/// An aggregate of a selection and what it is given for each row; nil for `count(*)`.
package struct AggregateUse: Sendable {
    package let function: AggregateFunction
    package let argument: CompiledSelector?
}

/// What GROUP BY asks for.
package struct Grouping: Sendable {
    /// How many columns of the primary key, from its first, make a group; zero without GROUP BY.
    package var columnCount = 0
    /// Stands for the last of these columns: rows for which it has the same value are one group.
    package var function: CompiledSelector?

    package init() {}
}

/// One column of a result.
package struct OutputColumn: Sendable {
    package let specification: ColumnSpecification
    package let selector: CompiledSelector
}

/// A SELECT, ready to run.
package final class SelectPlan: Sendable {
    package let table: CompiledTable
    package let restrictions: Restrictions
    package let outputs: [OutputColumn]
    package let aggregates: [AggregateUse]
    package let grouping: Grouping
    package let isDistinct: Bool
    package let isJSON: Bool
    package let isReversed: Bool
    /// For ORDER BY with several partitions: rows are sorted after they are read.
    package let sortsRows: Bool
    package let limit: Expression?
    package let perPartitionLimit: Expression?
    package let metadata: ResultMetadata
    package let warnings: [String]
    /// When every output is a plain column: which, in order. The fast way of writing rows.
    package let plainColumns: [CompiledColumn]?
    /// The ids of the static and regular columns that have to be read, ascending; nil for all of them.
    package let wantedColumns: [UInt16]?
    /// When the statement reads at most one row of one partition by bound or constant values: where they come from.
    package let fast: FastRead?

    package init(
        table: CompiledTable, restrictions: Restrictions, outputs: [OutputColumn], aggregates: [AggregateUse],
        grouping: Grouping, isDistinct: Bool, isJSON: Bool, isReversed: Bool, sortsRows: Bool, limit: Expression?,
        perPartitionLimit: Expression?, warnings: [String]
    ) {
        self.table = table
        self.restrictions = restrictions
        self.outputs = outputs
        self.aggregates = aggregates
        self.grouping = grouping
        self.isDistinct = isDistinct
        self.isJSON = isJSON
        self.isReversed = isReversed
        self.sortsRows = sortsRows
        self.limit = limit
        self.perPartitionLimit = perPartitionLimit
        self.warnings = warnings
        self.metadata = ResultMetadata(columns: outputs.map(\.specification))
        var plain: [CompiledColumn]? = []
        for output in outputs {
            if case .column(let column) = output.selector { plain?.append(column) } else { plain = nil }
        }
        self.plainColumns = isJSON ? nil : plain
        let wantedColumns = SelectPlan.wantedColumns(table, outputs, aggregates, restrictions)
        self.wantedColumns = wantedColumns
        self.fast =
            aggregates.isEmpty && grouping.columnCount == 0 && !isDistinct && !isJSON && limit == nil
                && perPartitionLimit == nil && !table.isComputed
            ? FastRead(table: table, restrictions: restrictions, outputs: plain, columns: wantedColumns) : nil
    }

    package var groupColumnCount: Int { grouping.columnCount }
    package var isAggregate: Bool { !aggregates.isEmpty || groupColumnCount > 0 }

    /// The ids of the static and regular columns that have to be read, ascending; nil for all of them.
    private static func wantedColumns(
        _ table: CompiledTable, _ outputs: [OutputColumn], _ aggregates: [AggregateUse], _ restrictions: Restrictions
    ) -> [UInt16]? {
        var columns: [CompiledColumn] = outputs.flatMap(\.selector.columns)
        columns += aggregates.flatMap { $0.argument?.columns ?? [] }
        columns += restrictions.filters.map(\.column)
        let ids: Set<UInt16> = Set(columns.filter { !$0.isPrimaryKey }.map(\.definition.id))
        return ids.count == table.statics.count + table.regulars.count ? nil : ids.sorted()
    }
}

/// A read of one row by its full key, of columns that are a single cell: what most prepared SELECTs are.
///
/// A class, so that a request retains one thing and not every array.
public final class FastRead: Sendable {
    public let partitionKey: [FastValue]
    public let clustering: [FastValue]
    public let outputs: [FastOutput]
    /// The ids of the columns that have to be read, ascending; nil for all of them.
    public let columns: [UInt16]?

    /// Where the value of an output column comes from.
    public enum FastOutput: Sendable {
        /// The value that the request gave for the partition key's column, or the clustering column.
        case partitionKey(Int)
        case clustering(Int)
        /// A regular column's slot.
        case regular(Int)
    }

    init?(table: CompiledTable, restrictions: Restrictions, outputs: [CompiledColumn]?, columns: [UInt16]?) {
        guard let outputs, restrictions.filters.isEmpty, restrictions.clusteringTuples == nil,
            restrictions.clusteringRange == nil, restrictions.clustering.count == table.clustering.count,
            restrictions.namesOnePartition
        else { return nil }
        guard let partitionKey = FastValue.keys(restrictions.partitionKey, table.partitionKey),
            let clustering = FastValue.keys(restrictions.clustering, table.clustering)
        else { return nil }
        var fast: [FastOutput] = []
        for column in outputs {
            switch column.kind {
            case .partitionKey: fast.append(.partitionKey(column.slot))
            // A decimal is not kept as it was written, so what the client gave is not what the row has.
            case .clustering where column.form.isExact: fast.append(.clustering(column.slot))
            case .regular where !column.isMultiCell && column.type != .counter: fast.append(.regular(column.slot))
            default: return nil
            }
        }
        // A row of a table with static columns may exist by them alone.
        guard table.statics.isEmpty else { return nil }
        self.partitionKey = partitionKey
        self.clustering = clustering
        self.outputs = fast
        self.columns = columns
    }
}

extension ComparableForm {
    /// Whether every value has one encoding only, so that equal keys were given by equal bytes.
    var isExact: Bool {
        switch kind {
        case .decimal, .varint, .float, .double, .boolean, .list, .set, .map, .tuple, .userDefined, .vector: false
        default: true
        }
    }
}
