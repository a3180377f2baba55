import CQL
import DataModel
import Glibc
import MartletClient
import Primitives
import Server
import SimulatedHost
import Simulation
import Testing

/// How many seeds a random test runs: few in every run, as many as MARTLET_SEEDS says when somebody hunts.
func seeds(_ usual: Int) -> [UInt64] {
    let count: Int = getenv("MARTLET_SEEDS").flatMap { Int(String(cString: $0)) } ?? usual
    return (1...max(1, count)).map { UInt64($0) }
}

/// One node of two shards with a table, and the statements that most tests need.
enum NodeFixture {
    static let keyspace = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    static let table = "CREATE TABLE k.t (id int PRIMARY KEY, v text)"
    static let rows = "CREATE TABLE k.r (p int, c int, v text, PRIMARY KEY (p, c))"
    static let insert = "INSERT INTO k.t (id, v) VALUES (?, ?)"
    static let select = "SELECT v FROM k.t WHERE id = ?"

    /// A started node with the tables.
    static func started(
        seed: UInt64 = 1, shardCount: Int = 2, settings: [String: String] = [:]
    ) throws -> SimulatedCluster {
        let cluster = try SimulatedCluster(seed: seed, shardCount: shardCount, settings: settings)
        try cluster.start()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            for text in [keyspace, table, rows] { _ = try await connection.query(text) }
            connection.close()
        }
        return cluster
    }

    static func int(_ value: Int) -> BoundValue {
        let number = UInt32(bitPattern: Int32(truncatingIfNeeded: value))
        return .bytes([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) })
    }

    static func text(_ value: String) -> BoundValue { .bytes(Array(value.utf8)) }
}

extension WireClient {
    /// The bytes of EXECUTE messages that go together, on the streams from 0 on.
    func executions(
        _ statement: PreparedResult, _ values: [[BoundValue]], options: QueryOptions = QueryOptions()
    ) -> [UInt8] {
        messages { write in
            for (index, row) in values.enumerated() {
                write(.execute, Int16(truncatingIfNeeded: index), []) { body in
                    body.writeExecute(
                        statementID: statement.statementID, resultMetadataID: statement.resultMetadataID,
                        options: options, values: row, version: version)
                }
            }
        }
    }
}

/// What can be agreed on at the start of a connection.
struct Dialect: Sendable, CustomTestStringConvertible {
    let version: ProtocolVersion
    let compression: Compression

    var testDescription: String { "\(version.name) \(compression)" }

    static let all: [Dialect] = [
        Dialect(version: .v3, compression: .none), Dialect(version: .v3, compression: .lz4),
        Dialect(version: .v4, compression: .none), Dialect(version: .v4, compression: .snappy),
        Dialect(version: .v5, compression: .none), Dialect(version: .v5, compression: .lz4),
    ]
}
