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
        let ports = PortSecurity(configuration, host, log, administration.certificates)
        let security: (any TransportSecurity)? = try await ports.admin()
        let server: AdminServer
        do {
            server = try await AdminServer.start(
                at: wanted, for: administration, access: try await access(configuration, host), security: security,
                on: host)
        } catch NetworkError.addressInUse {
            throw ConfigurationError(
                "The admin address \(wanted) is taken: another node may be running; admin_address and admin_port choose "
                    + "another one.")
        }
        log.info(
            "Starting listening for operators",
            metadata: ["admin.address": "\(server.address)", "admin.tls": "\(security != nil)"])
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
        let bytes: [UInt8] = try await SettingFile("admin_password_file", path).read(host)
        return try AdminAccess(text: String(decoding: bytes, as: UTF8.self))
    }

    /// Other machines may reach the port only when it asks for passwords, and nobody in between can read them.
    private static func address(_ configuration: NodeConfiguration, _ port: Int, _ host: Host) async throws
        -> SocketAddress
    {
        let text: String = configuration.text("admin_address")
        if !text.isEmpty {
            let wanted = try await NodeAddresses.resolve(text, port, host)
            if isLoopback(wanted.host) { return wanted }
            let missing: [String] = ["admin_tls_certificate", "admin_tls_key", "admin_password_file"].filter {
                configuration.text($0).isEmpty
            }
            if missing.isEmpty { return wanted }
            throw ConfigurationError(
                "The admin_address \(text) can be reached by other machines, which takes encryption and passwords: set "
                    + "\(missing.joined(separator: ", ")) too, or give it a loopback address.")
        }
        let listen = try await NodeAddresses.resolve(configuration.text("listen_address"), port, host)
        return isLoopback(listen.host) ? listen : .loopback(port: listen.port)
    }

    private static func isLoopback(_ address: [UInt8]) -> Bool {
        address.count == 4 ? address[0] == 127 : address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
    }
}
