import Cluster
import DataModel
import Environment
import Primitives

extension RingOperations {
    private enum Waiting: Error {
        /// The change has gone on, or is another node's.
        case isOver
    }

    /// Brings a change to its end, whatever that takes, as long as it is this node's to do so.
    func driveToTheEnd(_ id: UUID) async {
        while !isStopped {
            guard let metadata = parts.log.current, let change = metadata.change(id), change.driver == local else {
                return
            }
            do {
                try await step(change, in: metadata)
            } catch is CancellationError {
                return
            } catch Waiting.isOver {
                continue
            } catch {
                note(change, "\(error)")
                do { try await host.time.sleep(for: settings.pause) } catch { return }
            }
        }
    }

    private func step(_ change: RingChange, in metadata: ClusterMetadata) async throws {
        if change.isAborting { return try await stepBack(change, in: metadata) }
        let remaining: RangeSet = metadata.remaining(of: change)
        let passed: UInt64 = self.passed[change.id] ?? 0
        // What is at its start has been so since the change began; for its end all has to have been handed over for all.
        let wanted: UInt64 = remaining.isEmpty ? change.stepEpoch : change.beganEpoch
        if passed < wanted { return try await pass(change, in: metadata) }
        if remaining.isEmpty {
            if try await haveArrived(change, in: metadata) { try await end(change) }
            return
        }
        if change.isWithoutData { return try await handOver(change, remaining) }
        try await gather(change, remaining, in: metadata)
    }

    /// Waits until everybody works by the last step.
    private func pass(_ change: RingChange, in metadata: ClusterMetadata) async throws {
        try await barrier.pass(change.stepEpoch, for: change, in: metadata) { missing in
            try await self.wait(for: missing, change)
        }
        passed[change.id] = change.stepEpoch
    }

    private func wait(for missing: [NodeID], _ change: RingChange) throws {
        note(change, "Waiting for " + missing.map(\.description).joined(separator: ", "))
        guard !isStopped, let present = parts.log.current?.change(change.id), present.driver == local,
            present.stepEpoch == change.stepEpoch, present.isAborting == change.isAborting
        else { throw Waiting.isOver }
    }

    /// Asks those who gain how far they are, and hands over what all of them hold.
    private func gather(_ change: RingChange, _ remaining: RangeSet, in metadata: ClusterMetadata) async throws {
        let topology = Topology(metadata, local: local)
        let gains = RangeSources.gains(change, in: topology, metadata.strategies)
        var open = RangeSet()
        var words: [String] = []
        var fetching: [NodeID] = []
        for (node, needed) in gains {
            let reception: RangeReception? = await reception(of: change.id, at: node, in: metadata)
            let held: RangeSet = reception?.held ?? RangeSet()
            open = open.union(needed.subtracting(held))
            if reception?.state != .done { fetching.append(node) }
            if reception == nil { words.append("\(node) does not answer") }
            if let reception, !reception.words.isEmpty { words.append("\(node): \(reception.words)") }
        }
        let ready: RangeSet = remaining.subtracting(open)
        let affected: RangeSet = remaining.union(change.handedOver)
        let share: Double = affected.share > 0 ? 1 - remaining.subtracting(ready).share / affected.share : 1
        report(change, Progress(share: share, words: words.joined(separator: "; "), fetching: fetching))
        let now: UInt64 = host.time.monotonicNanoseconds
        let isDue: Bool = now &- (handedOverAt[change.id] ?? 0) >= UInt64(settings.handOverInterval / .nanoseconds(1))
        if !ready.isEmpty, ready == remaining || isDue {
            handedOverAt[change.id] = now
            return try await handOver(change, ready)
        }
        try await host.time.sleep(for: settings.interval)
    }

    private func reception(of id: UUID, at node: NodeID, in metadata: ClusterMetadata) async -> RangeReception? {
        if node == local { return await receptions.proceed(with: id, in: metadata) }
        guard parts.liveness.isAlive(node) else { return nil }
        do {
            let answer: [UInt8] = try await parts.messenger.request(
                .ringPull, Array(id.bytes), to: node, timeout: .seconds(5))
            return try RingMessages.decodeReception(answer)
        } catch {
            // It is asked again; what it has is not lost.
            return nil
        }
    }

    /// Whether what was written before everybody read by the last step has come to those who gain, as far as those know that
    /// are up; or has been waited for long enough: hints may be held back by hand. What is written later and does not
    /// come to them is found by whoever reads it, because those who go are read too.
    private func haveArrived(_ change: RingChange, in metadata: ClusterMetadata) async throws -> Bool {
        if change.isWithoutData { return true }
        let members: [NodeID] = metadata.members.filter { $0.state != .left && $0.id != change.dead }.map(\.id)
        let alive: [NodeID] = members.filter { $0 == local || parts.liveness.isAlive($0) }
        let missing: [NodeID] = await arrivals.missing(of: change, in: metadata, among: alive)
        if missing.isEmpty { return true }
        note(change, "Writes of these have not arrived: " + missing.map(\.description).joined(separator: ", "))
        let now: UInt64 = host.time.monotonicNanoseconds
        let since: UInt64 = arrivalsSince[change.id] ?? now
        arrivalsSince[change.id] = since
        if now &- since >= UInt64(settings.arrivalPatience / .nanoseconds(1)) { return true }
        try await host.time.sleep(for: settings.interval)
        return false
    }

    private func handOver(_ change: RingChange, _ ranges: RangeSet) async throws {
        _ = try await parts.log.change(timeout: settings.changeTimeout) { before in
            guard before.change(change.id)?.driver == change.driver else { throw RingChangeRefused.superseded }
            return try before.handingOver(change.id, ranges)
        }
    }

    private func end(_ change: RingChange) async throws {
        if change.kind == .leave, change.node == local, let words = await parts.takeLeave() {
            note(change, words)
            return try await host.time.sleep(for: settings.interval)
        }
        _ = try await parts.log.change(timeout: settings.changeTimeout) { before in
            try before.ending(change.id, after: change.stepEpoch)
        }
    }

    private func stepBack(_ change: RingChange, in metadata: ClusterMetadata) async throws {
        if passed[change.id] ?? 0 < change.stepEpoch { return try await pass(change, in: metadata) }
        _ = try await parts.log.change(timeout: settings.changeTimeout) { before in
            guard let present = before.change(change.id) else { return nil }
            if present.handedOver.isEmpty { return try before.dropping(change.id, after: change.stepEpoch) }
            return try before.givingBack(change.id, after: change.stepEpoch)
        }
    }

    private func note(_ change: RingChange, _ words: String) {
        let known: Progress? = progress[change.id]
        report(change, Progress(share: known?.share ?? 0, words: words, fetching: known?.fetching ?? []))
    }

    private func report(_ change: RingChange, _ present: Progress) {
        let former: String = progress[change.id]?.words ?? ""
        progress[change.id] = present
        if !present.words.isEmpty, present.words != former { parts.waits(change, present.words) }
    }
}
