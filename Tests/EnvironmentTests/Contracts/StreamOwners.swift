import Environment
import Primitives
import Testing

/// Sends back what it receives, in frames of a fixed size; uses only whole frames.
final class EchoOwner: ConnectionHandler {
    private let loop: any Loop
    private let frameByteCount: Int
    private var connection: (any Connection)?
    private var writer = ByteWriter()

    init(_ loop: any Loop, frameByteCount: Int = 1) {
        self.loop = loop
        self.frameByteCount = frameByteCount
    }

    func opened(_ connection: any Connection) {
        #expect(loop.isCurrent)
        self.connection = connection
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        let used: Int = bytes.count / frameByteCount * frameByteCount
        writer.write(UnsafeRawBufferPointer(rebasing: bytes[..<used]))
        return used
    }

    func receiveCompleted() {
        #expect(loop.isCurrent)
        guard let connection else { return }
        connection.send(&writer)
        let isEmpty: Bool = writer.isEmpty
        #expect(isEmpty)
        if connection.unsentByteCount > 1 << 20 { connection.pauseReading() }
    }

    func drained() {
        connection?.resumeReading()
    }

    func closed(_ error: NetworkError?) {
        #expect(loop.isCurrent)
        connection = nil
    }
}

/// Writes down what its connection tells it, and lets tests wait for it.
///
/// `Sendable` is unchecked because the state is only touched on the loop.
final class RecordingOwner: ConnectionHandler, @unchecked Sendable {
    let loop: any Loop
    private(set) var connection: (any Connection)?
    private(set) var bytes: [UInt8] = []
    private(set) var shownCounts: [Int] = []
    private(set) var completedCount = 0
    private(set) var drainedCount = 0
    private(set) var endings: [NetworkError?] = []
    /// How much of what it is shown it uses; all when nil.
    var use: ((Int) -> Int)?
    /// Called from inside `received`.
    var reaction: ((any Connection) -> Void)?
    private var waiting: [(condition: (RecordingOwner) -> Bool, continuation: UnsafeContinuation<Void, Never>)] = []
    private var isInsideCall = false

    init(_ loop: any Loop) {
        self.loop = loop
    }

    func opened(_ connection: any Connection) {
        #expect(loop.isCurrent && self.connection == nil)
        self.connection = connection
        look()
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        #expect(loop.isCurrent && endings.isEmpty && connection != nil)
        isInsideCall = true
        defer { isInsideCall = false }
        shownCounts.append(bytes.count)
        let used: Int = use?(bytes.count) ?? bytes.count
        self.bytes.append(contentsOf: bytes[..<used])
        if let connection { reaction?(connection) }
        return used
    }

    func receiveCompleted() {
        #expect(loop.isCurrent && endings.isEmpty)
        completedCount += 1
        look()
    }

    func drained() {
        #expect(loop.isCurrent && endings.isEmpty)
        drainedCount += 1
        look()
    }

    func closed(_ error: NetworkError?) {
        #expect(loop.isCurrent && endings.isEmpty && !isInsideCall)
        endings.append(error)
        look()
    }

    func wait(_ condition: @escaping @Sendable (RecordingOwner) -> Bool) async {
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.execute {
                if condition(self) { return continuation.resume() }
                self.waiting.append((condition, continuation))
            }
        }
    }

    private func look() {
        let met = waiting.filter { $0.condition(self) }
        waiting.removeAll { $0.condition(self) }
        for waiter in met { waiter.continuation.resume() }
    }

    /// Sends from outside the loop.
    func send(_ bytes: [UInt8]) async {
        await on(loop) {
            var writer = ByteWriter(capacity: bytes.count)
            writer.write(bytes)
            self.connection?.send(&writer)
        }
    }

    func close() async {
        await on(loop) { self.connection?.close() }
    }
}

/// The owners that a listener made, to be looked at from outside.
actor AcceptedOwners {
    private var owners: [RecordingOwner] = []
    private var waiting: [UnsafeContinuation<RecordingOwner, Never>] = []

    func add(_ owner: RecordingOwner) {
        if waiting.isEmpty { owners.append(owner) } else { waiting.removeFirst().resume(returning: owner) }
    }

    /// The next owner that was made.
    func next() async -> RecordingOwner {
        if !owners.isEmpty { return owners.removeFirst() }
        return await withUnsafeContinuation { waiting.append($0) }
    }
}

/// Both ends of a new connection, and the listener.
struct StreamPair: Sendable {
    let listener: any Listener
    let client: RecordingOwner
    let server: RecordingOwner

    /// - Parameter prepare: sets the owner at the server up, before it is opened.
    init(_ host: Host, prepare: @escaping @Sendable (RecordingOwner) -> Void = { _ in }) async throws {
        let accepted = AcceptedOwners()
        listener = try await host.network.listen(at: .loopback(port: 0), on: [host.loops[1]]) { loop in
            let owner = RecordingOwner(loop)
            prepare(owner)
            host.background.run("accepted", on: loop) { await accepted.add(owner) }
            return owner
        }
        let loop = host.loops[0]
        let client = RecordingOwner(loop)
        self.client = client
        _ = try await host.network.connect(to: listener.address, on: loop, timeout: .seconds(5)) { client }
        server = await accepted.next()
    }

    func end() async {
        await client.close()
        await client.wait { !$0.endings.isEmpty }
        await server.wait { !$0.endings.isEmpty }
        await listener.close()
    }
}
