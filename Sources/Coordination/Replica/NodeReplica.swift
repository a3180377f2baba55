package import Cluster
package import DataModel
package import Environment
import Storage

/// This node as a replica, over all its shards: what it does for requests that are not hot.
package final class NodeReplica: Sendable {
    package let shards: [ReplicaShard]
    package let slices: ShardSlices
    let host: Host
    /// Which truncations this node has carried out; nil where tables are not truncated.
    let truncations: TruncationTimes?
    /// By shard; empty where the owners of partitions do not change.
    private let handover: [HandoverWrites]

    package init(
        shards: [ReplicaShard], host: Host, truncations: TruncationTimes? = nil, handover: [HandoverWrites] = []
    ) {
        self.shards = shards
        self.handover = handover
        self.truncations = truncations
        self.slices = ShardSlices(count: shards.count)
        self.host = host
    }

    /// Runs `body` on the loop of a shard: at once when the caller is there.
    package func run<Value: Sendable>(
        on shard: Int, _ body: @escaping @Sendable (ReplicaShard) async throws -> Value
    ) async throws -> Value {
        let replica: ReplicaShard = shards[shard]
        if replica.store.loop.isCurrent { return try await body(replica) }
        return try await LoopWork("replica work", on: replica.store.loop, of: host) { try await body(replica) }.value()
    }

    /// Applies a mutation; it may be acknowledged when this returns.
    ///
    /// - Throws: `ReplicaError`.
    package func apply(_ mutation: [UInt8], _ trace: RequestTrace? = nil) async throws {
        let bytes: [UInt8] = mutation
        let token: Token
        do {
            token = try MutationReader(bytes.span.bytes).token
        } catch { throw ReplicaError.storage(.decoding(error)) }
        try await run(on: slices.shard(of: token)) { shard in try await shard.apply(bytes, trace) }
    }

    /// Applies a hint, as durably as a write; one of a partition that this node does not own any more goes on to its
    /// owners.
    ///
    /// - Throws: `ReplicaError`.
    package func apply(_ hint: Hint) async throws {
        guard let token = Token(ofMutation: hint.mutation.span.bytes) else { return }
        let index: Int = slices.shard(of: token)
        try await run(on: index) { [self] shard in
            guard handover.isEmpty || handover[index].isForThisNode(hint) else { return }
            try await shard.apply(hint.mutation)
            passOn(hint.mutation, on: index, madeAt: hint.createdMicroseconds)
        }
    }

    /// Has those who are about to own a partition get what was applied here past the coordinators of writes. On the loop of
    /// the shard.
    func passOn(_ mutation: [UInt8], on shard: Int, madeAt: Int64? = nil) {
        if !handover.isEmpty { handover[shard].passOn(mutation, madeAt: madeAt) }
    }

    /// Reads a page, over as many shards as it takes.
    ///
    /// - Throws: `ReplicaError`.
    package func page(_ request: PageRequest, _ trace: RequestTrace? = nil) async throws -> ReadPage {
        // Known before anything is read: what is read is of after it.
        let truncation: Int64 = truncations?.finished(request.table) ?? 0
        let writer = PageWriter(request)
        for shard in request.command.partitions.shards(slices) {
            try await run(on: shard) { replica in try await replica.fill(writer, request, trace) }
            if writer.hasTooManyTombstones { throw ReplicaError.tooManyTombstones }
            if writer.isFull { break }
        }
        var page: ReadPage = writer.page()
        page.truncation = truncation
        trace?.addRows(live: page.liveRowCount, tombstones: page.tombstoneCount)
        return page
    }
}
