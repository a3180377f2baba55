import CQL
import Cluster
import Coordination
import DataModel
import Storage

/// One part of a read, and whom to ask for it.
///
/// `Sendable` is unchecked because it stays on the loop of its plan.
struct PlacedRead: @unchecked Sendable {
    let command: ReadCommand
    let plan: ReplicaPlan
}

extension PlacedRead {
    /// A scan in parts that lie with the same replicas each, in the order of tokens.
    static func parts(
        of command: ReadCommand, over ranges: [PlacedRange], _ plan: (ReplicaSet) -> ReplicaPlan
    ) -> [PlacedRead] {
        var parts: [PlacedRead] = []
        let whole: PartitionRange = command.partitions
        for placed in ranges {
            let range: RingRange = placed.range
            let start: PartitionPosition = max(whole.start, .after(range.start))
            let end: PartitionPosition = min(
                whole.end, range.end == .minimum ? .afterEverything : .after(range.end))
            guard start < end else { continue }
            var part: ReadCommand = command
            part.partitions = .range(start: start, end: end)
            if start != whole.start { part.firstPartitionSlices = nil }
            parts.append(PlacedRead(command: part, plan: plan(placed.replicas)))
        }
        return parts
    }
}

extension ShardExecutor {
    /// What a SELECT reads and from whom; nil when all of it is read from this node's own shards.
    ///
    /// A read at a serial level never is: what was only proposed may have to be decided first.
    ///
    /// - Throws: UNAVAILABLE when any part has too few live replicas: then nothing is read.
    func placedParts(_ read: SelectRead, _ plan: SelectPlan, _ level: Consistency) throws -> [PlacedRead]? {
        let table: CompiledTable = plan.table
        if SystemKeyspaceNames.isLocal(table.keyspace) || level == .nodeLocal { return nil }
        if level.isSerial, read.commands.count > 1 {
            throw CQLError.invalid(
                message: "SERIAL/LOCAL_SERIAL consistency may only be requested for one partition at a time")
        }
        let parts: [PlacedRead] = try placed(read.commands, of: table, level)
        if !level.isSerial, parts.allSatisfy({ $0.plan.isLocalOnly }) { return nil }
        return parts
    }

    /// Reads by the present placement.
    ///
    /// - Throws: UNAVAILABLE when any part has too few live replicas.
    func placed(
        _ commands: [ReadCommand], of table: CompiledTable, _ level: Consistency
    ) throws -> [PlacedRead] {
        let view: ClusterView = coordination.view
        let entry: PlacementCache.Entry = try placements.entry(of: table, view)
        var parts: [PlacedRead] = []
        for command in commands {
            if case .one(let token, _) = command.partitions {
                let replicas: ReplicaSet = entry.placement.replicas(of: token)
                parts.append(PlacedRead(command: command, plan: view.plan(for: replicas, table.replicas)))
            } else {
                parts += PlacedRead.parts(of: command, over: entry.scanRanges) { view.plan(for: $0, table.replicas) }
            }
        }
        try checkReaders(parts, level)
        return parts
    }

    private func checkReaders(_ parts: [PlacedRead], _ level: Consistency) throws {
        var seen: Set<ObjectIdentifier> = []
        for part in parts where seen.insert(ObjectIdentifier(part.plan)).inserted {
            let alive: UInt64 = part.plan.alive(coordination.view.liveness)
            guard let shortage = part.plan.readRule(level).shortage(alive: alive) else { continue }
            throw CQLError.unavailable(level, required: shortage.required, alive: shortage.alive)
        }
    }
}
