package import Cluster
import DataModel
package import Environment
import Primitives
import Storage

/// Leads the counter writes that other nodes send, on one loop: hops to the partition's shard, and answers what became
/// of the write.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class CounterVerbs: RequestHandler, @unchecked Sendable {
    private let messages: ShardMessages
    private let node: NodeReplica
    private let coordinators: [CounterCoordinator]
    private let views: [ClusterView]
    private let tables: TableLookup
    private let host: Host
    private let loop: any Loop

    private init(
        _ messages: ShardMessages, _ loop: any Loop, _ node: NodeReplica, _ coordinators: [CounterCoordinator],
        _ views: [ClusterView], _ tables: @escaping TableLookup, _ host: Host
    ) {
        self.messages = messages
        self.loop = loop
        self.node = node
        self.coordinators = coordinators
        self.views = views
        self.tables = tables
        self.host = host
    }

    /// Has the loops of a node lead. Called once, before messages come; everything is by the index of the shard.
    package static func register(
        on messages: [ShardMessages], _ node: NodeReplica, _ coordinators: [CounterCoordinator], views: [ClusterView],
        tables: @escaping TableLookup, _ host: Host
    ) {
        for (index, shard) in messages.enumerated() {
            shard.handle(
                .counterMutation,
                by: CounterVerbs(shard, host.loops[index], node, coordinators, views, tables, host))
        }
    }

    package func received(_ verb: Verb, from sender: NodeID, body: RawSpan, reply: ReplyPlace) {
        let request: CounterRequest
        let token: Token
        do throws(DecodingError) {
            request = try CounterRequest(body)
            token = try MutationReader(request.deltas.span.bytes).token
        } catch {
            return messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
        }
        guard let id = UUID(request.deltas.span.bytes), let table = tables(id) else {
            return messages.fail(
                reply, code: ReplicaFailure.incompatibleSchema.rawValue, reason: "This node has no such table")
        }
        let shard: Int = node.slices.shard(of: token)
        let view: ClusterView = views[shard]
        let coordinator: CounterCoordinator = coordinators[shard]
        let trace: RequestTrace? = messages.trace(of: reply)
        host.background.run("lead a counter write", on: loop) { [self] in
            var failure: CoordinationFailure?
            do {
                try await node.run(on: shard) { _ in
                    try await coordinator.lead(
                        request.deltas, try view.plan(for: table, token), request.level,
                        timeoutMilliseconds: request.limitMilliseconds, trace: trace)
                }
            } catch let known as CoordinationFailure {
                failure = known
            } catch {
                return messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
            }
            guard let link = messages.beginReply(reply) else { return }
            CounterAnswer.write(failure, to: &link.output)
            link.end()
        }
    }
}
