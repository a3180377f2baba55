import Cluster
import DataModel
import Environment
import Primitives

/// A mutation for several replicas of one data centre, sent to one of them.
///
///     body := count u8 · (node (16) · request u64)* · mutation
///
/// Whoever gets it writes the mutation, as the answer to the message's own request, and passes it on to the nodes that it
/// names; what each of them says is the answer to the request beside it. So every replica counts for itself, as if it had
/// been sent the mutation by the coordinator.
struct ForwardedMutation {
    static let entryByteCount = 24

    private let countOffset: Int
    private var count: UInt8 = 0

    init(to writer: inout ByteWriter) {
        self.countOffset = writer.count
        writer.write(UInt8(0))
    }

    mutating func add(_ node: NodeID, _ request: UInt64, to writer: inout ByteWriter) {
        writer.write(node.uuid.high)
        writer.write(node.uuid.low)
        writer.write(request)
        count &+= 1
    }

    func finish(_ mutation: RawSpan, to writer: inout ByteWriter) {
        writer.overwrite(count, at: countOffset)
        writer.write(mutation)
    }

    /// Where the mutation begins.
    static func validate(_ body: RawSpan) throws(DecodingError) -> Int {
        var reader = ByteReader(body)
        let count = Int(try reader.readUInt8())
        guard count < AnswerRule.maximumReplicaCount else {
            throw .invalid(offset: 0, what: "more replicas than there can be")
        }
        try reader.skip(count &* entryByteCount)
        return reader.offset
    }
}

/// Passes mutations on for coordinators of other data centres, on one loop, and hands back the answers.
///
/// Hot: for each mutation from another data centre of which this node is the first to hear.
final class MutationRelay: ReplyReceiver {
    private let messages: ShardMessages
    private let time: any TimeSource
    /// Where answers go, by tag.
    private var waiting: ContiguousArray<ReplyPlace?> = []
    private var free: ContiguousArray<Int> = []

    init(_ messages: ShardMessages, _ time: any TimeSource) {
        self.messages = messages
        self.time = time
    }

    /// Passes a mutation on to those that the message names.
    func pass(_ body: RawSpan, _ mutation: RawSpan, _ reply: ReplyPlace) throws(DecodingError) {
        let now: UInt64 = time.monotonicNanoseconds
        guard now < reply.deadlineNanoseconds else { return }
        let milliseconds = UInt32(clamping: (reply.deadlineNanoseconds &- now) / 1_000_000 &+ 1)
        var reader = ByteReader(body)
        for _ in 0..<(try reader.readUInt8()) {
            let high: UInt64 = try reader.readUInt64()
            let node = NodeID(UUID(high: high, low: try reader.readUInt64()))
            let own: ReplyPlace = reply.forRequest(try reader.readUInt64())
            pass(mutation, to: node, own, messages.trace(of: reply), milliseconds)
        }
    }

    private func pass(
        _ mutation: RawSpan, to node: NodeID, _ reply: ReplyPlace, _ trace: RequestTrace?, _ milliseconds: UInt32
    ) {
        // The answer for the other node has a story of its own: this node's may have gone back before.
        let trace: RequestTrace? = trace.map { RequestTrace(branchOf: $0) }
        let reply: ReplyPlace = trace.map { messages.place(reply, with: $0) } ?? reply
        guard messages.knows(node) else {
            return messages.fail(reply, code: ReplicaFailure.nodeDown.rawValue, reason: "The node is no member here")
        }
        let tag: Int = free.last ?? waiting.count
        let link: PeerLink = messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .mutation, for: self, tag: UInt64(tag), timeoutMilliseconds: milliseconds, trace: trace)
        guard outcome == .ready else {
            return messages.fail(
                reply, code: ReplicaFailure.nodeDown.rawValue, reason: "The node can not be reached from here")
        }
        link.output.write(mutation)
        link.end()
        if tag == waiting.count {
            waiting.append(reply)
        } else {
            free.removeLast()
            waiting[tag] = reply
        }
    }

    private func take(_ tag: UInt64) -> ReplyPlace? {
        let place = Int(truncatingIfNeeded: tag)
        guard place < waiting.count, let reply = waiting[place] else { return nil }
        waiting[place] = nil
        free.append(place)
        return reply
    }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) {
        if let reply = take(tag) { messages.beginReply(reply)?.end() }
    }

    /// The coordinator's own deadline has passed with the one here, so that nobody waits to hear of it.
    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        guard let reply = take(tag) else { return }
        switch failure {
        case .timedOut: return
        case .refused(_, let code, let reason): messages.fail(reply, code: code, reason: reason)
        default:
            messages.fail(
                reply, code: ReplicaFailure.nodeDown.rawValue, reason: "The node can not be reached from here")
        }
    }
}
