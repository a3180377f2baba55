import Environment
import Primitives

/// Waits for the answer to a traced message in somebody's place, and adds to the trace what comes with it.
///
/// Confined to its loop.
final class TracedReceiver: ReplyReceiver {
    private let receiver: any ReplyReceiver
    private let trace: RequestTrace
    private let verb: Verb
    private let address: String

    init(_ receiver: any ReplyReceiver, _ trace: RequestTrace, _ verb: Verb, from address: String) {
        self.receiver = receiver
        self.trace = trace
        self.verb = verb
        self.address = address
        trace.messageBegan()
    }

    deinit {
        // Also when the message was taken back, or the node stops.
        trace.messageEnded()
    }

    func took(_ events: [TraceEvent]) { trace.add(events) }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        trace.add("\(verb.traceName)_RSP message received from \(address)")
        receiver.replied(tag, from: node, body: body)
    }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        switch failure {
        case .refused(_, _, let reason): trace.add("FAILURE_RSP message received from \(address): \(reason)")
        case .timedOut: trace.add("No \(verb.traceName)_RSP message came from \(address) in time")
        default: trace.add("The connection to \(address) has broken")
        }
        receiver.failed(tag, from: node, failure)
    }
}

extension SocketAddress? {
    /// As operators know it from other stores: with a slash before it.
    var traceText: String { map { "/\($0)" } ?? "an unknown address" }
}

extension Verb {
    /// What traces call messages: the names that Cassandra has for them.
    package var traceName: String {
        switch self {
        case .mutation, .forwardedMutation: "MUTATION"
        case .readRow, .readRange: "READ"
        case .readRepair: "READ_REPAIR"
        case .counterMutation: "COUNTER_MUTATION"
        case .truncate: "TRUNCATE"
        case .paxosPrepare: "PAXOS2_PREPARE"
        case .paxosPropose: "PAXOS2_PROPOSE"
        case .paxosCommit: "PAXOS_COMMIT"
        case .hint: "HINT"
        case .batchStore: "BATCH_STORE"
        case .batchRemove: "BATCH_REMOVE"
        default: "\(self)".uppercased()
        }
    }
}
