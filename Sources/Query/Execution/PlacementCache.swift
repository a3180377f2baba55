import CQL
import Cluster
import Coordination
import DataModel

/// Where tables have their data, as one shard has looked it up: it holds as long as neither the members nor the table
/// change. Confined to its loop.
///
/// Hot: asked once per request; the table that was asked for last is at hand.
final class PlacementCache {
    /// A table and its placement.
    final class Entry {
        let table: CompiledTable
        let placement: Placement
        /// The ranges of a scan, ascending: neighbours with the same replicas, in whatever order, are one.
        private(set) lazy var scanRanges: [PlacedRange] = PlacementCache.merged(placement.scanRanges)

        init(_ table: CompiledTable, _ placement: Placement) {
            self.table = table
            self.placement = placement
        }
    }

    private var version: UInt64 = 0
    private var last: Entry?
    private var known: [ObjectIdentifier: Entry] = [:]

    private static let entryLimit = 256

    /// Where a table has its data now.
    func entry(of table: CompiledTable, _ view: ClusterView) throws(CQLError) -> Entry {
        if let last, last.table === table, version == view.version { return last }
        return try find(table, view)
    }

    private func find(_ table: CompiledTable, _ view: ClusterView) throws(CQLError) -> Entry {
        if version != view.version || known.count >= PlacementCache.entryLimit { forget() }
        version = view.version
        let found: Entry
        if let same = known[ObjectIdentifier(table)] {
            found = same
        } else {
            do throws(ReplicationError) {
                found = Entry(table, try view.topology.placement(for: table.replication))
            } catch { throw .serverError(message: error.description) }
            known[ObjectIdentifier(table)] = found
        }
        last = found
        return found
    }

    /// Tables have changed: those that are gone are not kept.
    func forget() {
        last = nil
        known = [:]
    }

    private static func merged(_ ranges: [PlacedRange]) -> [PlacedRange] {
        var merged: [PlacedRange] = []
        for placed in ranges {
            guard let before = merged.last, isSame(before.replicas, placed.replicas) else {
                merged.append(placed)
                continue
            }
            merged[merged.count - 1] = PlacedRange(
                range: RingRange(after: before.range.start, through: placed.range.end), replicas: before.replicas)
        }
        return merged
    }

    /// Whether reads may be answered by the same nodes.
    private static func isSame(_ one: ReplicaSet, _ other: ReplicaSet) -> Bool {
        one === other || one.natural.count == other.natural.count && Set(one.natural) == Set(other.natural)
    }
}

extension ShardExecutor {
    /// The replicas of a partition, and what levels ask of them. Hot: once per request.
    func replicaPlan(of table: CompiledTable, _ token: Token) throws(CQLError) -> ReplicaPlan {
        let view: ClusterView = coordination.view
        let set: ReplicaSet = try placements.entry(of: table, view).placement.replicas(of: token)
        return view.plan(for: set, table.replicas)
    }
}
