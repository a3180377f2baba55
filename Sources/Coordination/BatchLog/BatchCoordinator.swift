package import Cluster
package import DataModel
package import Environment
import Primitives
import Storage

/// Writes logged batches: all of one happens, or none of it, however its coordinator ends.
///
///     batch ─▶ two other nodes of the data centre keep it ─▶ every mutation at the batch's level ─▶ they forget it
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class BatchCoordinator: @unchecked Sendable {
    private let view: ClusterView
    private let loop: any Loop
    private let log: BatchLog
    private let writes: PartitionWrites
    private let host: Host

    package init(view: ClusterView, loop: any Loop, log: BatchLog, writes: PartitionWrites, host: Host) {
        self.view = view
        self.loop = loop
        self.log = log
        self.writes = writes
        self.host = host
    }

    /// Writes a logged batch. One of a single partition happens as a whole anyway and is written like any mutation.
    ///
    /// - Throws: `CoordinationFailure`: of kind `.batchLog` when nobody could keep the batch, which then may or may not
    ///   happen; of kind `.batch` when it will happen, but has not reached its level yet.
    package func write(
        _ batch: [PartitionWrite], _ level: Consistency, timeoutMilliseconds: UInt32, trace: RequestTrace? = nil
    ) async throws(CoordinationFailure) {
        guard batch.count > 1 else {
            let failures: [CoordinationFailure?] = await writes.write(
                batch, level, .simple, timeoutMilliseconds: timeoutMilliseconds, trace: trace)
            for case let failure? in failures { throw failure }
            return
        }
        try check(batch, level)
        let stored = StoredBatch(id: identifier(), mutations: batch.map(\.mutation))
        let keepers: [NodeID] = try await store(stored, level, timeoutMilliseconds, trace)
        let failures: [CoordinationFailure?] = await writes.write(
            batch, level, .batch, timeoutMilliseconds: timeoutMilliseconds, trace: trace)
        for case let failure? in failures { throw BatchCoordinator.afterStoring(failure) }
        forget(stored.id, keepers, trace)
    }

    /// UNAVAILABLE and OVERLOADED say that nothing was done, which is not so once the batch is kept.
    private static func afterStoring(_ failure: CoordinationFailure) -> CoordinationFailure {
        switch failure {
        case .unavailable(let level, let required, let alive):
            .writeTimedOut(.batch, level, received: min(alive, max(0, required - 1)), required: required)
        case .overloaded: .writeTimedOut(.batch, .one, received: 0, required: 1)
        default: failure
        }
    }

    private func check(_ batch: [PartitionWrite], _ level: Consistency) throws(CoordinationFailure) {
        guard level != .any else { return }
        for write in batch {
            let plan: ReplicaPlan
            do throws(ReplicationError) {
                plan = try view.plan(for: write.replication, write.token)
            } catch { throw .unavailable(level, required: 1, alive: 0) }
            if let shortage = plan.writeRule(level).shortage(alive: plan.alive(view.liveness)) {
                throw .unavailable(level, required: shortage.required, alive: shortage.alive)
            }
        }
    }

    private func identifier() -> UUID {
        let microseconds = UInt64(bitPattern: view.clock.next())
        return .timeBased(
            timestamp: microseconds &* 10 &+ UInt64(bitPattern: UUID.unixEpoch), low: host.entropy.next())
    }

    // MARK: The nodes that keep it

    private func candidates(_ level: Consistency) throws(CoordinationFailure) -> [NodeID] {
        let members: [Member] = view.topology.members(in: view.topology.localDatacenter)
        guard let local = members.first(where: { $0.id == view.local }), members.count > 1 else { return [view.local] }
        let others = members.filter { $0.id != view.local && $0.state == .normal && view.liveness.isAlive($0.id) }
        var random = EntropyGenerator(host.entropy)
        let ordered: [NodeID] = BatchPlaces.ordered(
            others.map { ($0.id, $0.rack) }, localRack: local.rack, &random)
        if ordered.isEmpty {
            guard level == .any else { throw .unavailable(.one, required: 1, alive: 0) }
            return [view.local]
        }
        return ordered
    }

    private func store(
        _ batch: StoredBatch, _ level: Consistency, _ timeoutMilliseconds: UInt32, _ trace: RequestTrace?
    ) async throws(CoordinationFailure) -> [NodeID] {
        let gather = KeeperGather()
        var keepers: [NodeID] = []
        for node in try candidates(level) where keepers.count < BatchPlaces.count {
            if begin(batch, at: node, gather, timeoutMilliseconds, trace) { keepers.append(node) }
        }
        guard !keepers.isEmpty else { throw .unavailable(.one, required: 1, alive: 0) }
        gather.expectedCount = keepers.count
        // This node's own disk has no other deadline.
        let timer: any LoopTimer = loop.schedule(after: .milliseconds(Int64(timeoutMilliseconds))) {
            gather.timeIsUp()
        }
        defer { timer.cancel() }
        let kept: Consistency = keepers.count == 1 ? .one : .two
        switch await gather.wait() {
        case .kept: return keepers
        case .timedOut:
            throw .writeTimedOut(.batchLog, kept, received: gather.keptCount, required: keepers.count)
        case .failed:
            throw .writeFailed(
                .batchLog, kept, received: gather.keptCount, required: keepers.count, failures: gather.failures)
        }
    }

    private func begin(
        _ batch: StoredBatch, at node: NodeID, _ gather: KeeperGather, _ milliseconds: UInt32, _ trace: RequestTrace?
    ) -> Bool {
        if node == view.local {
            let log: BatchLog = self.log
            host.background.run("keep a batch", on: loop) {
                do {
                    try await log.store(batch)
                    trace?.add("Keeping the batch until all of it is written")
                    gather.kept()
                } catch { gather.fail(node, .unknown) }
            }
            return true
        }
        let link: PeerLink = view.messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .batchStore, for: gather, tag: 0, timeoutMilliseconds: milliseconds, trace: trace)
        guard outcome == .ready else { return false }
        BatchMessage.write(batch, to: &link.output)
        link.end()
        return true
    }

    /// Nobody waits for it: who does not hear of it writes the batch once more.
    private func forget(_ batch: UUID, _ keepers: [NodeID], _ trace: RequestTrace?) {
        let log: BatchLog = self.log
        for node in keepers {
            if node == view.local {
                host.background.run("forget a batch", on: loop) { await log.remove(batch) }
                continue
            }
            let link: PeerLink = view.messages.link(to: node, lane: .data)
            guard link.begin(.batchRemove) == .ready else { continue }
            trace?.add("Sending BATCH_REMOVE_REQ message to \(view.messages.traceText(of: node))")
            BatchMessage.write(removing: batch, to: &link.output)
            link.end()
        }
    }
}

/// Waits for those that keep a batch. Confined to its loop; `Sendable` is unchecked for that reason.
private final class KeeperGather: ReplyReceiver, @unchecked Sendable {
    enum End: Sendable {
        case kept, timedOut, failed
    }

    /// Answers come only after all were asked.
    var expectedCount = 0
    private(set) var keptCount = 0
    private(set) var failures: [NodeID: ReplicaFailure] = [:]
    private var end: End?
    private var waiting: UnsafeContinuation<End, Never>?

    func kept() {
        keptCount += 1
        if keptCount == expectedCount { finish(.kept) }
    }

    func fail(_ node: NodeID, _ reason: ReplicaFailure) {
        failures[node] = reason
        finish(.failed)
    }

    func timeIsUp() { finish(.timedOut) }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) { kept() }

    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) {
        switch failure {
        case .refused(_, let code, _): fail(node, ReplicaFailure(rawValue: code) ?? .unknown)
        // It may have been kept before the connection broke.
        default: timeIsUp()
        }
    }

    private func finish(_ end: End) {
        guard self.end == nil else { return }
        self.end = end
        waiting?.resume(returning: end)
        waiting = nil
    }

    func wait() async -> End {
        if let end { return end }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
