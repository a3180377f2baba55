package import Cluster
package import DataModel
package import Environment
import Storage

/// This node as a replica, over all its shards: what it does for requests that are not hot.
package final class NodeReplica: Sendable {
    package let shards: [ReplicaShard]
    package let slices: ShardSlices
    private let host: Host

    package init(shards: [ReplicaShard], host: Host) {
        self.shards = shards
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
        let writer = PageWriter(request)
        for shard in request.command.partitions.shards(slices) {
            try await run(on: shard) { replica in try await replica.fill(writer, request, trace) }
            if writer.hasTooManyTombstones { throw ReplicaError.tooManyTombstones }
            if writer.isFull { break }
        }
        let page: ReadPage = writer.page()
        trace?.addRows(live: page.liveRowCount, tombstones: page.tombstoneCount)
        return page
    }
}
