/// A request that breaks the rules of the protocol, or a response that does.
///
/// A server answers it with an ERROR of the code 0x000A, or 0x2200 when it is the request that is unacceptable and not
/// its encoding.
public struct ProtocolError: Error, Equatable, Sendable {
    public var message: String
    /// Whether the answer has the code Invalid (0x2200) instead of Protocol_error (0x000A).
    public var isInvalidRequest: Bool

    @inline(never)
    public init(_ message: String, isInvalidRequest: Bool = false) {
        self.message = message
        self.isInvalidRequest = isInvalidRequest
    }

    /// The error to send to the peer.
    public var cqlError: CQLError {
        isInvalidRequest ? .invalid(message: message) : .protocolError(message: message)
    }

    /// The body ends inside the thing that `what` names.
    @inline(never)
    public static func truncated(_ what: StaticString) -> ProtocolError {
        ProtocolError("Not enough bytes to read \(what)")
    }
}
