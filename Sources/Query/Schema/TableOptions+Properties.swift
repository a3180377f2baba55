internal import CQL
internal import DataModel

/// The properties of CREATE TABLE and ALTER TABLE.
extension TableOptions {
    private static let propertyNames: Set<String> = [
        "additional_write_policy", "allow_auto_snapshot", "bloom_filter_fp_chance", "caching", "cdc", "comment",
        "compaction", "compression", "crc_check_chance", "default_time_to_live", "extensions", "gc_grace_seconds",
        "id", "incremental_backups", "max_index_interval", "memtable", "memtable_flush_period_in_ms",
        "min_index_interval", "read_repair", "speculative_retry", "tombstone_gc",
    ]

    /// Twenty years in seconds; a longer time to live would reach past the last expiry that a cell can hold.
    static let maximumTimeToLive: Int32 = 20 * 365 * 24 * 60 * 60
    /// What the largest filter that is ever made achieves.
    private static let minimumFalsePositiveChance = 6.71e-5
    private static let memtables: Set<String> = ["default", "skiplist", "trie"]

    /// These options with those of the statement in their place.
    ///
    /// - Parameter isNew: whether the table is being made; its filter's chance then follows from its compaction.
    func applying(_ properties: PropertyMap, isNew: Bool) throws(CQLError) -> TableOptions {
        var options: TableOptions = self
        try options.setMaps(properties, isNew: isNew)
        try options.setPolicies(properties)
        try options.setNumbers(properties)
        if let comment = try properties.text("comment") { options.comment = comment }
        options.allowAutoSnapshot = try properties.bool("allow_auto_snapshot") ?? options.allowAutoSnapshot
        options.incrementalBackups = try properties.bool("incremental_backups") ?? options.incrementalBackups
        options.cdc = try properties.bool("cdc") ?? options.cdc
        try properties.checkNames(TableOptions.propertyNames)
        try options.check()
        return options
    }

    private mutating func setMaps(_ properties: PropertyMap, isNew: Bool) throws(CQLError) {
        if let map = try properties.map("caching") { caching = try TableOptions.caching(map) }
        if let map = try properties.map("compaction") {
            let checked = try CompactionOptions(map)
            compaction = checked.map
            if isNew { bloomFilterFalsePositiveChance = checked.bloomFilterFalsePositiveChance }
        }
        if let map = try properties.map("compression") { compression = try CompressionOptions.normalized(map) }
        if properties.has("extensions") {
            guard let entries = properties.entries("extensions") else {
                throw .syntaxError(message: "Invalid value for property 'extensions'. It should be a map.")
            }
            extensions = extensions.filter { $0.key == TableOptions.tombstoneGCName }
            for entry in entries {
                guard let bytes = entry.value.blobBytes else {
                    throw .syntaxError(
                        message: "Invalid value for extension '\(entry.key.rawText)'. It should be a blob")
                }
                extensions[entry.key.rawText] = bytes
            }
        }
        if let map = try properties.map("tombstone_gc") { tombstoneGC = try TombstoneGCOptions.normalized(map) }
    }

    private mutating func setPolicies(_ properties: PropertyMap) throws(CQLError) {
        if let text = try properties.text("speculative_retry") {
            speculativeRetry = try SpeculativeRetryText.normalized(text)
        }
        if let text = try properties.text("additional_write_policy") {
            additionalWritePolicy = try SpeculativeRetryText.normalized(text)
        }
        if let text = try properties.text("read_repair") {
            guard ["NONE", "BLOCKING"].contains(text.uppercased()) else {
                throw .configError(
                    message: "Invalid value \(text) for option 'read_repair': it must be NONE or BLOCKING")
            }
            readRepair = text.uppercased()
        }
        if let text = try properties.text("memtable") {
            guard TableOptions.memtables.contains(text) else {
                throw .configError(message: "Memtable configuration \"\(text)\" not found.")
            }
            memtable = text
        }
    }

