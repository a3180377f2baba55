package import Cluster
package import DataModel
package import Environment
import Primitives
import Storage

/// One mutation of several that belong together, and how its table is replicated.
package struct PartitionWrite: Sendable {
    package let mutation: [UInt8]
    package let replication: TableReplication

    package init(mutation: [UInt8], replication: TableReplication) {
        self.mutation = mutation
        self.replication = replication
    }

    /// Of a mutation that was made here; a damaged one belongs nowhere and fails where it is applied.
    var token: Token { Token(ofMutation: mutation.span.bytes) ?? .minimum }
}

/// Writes to several partitions at once, each coordinated on the shard of its token.
package final class PartitionWrites: Sendable {
    private let node: NodeReplica
    private let writers: [WriteCoordinator]
    private let host: Host

    /// - Parameter writers: by the index of the shard.
    package init(node: NodeReplica, writers: [WriteCoordinator], host: Host) {
        self.node = node
        self.writers = writers
        self.host = host
    }

    /// Writes all and waits for all.
    ///
    /// - Returns: why each has failed, in the order in which they were given; nil for those that have not.
    package func write(
        _ writes: [PartitionWrite], _ level: Consistency, _ kind: WriteKind, timeoutMilliseconds: UInt32,
        trace: RequestTrace? = nil
    ) async -> [CoordinationFailure?] {
        let works: [LoopWork<Void>] = writes.map { write in
            let token: Token = write.token
            let writer: WriteCoordinator = writers[node.slices.shard(of: token)]
            return LoopWork("write a partition", on: writer.replica.store.loop, of: host) {
                try await PartitionWrites.write(write, token, by: writer, level, kind, timeoutMilliseconds, trace)
            }
        }
        var failures: [CoordinationFailure?] = []
        for work in works {
            do {
                try await work.value()
                failures.append(nil)
            } catch let failure as CoordinationFailure {
                failures.append(failure)
            } catch {
                failures.append(.writeFailed(kind, level, received: 0, required: 1, failures: [:]))
            }
        }
        return failures
    }

    private static func write(
        _ write: PartitionWrite, _ token: Token, by writer: WriteCoordinator, _ level: Consistency, _ kind: WriteKind,
        _ timeoutMilliseconds: UInt32, _ trace: RequestTrace?
    ) async throws {
        let plan: ReplicaPlan = try writer.view.plan(for: write.replication, token)
        let table: TableStore? = UUID(write.mutation.span.bytes).flatMap { writer.replica.store.table($0) }
        let outcome = AwaitedReplicas()
        try writer.write(
            write.mutation.span.bytes, to: table, plan, level, kind, timeoutMilliseconds: timeoutMilliseconds,
            observer: outcome, tag: 0, trace: trace)
        if let failure = await outcome.wait() { throw failure }
    }
}

/// Waits for a coordinated write. Confined to its loop; `Sendable` is unchecked for that reason.
private final class AwaitedReplicas: WriteObserver, @unchecked Sendable {
    private var isOver = false
    private var failure: (any Error)?
    private var waiting: UnsafeContinuation<Void, Never>?

    func coordinatedWriteEnded(_ tag: UInt64, _ failure: (any Error)?) {
        isOver = true
        self.failure = failure
        waiting?.resume()
        waiting = nil
    }

    func wait() async -> (any Error)? {
        if !isOver { await withUnsafeContinuation { waiting = $0 } }
        return failure
    }
}
