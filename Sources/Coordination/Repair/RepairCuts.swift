import Cluster
import DataModel
import Primitives
import Synchronization

/// When the replicas of tables have last written to files what they had in memory of them, all at once. Ranges that are
/// compared soon after each other share a cut, so that a table that is written meanwhile is not spread over one small file
/// for each range.
package final class RepairCuts: Sendable {
    private struct Key: Hashable {
        let table: UUID
        let node: NodeID
    }

    private struct Cut {
        let seconds: Int64
        let atNanoseconds: UInt64
    }

    /// What was written later is not compared, so that a cut is not used for long.
    private static let lifeNanoseconds: UInt64 = 10_000_000_000

    private let cuts = Mutex<[Key: Cut]>([:])

    /// As of when all that some replicas have of a table is in files, in seconds since 1970; nil when that is too long ago.
    func recent(_ table: UUID, _ replicas: [NodeID], nowNanoseconds now: UInt64) -> Int64? {
        cuts.withLock { cuts in
            var oldest = Int64.max
            for node in replicas {
                guard let cut = cuts[Key(table: table, node: node)],
                    now &- cut.atNanoseconds < RepairCuts.lifeNanoseconds
                else { return nil }
                oldest = min(oldest, cut.seconds)
            }
            return replicas.isEmpty ? nil : oldest
        }
    }

    /// Replicas have written all that they had of a table.
    ///
    /// - Parameters:
    ///   - seconds: since 1970, before they were asked to.
    ///   - now: of the monotonic clock, then.
    func note(_ table: UUID, _ replicas: [NodeID], asOfSeconds seconds: Int64, atNanoseconds now: UInt64) {
        cuts.withLock { cuts in
            cuts = cuts.filter { now &- $0.value.atNanoseconds < RepairCuts.lifeNanoseconds }
            for node in replicas { cuts[Key(table: table, node: node)] = Cut(seconds: seconds, atNanoseconds: now) }
        }
    }
}
