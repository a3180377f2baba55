package import CQL
import DataModel

/// An expression of a selection whose type is known.
package indirect enum CompiledSelector: Sendable {
    case column(CompiledColumn)
    case writeTime(CompiledColumn)
    case timeToLive(CompiledColumn)
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
        case .column(let column), .writeTime(let column), .timeToLive(let column): [column]
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
    /// For GROUP BY: how many columns of the primary key, from its first, make a group.
    package let groupColumnCount: Int
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
    /// When the statement reads at most one row of one partition by bound or constant values: where they come from.
    package let fast: FastRead?

    package init(
        table: CompiledTable, restrictions: Restrictions, outputs: [OutputColumn], aggregates: [AggregateUse],
        groupColumnCount: Int, isDistinct: Bool, isJSON: Bool, isReversed: Bool, sortsRows: Bool, limit: Expression?,
        perPartitionLimit: Expression?, warnings: [String]
    ) {
        self.table = table
        self.restrictions = restrictions
        self.outputs = outputs
        self.aggregates = aggregates
        self.groupColumnCount = groupColumnCount
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
        self.fast =
            aggregates.isEmpty && groupColumnCount == 0 && !isDistinct && !isJSON && limit == nil
                && perPartitionLimit == nil && !table.isComputed
            ? FastRead(table: table, restrictions: restrictions, outputs: plain) : nil
    }

    package var isAggregate: Bool { !aggregates.isEmpty || groupColumnCount > 0 }
}

/// A read of one row by its full key, of columns that are a single cell: what most prepared SELECTs are.
///
/// A class, so that a request retains one thing and not every array.
public final class FastRead: Sendable {
    public let partitionKey: [FastValue]
    public let clustering: [FastValue]
    public let outputs: [FastOutput]

    /// Where the value of an output column comes from.
    public enum FastOutput: Sendable {
        /// The value that the request gave for the partition key's column, or the clustering column.
        case partitionKey(Int)
        case clustering(Int)
        /// A regular column's slot.
        case regular(Int)
    }

    init?(table: CompiledTable, restrictions: Restrictions, outputs: [CompiledColumn]?) {
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
