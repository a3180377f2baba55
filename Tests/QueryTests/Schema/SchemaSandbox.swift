import CQL
import DataModel
import Primitives
import Testing

@testable import Query

/// A schema that tests change by CQL text.
struct SchemaSandbox {
    var schema = SystemTables.installed(in: Schema())
    var keyspace: String? = "ks"
    var dataCenters: [String: Int] = ["dc1": 1]
    private var tableCount: UInt64 = 0

    init(_ statements: String...) throws {
        try apply("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        for statement in statements { try apply(statement) }
    }

    static let nowMicroseconds: Int64 = 1_700_000_000_000_000

    @discardableResult
    mutating func apply(_ text: String) throws -> SchemaTransition {
        tableCount += 1
        let context = SchemaContext(
            keyspace: keyspace, nowMicroseconds: SchemaSandbox.nowMicroseconds,
            newTableID: UUID(high: 0x1000, low: tableCount), dataCenters: dataCenters)
        let parsed = try CQLParser.parse(text)
        let transition = try #require(
            try SchemaTransition.applying(parsed.statement, to: schema, context: context))
        schema = transition.schema
        return transition
    }

    /// The error that a statement is refused with; nil when it is not.
    mutating func refusal(_ text: String) -> CQLError? {
        do {
            try apply(text)
            return nil
        } catch let error as CQLError {
            return error
        } catch {
            return .serverError(message: "\(error)")
        }
    }

    func table(_ name: String) throws -> TableDefinition { try #require(schema.table("ks", name)) }

    func describe(_ text: String) throws -> [[String]] {
        let parsed = try CQLParser.parse(text)
        guard case .describe(let statement) = parsed.statement else { return [] }
        let cluster = ClusterDescription(
            clusterName: "Test Cluster", partitioner: ServerVersions.partitioner,
            snitch: "org.apache.cassandra.locator.SimpleSnitch", rangeOwnership: ["0": ["/127.0.0.1:7000"]])
        let describer = SchemaDescriber(schema: schema, sessionKeyspace: keyspace, cluster: cluster)
        return try describer.describe(statement).rows.map { row in
            row.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    func describeRefusal(_ text: String) -> String? {
        do {
            _ = try describe(text)
            return nil
        } catch let error as CQLError {
            return error.message
        } catch {
            return "\(error)"
        }
    }
}
