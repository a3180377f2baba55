internal import CQL

/// The `compaction` option of a table: checked, and in the form that is kept.
struct CompactionOptions {
    /// The strategies that users can name, alone or behind their package.
    enum Strategy: String, CaseIterable {
        case sizeTiered = "SizeTieredCompactionStrategy"
        case leveled = "LeveledCompactionStrategy"
        case timeWindow = "TimeWindowCompactionStrategy"
        case unified = "UnifiedCompactionStrategy"

        var className: String { CompactionOptions.package + rawValue }
    }

    static let package = "org.apache.cassandra.db.compaction."
    private static let thresholds: [String: String] = ["min_threshold": "4", "max_threshold": "32"]

    let strategy: Strategy
    /// Without the class.
    private(set) var options: [String: String]

    /// - Throws: a configuration error for an unknown strategy, and for options that it does not have or allow.
    init(_ map: [String: String]) throws(CQLError) {
        guard let writtenName = map["class"] else {
            throw .configError(message: "Missing sub-option 'class' for the 'compaction' option")
        }
        let className: String =
            writtenName.contains(".") ? writtenName : CompactionOptions.package + writtenName
        guard let strategy = Strategy.allCases.first(where: { $0.className == className }) else {
            throw .configError(message: "Unable to find compaction strategy class '\(className)'")
        }
        self.strategy = strategy
        self.options = map
        options["class"] = nil
        let overlaps: String = options["provide_overlapping_tombstones"]?.uppercased() ?? "NONE"
        guard ["NONE", "ROW", "CELL"].contains(overlaps) else {
            throw .configError(
                message: "Invalid value \(overlaps) for 'provide_overlapping_tombstones' compaction sub-option - "
                    + "must be one of the following [NONE, ROW, CELL].")
        }
        if strategy != .unified { options.merge(CompactionOptions.thresholds) { written, _ in written } }
        try check()
    }

    /// What is kept and shown.
    var map: [String: String] { options.merging(["class": strategy.className]) { _, name in name } }

    /// The false positive chance that tables of the strategy start with.
    var bloomFilterFalsePositiveChance: Double { strategy == .leveled ? 0.1 : 0.01 }

    private func check() throws(CQLError) {
        var unknown: Set<String> = Set(options.keys)
        try checkCommon(&unknown)
        switch strategy {
        case .sizeTiered: try checkSizeTiered(&unknown)
        case .leveled:
            try checkLeveled(&unknown)
            try checkSizeTiered(&unknown)
        case .timeWindow:
            try checkTimeWindow(&unknown)
            try checkSizeTiered(&unknown)
        case .unified: try UnifiedCompactionCheck(options: options).check(&unknown)
        }
        if strategy != .unified { unknown.subtract(["min_threshold", "max_threshold"]) }
        guard unknown.isEmpty else {
            let names: String = JavaText.list(unknown.sorted())
            throw .configError(message: "Properties specified \(names) are not understood by \(strategy.rawValue)")
        }
        try checkThresholds()
    }

    private func checkCommon(_ unknown: inout Set<String>) throws(CQLError) {
        if let text = options["tombstone_threshold"] {
            guard let value = Float(text) else { throw CompactionOptions.notANumber(text, "tombstone_threshold") }
            guard value >= 0 else {
                throw .configError(message: "tombstone_threshold must be greater than 0, but was \(text)")
            }
        }
        if let text = options["tombstone_compaction_interval"] {
            guard let value = Int64(text) else {
                throw CompactionOptions.notANumber(text, "tombstone_compaction_interval")
            }
            guard value >= 0 else {
                throw .configError(message: "tombstone_compaction_interval must be greater than 0, but was \(value)")
            }
        }
        if let text = options["unchecked_tombstone_compaction"], !CompactionOptions.isBool(text) {
            throw .configError(
                message: "'unchecked_tombstone_compaction' should be either 'true' or 'false', not '\(text)'")
        }
        if let text = options["log_all"], !CompactionOptions.isBool(text) {
            throw .configError(message: "'log_all' should either be 'true' or 'false', not \(text)")
        }
        if let text = options["enabled"], !CompactionOptions.isBool(text) {
            throw .configError(message: "enabled should either be 'true' or 'false', not \(text)")
        }
        unknown.subtract([
            "tombstone_threshold", "tombstone_compaction_interval", "unchecked_tombstone_compaction", "log_all",
            "enabled", "only_purge_repaired_tombstones", "provide_overlapping_tombstones",
        ])
    }

