public import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// Tells other nodes the digests of this node's rows, on one loop, once the rows are durable.
///
///     request ─▶ owner shard ─▶ digest ─▶ durable ─▶ loop of the connection ─▶ answer
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
///
/// Hot: one call for each single-row read of which this node is a replica and not the coordinator.
public final class RowReadVerb: RequestHandler, DurabilityWaiter, @unchecked Sendable {
    private let index: Int
    private let messages: ShardMessages
    private let replica: ReplicaShard
    private let slices: ShardSlices
    /// The same of all loops.
    private var siblings: [RowReadVerb] = []
    // Kept between requests so that a warm one allocates nothing.
    private var row = ByteWriter(capacity: 1_024)
    private var hashed = ByteWriter(capacity: 1_024)
    private var columns: [UInt16] = []
    /// Digests that wait for the log, by tag.
    private var waiting: ContiguousArray<Waiting?> = []
    private var free: ContiguousArray<Int> = []

    private struct Waiting {
        let digest: RowDigest
        let position: LogPosition
        let reply: ReplyPlace
        let asker: RowReadVerb
    }

    /// Says that the row needs the disk or a cursor: the coordinator is to read it in the general way.
    package static let needsPage: UInt16 = 100

    private init(_ index: Int, _ messages: ShardMessages, _ node: NodeReplica) {
        self.index = index
        self.messages = messages
        self.replica = node.shards[index]
        self.slices = node.slices
    }

    /// Has the loops of a node answer. Called once, before messages come.
    package static func register(on messages: [ShardMessages], _ node: NodeReplica) -> [RowReadVerb] {
        let all: [RowReadVerb] = messages.enumerated().map { RowReadVerb($0.offset, $0.element, node) }
        for verb in all {
            verb.siblings = all
            verb.messages.handle(.readRow, by: verb)
        }
        return all
    }

    public func received(_ verb: Verb, from sender: NodeID, body: RawSpan, reply: ReplyPlace) {
        guard body.byteCount >= 24 else { return refuse(reply, "The request is cut short") }
        let token = Token(Int64(bigEndian: unsafe body.unsafeLoadUnaligned(fromByteOffset: 16, as: Int64.self)))
        let shard: Int = slices.shard(of: token)
        if shard == index {
            settle(digest(body), reply, for: self)
        } else {
            ask(siblings[shard], [UInt8](copying: body), reply)
        }
    }

    /// The partition is another shard's: the request goes there, the digest comes back.
    private func ask(_ sibling: RowReadVerb, _ body: [UInt8], _ reply: ReplyPlace) {
        sibling.replica.store.loop.execute { [self] in
            let bytes: [UInt8] = body
            sibling.settle(sibling.digest(bytes.span.bytes), reply, for: self)
        }
    }

    /// Has `asker` answer once what was read is durable. On the loop that has read it.
    @inline(__always)
    private func settle(_ outcome: Outcome, _ reply: ReplyPlace, for asker: RowReadVerb) {
        if case .digest(let digest, let position) = outcome, position > replica.store.log.acknowledgeable {
            return wait(Waiting(digest: digest, position: position, reply: reply, asker: asker))
        }
        pass(outcome, reply, to: asker)
    }

    private func wait(_ entry: Waiting) {
        let tag: Int = free.last ?? waiting.count
        guard replica.store.log.failure == nil else { return pass(.needsPage, entry.reply, to: entry.asker) }
        guard replica.wait(for: entry.position, self, tag: UInt64(tag)) else {
            return pass(.digest(entry.digest, entry.position), entry.reply, to: entry.asker)
        }
        if tag == waiting.count {
            waiting.append(entry)
        } else {
            free.removeLast()
            waiting[tag] = entry
        }
    }

    public func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        let place = Int(truncatingIfNeeded: tag)
        guard place < waiting.count, let entry = waiting[place] else { return }
        waiting[place] = nil
        free.append(place)
        if case .durable = end {
            pass(.digest(entry.digest, entry.position), entry.reply, to: entry.asker)
        } else {
            // What is wrong with the log is told by the general way.
            pass(.needsPage, entry.reply, to: entry.asker)
        }
    }

    @inline(__always)
    private func pass(_ outcome: Outcome, _ reply: ReplyPlace, to asker: RowReadVerb) {
        if asker === self { return answer(outcome, reply) }
        asker.replica.store.loop.execute { asker.answer(outcome, reply) }
    }

    private enum Outcome: Sendable {
        /// And the last place in the log of what was read.
        case digest(RowDigest, LogPosition)
        case needsPage
        case unknownTable
        case malformed
    }

    private func answer(_ outcome: Outcome, _ reply: ReplyPlace) {
        switch outcome {
        case .digest(let digest, _):
            guard let link = messages.beginReply(reply) else { return }
            link.output.write(digest.low)
            link.output.write(digest.high)
            link.end()
        case .needsPage:
            messages.fail(reply, code: RowReadVerb.needsPage, reason: "The row is not in memory")
        case .unknownTable:
            messages.fail(
                reply, code: ReplicaFailure.incompatibleSchema.rawValue, reason: "This node has no such table")
        case .malformed: refuse(reply, "The request is malformed")
        }
    }

    private func refuse(_ reply: ReplyPlace, _ reason: String) {
        messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: reason)
    }

    private func digest(_ body: RawSpan) -> Outcome {
        do {
            var reader = ByteReader(body)
            let high: UInt64 = try reader.readUInt64()
            let id = UUID(high: high, low: try reader.readUInt64())
            let token = Token(try reader.readInt64())
            let now: Int64 = try reader.readInt64()
            let graceStart: Int64 = try reader.readInt64()
            let key = try reader.readBytes(Int(try reader.readUInt16()))
            let clustering = try reader.readBytes(Int(try reader.readUInt32()))
            columns.removeAll(keepingCapacity: true)
            for _ in 0..<(try reader.readUInt16()) {
                let column: UInt16 = try reader.readUInt16()
                guard columns.last.map({ $0 < column }) ?? true else { return .malformed }
                columns.append(column)
            }
            guard let table = replica.store.table(id) else { return .unknownTable }
            let frame = RowDigest.Frame(columns: columns, nowSeconds: now, graceStart: graceStart)
            let found: RowAnswer = try table.readRow(
                token: token, key: key, clustering: clustering, columns: columns, scratch: &row)
            let shadow: Deletion = replica.store.lastShadow
            let position: LogPosition = replica.store.lastReadPosition
            switch found {
            case .needsCursor: return .needsPage
            case .none: return .digest(try RowDigest(nil, shadow: shadow, frame, scratch: &hashed), position)
            case .row(let bytes):
                return .digest(
                    try RowDigest(unsafe RawSpan(_unsafeBytes: bytes), shadow: shadow, frame, scratch: &hashed),
                    position)
            }
        } catch is DecodingError {
            return .malformed
        } catch {
            // What the disk does not give is told by the general way.
            return .needsPage
        }
    }
}
