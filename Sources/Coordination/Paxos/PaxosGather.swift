import Cluster
import Environment

/// Collects what the participants answer to one message, until more answers would change nothing or time is up.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
final class PaxosGather<Round: ParticipantAnswers>: ReplyReceiver, @unchecked Sendable {
    private(set) var round: Round
    private let loop: any Loop
    private var timer: (any LoopTimer)?
    private var refusalTimer: (any LoopTimer)?
    private var isEnded = false
    private var isHurried = false
    private var waiting: UnsafeContinuation<Void, Never>?

    /// Whoever has been refused is likely to fail, and waits for the other answers no longer than this.
    private static var refusalPatience: Duration { .milliseconds(50) }

    init(_ round: Round, on loop: any Loop) {
        self.round = round
        self.loop = loop
    }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        if isEnded { return }
        round.replied(Int(truncatingIfNeeded: tag), body)
        look()
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        switch failure {
        // Its time is the round's: the timer ends that.
        case .timedOut: break
        case .refused(_, let code, _):
            update { $0.failed(Int(truncatingIfNeeded: tag), node, ReplicaFailure(rawValue: code) ?? .unknown) }
        default: update { $0.failed(Int(truncatingIfNeeded: tag), node, .nodeDown) }
        }
    }

    func update(_ body: (inout Round) -> Void) {
        if isEnded { return }
        body(&round)
        look()
    }

    private func look() {
        if round.isOver { return end() }
        guard round.hasRefusal, !isHurried, waiting != nil else { return }
        hurry()
    }

    private func hurry() {
        isHurried = true
        refusalTimer = loop.schedule(after: PaxosGather.refusalPatience) { [self] in end() }
    }

    private func end() {
        if isEnded { return }
        isEnded = true
        timer?.cancel()
        refusalTimer?.cancel()
        timer = nil
        refusalTimer = nil
        waiting?.resume()
        waiting = nil
    }

    /// Waits for the end, and returns what has come of it.
    func wait(atMost limit: Duration) async -> Round {
        if !isEnded, !round.isOver {
            await withUnsafeContinuation { continuation in
                waiting = continuation
                timer = loop.schedule(after: limit) { [self] in end() }
                look()
            }
        }
        isEnded = true
        return round
    }
}
