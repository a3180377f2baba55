package import Environment

/// Limits how fast a shard's compactions write: `compaction_throughput`, split over the shards.
///
/// Confined to the shard's loop. A run tells what it wrote and sleeps for as long as it is ahead of the rate.
package final class CompactionThrottle {
    /// 0 for no limit.
    package var bytesPerSecond: Int
    private let time: any TimeSource
    /// When what was written so far would have been written at the rate.
    private var paidUntilNanoseconds: UInt64 = 0

    package init(bytesPerSecond: Int, time: any TimeSource) {
        self.bytesPerSecond = max(0, bytesPerSecond)
        self.time = time
    }

    /// Counts bytes, and returns when the rate allows more.
    package func spend(_ byteCount: Int) async throws(StorageError) {
        guard bytesPerSecond > 0, byteCount > 0 else { return }
        let now: UInt64 = time.monotonicNanoseconds
        let cost: Double = Double(byteCount) / Double(bytesPerSecond) * 1e9
        paidUntilNanoseconds = max(paidUntilNanoseconds, now) &+ UInt64(min(cost, 3.6e12))
        // Short debts are not worth a timer; they add up to one.
        guard paidUntilNanoseconds > now &+ 5_000_000 else { return }
        let wait = Int64(clamping: paidUntilNanoseconds - now)
        do throws(CancellationError) {
            try await time.sleep(for: .nanoseconds(wait))
        } catch {
            throw .cancelled
        }
    }
}
