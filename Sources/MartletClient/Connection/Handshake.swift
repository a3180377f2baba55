import CQL

/// Knows what the answers of a server mean until a connection is ready.
///
///     STARTUP ──▶ READY                                     ready
///             ──▶ AUTHENTICATE ── AUTH_RESPONSE ──▶ AUTH_SUCCESS   ready
///             ──▶ ERROR                                     another version, or the end
///
/// A pure value: the connection sends what it says.
struct Handshake {
    enum Step: Equatable {
        /// Send an AUTH_RESPONSE.
        case answer(token: [UInt8])
        case ready
        /// The server does not speak this version; try an older one on a new connection.
        case versionRefused(message: String)
        case refused(CQLError)
        case failed(ClientError)
    }

    private let credentials: Credentials?
    private var hasAnswered = false

    init(credentials: Credentials?) {
        self.credentials = credentials
    }

    mutating func received(_ response: Response) -> Step {
        switch response {
        case .ready: return .ready
        case .authSuccess where hasAnswered: return .ready
        case .authenticate(let className):
            guard let credentials, !hasAnswered else {
                return .failed(.authenticationRequired(className: className))
            }
            hasAnswered = true
            let answer = AuthResponseRequest.plain(user: credentials.user, password: credentials.password)
            return .answer(token: answer.token ?? [])
        case .authChallenge: return .failed(.unexpectedChallenge)
        case .error(.protocolError(let message)) where Handshake.isAboutVersion(message):
            return .versionRefused(message: message)
        case .error(let error): return .refused(error)
        default: return .failed(.malformedResponse("an unexpected answer to STARTUP"))
        }
    }

    /// Servers say it in a sentence only; all of them use these words.
    private static func isAboutVersion(_ message: String) -> Bool {
        let lower = message.lowercased()
        return lower.contains("protocol version") || lower.contains("beta version")
    }
}
