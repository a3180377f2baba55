public import Cluster
public import DataModel
package import Environment
import Primitives
import Storage

/// What other nodes ask of this node as a replica, on one loop.
///
///     forwarded mutation ─▶ the other replicas here, and as a mutation
///     mutation ─▶ owner shard ─▶ log and memtable ─▶ durable ─▶ empty answer
///     read repair ─▶ owner shard, if the table was not truncated meanwhile ─▶ empty answer
///     page request ─▶ owner shards ─▶ page
///
/// A connection lives on some loop and the partition on some shard: where they differ the bytes go there and the answer
/// comes back.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
///
/// Hot: one call for each mutation of which this node is a replica and not the coordinator.
public final class ReplicaVerbs: RequestHandler, DurabilityWaiter, @unchecked Sendable {
    private let index: Int
    private let messages: ShardMessages
    private let replica: ReplicaShard
    private let node: NodeReplica
    private let host: Host
    private let relay: MutationRelay
    /// The same of all loops.
    private var siblings: [ReplicaVerbs] = []
    /// Answers that wait for the log, by tag.
    private var waiting: ContiguousArray<ReplyPlace?> = []
    private var free: ContiguousArray<Int> = []

    private init(_ index: Int, _ messages: ShardMessages, _ node: NodeReplica, _ host: Host) {
        self.index = index
        self.messages = messages
        self.replica = node.shards[index]
        self.node = node
        self.host = host
        self.relay = MutationRelay(messages, host.time)
    }

    /// Has the loops of a node answer what replicas are asked. Called once, before messages come.
    package static func register(on messages: [ShardMessages], _ node: NodeReplica, _ host: Host) -> [ReplicaVerbs] {
        let all: [ReplicaVerbs] = messages.enumerated().map { ReplicaVerbs($0.offset, $0.element, node, host) }
        for verbs in all {
            verbs.siblings = all
            for verb in [Verb.mutation, .forwardedMutation, .readRepair, .readRange] {
                verbs.messages.handle(verb, by: verbs)
            }
        }
        return all
    }

    public func received(_ verb: Verb, from sender: NodeID, body: RawSpan, reply: ReplyPlace) {
        switch verb {
        case .mutation: write(body, reply)
        case .readRepair: repair(body, reply)
        case .forwardedMutation: forward(body, reply)
        case .readRange: read(body, reply)
        default: messages.fail(reply, code: 0, reason: "This node does not know the message")
        }
    }

    // MARK: Writes

    private func write(_ body: RawSpan, _ reply: ReplyPlace) {
        guard let id = UUID(body), let token = Token(ofMutation: body) else {
            return messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "The mutation is cut short")
        }
        let shard: Int = node.slices.shard(of: token)
        guard shard == index, let table = replica.store.table(id) else {
            return writeElsewhere([UInt8](copying: body), id, shard, reply)
        }
        do throws(StorageError) {
            let position: LogPosition = try replica.store.apply(body, to: table)
            if reply.isTraced { messages.trace(of: reply)?.addWrite(to: table) }
            let tag: Int = free.last ?? waiting.count
            guard replica.wait(for: position, self, tag: UInt64(tag)) else { return acknowledge(reply) }
            if tag == waiting.count {
                waiting.append(reply)
            } else {
                free.removeLast()
                waiting[tag] = reply
            }
        } catch {
            guard case .overloaded = error else { return refuse(reply, error) }
            writeElsewhere([UInt8](copying: body), id, shard, reply)
        }
    }

    /// Passes a mutation on to other replicas of this data centre, and writes it here.
    private func forward(_ body: RawSpan, _ reply: ReplyPlace) {
        do throws(DecodingError) {
            let offset: Int = try ForwardedMutation.validate(body)
            let mutation: RawSpan = body.extracting(offset..<body.byteCount)
            try relay.pass(body, mutation, reply)
            write(mutation, reply)
        } catch {
            messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
        }
    }

    private func acknowledge(_ reply: ReplyPlace) {
        messages.beginReply(reply)?.end()
    }

    public func writeEnded(_ tag: UInt64, _ end: WriteEnd) {
        let place = Int(truncatingIfNeeded: tag)
        guard place < waiting.count, let reply = waiting[place] else { return }
        waiting[place] = nil
        free.append(place)
        switch end {
        case .durable: acknowledge(reply)
        case .failed(let failure): refuse(reply, failure)
        case .timedOut:
            messages.fail(
                reply, code: ReplicaFailure.timedOut.rawValue, reason: "The log has not taken the write in time")
        }
    }

    private func refuse(_ reply: ReplyPlace, _ failure: StorageError) {
        messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(failure)")
    }

    /// The partition is another shard's, or there is no room, or the table is not known here.
    private func writeElsewhere(_ bytes: [UInt8], _ table: UUID, _ shard: Int, _ reply: ReplyPlace) {
        let node: NodeReplica = self.node
        let trace: RequestTrace? = messages.trace(of: reply)
        host.background.run("write as a replica", on: replica.store.loop) { [self] in
            do {
                try await node.apply(bytes, trace)
                acknowledge(reply)
            } catch {
                fail(reply, error)
            }
        }
    }

    private func repair(_ body: RawSpan, _ reply: ReplyPlace) {
        let repair: ReadRepair
        do throws(DecodingError) {
            repair = try ReadRepair(decoding: body)
        } catch {
            return messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
        }
        let node: NodeReplica = self.node
        let trace: RequestTrace? = messages.trace(of: reply)
        host.background.run("repair as a replica", on: replica.store.loop) { [self] in
            do {
                try await node.repair(repair, trace)
                acknowledge(reply)
            } catch {
                fail(reply, error)
            }
        }
    }

    private func fail(_ reply: ReplyPlace, _ error: any Error) {
        messages.fail(reply, code: ReplicaError.reason(error).rawValue, reason: "\(error)")
    }

    // MARK: Reads

    private func read(_ body: RawSpan, _ reply: ReplyPlace) {
        let request: PageRequest
        do throws(DecodingError) {
            request = try PageRequest(decoding: body)
        } catch {
            return messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
        }
        let node: NodeReplica = self.node
        let trace: RequestTrace? = messages.trace(of: reply)
        host.background.run("read as a replica", on: replica.store.loop) { [self] in
            do {
                let page: ReadPage = try await node.page(request, trace)
                guard let link = messages.beginReply(reply) else { return }
                page.write(to: &link.output)
                link.end()
            } catch {
                fail(reply, error)
            }
        }
    }
}

extension Token {
    /// The token that a mutation's head has; nil when the head is cut short.
    @inlinable
    public init?(ofMutation bytes: RawSpan) {
        guard bytes.byteCount >= 24 else { return nil }
        let stored = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 16, as: Int64.self)
        self.init(Int64(bigEndian: stored))
    }
}
