public import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// Tells other nodes the digests of this node's rows, on one loop.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
///
/// Hot: one call for each single-row read of which this node is a replica and not the coordinator.
public final class RowReadVerb: RequestHandler, @unchecked Sendable {
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
            answer(digest(body), reply)
        } else {
            ask(siblings[shard], [UInt8](copying: body), reply)
        }
    }

    /// The partition is another shard's: the request goes there, the digest comes back.
    private func ask(_ sibling: RowReadVerb, _ body: [UInt8], _ reply: ReplyPlace) {
        let own: any Loop = replica.store.loop
        sibling.replica.store.loop.execute { [self] in
            let bytes: [UInt8] = body
            let outcome: Outcome = sibling.digest(bytes.span.bytes)
            own.execute { [self] in answer(outcome, reply) }
        }
    }

    private enum Outcome: Sendable {
        case digest(RowDigest)
        case needsPage
        case unknownTable
        case malformed
    }

    private func answer(_ outcome: Outcome, _ reply: ReplyPlace) {
        switch outcome {
        case .digest(let digest):
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
            switch found {
            case .needsCursor: return .needsPage
            case .none: return .digest(try RowDigest(nil, shadow: shadow, frame, scratch: &hashed))
            case .row(let bytes):
                return .digest(
                    try RowDigest(unsafe RawSpan(_unsafeBytes: bytes), shadow: shadow, frame, scratch: &hashed))
            }
        } catch is DecodingError {
            return .malformed
        } catch {
            // What the disk does not give is told by the general way.
            return .needsPage
        }
    }
}
