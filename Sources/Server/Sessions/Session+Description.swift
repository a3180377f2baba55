import CQL
import Environment
import Query

extension Session {
    /// The connection as `system_views.clients` shows it.
    func description(_ address: SocketAddress) -> ClientDescription {
        let encryption: String? = connection?.encryptionProtocol
        return ClientDescription(
            endpoint: NodeAddresses.endpoint(address), hostname: nil, username: "anonymous",
            connectionStage: isStarted ? "ready" : "establishing", protocolVersion: Int32(version.rawValue),
            options: startup.options, requestCount: requestCount, isEncrypted: encryption != nil,
            encryptionProtocol: encryption, cipherSuite: nil, keyspace: keyspace)
    }
}
