import CQL
import DataModel
import Environment
import Primitives

/// The connection over which a session learns of the nodes, the keyspaces, and of changes of both.
struct ControlConnection: Sendable {
    /// What has happened that the session must react to.
    enum Signal: Sendable {
        case event(Event)
        case closed
    }

    /// At most this many events wait to be looked at; more are as good as one.
    private static let signalLimit: Int = 256

    let connection: CQLConnection
    let signals: AsyncStream<Signal>
    private let port: UInt16

    /// Connects and registers for events.
    static func open(to address: SocketAddress, options: ConnectionOptions, host: Host) async throws
        -> ControlConnection
    {
        let (signals, source) = AsyncStream.makeStream(
            of: Signal.self, bufferingPolicy: .bufferingNewest(signalLimit))
        var wanted: ConnectionOptions = options
        wanted.eventTypes = [.topologyChange, .statusChange, .schemaChange]
        wanted.onEvent = { source.yield(.event($0)) }
        wanted.onClose = {
            source.yield(.closed)
            source.finish()
        }
        let connection = try await CQLConnection.connect(
            to: address, on: host.loops[0], network: host.network, options: wanted)
        return ControlConnection(connection: connection, signals: signals, port: address.port)
    }

    private init(connection: CQLConnection, signals: AsyncStream<Signal>, port: UInt16) {
        self.connection = connection
        self.signals = signals
        self.port = port
    }

    /// For questions only, over a connection that is there already.
    init(asking connection: CQLConnection) {
        self.init(connection: connection, signals: AsyncStream { $0.finish() }, port: connection.address.port)
    }

    /// Reads the node itself and its peers.
    func nodes() async throws -> [ClusterNode] {
        var nodes: [ClusterNode] = []
        for row in try await connection.query("SELECT * FROM system.local WHERE key = 'local'").rows {
            nodes.append(ControlConnection.node(row, at: connection.address))
        }
        for row in try await peers() {
            // A node that does not know its own place yet is no node to ask.
            guard let address = ControlConnection.address(row, port: port), address != connection.address else {
                continue
            }
            nodes.append(ControlConnection.node(row, at: address))
        }
        return nodes
    }

    /// Before version 4 of Cassandra there is only the older table.
    private func peers() async throws -> ResultRows {
        do {
            return try await connection.query("SELECT * FROM system.peers_v2").rows
        } catch CQLError.invalid {
            return try await connection.query("SELECT * FROM system.peers").rows
        }
    }

    func replication() async throws -> [String: Replication] {
        let rows = try await connection.query("SELECT keyspace_name, replication FROM system_schema.keyspaces").rows
        var found: [String: Replication] = [:]
        for row in rows {
            guard let name = try row["keyspace_name", as: String.self] else { continue }
            found[name] = Replication(try row["replication", as: [String: String].self] ?? [:])
        }
        return found
    }

    /// Whether all nodes know the same schema.
    func hasSchemaAgreement() async throws -> Bool {
        var versions: Set<UUID> = []
        let local = try await connection.query("SELECT schema_version FROM system.local WHERE key = 'local'").rows
        for row in local {
            versions.formUnion(ControlConnection.optional(row, "schema_version", UUID.self).map { [$0] } ?? [])
        }
        for row in try await peers() {
            versions.formUnion(ControlConnection.optional(row, "schema_version", UUID.self).map { [$0] } ?? [])
        }
        return versions.count <= 1
    }

    private static func node(_ row: Row, at address: SocketAddress) -> ClusterNode {
        let tokens: Set<String> = optional(row, "tokens", Set<String>.self) ?? []
        return ClusterNode(
            address: address, hostID: optional(row, "host_id", UUID.self),
            dataCenter: optional(row, "data_center", String.self) ?? "", rack: optional(row, "rack", String.self) ?? "",
            tokens: tokens.compactMap { Int64($0).map { Token($0) } }.sorted())
    }

    private static func address(_ row: Row, port: UInt16) -> SocketAddress? {
        let names: [String] = ["native_address", "rpc_address", "peer"]
        for name in names {
            guard let host = row.bytes(name), host.count == 4 || host.count == 16, host.contains(where: { $0 != 0 })
            else { continue }
            let own: Int32? = optional(row, "native_port", Int32.self)
            return SocketAddress(host: host, port: own.flatMap { UInt16(exactly: $0) } ?? port)
        }
        return nil
    }

    /// Servers differ in which columns their tables have.
    private static func optional<Value: CQLDecodable>(_ row: Row, _ name: String, _ type: Value.Type) -> Value? {
        (try? row[name, as: type]) ?? nil
    }
}

extension ClusterTopology {
    /// Reads the cluster from one of its nodes.
    public static func read(over connection: CQLConnection) async throws -> ClusterTopology {
        let control = ControlConnection(asking: connection)
        return ClusterTopology(nodes: try await control.nodes(), replication: try await control.replication())
    }
}