    private mutating func setNumbers(_ properties: PropertyMap) throws(CQLError) {
        if let chance = try properties.double("bloom_filter_fp_chance") { bloomFilterFalsePositiveChance = chance }
        if let chance = try properties.double("crc_check_chance") { crcCheckChance = chance }
        if let seconds = try properties.int("default_time_to_live") { defaultTimeToLive = seconds }
        if let seconds = try properties.int("gc_grace_seconds") { gcGraceSeconds = seconds }
        if let interval = try properties.int("max_index_interval") { maxIndexInterval = interval }
        if let interval = try properties.int("min_index_interval") { minIndexInterval = interval }
        if let period = try properties.int("memtable_flush_period_in_ms") { memtableFlushPeriodMilliseconds = period }
    }

    private func check() throws(CQLError) {
        let chance: Double = bloomFilterFalsePositiveChance
        guard chance > TableOptions.minimumFalsePositiveChance, chance <= 1 else {
            throw .configError(
                message: "bloom_filter_fp_chance must be larger than "
                    + "\(JavaText.double(TableOptions.minimumFalsePositiveChance)) and less than or equal to 1.0 "
                    + "(got \(JavaText.double(chance)))")
        }
        guard crcCheckChance >= 0, crcCheckChance <= 1 else {
            throw .configError(
                message: "crc_check_chance must be larger than or equal to 0 and smaller than or equal to 1.0 "
                    + "(got \(JavaText.double(crcCheckChance)))")
        }
        try TableOptions.checkAtLeast(0, "default_time_to_live", defaultTimeToLive)
        guard defaultTimeToLive <= TableOptions.maximumTimeToLive else {
            throw .configError(
                message: "default_time_to_live must be less than or equal to \(TableOptions.maximumTimeToLive) "
                    + "(got \(defaultTimeToLive))")
        }
        try TableOptions.checkAtLeast(0, "gc_grace_seconds", gcGraceSeconds)
        try TableOptions.checkAtLeast(1, "min_index_interval", minIndexInterval)
        guard maxIndexInterval >= minIndexInterval else {
            throw .configError(
                message: "max_index_interval must be greater than or equal to min_index_interval "
                    + "(\(minIndexInterval)) (got \(maxIndexInterval))")
        }
        try TableOptions.checkAtLeast(0, "memtable_flush_period_in_ms", memtableFlushPeriodMilliseconds)
    }

    private static func checkAtLeast(_ minimum: Int32, _ name: String, _ value: Int32) throws(CQLError) {
        guard value >= minimum else {
            throw .configError(message: "\(name) must be greater than or equal to \(minimum) (got \(value))")
        }
    }

    private static func caching(_ map: [String: String]) throws(CQLError) -> [String: String] {
        let unknown: [String] = map.keys.filter { $0 != "keys" && $0 != "rows_per_partition" }.sorted()
        let keys: String = map["keys"]?.uppercased() ?? "NONE"
        guard keys == "ALL" || keys == "NONE" else {
            throw .configError(
                message: "Invalid value '\(map["keys"] ?? "")' for caching sub-option 'keys': "
                    + "only 'ALL' and 'NONE' are allowed")
        }
        let rows = try rowsPerPartition(map["rows_per_partition"] ?? "NONE")
        guard unknown.isEmpty else {
            throw .configError(
                message: "Invalid caching sub-options \(JavaText.list(unknown)): "
                    + "only 'keys' and 'rows_per_partition' are allowed")
        }
        return ["keys": keys, "rows_per_partition": rows]
    }

    private static func rowsPerPartition(_ text: String) throws(CQLError) -> String {
        let upper: String = text.uppercased()
        if upper == "ALL" || upper == "NONE" { return upper }
        let isNumber: Bool = !text.isEmpty && text.utf8.allSatisfy { $0 >= 48 && $0 <= 57 }
        guard isNumber, let count = Int32(text) else {
            throw .configError(
                message: "Invalid value '\(text)' for caching sub-option 'rows_per_partition': "
                    + "only 'ALL', 'NONE', and integer values are allowed")
        }
        if count == 0 { return "NONE" }
        return count == Int32.max ? "ALL" : String(count)
    }
}
