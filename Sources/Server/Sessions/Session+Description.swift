import CQL
import Environment
import Query

extension Session {
    /// The connection as `system_views.clients` shows it.
    func description(_ address: SocketAddress) -> ClientDescription {
        ClientDescription(
            endpoint: NodeAddresses.endpoint(address), hostname: nil, username: "anonymous",
            connectionStage: isStarted ? "ready" : "establishing", protocolVersion: Int32(version.rawValue),
            options: startup.options, requestCount: requestCount, isEncrypted: false, encryptionProtocol: nil,
            cipherSuite: nil, keyspace: keyspace)
    }
}
