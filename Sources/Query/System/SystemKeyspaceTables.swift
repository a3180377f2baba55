internal import DataModel

/// The tables of keyspace `system`, in Cassandra 5.0's form.
enum SystemKeyspaceTables {
    static let computed: [TableDefinition] = [local, peers, peersV2, sizeEstimates]

    static let local: TableDefinition = {
        var table = make(
            "local", "information about the local node", partition: [("key", .text)],
            regular: [
                ("bootstrapped", .text), ("broadcast_address", .inet), ("broadcast_port", .int),
                ("cluster_name", .text), ("cql_version", .text), ("data_center", .text),
                ("gossip_generation", .int), ("host_id", .uuid), ("listen_address", .inet), ("listen_port", .int),
                ("native_protocol_version", .text), ("partitioner", .text), ("rack", .text),
                ("release_version", .text), ("rpc_address", .inet), ("rpc_port", .int), ("schema_version", .uuid),
                ("tokens", .setOf(.text)), ("truncated_at", .mapOf(.uuid, .blob)),
            ])
        table.deprecated = [("thrift_version", .text)]
        return table.build()
    }()

    static let peersV2: TableDefinition = make(
        "peers_v2", "information about known peers in the cluster", partition: [("peer", .inet)],
        clustering: [("peer_port", .int)],
        regular: [
            ("data_center", .text), ("host_id", .uuid), ("preferred_ip", .inet), ("preferred_port", .int),
            ("rack", .text), ("release_version", .text), ("native_address", .inet), ("native_port", .int),
            ("schema_version", .uuid), ("tokens", .setOf(.text)),
        ]
    ).build()

    static let peers: TableDefinition = make(
        "peers", "information about known peers in the cluster", partition: [("peer", .inet)],
        regular: [
            ("data_center", .text), ("host_id", .uuid), ("preferred_ip", .inet), ("rack", .text),
            ("release_version", .text), ("rpc_address", .inet), ("schema_version", .uuid), ("tokens", .setOf(.text)),
        ]
    ).build()

    static let sizeEstimates: TableDefinition = make(
        "size_estimates",
        "per-table primary range size estimates, table is deprecated in favor of table_estimates",
        partition: [("keyspace_name", .text)],
        clustering: [("table_name", .text), ("range_start", .text), ("range_end", .text)],
        regular: [("mean_partition_size", .bigint), ("partitions_count", .bigint)]
    ).build()

    static let stored: [TableDefinition] = work + activity + ranges + views + legacy

    /// What the node has begun and must finish.
    private static let work: [TableDefinition] = {
        var batches = make(
            "batches", "batches awaiting replay", partition: [("id", .timeuuid)],
            regular: [("mutations", .listOf(.blob)), ("version", .int)])
        batches.options.compaction["min_threshold"] = "2"
        let history = make(
            "paxos_repair_history", "paxos repair history", partition: [("keyspace_name", .text)],
            clustering: [("table_name", .text)],
            regular: [("points", .frozenList(.tuple([.blob, .timeuuid])))])
        let statements = make(
            "prepared_statements", "prepared statements", partition: [("prepared_id", .blob)],
            regular: [("logged_keyspace", .text), ("query_string", .text)])
        let repairs = make(
            "repairs", "repairs", partition: [("parent_id", .timeuuid)],
            regular: [
                ("started_at", .timestamp), ("last_update", .timestamp), ("repaired_at", .timestamp), ("state", .int),
                ("coordinator", .inet), ("coordinator_port", .int), ("participants", .setOf(.inet)),
                ("participants_wp", .setOf(.text)), ("ranges", .setOf(.blob)), ("cfids", .setOf(.uuid)),
            ])
        let built: [TableDefinition] = [batches, history, statements, repairs].map { $0.build() }
        return [built[0], paxos] + built[1...]
    }()

    static let paxos: TableDefinition = {
        var paxos = make(
            "paxos", "in-progress paxos proposals", partition: [("row_key", .blob)], clustering: [("cf_id", .uuid)],
            regular: [
                ("in_progress_ballot", .timeuuid), ("in_progress_read_ballot", .timeuuid),
                ("most_recent_commit", .blob), ("most_recent_commit_at", .timeuuid),
                ("most_recent_commit_version", .int), ("proposal", .blob), ("proposal_ballot", .timeuuid),
                ("proposal_version", .int),
            ])
        paxos.options.compaction["class"] = "org.apache.cassandra.db.compaction.LeveledCompactionStrategy"
        return paxos.build()
    }()

