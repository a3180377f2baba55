package import DataModel
package import Environment
import Primitives

/// Why a node's admin port gave no answer, or another one than was asked for.
package enum AdminClientError: Error, Equatable, Sendable {
    case unknownHost(String)
    case refused(host: String, port: UInt16)
    case timedOut(host: String, port: UInt16)
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

    /// A user and a password.
    package struct Credentials: Sendable, Equatable {
        package var user: String
        package var password: String

        package init(user: String, password: String) {
            self.user = user
            self.password = password
        }
    }

    package init(
        _ name: String, port: UInt16, timeout: Duration = .seconds(10), credentials: Credentials? = nil, host: Host
    ) {
        self.host = host
        self.name = name
        self.port = port
        self.timeout = timeout
        self.credentials = credentials
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
        AdminClient(name, port: port, timeout: timeout, credentials: credentials, host: host)
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
        let request: HTTPRequest = self.request("POST", path, query)
        let last = LastReport()
        var failure: AdminClientError = .unknownHost(name)
        for address in try await addresses() {
            let outcome: AdminStream.Outcome
            do throws(AdminClientError) {
                outcome = try await stream(request.bytes(authority: address.description), at: address) { json in
                    guard let report = try? OperationReport(json: json) else { return }
                    last.take(report)
                    hear(report)
                }
            } catch {
                guard case .refused = error else { throw error }
                failure = error
                continue
            }
            return try end(of: outcome, last.report)
        }
        throw failure
    }

    private func end(
        of outcome: AdminStream.Outcome, _ last: OperationReport?
    ) throws(AdminClientError) -> OperationReport {
        switch outcome {
        case .ended:
            if let last, last.state != .running { return last }
            throw .failed(
                "The connection to the node ended before the work did; 'nodetool operations' shows how it goes.")
        case .response(let response):
            let json: JSONValue = try answer(response)
            guard let report = try? OperationReport(json: json) else {
                throw .notAdmin(host: name, port: port, reason: "It answers with something else than an operation.")
            }
            return report
        case .timedOut: throw .timedOut(host: name, port: port)
        case .malformed(let reason): throw .notAdmin(host: name, port: port, reason: reason)
        }
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
        let request: HTTPRequest = self.request(method, path, query)
        var failure: AdminClientError = .unknownHost(name)
        // A name may stand for addresses of two families, only one of which the node listens at.
        for address in try await addresses() {
            do throws(AdminClientError) {
                return try answer(try await exchange(request.bytes(authority: address.description), at: address))
            } catch {
                guard case .refused = error else { throw error }
                failure = error
            }
        }
        throw failure
    }

    private func stream(
        _ request: [UInt8], at address: SocketAddress, hear: @escaping @Sendable (JSONValue) -> Void
    ) async throws(AdminClientError) -> AdminStream.Outcome {
        let loop: any Loop = host.loops[0]
        let stream = AdminStream(request, on: loop, patience: .seconds(30), hear: hear)
        do throws(NetworkError) {
            _ = try await host.network.connect(to: address, on: loop, timeout: timeout) { stream }
        } catch {
            switch error {
            case .timedOut: throw .timedOut(host: name, port: port)
            default: throw .refused(host: name, port: port)
            }
        }
        return await withUnsafeContinuation { continuation in loop.execute { stream.wait(continuation) } }
    }

    private func answer(_ response: HTTPResponse) throws(AdminClientError) -> JSONValue {
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

    private func exchange(_ request: [UInt8], at address: SocketAddress) async throws(AdminClientError) -> HTTPResponse
    {
        let loop: any Loop = host.loops[0]
        let exchange = AdminExchange(request)
        do throws(NetworkError) {
            _ = try await host.network.connect(to: address, on: loop, timeout: timeout) { exchange }
        } catch {
            switch error {
            case .timedOut: throw .timedOut(host: name, port: port)
            default: throw .refused(host: name, port: port)
            }
        }
        let outcome: AdminExchange.Outcome = await withUnsafeContinuation { continuation in
            loop.execute {
                exchange.wait(continuation)
                exchange.timer = loop.schedule(after: timeout) { exchange.finish(.timedOut) }
            }
        }
        switch outcome {
        case .response(let response): return response
        case .timedOut: throw .timedOut(host: name, port: port)
        case .malformed(let reason): throw .notAdmin(host: name, port: port, reason: reason)
        }
    }
}

/// One question and its answer.
///
/// `Sendable` is unchecked because everything that changes does so on the connection's loop.
private final class AdminExchange: ConnectionHandler, @unchecked Sendable {
    enum Outcome: Sendable {
        case response(HTTPResponse)
        case timedOut
        case malformed(String)
    }

    private let request: [UInt8]
    private let parser = HTTPResponseParser()
    private var arrived: [UInt8] = []
    private var connection: (any Connection)?
    private var outcome: Outcome?
    private var continuation: UnsafeContinuation<Outcome, Never>?
    var timer: (any LoopTimer)?

    init(_ request: [UInt8]) {
        self.request = request
    }

    func wait(_ continuation: UnsafeContinuation<Outcome, Never>) {
        if let outcome { return continuation.resume(returning: outcome) }
        self.continuation = continuation
    }

    func finish(_ outcome: Outcome) {
        guard self.outcome == nil else { return }
        self.outcome = outcome
        timer?.cancel()
        connection?.close()
        continuation?.resume(returning: outcome)
        continuation = nil
    }

    func opened(_ connection: any Connection) {
        self.connection = connection
        var writer = ByteWriter()
        writer.write(request)
        connection.send(&writer)
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        arrived += bytes
        look(isAtEnd: false)
        return bytes.count
    }

    func receiveCompleted() {}

    func drained() {}

    func closed(_ error: NetworkError?) {
        look(isAtEnd: true)
        connection = nil
    }

    private func look(isAtEnd: Bool) {
        let next: HTTPResponseParser.Outcome = arrived.withUnsafeBytes { parser.next($0, isAtEnd: isAtEnd) }
        switch next {
        case .incomplete: break
        case .response(let response): finish(.response(response))
        case .malformed(let reason): finish(.malformed(reason))
        }
    }
}
