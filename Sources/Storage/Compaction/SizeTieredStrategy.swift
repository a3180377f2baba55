/// Compacts files of about one size into one, so that every row is rewritten about once per factor of four in size.
///
/// The rules and defaults are Cassandra's SizeTieredCompactionStrategy: files go into buckets whose sizes lie between
/// `bucket_low` and `bucket_high` times the bucket's average, files below `min_sstable_size` into one of their own; of
/// the buckets with at least `min_threshold` files the fullest is compacted, at most `max_threshold` files of it,
/// beginning with the smallest. Cassandra prefers the bucket that is read most; reads are not counted here, so the
/// bucket with the most files is taken, and of equals the one with the smallest files, as it helps reads most per byte.
package struct SizeTieredStrategy: CompactionStrategy, Equatable {
    package var common = CompactionOptions()
    package var minimumThreshold = 4
    package var maximumThreshold = 32
    package var minimumByteCount = 50 * 1_024 * 1_024
    package var bucketLow: Double = 0.5
    package var bucketHigh: Double = 1.5

    private static let names: Set<String> = [
        "min_threshold", "max_threshold", "min_sstable_size", "bucket_low", "bucket_high",
    ]

    package init() {}

    package init(options: [String: String]) throws(CompactionOptionsError) {
        common = try CompactionOptions(options, known: SizeTieredStrategy.names)
        for (name, value) in common.own.sorted(by: { $0.key < $1.key }) {
            switch name {
            case "min_threshold": minimumThreshold = try CompactionOptions.integer(name, value)
            case "max_threshold": maximumThreshold = try CompactionOptions.integer(name, value)
            case "min_sstable_size": minimumByteCount = try CompactionOptions.integer(name, value)
            case "bucket_low": bucketLow = try CompactionOptions.number(name, value)
            default: bucketHigh = try CompactionOptions.number(name, value)
            }
        }
        guard minimumByteCount >= 0 else {
            throw CompactionOptionsError(reason: "min_sstable_size must be non negative, but was \(minimumByteCount)")
        }
        guard bucketHigh > bucketLow else {
            throw CompactionOptionsError(
                reason: "bucket_high value (\(bucketHigh)) is less than or equal to the bucket_low value "
                    + "(\(bucketLow))")
        }
        guard minimumThreshold >= 2, maximumThreshold >= minimumThreshold else {
            throw CompactionOptionsError(
                reason: "min_threshold must be at least 2 and at most max_threshold, but they are \(minimumThreshold) "
                    + "and \(maximumThreshold)")
        }
    }

    package func plan(
        _ candidates: [CompactionCandidate], nowSeconds: Int64, graceSeconds: Int64
    ) -> CompactionPlan? {
        guard common.isEnabled else { return nil }
        var best: [CompactionCandidate] = []
        for bucket in buckets(candidates) where bucket.count >= minimumThreshold {
            let picked = Array(bucket.prefix(maximumThreshold))
            if picked.count > best.count { best = picked }
        }
        if !best.isEmpty { return CompactionPlan(generations: best.map(\.generation), reason: .similarSizes) }
        guard let generation = common.tombstonePick(candidates, nowSeconds: nowSeconds, graceSeconds: graceSeconds)
        else { return nil }
        return CompactionPlan(generations: [generation], reason: .tombstones)
    }

    package func pendingCount(_ candidates: [CompactionCandidate]) -> Int {
        var count = 0
        for bucket in buckets(candidates) where bucket.count >= minimumThreshold {
            count += (bucket.count + maximumThreshold - 1) / maximumThreshold
        }
        return count
    }

    /// The files by size, each bucket and the list of buckets ascending.
    func buckets(_ candidates: [CompactionCandidate]) -> [[CompactionCandidate]] {
        let sorted: [CompactionCandidate] = candidates.sorted {
            $0.byteCount == $1.byteCount ? $0.generation < $1.generation : $0.byteCount < $1.byteCount
        }
        var buckets: [(average: Double, files: [CompactionCandidate])] = []
        for candidate in sorted {
            let size = Double(candidate.byteCount)
            let isSmall: Bool = candidate.byteCount < minimumByteCount
            // Sizes ascend, so only the last bucket can still take a file.
            if let last = buckets.last {
                let isNear: Bool = size > last.average * bucketLow && size < last.average * bucketHigh
                let areBothSmall: Bool = isSmall && last.average < Double(minimumByteCount)
                if isNear || areBothSmall {
                    let sum: Double = last.average * Double(last.files.count) + size
                    buckets[buckets.count - 1].files.append(candidate)
                    buckets[buckets.count - 1].average = sum / Double(last.files.count + 1)
                    continue
                }
            }
            buckets.append((size, [candidate]))
        }
        return buckets.map(\.files)
    }
}
