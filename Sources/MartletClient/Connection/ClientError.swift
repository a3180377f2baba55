public import Environment

/// What goes wrong on the client's side of a connection; what a server answers is a `CQLError`.
public enum ClientError: Error, Equatable, Sendable {
    case unreachable(SocketAddress, NetworkError)
    case unknownHost(String)
    /// There is no address to connect to, or no connection is left.
    case noHosts
    /// The server speaks none of the versions that may be spoken; its own words.
    case versionRefused(message: String)
    /// The server wants to know who we are and no credentials were given.
    case authenticationRequired(className: String)
    /// The server asks for more than a user name and a password.
    case unexpectedChallenge
    case connectionClosed(NetworkError?)
    /// No answer came in time. Whether the request was carried out is not known.
    case timedOut(Duration)
    /// As many requests as the connection may carry are waiting for answers.
    case tooManyRequests(limit: Int)
    case malformedResponse(String)
    case wrongValueCount(expected: Int, given: Int)
    case invalidValue(String)
    case noSuchColumn(String)
}

extension ClientError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .unreachable(let address, let error): "cannot connect to \(address): \(ClientError.words(error))"
        case .unknownHost(let name): "cannot find the host '\(name)'"
        case .noHosts: "there is no host to connect to"
        case .versionRefused(let message): "the server speaks none of our protocol versions: \(message)"
        case .authenticationRequired(let className): "the server requires authentication (\(className))"
        case .unexpectedChallenge: "the server asks for more than a user name and a password"
        case .connectionClosed(let error):
            error.map { "the connection was closed: \(ClientError.words($0))" } ?? "the connection was closed"
        case .timedOut(let duration): "no answer within \(duration)"
        case .tooManyRequests(let limit): "\(limit) requests are waiting for answers already"
        case .malformedResponse(let reason): "the server sent a response that cannot be read: \(reason)"
        case .wrongValueCount(let expected, let given): "\(given) values for \(expected) bind markers"
        case .invalidValue(let reason): reason
        case .noSuchColumn(let name): "the result has no column '\(name)'"
        }
    }

    private static func words(_ error: NetworkError) -> String {
        switch error {
        case .refused: "connection refused"
        case .timedOut: "timed out"
        case .addressInUse: "address in use"
        case .unknownHost(let name): "unknown host \(name)"
        case .closed: "closed"
        case .insecure(let fault): fault.description
        case .failed(_, let reason): reason
        }
    }
}
