import Cluster
import DataModel
import Environment
import Primitives

/// Collects what several replicas answer to one page of a read, until the level is met or can not be any more.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
final class PageGather: ReplyReceiver, @unchecked Sendable {
    enum End: Sendable {
        case met
        /// So many have failed that too few are left.
        case failed
        case timedOut
    }

    let rule: AnswerRule
    private let plan: ReplicaPlan
    /// Whether one of the answers must have the data.
    private let needsData: Bool
    private(set) var pages: [Int: ReadPage] = [:]
    private(set) var failures: [NodeID: ReplicaFailure] = [:]
    private(set) var answered: UInt64 = 0
    private(set) var asked: UInt64 = 0
    private var failed: UInt64 = 0
    /// Replicas that have not been asked, best first.
    var spare: [Int] = []
    private let time: any TimeSource
    private var askedNanoseconds: [Int: UInt64] = [:]
    /// How long each took that has answered, in nanoseconds.
    private(set) var durations: [(NodeID, UInt64)] = []
    private(set) var end: End?
    /// Whether a replica knows of a newer placement.
    private(set) var isStale = false
    private var waiting: UnsafeContinuation<End, Never>?
    /// Called when a replica has failed and the end is open, so that another one can be asked.
    var replicaFailed: () -> Void = {}

    init(_ rule: AnswerRule, _ plan: ReplicaPlan, needsData: Bool, _ time: any TimeSource) {
        self.time = time
        self.rule = rule
        self.plan = plan
        self.needsData = needsData
    }

    var hasData: Bool { pages.values.contains { !$0.isDigest } }

    func ask(_ position: Int, at now: UInt64) {
        asked |= 1 << UInt64(position)
        askedNanoseconds[position] = now
    }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        if let asked = askedNanoseconds[Int(truncatingIfNeeded: tag)] {
            durations.append((node, time.monotonicNanoseconds &- asked))
        }
        do throws(DecodingError) {
            answer(Int(truncatingIfNeeded: tag), try ReadPage(decoding: body))
        } catch {
            fail(Int(truncatingIfNeeded: tag), .unknown)
        }
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        switch failure {
        case .timedOut: finish(.timedOut)
        case .refused(_, TransportFailure.stalePlacement, _):
            isStale = true
            fail(Int(truncatingIfNeeded: tag), .unknown)
        case .refused(_, let code, _): fail(Int(truncatingIfNeeded: tag), ReplicaFailure(rawValue: code) ?? .unknown)
        default: fail(Int(truncatingIfNeeded: tag), .nodeDown)
        }
    }

    func answer(_ position: Int, _ page: ReadPage) {
        guard end == nil else { return }
        // Data says more than a digest of the same replica.
        if let known = pages[position], !known.isDigest { return }
        pages[position] = page
        answered |= 1 << UInt64(position)
        if rule.isMet(by: answered), !needsData || hasData { finish(.met) }
    }

    func fail(_ position: Int, _ reason: ReplicaFailure) {
        guard end == nil else { return }
        failures[plan.set.node(at: position)] = reason
        failed |= 1 << UInt64(position)
        replicaFailed()
        let possible: UInt64 = asked & ~failed
        if end == nil, !rule.isMet(by: possible) || possible == answered && needsData && !hasData { finish(.failed) }
    }

    func finish(_ end: End) {
        guard self.end == nil else { return }
        self.end = end
        replicaFailed = {}
        waiting?.resume(returning: end)
        waiting = nil
    }

    func wait() async -> End {
        if let end { return end }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
