import DataModel
import Environment
import Primitives

/// One question and its answer: one message, or lines that come until the connection ends.
///
/// `Sendable` is unchecked because everything that changes does so on the connection's loop.
final class AdminConversation: ConnectionHandler, @unchecked Sendable {
    enum Outcome: Sendable {
        /// The whole answer.
        case response(HTTPResponse)
        /// The answer came line by line and has ended; what was told last is known to whoever was told.
        case ended
        case timedOut
        case mute
        case malformed(String)
    }

    private let request: [UInt8]
    private let loop: any Loop
    /// How long the node may say nothing.
    private let patience: Duration
    /// Told of each line; nil where the answer is one message.
    private let hear: (@Sendable (JSONValue) -> Void)?
    private var arrived: [UInt8] = []
    private var isStreaming = false
    private var connection: (any Connection)?
    private var outcome: Outcome?
    private var continuation: UnsafeContinuation<Outcome, Never>?
    private var timer: (any LoopTimer)?

    private static let lineLimit = 64 << 20

    init(
        _ request: [UInt8], on loop: any Loop, patience: Duration, hear: (@Sendable (JSONValue) -> Void)?
    ) {
        self.request = request
        self.loop = loop
        self.patience = patience
        self.hear = hear
    }

    func wait(_ continuation: UnsafeContinuation<Outcome, Never>) {
        if let outcome { return continuation.resume(returning: outcome) }
        self.continuation = continuation
        startTimer()
    }

    private func startTimer() {
        timer?.cancel()
        timer = loop.schedule(after: patience) { [weak self] in self?.finish(.timedOut) }
    }

    private func finish(_ outcome: Outcome) {
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
        startTimer()
        look(isAtEnd: false)
        return bytes.count
    }

    func receiveCompleted() {}

    func drained() {}

    func closed(_ error: NetworkError?) {
        look(isAtEnd: true)
        connection = nil
        finish(isStreaming ? .ended : .malformed("The answer ends early."))
    }

    private func look(isAtEnd: Bool) {
        guard outcome == nil else { return }
        if isStreaming { return takeLines() }
        if hear != nil, let head = arrived.withUnsafeBytes({ try? HTTPHead($0, limit: 16 << 10) }),
            head.header("content-type") == HTTPResponse.lineStreamType
        {
            isStreaming = true
            arrived.removeFirst(head.byteCount)
            return takeLines()
        }
        let next: HTTPResponseParser.Outcome = arrived.withUnsafeBytes {
            HTTPResponseParser().next($0, isAtEnd: isAtEnd)
        }
        switch next {
        case .incomplete: break
        case .response(let response): finish(.response(response))
        case .mute: finish(.mute)
        case .malformed(let reason): finish(.malformed(reason))
        }
    }

    private func takeLines() {
        while let end = arrived.firstIndex(of: 0x0A) {
            let line = String(decoding: arrived[..<end], as: UTF8.self)
            arrived.removeFirst(end + 1)
            guard let json = try? JSONValue(parsing: line) else {
                return finish(.malformed("A line of the answer is not JSON."))
            }
            hear?(json)
        }
        if arrived.count > AdminConversation.lineLimit { finish(.malformed("A line of the answer is too long.")) }
    }
}
