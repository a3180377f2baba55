package import Cluster
import DataModel
package import Environment
import Primitives

/// What coordinators ask of this node as a replica in their decisions, on one loop.
///
///     prepare, propose, commit ─▶ owner shard ─▶ PaxosReplica ─▶ answer
///
/// A connection lives on some loop and the partition on some shard: the bytes go there and the answer comes back.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class PaxosVerbs: RequestHandler, @unchecked Sendable {
    private let messages: ShardMessages
    private let loop: any Loop
    private let node: NodeReplica
    private let replicas: [PaxosReplica]
    private let host: Host
    private var openCount = 0
    private var openByteCount = 0

    /// Requests that may be under way on one loop, and their bytes. Further ones are refused.
    private static let openLimit = 16_384
    private static let openByteLimit = 64 << 20

    private init(
        _ index: Int, _ messages: ShardMessages, _ node: NodeReplica, _ replicas: [PaxosReplica], _ host: Host
    ) {
        self.messages = messages
        self.loop = host.loops[index]
        self.node = node
        self.replicas = replicas
        self.host = host
    }

    /// Has the loops of a node answer what its replicas are asked. Called once, before messages come.
    package static func register(
        on messages: [ShardMessages], _ node: NodeReplica, _ replicas: [PaxosReplica], _ host: Host
    ) {
        for (index, shard) in messages.enumerated() {
            let verbs = PaxosVerbs(index, shard, node, replicas, host)
            for verb in [Verb.paxosPrepare, .paxosPropose, .paxosCommit] { shard.handle(verb, by: verbs) }
        }
    }

    package func received(_ verb: Verb, from sender: NodeID, body: RawSpan, reply: ReplyPlace) {
        let byteCount: Int = body.byteCount
        guard openCount < PaxosVerbs.openLimit, openByteCount + byteCount <= PaxosVerbs.openByteLimit else {
            return messages.fail(
                reply, code: ReplicaFailure.unknown.rawValue, reason: "This node carries out as much as it may")
        }
        openCount += 1
        openByteCount += byteCount
        let bytes = [UInt8](copying: body)
        host.background.run("paxos as a replica", on: loop) { [self] in
            await answer(verb, bytes, reply)
            openCount -= 1
            openByteCount -= byteCount
        }
    }

    private func answer(_ verb: Verb, _ bytes: [UInt8], _ reply: ReplyPlace) async {
        do {
            switch verb {
            case .paxosPrepare: try await prepare(bytes, reply)
            case .paxosPropose: try await propose(bytes, reply)
            case .paxosCommit: try await commit(bytes, reply)
            default: messages.fail(reply, code: 0, reason: "This node does not know the message")
            }
        } catch ReplicaError.unknownTable(let id) {
            messages.fail(
                reply, code: ReplicaFailure.incompatibleSchema.rawValue, reason: "This node has no table with id \(id)")
        } catch {
            messages.fail(reply, code: ReplicaError.reason(error).rawValue, reason: "\(error)")
        }
    }

    private func prepare(_ bytes: [UInt8], _ reply: ReplyPlace) async throws {
        let request = try PaxosPrepare(decoding: bytes.span.bytes)
        let shard: Int = node.slices.shard(of: request.token)
        let replica: PaxosReplica = replicas[shard]
        let answer: PrepareAnswer = try await node.run(on: shard) { _ in try await replica.prepare(request) }
        messages.trace(of: reply)?.add(answer, to: request)
        guard let link = messages.beginReply(reply) else { return }
        answer.write(to: &link.output)
        link.end()
    }

    private func propose(_ bytes: [UInt8], _ reply: ReplyPlace) async throws {
        let request = try PaxosPropose(decoding: bytes.span.bytes)
        let shard: Int = node.slices.shard(of: request.token)
        let replica: PaxosReplica = replicas[shard]
        let refusedBy: Ballot? = try await node.run(on: shard) { _ in try await replica.propose(request) }
        messages.trace(of: reply)?.add(refusedBy: refusedBy, request)
        guard let link = messages.beginReply(reply) else { return }
        ProposeAnswer.write(refusedBy: refusedBy, to: &link.output)
        link.end()
    }

    private func commit(_ bytes: [UInt8], _ reply: ReplyPlace) async throws {
        let request = try PaxosCommitMessage(decoding: bytes.span.bytes)
        let shard: Int = node.slices.shard(of: request.token)
        let replica: PaxosReplica = replicas[shard]
        try await node.run(on: shard) { _ in try await replica.commit(request) }
        messages.trace(of: reply)?.addCommit(request)
        messages.beginReply(reply)?.end()
    }
}
