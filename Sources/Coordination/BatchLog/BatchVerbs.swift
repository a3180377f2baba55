package import Cluster
import DataModel
package import Environment
import Primitives

/// Keeps and forgets batches for coordinators, on one loop.
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class BatchVerbs: RequestHandler, @unchecked Sendable {
    private let messages: ShardMessages
    private let log: BatchLog
    private let loop: any Loop
    private let host: Host

    private init(_ messages: ShardMessages, _ loop: any Loop, _ log: BatchLog, _ host: Host) {
        self.messages = messages
        self.loop = loop
        self.log = log
        self.host = host
    }

    /// Has the loops of a node answer. Called once, before messages come.
    package static func register(on messages: [ShardMessages], _ log: BatchLog, _ host: Host) {
        for (index, shard) in messages.enumerated() {
            let verbs = BatchVerbs(shard, host.loops[index], log, host)
            for verb in [Verb.batchStore, .batchRemove] { shard.handle(verb, by: verbs) }
        }
    }

    package func received(_ verb: Verb, from sender: NodeID, body: RawSpan, reply: ReplyPlace) {
        do throws(DecodingError) {
            if verb == .batchStore {
                store(try BatchMessage.readBatch(body), reply)
            } else {
                let batch: UUID = try BatchMessage.readID(body)
                host.background.run("forget a batch", on: loop) { [self] in await log.remove(batch) }
            }
        } catch {
            messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
        }
    }

    private func store(_ batch: StoredBatch, _ reply: ReplyPlace) {
        host.background.run("keep a batch", on: loop) { [self] in
            do {
                try await log.store(batch)
                messages.trace(of: reply)?.add("Keeping the batch until all of it is written")
                messages.beginReply(reply)?.end()
            } catch {
                messages.fail(reply, code: ReplicaFailure.unknown.rawValue, reason: "\(error)")
            }
        }
    }
}
