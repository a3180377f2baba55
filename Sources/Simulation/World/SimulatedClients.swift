package import CQL
package import Environment
package import MartletClient
package import SimulatedHost

/// A machine of clients. Every byte that reaches it goes into a record, with the time at which it came.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedClients: @unchecked Sendable {
    package let machine: SimulatedMachine
    package let record = ByteRecord()
    /// What clients are given.
    package let host: Host

    package init(in world: SimulatedWorld, name: String = "clients", loopCount: Int = 2) {
        self.machine = world.makeHost(name: name, loopCount: loopCount)
        let plain: Host = machine.host
        let network = RecordedNetwork(network: plain.network, record: record, time: plain.time)
        self.host = Host(
            time: plain.time, entropy: plain.entropy, disk: plain.disk, network: network,
            background: plain.background, loops: plain.loops)
    }

    /// Connects as drivers do.
    package func connect(
        to node: SimulatedNode, options: ConnectionOptions = ConnectionOptions(), loop: Int = 0
    ) async throws -> CQLConnection {
        try await CQLConnection.connect(
            to: node.address, on: host.loops[loop], network: host.network, options: options)
    }

    /// Connects for whoever wants to choose every byte; nothing has been said yet.
    package func open(to node: SimulatedNode, version: ProtocolVersion = .newest) async throws -> WireClient {
        try await WireClient.open(to: node.address, version: version, host: host)
    }

    /// Connects for whoever wants to choose every byte, and says STARTUP.
    package func start(
        on node: SimulatedNode, version: ProtocolVersion = .newest, compression: Compression = .none,
        options: [String: String] = [:]
    ) async throws -> WireClient {
        let client: WireClient = try await open(to: node, version: version)
        try await client.start(compression: compression, options: options)
        return client
    }

    package func sleep(for duration: Duration) async throws {
        try await host.time.sleep(for: duration)
    }
}
