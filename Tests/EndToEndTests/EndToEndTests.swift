import CQL
import DataModel
import Environment
import MartletClient
import Primitives
import Server
import Synchronization
import SystemHost
import Testing

/// The hot path and the life of a node on the operating system, with all checks of a debug build.
@Suite(.serialized) struct EndToEndTests {
    private static let keyspace =
        "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    private static let table = "CREATE TABLE k.t (id int PRIMARY KEY, v text)"
    private static let insert = "INSERT INTO k.t (id, v) VALUES (?, ?)"
    private static let select = "SELECT v FROM k.t WHERE id = ?"

    private func prepare(_ connection: CQLConnection) async throws {
        _ = try await connection.query(Self.keyspace)
        _ = try await connection.query(Self.table)
    }

    @Test(arguments: ["batch", "group", "periodic"])
    func whatIsWrittenIsReadAndOutlivesARestart(mode: String) async throws {
        try await withFolder { folder in
            try await RealNode.run(in: folder, settings: ["commitlog_sync": mode]) { node in
                let connection = try await node.connect()
                try await prepare(connection)
                let insert = try await connection.prepare(Self.insert)
                let select = try await connection.prepare(Self.select)
                for key in 0..<50 { _ = try await connection.execute(insert, values: [Int32(key), "value \(key)"]) }
                for key in 0..<50 {
                    let rows = try await connection.execute(select, values: [Int32(key)]).rows
                    #expect(try rows.map { try $0["v", as: String.self] } == ["value \(key)"])
                }
                connection.close()
            }
            // With another number of shards the data is divided anew.
            try await RealNode.run(in: folder, shards: 3) { node in
                let connection = try await node.connect()
                #expect(try await connection.query("SELECT id FROM k.t").rows.count == 50)
                connection.close()
            }
        }
    }

    @Test(arguments: [(ProtocolVersion.v5, Compression.none), (.v5, .lz4), (.v4, .none), (.v3, .lz4)])
    func manyTasksShareAConnection(version: ProtocolVersion, compression: Compression) async throws {
        try await withFolder { folder in
            try await RealNode.run(in: folder) { node in
                var options = ConnectionOptions()
                options.version = version
                options.compression = compression
                let connections = [
                    try await node.connect(loop: 0, options: options),
                    try await node.connect(loop: 1, options: options),
                ]
                try await prepare(connections[0])
                let insert = try await connections[0].prepare(Self.insert)
                let select = try await connections[0].prepare(Self.select)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for task in 0..<40 {
                        let connection: CQLConnection = connections[task % 2]
                        group.addTask {
                            for round in 0..<20 {
                                let key = Int32(task * 20 + round)
                                _ = try await connection.execute(insert, values: [key, "task \(task)"])
                                let rows = try await connection.execute(select, values: [key]).rows
                                let found = try rows.map { try $0["v", as: String.self] }
                                #expect(found == ["task \(task)"])
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                #expect(try await connections[1].query("SELECT id FROM k.t").rows.count == 800)
                for connection in connections { connection.close() }
            }
        }
    }

    /// Sends reads of a large row without waiting, and takes no answers until it is told to.
    private final class SlowReader: ResponseHandler, @unchecked Sendable {
        // Unchecked: touched on the connection's loop only, and by the test once all answers have come.
        let completedCount = Mutex(0)
        let hasClosed = Mutex(false)

        func completed(_ stream: Int16, _ envelope: Envelope) {
            if envelope.body.count > 100_000 { completedCount.withLock { $0 += 1 } }
        }

        func closed(_ error: ClientError) {
            hasClosed.withLock { $0 = true }
        }
    }

    @Test func aFloodOfLargeAnswersAllArrive() async throws {
        try await withFolder { folder in
            try await RealNode.run(in: folder) { node in
                let connection = try await node.connect()
                try await prepare(connection)
                let value = String(repeating: "0123456789", count: 10_500)
                let insert = try await connection.prepare(Self.insert)
                for key in 0..<4 { _ = try await connection.execute(insert, values: [Int32(key), value]) }
                let select = try await connection.prepare(Self.select)
                let reader = SlowReader()
                // More than twice of what the node holds for a client that does not read.
                let count = 250
                let loop: any Loop = node.host.loops[0]
                let pipeline = try await PipelinedConnection.connect(
                    to: node.node.clientAddress, on: loop, network: node.host.network
                ) { _ in reader }
                let template = ExecuteTemplate(select, options: QueryOptions(), version: pipeline.version)
                loop.execute {
                    for index in 0..<count {
                        let key: [UInt8] = [0, 0, 0, UInt8(index % 4)]
                        _ = pipeline.execute(template) { $0.writeValue(key) }
                    }
                    pipeline.flush()
                }
                while reader.completedCount.withLock({ $0 }) < count, !reader.hasClosed.withLock({ $0 }) {
                    try await node.host.time.sleep(for: .milliseconds(2))
                }
                #expect(reader.completedCount.withLock { $0 } == count)
                loop.execute { pipeline.close() }
                connection.close()
            }
        }
    }

    @Test func aSecondNodeCannotUseTheFolder() async throws {
        try await withFolder { folder in
            try await RealNode.run(in: folder) { _ in
                await #expect(throws: (any Error).self) {
                    try await RealNode.run(in: folder) { _ in }
                }
            }
        }
    }
}
