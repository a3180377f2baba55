package import CQL
import DataModel

/// What a statement comes to once it has been checked against the schema.
package enum StatementPlan: Sendable {
    case select(SelectPlan)
    case modification(ModificationPlan)
    case batch(BatchPlan)
    case truncate(CompiledTable)
    case use(String)
    /// A change of the schema; it is checked against the schema when it runs.
    case schema(Statement)
    case describe(DescribeStatement)
}

/// A BATCH written as one statement.
package final class BatchPlan: Sendable {
    package let kind: BatchStatement.Kind
    package let plans: [ModificationPlan]
    package let timestamp: Expression?
    package let timeToLive: Expression?

    package init(
        kind: BatchStatement.Kind, plans: [ModificationPlan], timestamp: Expression?, timeToLive: Expression?
    ) {
        self.kind = kind
        self.plans = plans
        self.timestamp = timestamp
        self.timeToLive = timeToLive
    }
}

/// A statement that is ready to run: immutable, shared by all shards.
public final class PreparedStatement: Sendable {
    package let id: StatementID
    package let text: String
    /// The keyspace of the session or request that it was prepared for.
    package let keyspace: String?
    package let plan: StatementPlan
    package let markers: PreparedMetadata
    /// The names that the markers go by when values are given by name.
    package let markerNames: [String]
    package let result: ResultMetadata
    /// The identifier of the result's columns; nil for statements that return none.
    package let resultID: StatementID?
    /// The schema it was checked against.
    package let epoch: UInt64
    /// What the hot path needs; nil for statements that are not simple enough.
    public let fastWrite: FastWrite?
    public let fastRead: FastRead?
    public let table: CompiledTable?

    package init(
        id: StatementID, text: String, keyspace: String?, plan: StatementPlan, markers: PreparedMetadata, epoch: UInt64
    ) {
        self.id = id
        self.text = text
        self.keyspace = keyspace
        self.plan = plan
        self.markers = markers
        self.markerNames = markers.columns.map(\.name)
        self.epoch = epoch
        var fastWrite: FastWrite?
        var fastRead: FastRead?
        let result: ResultMetadata
        switch plan {
        case .select(let select):
            result = select.metadata
            self.table = select.table
            fastRead = select.fast
        case .modification(let modification):
            result = .empty
            self.table = modification.table
            fastWrite = modification.fast
        default:
            result = .empty
            self.table = nil
        }
        self.result = result
        let resultID: [UInt8] = result.id
        self.resultID = result.columns.isEmpty ? nil : StatementID(resultID.span.bytes)
        self.fastWrite = fastWrite
        self.fastRead = fastRead
    }

    /// Whether a plan holds under a schema: tables that it names are the same.
    package func holds(in catalog: Catalog) -> Bool {
        if epoch == catalog.epoch { return true }
        switch plan {
        case .select(let select): return catalog.table(select.table.keyspace, select.table.name) === select.table
        case .modification(let plan): return catalog.table(plan.table.keyspace, plan.table.name) === plan.table
        case .batch(let batch):
            return batch.plans.allSatisfy { catalog.table($0.table.keyspace, $0.table.name) === $0.table }
        case .truncate(let table): return catalog.table(table.keyspace, table.name) === table
        case .use, .schema, .describe: return true
        }
    }
}
