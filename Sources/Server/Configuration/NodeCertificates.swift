import Environment
import Synchronization

/// What protects the ports of a node, to be read anew while the node runs: certificates end, nodes should not have to.
final class NodeCertificates: Sendable {
    typealias Reading = @Sendable () async throws -> any TransportSecurity

    private struct Port: Sendable {
        let security: any TransportSecurity
        let read: Reading
    }

    private let ports = Mutex<[Port]>([])

    /// Reads files for the first time, and remembers how.
    func first(_ read: @escaping Reading) async throws -> any TransportSecurity {
        let security: any TransportSecurity = try await read()
        ports.withLock { $0.append(Port(security: security, read: read)) }
        return security
    }

    /// Reads all files again, for connections to come; those that are up stay as they are.
    ///
    /// - Returns: whether there are any.
    /// - Throws: a sentence about what cannot be used; then nothing has changed.
    func reload() async throws -> Bool {
        let known: [Port] = ports.withLock { $0 }
        var renewed: [any TransportSecurity] = []
        for port in known { renewed.append(try await port.read()) }
        for (port, security) in zip(known, renewed) { port.security.replace(with: security) }
        return !known.isEmpty
    }
}