    /// What the node has done.
    private static let activity: [TableDefinition] = {
        var compactions = make(
            "compaction_history", "week-long compaction history", partition: [("id", .timeuuid)],
            regular: [
                ("bytes_in", .bigint), ("bytes_out", .bigint), ("columnfamily_name", .text),
                ("compacted_at", .timestamp), ("keyspace_name", .text), ("rows_merged", .mapOf(.int, .bigint)),
                ("compaction_properties", .frozenMap(.text, .text)),
            ])
        compactions.options.defaultTimeToLive = 7 * 24 * 60 * 60
        let sstables = make(
            "sstable_activity_v2", "historic sstable read rates",
            partition: [("keyspace_name", .text), ("table_name", .text), ("id", .text)],
            regular: [("rate_120m", .double), ("rate_15m", .double)])
        let estimates = make(
            "table_estimates", "per-table range size estimates", partition: [("keyspace_name", .text)],
            clustering: [("table_name", .text), ("range_type", .text), ("range_start", .text), ("range_end", .text)],
            regular: [("mean_partition_size", .bigint), ("partitions_count", .bigint)])
        let partitions = make(
            "top_partitions", "Stores the top partitions", partition: [("keyspace_name", .text)],
            clustering: [("table_name", .text), ("top_type", .text)],
            regular: [("top", .frozenList(.tuple([.text, .bigint]))), ("last_update", .timestamp)])
        let peerEvents = make(
            "peer_events_v2", "events related to peers", partition: [("peer", .inet)],
            clustering: [("peer_port", .int)], regular: [("hints_dropped", .mapOf(.timeuuid, .int))])
        return [compactions, sstables, estimates, partitions, peerEvents].map { $0.build() }
    }()

    private static let ranges: [TableDefinition] = [
        make(
            "available_ranges_v2",
            "available keyspace/ranges during bootstrap/replace that are ready to be served",
            partition: [("keyspace_name", .text)],
            regular: [("full_ranges", .setOf(.blob)), ("transient_ranges", .setOf(.blob))]),
        make(
            "transferred_ranges_v2", "record of transferred ranges for streaming operation",
            partition: [("operation", .text), ("keyspace_name", .text)],
            clustering: [("peer", .inet), ("peer_port", .int)], regular: [("ranges", .setOf(.blob))]),
    ].map { $0.build() }

    /// Indexes and materialized views that are built or being built.
    private static let views: [TableDefinition] = [
        make(
            "IndexInfo", "built column indexes", partition: [("table_name", .text)],
            clustering: [("index_name", .text)], regular: [("value", .blob)]),
        make(
            "view_builds_in_progress", "views builds current progress", partition: [("keyspace_name", .text)],
            clustering: [("view_name", .text), ("start_token", .text), ("end_token", .text)],
            regular: [("last_token", .text), ("keys_built", .bigint)]),
        make(
            "built_views", "built views", partition: [("keyspace_name", .text)], clustering: [("view_name", .text)],
            regular: [("status_replicated", .boolean)]),
    ].map { $0.build() }

    /// Forms of earlier releases, which old tools still read.
    private static let legacy: [TableDefinition] = [
        make(
            "peer_events", "events related to peers", partition: [("peer", .inet)],
            regular: [("hints_dropped", .mapOf(.timeuuid, .int))]),
        make(
            "transferred_ranges", "record of transferred ranges for streaming operation",
            partition: [("operation", .text), ("keyspace_name", .text)], clustering: [("peer", .inet)],
            regular: [("ranges", .setOf(.blob))]),
        make(
            "available_ranges", "available keyspace/ranges during bootstrap/replace that are ready to be served",
            partition: [("keyspace_name", .text)], regular: [("ranges", .setOf(.blob))]),
        make(
            "sstable_activity", "historic sstable read rates",
            partition: [("keyspace_name", .text), ("columnfamily_name", .text), ("generation", .int)],
            regular: [("rate_120m", .double), ("rate_15m", .double)]),
    ].map { $0.build() }

    private static func make(
        _ name: String, _ comment: String, partition: [(String, CQLType)], clustering: [(String, CQLType)] = [],
        regular: [(String, CQLType)]
    ) -> SystemTableDefinition {
        var table = SystemTableDefinition(
            SystemKeyspaceNames.system, name, comment, partition: partition, clustering: clustering, regular: regular)
        table.options.gcGraceSeconds = 0
        table.options.memtableFlushPeriodMilliseconds = 60 * 60 * 1000
        return table
    }
}
