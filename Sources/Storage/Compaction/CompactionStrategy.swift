package import DataModel

/// What a strategy knows about one live SSTable.
package struct CompactionCandidate: Sendable, Equatable {
    package var generation: UInt64
    package var byteCount: Int
    package var createdSeconds: Int64
    package var tokens: ClosedRange<Token>
    package var statistics: SSTableStatistics

    package init(_ table: SSTable) {
        self.generation = table.generation
        self.byteCount = table.byteCount
        self.createdSeconds = table.statistics.createdSeconds
        self.tokens = table.tokens ?? table.clip
        self.statistics = table.statistics
    }

    package init(_ description: SSTableDescription) {
        let statistics: SSTableStatistics = description.statistics
        self.generation = statistics.generation
        self.byteCount = description.byteCount
        self.createdSeconds = statistics.createdSeconds
        let (first, last): (Token, Token) = (statistics.firstToken, statistics.lastToken)
        self.tokens = min(first, last)...max(first, last)
        self.statistics = statistics
    }
}

/// Which files to compact into one, and why.
package struct CompactionPlan: Sendable, Equatable {
    package enum Reason: Sendable, Equatable {
        /// Enough files of about one size.
        case similarSizes
        /// One file with many tombstones that may go.
        case tombstones
        /// Somebody asked for all of them.
        case requested
    }

    /// Ascending.
    package var generations: [UInt64]
    package var reason: Reason

    package init(generations: [UInt64], reason: Reason) {
        self.generations = generations.sorted()
        self.reason = reason
    }

    /// A plan that compacts everything; nil when there is nothing.
    package static func everything(_ candidates: [CompactionCandidate]) -> CompactionPlan? {
        candidates.isEmpty ? nil : CompactionPlan(generations: candidates.map(\.generation), reason: .requested)
    }
}

/// Decides what to compact next. A pure value: files in, a plan out; no clock, no disk.
package protocol CompactionStrategy: Sendable {
    /// The next compaction; nil when none is worth it.
    ///
    /// - Parameters:
    ///   - candidates: the live files that no compaction has, in any order.
    ///   - nowSeconds: seconds since 1970.
    ///   - graceSeconds: how long the table keeps tombstones.
    func plan(_ candidates: [CompactionCandidate], nowSeconds: Int64, graceSeconds: Int64) -> CompactionPlan?

    /// How many compactions are waiting, about.
    func pendingCount(_ candidates: [CompactionCandidate]) -> Int
}

/// Why a table's compaction options were refused.
package struct CompactionOptionsError: Error, Equatable, Sendable {
    package var reason: String
}

/// What all strategies understand.
package struct CompactionOptions: Sendable, Equatable {
    package var isEnabled = true
    /// From which share of droppable tombstones on a file is worth rewriting by itself.
    package var tombstoneThreshold: Double = 0.2
    /// How old a file must be for that.
    package var tombstoneIntervalSeconds: Int64 = 86_400
    /// Whether to do so without asking whether other files overlap.
    package var isUncheckedTombstoneCompaction = false
    /// Options of one strategy only.
    package var own: [String: String] = [:]

    /// Options that other parts of a node read.
    private static let ignored: Set<String> = [
        "class", "log_all", "log_class", "provide_overlapping_tombstones", "only_purge_repaired_tombstones",
        "sstable_size_in_mb", "fanout_size", "single_sstable_uplevel", "compaction_window_unit",
        "compaction_window_size", "timestamp_resolution", "expired_sstable_check_frequency_seconds",
        "unsafe_aggressive_sstable_expiration", "scaling_parameters", "target_sstable_size", "min_sstable_size",
        "sstable_growth", "base_shard_count", "max_sstables_to_compact", "overlap_inclusion_method",
        "flush_size_override", "parallelize_output_shards",
    ]

    package init() {}

    /// Reads the options of a table; the names are Cassandra's.
    ///
    /// - Parameter known: the names that the strategy itself reads.
    package init(_ options: [String: String], known: Set<String>) throws(CompactionOptionsError) {
        for (name, value) in options.sorted(by: { $0.key < $1.key }) {
            try read(name, value, known)
        }
    }

    private mutating func read(
        _ name: String, _ value: String, _ known: Set<String>
    ) throws(CompactionOptionsError) {
        switch name {
        case "enabled": isEnabled = try CompactionOptions.boolean(name, value)
        case "unchecked_tombstone_compaction":
            isUncheckedTombstoneCompaction = try CompactionOptions.boolean(name, value)
        case "tombstone_threshold":
            tombstoneThreshold = try CompactionOptions.number(name, value)
            guard tombstoneThreshold > 0 else {
                throw CompactionOptionsError(reason: "tombstone_threshold must be greater than 0, but was \(value)")
            }
        case "tombstone_compaction_interval":
            guard let seconds = Int64(value), seconds >= 0 else {
                throw CompactionOptionsError(reason: "\(value) is not a parsable int (base10) for \(name)")
            }
            tombstoneIntervalSeconds = seconds
        default:
            if known.contains(name) {
                own[name] = value
            } else if !CompactionOptions.ignored.contains(name) {
                throw CompactionOptionsError(reason: "Properties specified [\(name)] are not understood")
            }
        }
    }

    static func boolean(_ name: String, _ value: String) throws(CompactionOptionsError) -> Bool {
        switch value.lowercased() {
        case "true": return true
        case "false": return false
        default: throw CompactionOptionsError(reason: "'\(name)' should either be 'true' or 'false', not '\(value)'")
        }
    }

    static func number(_ name: String, _ value: String) throws(CompactionOptionsError) -> Double {
        guard let number = Double(value), number.isFinite else {
            throw CompactionOptionsError(reason: "\(value) is not a parsable float for \(name)")
        }
        return number
    }

    static func integer(_ name: String, _ value: String) throws(CompactionOptionsError) -> Int {
        guard let number = Int(value) else {
            throw CompactionOptionsError(reason: "\(value) is not a parsable int (base10) for \(name)")
        }
        return number
    }

    /// The file that is most worth rewriting for its tombstones alone; nil when none is.
    package func tombstonePick(
        _ candidates: [CompactionCandidate], nowSeconds: Int64, graceSeconds: Int64
    ) -> UInt64? {
        var best: (ratio: Double, generation: UInt64)?
        for candidate in candidates.sorted(by: { $0.generation < $1.generation })
        where candidate.createdSeconds &+ tombstoneIntervalSeconds <= nowSeconds {
            let ratio: Double = candidate.statistics.droppableTombstoneRatio(before: nowSeconds &- graceSeconds)
            guard ratio > tombstoneThreshold, isAlone(candidate, among: candidates) else { continue }
            if best == nil || ratio > best?.ratio ?? 0 { best = (ratio, candidate.generation) }
        }
        return best?.generation
    }

    /// Whether no other file can hold data that the candidate's tombstones still hide.
    private func isAlone(_ candidate: CompactionCandidate, among candidates: [CompactionCandidate]) -> Bool {
        if isUncheckedTombstoneCompaction { return true }
        return !candidates.contains { other in
            other.generation != candidate.generation && other.tokens.overlaps(candidate.tokens)
                && other.statistics.minTimestamp <= candidate.statistics.maxTimestamp
        }
    }
}
