import Cluster
package import Environment
package import Primitives

/// How messages between nodes fare beyond what a stream does to them: lost, come twice, overtaken by later ones.
///
/// Connections that break lose what is under way, and what is sent again after that comes twice or late; here it happens
/// to single frames, and more often.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class Unreliability: @unchecked Sendable {
    /// How often something happens to a frame, from 0 to 1.
    package var probability: Double = 0
    /// What has happened to how many frames.
    package fileprivate(set) var lostCount = 0
    package fileprivate(set) var doubledCount = 0
    package fileprivate(set) var lateCount = 0
    private var generator: SeededGenerator

    package init(generator: SeededGenerator) {
        self.generator = generator
    }

    enum Fate {
        case arrives
        case isLost
        case isDoubled
        case isLate(Duration)
    }

    func nextFate() -> Fate {
        guard generator.chance(probability) else { return .arrives }
        switch generator.below(4) {
        case 0: return .isDoubled
        case 1: return .isLate(.microseconds(100 + generator.below(300_000)))
        default: return .isLost
        }
    }
}

/// A network whose connections between nodes are unreliable; those of clients are as they were.
package struct UnreliableNetwork: Network {
    private let network: any Network
    private let internodePort: UInt16
    private let unreliability: Unreliability

    package init(_ network: any Network, internodePort: UInt16, _ unreliability: Unreliability) {
        self.network = network
        self.internodePort = internodePort
        self.unreliability = unreliability
    }

    package func listen(
        at address: SocketAddress, on loops: [any Loop], security: (any TransportSecurity)?,
        makeHandler: @escaping @Sendable (any Loop) -> any ConnectionHandler
    ) async throws(NetworkError) -> any Listener {
        guard address.port == internodePort else {
            return try await network.listen(at: address, on: loops, security: security, makeHandler: makeHandler)
        }
        let unreliability: Unreliability = self.unreliability
        return try await network.listen(at: address, on: loops, security: security) {
            UnreliableHandler(makeHandler($0), unreliability)
        }
    }

    package func connect(
        to address: SocketAddress, on loop: any Loop, security: (any TransportSecurity)?, timeout: Duration,
        makeHandler: @escaping @Sendable () -> any ConnectionHandler
    ) async throws(NetworkError) -> any Connection {
        guard address.port == internodePort else {
            return try await network.connect(
                to: address, on: loop, security: security, timeout: timeout, makeHandler: makeHandler)
        }
        let unreliability: Unreliability = self.unreliability
        return try await network.connect(to: address, on: loop, security: security, timeout: timeout) {
            UnreliableHandler(makeHandler(), unreliability)
        }
    }

    package func resolve(_ host: String, port: UInt16) async throws(NetworkError) -> [SocketAddress] {
        try await network.resolve(host, port: port)
    }
}

/// Stands between a connection and its owner, and shows the owner other frames than have come.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
private final class UnreliableHandler: ConnectionHandler, @unchecked Sendable {
    private let owner: any ConnectionHandler
    private let unreliability: Unreliability
    private var connection: (any Connection)?
    private var isGreeted = false
    /// The owner has been shown the frame at the front and has left it, perhaps handled in part.
    private var isAmidFrame = false

    init(_ owner: any ConnectionHandler, _ unreliability: Unreliability) {
        self.owner = owner
        self.unreliability = unreliability
    }

    func opened(_ connection: any Connection) {
        self.connection = connection
        owner.opened(connection)
    }

    func received(_ bytes: UnsafeRawBufferPointer) -> Int {
        // What comes with the greeting is left alone: where the first frame begins is not known here.
        guard isGreeted, unreliability.probability > 0 || isAmidFrame else {
            let used: Int = owner.received(bytes)
            if used > 0 { isGreeted = true }
            isAmidFrame = isGreeted && used < bytes.count
            return used
        }
        var offset = 0
        while let frame = UnreliableHandler.firstFrame(of: UnsafeRawBufferPointer(rebasing: bytes[offset...])) {
            if !isAmidFrame, befalls(frame) {
                offset += frame.count
                continue
            }
            let used: Int = owner.received(frame)
            isAmidFrame = used < frame.count
            offset += used
            if isAmidFrame { return offset }
        }
        return offset + owner.received(UnsafeRawBufferPointer(rebasing: bytes[offset...]))
    }

    func receiveCompleted() { owner.receiveCompleted() }

    func drained() { owner.drained() }

    func closed(_ error: NetworkError?) {
        connection = nil
        owner.closed(error)
    }

    /// Lets something happen to a frame; false when it is to be shown as it came.
    private func befalls(_ frame: UnsafeRawBufferPointer) -> Bool {
        switch unreliability.nextFate() {
        case .arrives: return false
        case .isLost:
            unreliability.lostCount += 1
            return true
        case .isDoubled:
            guard UnreliableHandler.mayComeTwice(frame) else { return false }
            unreliability.doubledCount += 1
            show([UInt8](frame), after: .zero)
            return false
        case .isLate(let delay):
            unreliability.lateCount += 1
            show([UInt8](frame), after: delay)
            return true
        }
    }

    private func show(_ frame: [UInt8], after delay: Duration) {
        _ = connection?.loop.schedule(after: delay) { [self] in
            // In the middle of another frame it would be taken for a part of that one: then it is lost.
            guard connection != nil, !isAmidFrame else { return }
            let used: Int = frame.withUnsafeBytes { owner.received($0) }
            // What the owner has begun and left could not be shown again here; it is told by the stream that it ends.
            if used < frame.count { connection?.close() }
            owner.receiveCompleted()
        }
    }

    /// The frame at the front; nil when it is not whole.
    private static func firstFrame(of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
        guard bytes.count >= MessageFrame.headerByteCount else { return nil }
        let payload = Int(UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        let (end, overflow) = payload.addingReportingOverflow(MessageFrame.headerByteCount)
        guard !overflow, bytes.count >= end else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[..<end])
    }

    /// Whether all requests in a frame are such that nodes send them again when no answer comes. An increment of a
    /// counter and a truncation are not: no connection delivers them twice, and nobody repeats them.
    private static func mayComeTwice(_ frame: UnsafeRawBufferPointer) -> Bool {
        let uncompressed: UInt32 = frame.loadUnaligned(fromByteOffset: 4, as: UInt32.self)
        guard uncompressed == 0 else { return false }
        let payload = UnsafeRawBufferPointer(rebasing: frame[MessageFrame.headerByteCount...])
        var offset = 0
        while let header = MessageHeader(payload, at: offset) {
            let once: [UInt8] = [Verb.counterMutation.rawValue, Verb.truncate.rawValue]
            if !header.isResponse, once.contains(header.verbNumber) { return false }
            offset += header.messageByteCount
        }
        return true
    }
}
