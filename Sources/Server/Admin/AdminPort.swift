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
        let administration = LiveAdministration(configuration, host, memory: memory)
        let port: Int = configuration.integer("admin_port")
        if port < 0 { return AdminPort(administration, nil) }
        let wanted: SocketAddress = try await address(configuration, port, host)
        let server: AdminServer
        do {
            server = try await AdminServer.start(
                at: wanted, for: administration, access: try await access(configuration, host), on: host)
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

    /// Who may use the port; everybody who can connect when the configuration names no file of passwords.
    private static func access(_ configuration: NodeConfiguration, _ host: Host) async throws -> AdminAccess? {
        let path: String = configuration.text("admin_password_file")
        if path.isEmpty { return nil }
        let text: String
        do throws(DiskError) {
            let file: any DiskFile = try await host.disk.open(path, .read)
            text = String(decoding: try await file.read(min(file.byteCount, 1 << 20), at: 0), as: UTF8.self)
            await file.close()
        } catch {
            throw ConfigurationError("The file \(path) of admin_password_file cannot be read.")
        }
        return try AdminAccess(text: text)
    }

    /// Passwords and answers travel as they are, so that only this machine may reach the port.
    private static func address(_ configuration: NodeConfiguration, _ port: Int, _ host: Host) async throws
        -> SocketAddress
    {
        let text: String = configuration.text("admin_address")
        if !text.isEmpty {
            let wanted = try await NodeAddresses.resolve(text, port, host)
            guard isLoopback(wanted.host) else {
                throw ConfigurationError(
                    "The admin_address \(text) can be reached by other machines, and the admin port speaks no TLS: give it a "
                        + "loopback address, and come to it from elsewhere through a tunnel such as SSH's.")
            }
            return wanted
        }
        let listen = try await NodeAddresses.resolve(configuration.text("listen_address"), port, host)
        return isLoopback(listen.host) ? listen : .loopback(port: listen.port)
    }

    private static func isLoopback(_ address: [UInt8]) -> Bool {
        address.count == 4 ? address[0] == 127 : address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
    }
}
