import DataModel

/// Tables of `system_views` about other nodes and about work that is under way. Columns that nothing here is counted for
/// are there all the same, and null, so that whoever names them gets an answer.
extension LiveViews {
    static let cluster: [TableDefinition] = [gossip, inbound, queries, logs, streaming, repairs]

    private static let texts: CQLType = .list(.text, isMultiCell: false)
    private static let textSet: CQLType = .set(.text, isMultiCell: false)

    private static func columns(_ names: [String], _ type: CQLType) -> [(String, CQLType)] {
        names.map { ($0, type) }
    }

    /// What nodes tell each other of themselves; of the tokens only their version, since they are many.
    private static let states: [String] = [
        "dc", "disk_usage", "host_id", "index_status", "internal_address_and_port", "internal_ip", "load",
        "metadata_epoch", "native_address_and_port", "net_version", "rack", "release_version", "removal_coordinator",
        "rpc_address", "rpc_ready", "schema", "severity", "sstable_versions", "status", "status_with_port",
    ]

    private static let gossip: TableDefinition = view(
        "gossip_info", "lists the gossip information for the cluster",
        partition: [("address", .inet), ("port", .int)],
        [("generation", .int), ("heartbeat", .int), ("hostname", .text), ("tokens_version", .int)]
            + columns(states, .text) + columns(states.map { $0 + "_version" }, .int))

    private static let inbound: TableDefinition = view(
        "internode_inbound", "messages from other nodes", partition: [("address", .inet), ("port", .int)],
        clustering: [("dc", .text), ("rack", .text)],
        columns(
            [
                "corrupt_frames_recovered", "corrupt_frames_unrecovered", "error_bytes", "error_count",
                "expired_bytes", "expired_count", "processed_bytes", "processed_count", "received_bytes",
                "received_count", "scheduled_bytes", "scheduled_count", "throttled_count", "throttled_nanos",
                "using_bytes", "using_reserve_bytes",
            ], .bigint))

    private static let queries: TableDefinition = view(
        "queries", "requests of clients that are being worked on", partition: [("thread_id", .text)],
        [("queued_micros", .bigint), ("running_micros", .bigint), ("task", .text)])

    private static let logs: TableDefinition = view(
        "system_logs", "the last warnings and errors of the log", partition: [("timestamp", .timestamp)],
        clustering: [("order_in_millisecond", .int)],
        [("level", .text), ("logger", .text), ("message", .text)])

    private static let streaming: TableDefinition = view(
        "streaming", "streams of data between nodes, those that run and the last ones", partition: [("id", .uuid)],
        [
            ("duration_millis", .bigint), ("failure_cause", .text), ("follower", .boolean),
            ("last_updated_at", .timestamp), ("operation", .text), ("peers", texts), ("progress_percentage", .float),
            ("status", .text), ("success_message", .text),
        ]
            + columns(
                [
                    "bytes_received", "bytes_sent", "bytes_to_receive", "bytes_to_send", "files_received",
                    "files_sent", "files_to_receive", "files_to_send",
                ], .bigint)
            + columns(["init", "start", "success", "failure"].map { "status_\($0)_timestamp" }, .timestamp))

    private static let repairs: TableDefinition = view(
        "repairs", "repairs that this node has begun", partition: [("id", .timeuuid)],
        [
            ("command_id", .int), ("completed", .boolean), ("duration_millis", .bigint), ("failure_cause", .text),
            ("keyspace_name", .text), ("last_updated_at", .timestamp), ("options_column_families", textSet),
            ("options_data_centers", textSet), ("options_force_repair", .boolean), ("options_hosts", textSet),
            ("options_ignore_unreplicated_keyspaces", .boolean), ("options_incremental", .boolean),
            ("options_job_threads", .int), ("options_optimise_streams", .boolean), ("options_parallelism", .text),
            ("options_preview_kind", .text), ("options_primary_range", .boolean), ("options_pull_repair", .boolean),
            ("options_ranges", textSet), ("options_subrange_repair", .boolean), ("options_trace", .boolean),
            ("participants", texts), ("ranges", .list(texts, isMultiCell: false)),
            ("sessions", .set(.timeuuid, isMultiCell: false)), ("status", .text), ("success_message", .text),
            ("table_names", texts), ("type", .text), ("unfiltered_ranges", .list(texts, isMultiCell: false)),
        ]
            + columns(
                [
                    "init", "setup", "start", "prepare_start", "prepare_complete", "repair_start", "repair_complete",
                    "success", "skipped", "failure",
                ].map { "state_\($0)_timestamp" }, .timestamp))
}
