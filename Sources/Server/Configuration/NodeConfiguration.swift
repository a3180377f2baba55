package import Query
package import Storage

/// What a node is told at its start: every setting, checked.
package struct NodeConfiguration: Sendable {
    private var values: [String: String] = [:]

    package init() {
        for setting in Settings.all { values[setting.name] = setting.standard }
    }

    /// Takes a value, from the file or the command line.
    ///
    /// - Throws: a sentence that names the nearest known key when there is no such key, or the wanted form.
    package mutating func set(_ name: String, _ text: String) throws(ConfigurationError) {
        guard let setting = Settings.named(name) else {
            if let advice = Settings.advice(on: name) {
                throw ConfigurationError("There is no setting \(name): \(advice)")
            }
            throw ConfigurationError("Unknown setting \(name). Did you mean \(Settings.nearest(to: name))?")
        }
        let isGood: Bool
        let wanted: String
        switch setting.kind {
        case .text: (isGood, wanted) = (true, "text")
        case .oneOf(let choices):
            (isGood, wanted) = (choices.contains(text), "one of " + choices.joined(separator: ", "))
        case .integer(let range):
            (isGood, wanted) = (
                Int64(text).map(range.contains) ?? false, "a number from \(range.lowerBound) to \(range.upperBound)"
            )
        case .boolean: (isGood, wanted) = (text == "true" || text == "false", "true or false")
        case .duration: (isGood, wanted) = (SettingText.duration(text) != nil, "a duration such as 10s or 500ms")
        case .size: (isGood, wanted) = (SettingText.size(text) != nil, "a size such as 32MiB")
        case .rate: (isGood, wanted) = (SettingText.rate(text) != nil, "a rate such as 64MiB/s")
        }
        guard isGood else {
            throw ConfigurationError("Invalid value \"\(text)\" of setting \(name): \(wanted) is wanted.")
        }
        values[name] = text
    }

    package func text(_ name: String) -> String { values[name] ?? "" }
    package func integer(_ name: String) -> Int { Int(text(name)) ?? 0 }
    package func boolean(_ name: String) -> Bool { text(name) == "true" }
    package func byteCount(_ name: String) -> Int { Int(clamping: SettingText.size(text(name)) ?? 0) }
    /// Bytes a second.
    package func rate(_ name: String) -> Int { Int(clamping: SettingText.rate(text(name)) ?? 0) }
    package func milliseconds(_ name: String) -> Int {
        Int(clamping: (SettingText.duration(text(name)) ?? 0) / 1_000_000)
    }

    package func duration(_ name: String) -> Duration {
        .nanoseconds(SettingText.duration(text(name)) ?? 0)
    }

    /// All settings with their values, as `system_views.settings` shows them.
    package var shown: [String: String] { values }

    package var dataDirectory: String { text("data_file_directories") }

    package var storage: StorageOptions {
        let log: String = text("commitlog_directory")
        var options = StorageOptions(
            dataDirectory: dataDirectory, commitLogDirectory: log.isEmpty ? dataDirectory + "/commitlog" : log)
        switch text("commitlog_sync") {
        case "periodic": options.sync = .periodic(milliseconds: max(1, milliseconds("commitlog_sync_period")))
        case "group": options.sync = .group(windowMilliseconds: milliseconds("commitlog_sync_group_window"))
        default: options.sync = .batch
        }
        options.segmentByteCount = byteCount("commitlog_segment_size")
        options.logSpaceByteCount = byteCount("commitlog_total_space")
        options.memtableByteCount = byteCount("memtable_heap_space")
        options.flushThreshold = Double(integer("memtable_cleanup_threshold")) / 100
        options.blockCacheByteCount = byteCount("file_cache_size")
        options.compactionByteCountPerSecond = rate("compaction_throughput")
        options.hashByteCountPerSecond = rate("repair_throughput")
        options.isAutoSnapshotEnabled = boolean("auto_snapshot")
        options.commitFailurePolicy = text("commit_failure_policy") == "ignore" ? .ignore : .stop
        return options
    }

    package var queryLimits: QueryLimits {
        var limits = QueryLimits()
        limits.batchWarnByteCount = byteCount("batch_size_warn_threshold")
        limits.batchFailByteCount = byteCount("batch_size_fail_threshold")
        limits.unloggedBatchPartitionWarnCount = integer("unlogged_batch_across_partitions_warn_threshold")
        limits.tombstoneWarnCount = integer("tombstone_warn_threshold")
        limits.tombstoneFailureCount = integer("tombstone_failure_threshold")
        let ahead: Int64 = (SettingText.duration(text("maximum_timestamp_fail_threshold")) ?? 0) / 1_000
        limits.maximumTimestampAheadMicroseconds = ahead == 0 ? .max : ahead
        return limits
    }

    package var sessions: SessionLimits {
        var limits = SessionLimits()
        limits.frameByteCount = byteCount("native_transport_max_frame_size")
        limits.inFlightByteCount = byteCount("native_transport_max_request_data_in_flight_per_ip")
        limits.nodeInFlightByteCount = byteCount("native_transport_max_request_data_in_flight")
        limits.connectionCount = integer("native_transport_max_concurrent_connections")
        limits.connectionCountPerAddress = integer("native_transport_max_concurrent_connections_per_ip")
        limits.idleTimeout = duration("native_transport_idle_timeout")
        limits.queueTimeout = duration("native_transport_timeout")
        limits.allowsOlderProtocols = boolean("native_transport_allow_older_protocols")
        return limits
    }

    package var execution: ExecutionLimits {
        var limits = ExecutionLimits()
        limits.timeouts.read = duration("read_request_timeout")
        limits.timeouts.range = duration("range_request_timeout")
        limits.timeouts.write = duration("write_request_timeout")
        limits.timeouts.counterWrite = duration("counter_write_request_timeout")
        limits.timeouts.contention = duration("cas_contention_timeout")
        limits.timeouts.truncate = duration("truncate_request_timeout")
        limits.timeouts.other = duration("request_timeout")
        limits.statementCacheByteCount = byteCount("prepared_statements_cache_size")
        return limits
    }

    /// - Throws: a sentence that names the part of `log_level_overrides` that is not understood.
    package func logLevels() throws(ConfigurationError) -> LogLevels {
        try LogLevels(usual: text("log_level"), overrides: text("log_level_overrides"))
    }
}
