package import DataModel
package import Environment
import Primitives

/// Why a node's admin port gave no answer, or another one than was asked for.
package enum AdminClientError: Error, Equatable, Sendable {
    case unknownHost(String)
    case refused(host: String, port: UInt16)
    case timedOut(host: String, port: UInt16)
    /// The node is not who it has to be, or does not speak TLS.
    case insecure(host: String, port: UInt16, SecurityFault)
    /// What is there ends the connection without an answer, as a port with TLS does to those who do not speak it.
    case mute(host: String, port: UInt16)
    /// Something answers there, and not as the admin port of a node.
    case notAdmin(host: String, port: UInt16, reason: String)
    /// The node says that the question is wrong.
    case invalid(String)
    /// The node says that it cannot do it.
    case failed(String)
}

/// Asks a node's admin port, one connection a question.
package struct AdminClient: Sendable {
    private let host: Host
    private let name: String
    private let port: UInt16
    private let timeout: Duration
    private let credentials: Credentials?
    private let security: (any TransportSecurity)?

    /// A user and a password.
    package struct Credentials: Sendable, Equatable {
        package var user: String
        package var password: String

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    /// - Parameter security: what encrypts the connections, made ready by the network of `host`; nil for nothing.
    package init(
        _ name: String, port: UInt16, timeout: Duration = .seconds(10), credentials: Credentials? = nil,
        security: (any TransportSecurity)? = nil, host: Host
    ) {
        self.host = host
        self.name = name
        self.port = port
        self.timeout = timeout
        self.credentials = credentials
        self.security = security
    }

    package func get<Answer: Report>(
        _ path: String, _ query: [HTTPRequest.Parameter] = [], as type: Answer.Type
    ) async throws(AdminClientError) -> Answer {
        let json: JSONValue = try await ask("GET", path, query)
        do throws(MalformedReport) {
            return try Answer(json: json)
        } catch {
            throw .notAdmin(host: name, port: port, reason: error.description)
        }
    }

    /// The same node, for questions whose answers take longer.
    package func patient(for timeout: Duration) -> AdminClient {
        AdminClient(name, port: port, timeout: timeout, credentials: credentials, security: security, host: host)
    }

    @discardableResult
    package func post(
        _ path: String, _ query: [HTTPRequest.Parameter] = []
    ) async throws(AdminClientError) -> JSONValue {
        try await ask("POST", path, query)
    }

    /// Has the node do something that takes long.
    ///
    /// - Parameter hear: told how far it is, from time to time, on a loop of the host.
    /// - Returns: how it has ended.
    /// - Throws: also when the connection ends before the work does, which then goes on.
    package func operate(
        _ path: String, _ query: [HTTPRequest.Parameter], hear: @escaping @Sendable (OperationReport) -> Void
    ) async throws(AdminClientError) -> OperationReport {
        let last = LastReport()
        let outcome: AdminConversation.Outcome = try await converse("POST", path, query, patience: .seconds(30)) {
            guard let report = try? OperationReport(json: $0) else { return }
            last.take(report)
            hear(report)
        }
        if case .ended = outcome {
            if let report = last.report, report.state != .running { return report }
            throw .failed(
                "The connection to the node ended before the work did; 'nodetool operations' shows how it goes.")
        }
        let json: JSONValue = try answer(outcome)
        guard let report = try? OperationReport(json: json) else {
            throw .notAdmin(host: name, port: port, reason: "It answers with something else than an operation.")
        }
        return report
    }

    /// What was told last. `Sendable` is unchecked because it is written on one loop and read when that has ended.
    private final class LastReport: @unchecked Sendable {
        private(set) var report: OperationReport?
        func take(_ report: OperationReport) { self.report = report }
    }

    private func addresses() async throws(AdminClientError) -> [SocketAddress] {
        do throws(NetworkError) {
            return try await host.network.resolve(name, port: port)
        } catch {
            throw .unknownHost(name)
        }
    }

    private func request(_ method: String, _ path: String, _ query: [HTTPRequest.Parameter]) -> HTTPRequest {
        var headers = [HTTPRequest.Parameter("Accept", "application/json")]
        if let credentials {
            headers.append(HTTPRequest.Parameter("Authorization", BasicCredentials.header(credentials)))
        }
        return HTTPRequest(method: method, path: path, query: query, headers: headers, keepsConnection: false)
    }

    private func ask(
        _ method: String, _ path: String, _ query: [HTTPRequest.Parameter]
    ) async throws(AdminClientError) -> JSONValue {
        try answer(try await converse(method, path, query, patience: timeout, hear: nil))
    }

    /// - Parameters:
    ///   - patience: how long the node may say nothing.
    ///   - hear: told of each line of an answer that comes line by line; nil where none is expected.
    private func converse(
        _ method: String, _ path: String, _ query: [HTTPRequest.Parameter], patience: Duration,
        hear: (@Sendable (JSONValue) -> Void)?
    ) async throws(AdminClientError) -> AdminConversation.Outcome {
        let request: HTTPRequest = self.request(method, path, query)
        var failure: AdminClientError = .unknownHost(name)
        // A name may stand for addresses of two families, only one of which the node listens at.
        for address in try await addresses() {
            let loop: any Loop = host.loops[0]
            let conversation = AdminConversation(
                request.bytes(authority: address.description), on: loop, patience: patience, hear: hear)
            do throws(AdminClientError) {
                try await connect(conversation, to: address, on: loop)
            } catch {
                guard case .refused = error else { throw error }
                failure = error
                continue
            }
            return await withUnsafeContinuation { continuation in loop.execute { conversation.wait(continuation) } }
        }
        throw failure
    }

    private func connect(
        _ conversation: AdminConversation, to address: SocketAddress, on loop: any Loop
    ) async throws(AdminClientError) {
        do throws(NetworkError) {
            _ = try await host.network.connect(to: address, on: loop, security: security, timeout: timeout) {
                conversation
            }
        } catch {
            switch error {
            case .timedOut: throw .timedOut(host: name, port: port)
            case .insecure(let fault): throw .insecure(host: name, port: port, fault)
            default: throw .refused(host: name, port: port)
            }
        }
    }

    private func answer(_ outcome: AdminConversation.Outcome) throws(AdminClientError) -> JSONValue {
        let response: HTTPResponse
        switch outcome {
        case .response(let whole): response = whole
        case .ended: throw .notAdmin(host: name, port: port, reason: "The answer comes line by line.")
        case .timedOut: throw .timedOut(host: name, port: port)
        case .mute: throw .mute(host: name, port: port)
        case .malformed(let reason): throw .notAdmin(host: name, port: port, reason: reason)
        }
        let json: JSONValue
        do throws(InvalidValue) {
            json = try JSONValue(parsing: String(decoding: response.body, as: UTF8.self))
        } catch {
            throw .notAdmin(host: name, port: port, reason: "The answer is not JSON.")
        }
        if response.status == 200 { return json }
        guard let reason = try? FailureReport(json: json).reason else {
            throw .notAdmin(host: name, port: port, reason: "The answer has status \(response.status).")
        }
        // A node that is not ready yet says so in its own words.
        throw response.status < 500 ? .invalid(reason) : .failed(reason)
    }
}