    private func checkSizeTiered(_ unknown: inout Set<String>) throws(CQLError) {
        if let text = options["min_sstable_size"] {
            guard let value = Int64(text) else { throw CompactionOptions.notANumber(text, "min_sstable_size") }
            guard value >= 0 else { throw .configError(message: "min_sstable_size must be non negative: \(value)") }
        }
        let low = try fraction("bucket_low", standard: 0.5)
        let high = try fraction("bucket_high", standard: 1.5)
        guard high > low else {
            throw .configError(
                message: "bucket_high value (\(JavaText.double(high))) is less than or equal to the bucket_low value "
                    + "(\(JavaText.double(low)))")
        }
        unknown.subtract(["min_sstable_size", "bucket_low", "bucket_high"])
    }

    private func fraction(_ name: String, standard: Double) throws(CQLError) -> Double {
        guard let text = options[name] else { return standard }
        guard let value = Double(text) else {
            throw .configError(message: "\(text) is not a parsable float for \(name)")
        }
        return value
    }

    private func checkLeveled(_ unknown: inout Set<String>) throws(CQLError) {
        for name in ["sstable_size_in_mb", "fanout_size"] {
            guard let text = options[name] else { continue }
            guard let value = Int32(text) else { throw CompactionOptions.notANumber(text, name) }
            guard value >= 1 else { throw .configError(message: "\(name) must be larger than 0, but was \(value)") }
        }
        unknown.subtract(["sstable_size_in_mb", "fanout_size", "single_sstable_uplevel"])
    }

    private func checkTimeWindow(_ unknown: inout Set<String>) throws(CQLError) {
        if let text = options["timestamp_resolution"],
            !["SECONDS", "MILLISECONDS", "MICROSECONDS", "NANOSECONDS"].contains(text)
        {
            throw .configError(message: "\(text) is not valid for timestamp_resolution")
        }
        if let text = options["compaction_window_unit"], !["MINUTES", "HOURS", "DAYS"].contains(text) {
            throw .configError(message: "\(text) is not valid for compaction_window_unit")
        }
        if let text = options["compaction_window_size"] {
            guard let value = Int32(text) else { throw CompactionOptions.notANumber(text, "compaction_window_size") }
            guard value >= 1 else {
                throw .configError(message: "\(value) must be greater than 1 for compaction_window_size")
            }
        }
        let frequencyName = "expired_sstable_check_frequency_seconds"
        if let text = options[frequencyName] {
            guard let value = Int64(text) else { throw CompactionOptions.notANumber(text, frequencyName) }
            guard value >= 0 else {
                throw .configError(message: "\(frequencyName) must not be negative, but was \(value)")
            }
        }
        if let text = options["unsafe_aggressive_sstable_expiration"] {
            guard CompactionOptions.isBool(text) else {
                throw .configError(
                    message: "unsafe_aggressive_sstable_expiration is not 'true' or 'false' (\(text))")
            }
            guard text.lowercased() == "false" else {
                throw .configError(message: "unsafe_aggressive_sstable_expiration is requested but not allowed")
            }
        }
        unknown.subtract([
            "timestamp_resolution", "compaction_window_unit", "compaction_window_size", frequencyName,
            "unsafe_aggressive_sstable_expiration",
        ])
    }

    private func checkThresholds() throws(CQLError) {
        guard let minimumText = options["min_threshold"], let maximumText = options["max_threshold"] else { return }
        for (name, text) in [("min_threshold", minimumText), ("max_threshold", maximumText)] {
            guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= UInt8(ascii: "0") && $0 <= UInt8(ascii: "9") }),
                Int32(text) != nil
            else {
                throw .configError(
                    message: "Invalid value \(text) for '\(name)' compaction sub-option - must be an integer")
            }
        }
        let minimum: Int32 = Int32(minimumText) ?? 0
        let maximum: Int32 = Int32(maximumText) ?? 0
        guard minimum > 0, maximum > 0 else {
            throw .configError(
                message: "Disabling compaction by setting compaction thresholds to 0 has been removed, "
                    + "set the compaction option 'enabled' to false instead.")
        }
        guard minimum > 1 else {
            throw .configError(message: "Min compaction threshold cannot be less than 2 (got \(minimum))")
        }
        guard minimum <= maximum else {
            throw .configError(
                message: "Min compaction threshold (got \(minimum)) cannot be greater than max compaction threshold "
                    + "(got \(maximum))")
        }
    }

    static func isBool(_ text: String) -> Bool {
        let lower: String = text.lowercased()
        return lower == "true" || lower == "false"
    }

    static func notANumber(_ text: String, _ name: String) -> CQLError {
        .configError(message: "\(text) is not a parsable int (base10) for \(name)")
    }
}
