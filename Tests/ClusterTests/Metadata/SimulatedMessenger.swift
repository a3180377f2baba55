import Cluster
import Environment
import Primitives
import SimulatedHost

/// Carries messages between the machines of a world: late, in any order, sometimes not at all, sometimes twice.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class MessageNet: @unchecked Sendable {
    let world: SimulatedWorld
    var lossProbability = 0.0
    var repetitionProbability = 0.0
    /// For messages that tell of decisions.
    var commitLossProbability = 0.0
    var longestDelay: Duration = .milliseconds(5)
    /// Nodes that reach each other only.
    var island: Set<NodeID> = []
    fileprivate var ends: [NodeID: SimulatedMessenger] = [:]
    fileprivate var generator: SeededGenerator

    init(_ world: SimulatedWorld) {
        self.world = world
        self.generator = world.makeGenerator()
    }

    fileprivate func isCut(_ left: NodeID, _ right: NodeID) -> Bool { island.contains(left) != island.contains(right) }

    fileprivate func delay() -> Duration {
        .nanoseconds(Int64(generator.below(Int(longestDelay / .nanoseconds(1)))))
    }

    func removeNode(_ id: NodeID) { ends[id] = nil }
}

/// One node's end of a `MessageNet`.
final class SimulatedMessenger: Messenger, @unchecked Sendable {
    private let net: MessageNet
    private let id: NodeID
    private let address: SocketAddress
    private let host: Host
    private var handlers: [Verb: @Sendable (IncomingMessage) async throws -> [UInt8]] = [:]

    init(_ net: MessageNet, id: NodeID, address: SocketAddress, host: Host) {
        self.net = net
        self.id = id
        self.address = address
        self.host = host
        net.ends[id] = self
    }

    func send(_ verb: Verb, _ body: [UInt8], to node: NodeID) {
        host.background.run("send", on: host.loops[0]) {
            _ = await self.exchange(verb, body, with: self.net.ends[node], .seconds(1))
        }
    }

    func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        try await exchange(verb, body, with: net.ends[node], timeout).get()
    }

    func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8]) {
        let ends = net.ends.values.filter { $0.address == address }.sorted { $0.id < $1.id }
        let answer: [UInt8] = try await exchange(verb, body, with: ends.first, timeout).get()
        return (ends.first?.id ?? .none, answer)
    }

    func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8]) {
        handlers[verb] = body
    }

    private func exchange(
        _ verb: Verb, _ body: [UInt8], with other: SimulatedMessenger?, _ timeout: Duration
    ) async -> Result<[UInt8], MessageFailure> {
        let net: MessageNet = self.net
        guard let other else { return .failure(.unreachable(.none)) }
        let waiting = Waiting()
        return await withUnsafeContinuation { continuation in
            waiting.continuation = continuation
            waiting.timer = host.loops[0].schedule(after: timeout) { waiting.end(.failure(.timedOut(other.id))) }
            let copies: Int = net.generator.chance(net.repetitionProbability) ? 2 : 1
            let isCommitLost: Bool = verb == .metadataCommit && net.generator.chance(net.commitLossProbability)
            for _ in 0..<copies where !isCommitLost {
                if net.generator.chance(net.lossProbability) || net.isCut(id, other.id) { continue }
                let message = IncomingMessage(verb: verb, sender: id, body: body)
                _ = other.host.loops[0].schedule(after: net.delay()) { other.take(message, from: self, waiting) }
            }
        }
    }

    private func take(_ message: IncomingMessage, from sender: SimulatedMessenger, _ waiting: Waiting) {
        guard let handler = handlers[message.verb] else { return }
        let net: MessageNet = self.net
        host.background.run("handle", on: host.loops[0]) {
            let answer: Result<[UInt8], MessageFailure>
            do { answer = .success(try await handler(message)) } catch let refusal as Refusal {
                answer = .failure(.refused(self.id, code: refusal.code, reason: refusal.reason))
            } catch {
                answer = .failure(.refused(self.id, code: 0, reason: "\(error)"))
            }
            if net.generator.chance(net.lossProbability) || net.isCut(self.id, sender.id) { return }
            _ = sender.host.loops[0].schedule(after: net.delay()) { waiting.end(answer) }
        }
    }
}

/// A request that waits for its answer.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
private final class Waiting: @unchecked Sendable {
    var continuation: UnsafeContinuation<Result<[UInt8], MessageFailure>, Never>?
    var timer: (any LoopTimer)?

    func end(_ result: Result<[UInt8], MessageFailure>) {
        timer?.cancel()
        let waiting = continuation
        continuation = nil
        waiting?.resume(returning: result)
    }
}
