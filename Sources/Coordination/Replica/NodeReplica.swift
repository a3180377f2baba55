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

    package init(shards: [ReplicaShard], host: Host, truncations: TruncationTimes? = nil) {
        self.shards = shards
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
