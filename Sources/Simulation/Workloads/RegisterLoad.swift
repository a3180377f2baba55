import CQL
package import MartletClient

/// Clients that write and read registers until they are told to stop, and come back when their connections break.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class RegisterLoad: @unchecked Sendable {
    package private(set) var history = RegisterHistory()
    /// What was seen that may not be.
    package private(set) var faults: [String] = []
    /// Requests that failed or were not answered.
    package private(set) var failureCount = 0
    private let cluster: SimulatedCluster
    private let options: ConnectionOptions
    private var isStopping = false

    package static let keyspace =
        "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
    package static let table = "CREATE TABLE load.registers (key int PRIMARY KEY, value bigint, padding text)"
    private static let keysOfAWriter: Int32 = 16

    package init(_ cluster: SimulatedCluster, options: ConnectionOptions = ConnectionOptions()) {
        self.cluster = cluster
        self.options = options
    }

    package func stop() {
        isStopping = true
    }

    /// Makes the table.
    package func prepare() async throws {
        let connection = try await cluster.clients.connect(to: cluster.node)
        _ = try await connection.query(RegisterLoad.keyspace)
        _ = try await connection.query(RegisterLoad.table)
        connection.close()
    }

    /// Runs `writerCount` writers with registers of their own; returns when all have stopped.
    package func run(writerCount: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<writerCount {
                group.addTask { await self.write(Int32(truncatingIfNeeded: writer)) }
            }
        }
    }

    /// Reads every register once and notes what may not be.
    package func check() async throws {
        let connection = try await cluster.clients.connect(to: cluster.node)
        for key in history.keys {
            let result = try await connection.query("SELECT value FROM load.registers WHERE key = \(key)")
            let found: Int64? = try result.rows.first { _ in true }?["value", as: Int64.self]
            note(history.fault(key, found: found, floor: history.floor(key)))
        }
        connection.close()
    }

    private func write(_ writer: Int32) async {
        var round: Int32 = 0
        while !isStopping {
            do {
                let node: SimulatedNode = cluster.nodes[Int(writer) % cluster.nodes.count]
                let connection = try await cluster.clients.connect(to: node, options: options, loop: Int(writer) % 2)
                let insert = try await connection.prepare(
                    "INSERT INTO load.registers (key, value, padding) VALUES (?, ?, ?)")
                let select = try await connection.prepare("SELECT value FROM load.registers WHERE key = ?")
                while !isStopping {
                    round += 1
                    let key: Int32 = writer * RegisterLoad.keysOfAWriter + round % RegisterLoad.keysOfAWriter
                    try await change(key, connection, insert, select)
                }
                connection.close()
            } catch {
                failureCount += 1
                try? await cluster.clients.sleep(for: .milliseconds(20))
            }
        }
    }

    private func change(
        _ key: Int32, _ connection: CQLConnection, _ insert: PreparedStatement, _ select: PreparedStatement
    ) async throws {
        let value: Int64 = history.begin(key)
        let padding = String(repeating: "x", count: Int(value % 64))
        _ = try await connection.execute(insert, values: [key, value, padding])
        history.acknowledge(key, value)
        let floor: Int64 = history.floor(key)
        let result = try await connection.execute(select, values: [key])
        let found: Int64? = try result.rows.first { _ in true }?["value", as: Int64.self]
        note(history.fault(key, found: found, floor: floor))
    }

    private func note(_ fault: String?) {
        if let fault { faults.append(fault) }
    }
}
