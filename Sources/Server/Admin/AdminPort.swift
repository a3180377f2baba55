import Administration
import Environment
import Logging

/// The admin port over the life of a node: open before the node has started, closed when it has stopped.
final class AdminPort: Sendable {
    let administration: LiveAdministration
    /// Nil when the configuration wants none.
    private let server: AdminServer?

    var address: SocketAddress? { server?.address }

    private init(_ administration: LiveAdministration, _ server: AdminServer?) {
        self.administration = administration
        self.server = server
    }

    static func open(
        _ configuration: NodeConfiguration, _ memory: (@Sendable () -> (resident: Int, machine: Int))?,
        on host: Host, _ log: Logger
    ) async throws -> AdminPort {
        let administration = LiveAdministration(time: host.time, memory: memory)
        let port: Int = configuration.integer("admin_port")
        if port < 0 { return AdminPort(administration, nil) }
        let wanted: SocketAddress = try await address(configuration, port, host)
        let server: AdminServer
        do {
            server = try await AdminServer.start(at: wanted, for: administration, on: host)
        } catch NetworkError.addressInUse {
            throw ConfigurationError(
                "The admin address \(wanted) is taken: another node may be running; admin_address and admin_port choose "
                    + "another one.")
        }
        log.info("Starting listening for operators", metadata: ["admin.address": "\(server.address)"])
        return AdminPort(administration, server)
    }

    func close() async {
        administration.stops()
        await server?.stop()
    }

    /// The port has no users, so that by default only this machine reaches it.
    private static func address(_ configuration: NodeConfiguration, _ port: Int, _ host: Host) async throws
        -> SocketAddress
    {
        let text: String = configuration.text("admin_address")
        if !text.isEmpty { return try await NodeAddresses.resolve(text, port, host) }
        let listen = try await NodeAddresses.resolve(configuration.text("listen_address"), port, host)
        return isLoopback(listen.host) ? listen : .loopback(port: listen.port)
    }

    private static func isLoopback(_ address: [UInt8]) -> Bool {
        address.count == 4 ? address[0] == 127 : address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
    }
}
