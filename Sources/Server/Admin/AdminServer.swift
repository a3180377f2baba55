import Administration
package import Environment
import Primitives

/// The admin port of a node: HTTP/1.1 with JSON, for `martlet nodetool`, for scripts and for whatever watches the node.
///
/// All of it lives on loop 0. What a stranger may cost is bounded: connections, bytes of a request, and how long a
/// request may take to arrive.
package final class AdminServer: Sendable {
    package struct Limits: Sendable {
        package var connections = 64
        /// How long a connection may take to send a request, and may be silent between requests.
        package var patience: Duration = .seconds(30)

        package init() {}
    }

    private let listener: any Listener
    private let door: AdminDoor
    private let loop: any Loop

    package var address: SocketAddress { listener.address }

    private init(listener: any Listener, door: AdminDoor, loop: any Loop) {
        self.listener = listener
        self.door = door
        self.loop = loop
    }

    /// Begins to listen.
    package static func start(
        at address: SocketAddress, for node: any NodeAdministration, access: AdminAccess? = nil,
        security: (any TransportSecurity)? = nil, limits: Limits = Limits(), on host: Host
    ) async throws(NetworkError) -> AdminServer {
        let loop: any Loop = host.loops[0]
        let door = AdminDoor(
            routes: AdminRoutes(node, access: access), limits: limits, background: host.background, time: host.time)
        let listener: any Listener = try await host.network.listen(at: address, on: [loop], security: security) {
            AdminConnection(door: door, loop: $0)
        }
        return AdminServer(listener: listener, door: door, loop: loop)
    }

    /// Stops listening and ends all connections.
    package func stop() async {
        await listener.close()
        let (loop, door) = (self.loop, self.door)
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.execute {
                door.closeAll()
                continuation.resume()
            }
        }
    }
}

/// What the connections of an admin port share.
///
/// `Sendable` is unchecked because the connections change only on the loop.
final class AdminDoor: @unchecked Sendable {
    let routes: AdminRoutes
    let limits: AdminServer.Limits
    let background: any Background
    let time: any TimeSource
    private var connections: [ObjectIdentifier: AdminConnection] = [:]

    init(
        routes: AdminRoutes, limits: AdminServer.Limits, background: any Background, time: any TimeSource
    ) {
        self.routes = routes
        self.limits = limits
        self.background = background
        self.time = time
    }

    /// False when there are too many already.
    func enter(_ connection: AdminConnection) -> Bool {
        guard connections.count < limits.connections else { return false }
        connections[ObjectIdentifier(connection)] = connection
        return true
    }

    func leave(_ connection: AdminConnection) {
        connections[ObjectIdentifier(connection)] = nil
    }

    func closeAll() {
        for connection in connections.values { connection.end() }
    }
}

/// One connection to the admin port. It works on one request at a time; what comes meanwhile waits in the network.
///
/// `Sendable` is unchecked because everything happens on the loop.
final class AdminConnection: ConnectionHandler, @unchecked Sendable {
    private enum State {
        case reading
        case answering
        /// The last answer is on its way, or the stream has ended.
        case ended
    }

    private let door: AdminDoor
    private let loop: any Loop
    private let parser = HTTPRequestParser()
    private var state = State.reading
    private var connection: (any Connection)?
    private var timer: (any LoopTimer)?

    init(door: AdminDoor, loop: any Loop) {
        self.door = door
        self.loop = loop
    }

    func opened(_ connection: any Connection) {
        self.connection = connection
        guard door.enter(self) else {
            return send(AdminRoutes.failure(503, "Too many connections."), isLast: true)
        }
        startTimer()
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        switch state {
        case .ended: return bytes.count
        case .answering: return 0
        case .reading: break
        }
        switch parser.next(bytes) {
        case .incomplete:
            return 0
        case .refused(let status, let reason):
            send(AdminRoutes.failure(status, reason), isLast: true)
            return bytes.count
        case .request(let request, let byteCount):
            start(request)
            return byteCount
        }
    }

    func receiveCompleted() {}

    func drained() {
        // Nobody reads answers as fast as they could be asked for: the next request waits for the last answer to leave.
        if state == .reading { connection?.resumeReading() }
    }

    func closed(_ error: NetworkError?) {
        state = .ended
        timer?.cancel()
        connection = nil
        door.leave(self)
    }

    func end() {
        guard state != .ended else { return }
        state = .ended
        timer?.cancel()
        connection?.close()
    }

    private func start(_ request: HTTPRequest) {
        state = .answering
        timer?.cancel()
        connection?.pauseReading()
        door.background.run("admin request", on: loop) { [self] in
            let answer: AdminAnswer = await door.routes.answer(request)
            if case .operation(let operation) = answer { return await follow(operation) }
            guard let response = door.routes.response(answer, to: request) else { return }
            loop.execute { [self] in finish(request, response) }
        }
    }

    // MARK: Work that takes long

    private static let lineType = HTTPResponse.lineStreamType
    /// A line comes at least this often, so that whoever waits knows that the node lives.
    private static let lineInterval: Duration = .milliseconds(500)
    /// What a reader who does not keep up may leave unread before lines are left out.
    private static let unreadLimit = 64 << 10
    /// Answers are handed to the network in parts, whose memory is used again for the next ones.
    private static let partByteCount = 64 << 10

    /// Tells how far the work is until it has ended, or nobody listens any more.
    private func follow(_ operation: Operation) async {
        loop.execute { [self] in write(HTTPResponse.streamHead(contentType: AdminConnection.lineType), isLast: false) }
        var pause: Duration = .milliseconds(2)
        var silent: Duration = .zero
        while state == .answering {
            let report: OperationReport = await operation.present()
            let isLast: Bool = report.state != .running
            if isLast || silent >= AdminConnection.lineInterval {
                silent = .zero
                let line: [UInt8] = Array((report.json.compactText + "\n").utf8)
                loop.execute { [self] in write(line, isLast: isLast) }
            }
            if isLast { return }
            do throws(CancellationError) {
                try await door.time.sleep(for: pause)
            } catch { return }
            silent += pause
            pause = min(pause * 2, AdminConnection.lineInterval)
        }
    }

    private func write(_ bytes: [UInt8], isLast: Bool) {
        guard state == .answering, let connection else { return }
        if isLast || connection.unsentByteCount < AdminConnection.unreadLimit {
            var writer = ByteWriter()
            writer.write(bytes)
            connection.send(&writer)
        }
        if isLast { end() }
    }

    private func finish(_ request: HTTPRequest, _ response: HTTPResponse) {
        guard state == .answering else { return }
        send(response, isLast: !request.keepsConnection, hasBody: request.method != "HEAD")
        guard request.keepsConnection, let connection else { return }
        state = .reading
        startTimer()
        if connection.unsentByteCount == 0 { connection.resumeReading() }
    }

    private func send(_ response: HTTPResponse, isLast: Bool, hasBody: Bool = true) {
        let body: RawSpan = response.body.span.bytes
        var writer = ByteWriter()
        writer.write(response.head(keepsConnection: !isLast))
        var rest: Range<Int> = 0..<(hasBody ? body.byteCount : 0)
        repeat {
            let part: Range<Int> = rest.prefix(AdminConnection.partByteCount)
            writer.write(body.extracting(part))
            connection?.send(&writer)
            rest = part.upperBound..<rest.upperBound
        } while !rest.isEmpty
        if isLast { end() }
    }

    private func startTimer() {
        timer = loop.schedule(after: door.limits.patience) { [weak self] in
            guard let self, state == .reading else { return }
            send(AdminRoutes.failure(408, "The request has not come in time."), isLast: true)
        }
    }
}
