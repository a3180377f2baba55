package import Environment
package import NIOCore

/// What makes keys and certificates ready; the process injects it, so that this layer knows no cryptography.
package protocol ChannelSecuring: Sendable {
    /// May block on files.
    ///
    /// - Parameter seconds: the time since 1970, which certificates are held against.
    func make(_ security: ServerSecurity, atSeconds seconds: Int64) throws(SecurityFault) -> any ChannelSecurity
    func make(_ security: ClientSecurity, atSeconds seconds: Int64) throws(SecurityFault) -> any ChannelSecurity
}

/// Stands between the socket of a channel and its connection.
package protocol ChannelSecurity: TransportSecurity {
    /// Adds its handlers to a channel that has none yet, on the loop of that. The last of them sends `ChannelReady` inwards
    /// when bytes can pass, and errors that are a `NetworkError` when they never will.
    ///
    /// - Parameter timeout: how long the two sides may take to agree; nil for the usual.
    func secure(_ channel: any Channel, within timeout: Duration?) throws
}

/// The two sides of a channel have agreed on keys, or on having none.
package struct ChannelReady: Sendable {
    /// Such as TLSv1.3; nil for a plain stream.
    package let encryptionProtocol: String?

    package init(encryptionProtocol: String?) {
        self.encryptionProtocol = encryptionProtocol
    }
}
