internal import DataModel

/// The tables of keyspaces `system_schema`, `system_traces`, `system_virtual_schema` and `system_views`.
enum SchemaKeyspaceTables {
    static let keyspaces: TableDefinition = make(
        "keyspaces", "keyspace definitions",
        regular: [("durable_writes", .boolean), ("replication", .frozenMap(.text, .text))])

    static let tables: TableDefinition = make(
        "tables", "table definitions", clustering: ["table_name"],
        regular: tableOptionColumns + [("flags", .frozenSet(.text))])

    static let views: TableDefinition = make(
        "views", "view definitions", clustering: ["view_name"],
        regular: tableOptionColumns + [
            ("base_table_id", .uuid), ("base_table_name", .text), ("where_clause", .text),
            ("include_all_columns", .boolean),
        ])

    static let columns: TableDefinition = make(
        "columns", "column definitions", clustering: ["table_name", "column_name"], regular: columnColumns)

    static let columnMasks: TableDefinition = make(
        "column_masks", "column dynamic data masks", clustering: ["table_name", "column_name"],
        regular: [
            ("function_keyspace", .text), ("function_name", .text), ("function_argument_types", .frozenList(.text)),
            ("function_argument_values", .frozenList(.text)), ("function_argument_nulls", .frozenList(.boolean)),
        ])

    static let droppedColumns: TableDefinition = make(
        "dropped_columns", "dropped column registry", clustering: ["table_name", "column_name"],
        regular: [("dropped_time", .timestamp), ("kind", .text), ("type", .text)])

    static let triggers: TableDefinition = make(
        "triggers", "trigger definitions", clustering: ["table_name", "trigger_name"],
        regular: [("options", .frozenMap(.text, .text))])

    static let indexes: TableDefinition = make(
        "indexes", "secondary index definitions", clustering: ["table_name", "index_name"],
        regular: [("kind", .text), ("options", .frozenMap(.text, .text))])

    static let types: TableDefinition = make(
        "types", "user defined type definitions", clustering: ["type_name"],
        regular: [("field_names", .frozenList(.text)), ("field_types", .frozenList(.text))])

    static let functions: TableDefinition = makeCallable(
        "functions", "user defined function definitions", name: "function_name",
        regular: [
            ("argument_names", .frozenList(.text)), ("body", .text), ("language", .text), ("return_type", .text),
            ("called_on_null_input", .boolean),
        ])

    static let aggregates: TableDefinition = makeCallable(
        "aggregates", "user defined aggregate definitions", name: "aggregate_name",
        regular: [
            ("final_func", .text), ("initcond", .text), ("return_type", .text), ("state_func", .text),
            ("state_type", .text),
        ])

    static let traces: [TableDefinition] = {
        var sessions = SystemTableDefinition(
            SystemKeyspaceNames.traces, "sessions", "tracing sessions", partition: [("session_id", .uuid)],
            regular: [
                ("command", .text), ("client", .inet), ("coordinator", .inet), ("coordinator_port", .int),
                ("duration", .int), ("parameters", .mapOf(.text, .text)), ("request", .text),
                ("started_at", .timestamp),
            ])
        var events = SystemTableDefinition(
            SystemKeyspaceNames.traces, "events", "tracing events", partition: [("session_id", .uuid)],
            clustering: [("event_id", .timeuuid)],
            regular: [
                ("activity", .text), ("source", .inet), ("source_port", .int), ("source_elapsed", .int),
                ("thread", .text),
            ])
        sessions.options.gcGraceSeconds = 0
        events.options.gcGraceSeconds = 0
        return [sessions.build(), events.build()]
    }()

    static let virtualKeyspaces: TableDefinition = makeVirtual("keyspaces", "virtual keyspace definitions")

    static let virtualTables: TableDefinition = makeVirtual(
        "tables", "virtual table definitions", clustering: ["table_name"], regular: [("comment", .text)])

    static let virtualColumns: TableDefinition = makeVirtual(
        "columns", "virtual column definitions", clustering: ["table_name", "column_name"], regular: columnColumns)

    static let settings: TableDefinition = SystemTableDefinition(
        SystemKeyspaceNames.views, "settings", "current settings", partition: [("name", .text)],
        regular: [("value", .text)]
    ).build()

    static let clients: TableDefinition = SystemTableDefinition(
        SystemKeyspaceNames.views, "clients", "currently connected clients", partition: [("address", .inet)],
        clustering: [("port", .int)],
        regular: [
            ("hostname", .text), ("username", .text), ("connection_stage", .text), ("protocol_version", .int),
            ("client_options", .frozenMap(.text, .text)), ("driver_name", .text), ("driver_version", .text),
            ("request_count", .bigint), ("ssl_enabled", .boolean), ("ssl_protocol", .text),
            ("ssl_cipher_suite", .text), ("keyspace_name", .text),
        ]
    ).build()

    private static let columnColumns: [(String, CQLType)] = [
        ("clustering_order", .text), ("column_name_bytes", .blob), ("kind", .text), ("position", .int),
        ("type", .text),
    ]

    /// `dclocal_read_repair_chance` and `read_repair_chance` mean nothing any more; drivers still ask for them.
    private static let tableOptionColumns: [(String, CQLType)] = [
        ("allow_auto_snapshot", .boolean), ("bloom_filter_fp_chance", .double), ("caching", .frozenMap(.text, .text)),
        ("comment", .text), ("compaction", .frozenMap(.text, .text)), ("compression", .frozenMap(.text, .text)),
        ("memtable", .text), ("crc_check_chance", .double), ("dclocal_read_repair_chance", .double),
        ("default_time_to_live", .int), ("extensions", .frozenMap(.text, .blob)), ("gc_grace_seconds", .int),
        ("incremental_backups", .boolean), ("id", .uuid), ("max_index_interval", .int),
        ("memtable_flush_period_in_ms", .int), ("min_index_interval", .int), ("read_repair_chance", .double),
        ("speculative_retry", .text), ("additional_write_policy", .text), ("cdc", .boolean), ("read_repair", .text),
    ]

    private static func make(
        _ name: String, _ comment: String, clustering: [String] = [], regular: [(String, CQLType)]
    ) -> TableDefinition {
        var table = SystemTableDefinition(
            SystemKeyspaceNames.schema, name, comment, partition: [("keyspace_name", .text)],
            clustering: clustering.map { ($0, .text) }, regular: regular)
        table.options.gcGraceSeconds = 7 * 24 * 60 * 60
        table.options.memtableFlushPeriodMilliseconds = 60 * 60 * 1000
        return table.build()
    }

    private static func makeCallable(
        _ tableName: String, _ comment: String, name: String, regular: [(String, CQLType)]
    ) -> TableDefinition {
        var table = SystemTableDefinition(
            SystemKeyspaceNames.schema, tableName, comment, partition: [("keyspace_name", .text)],
            clustering: [(name, .text), ("argument_types", .frozenList(.text))], regular: regular)
        table.options.gcGraceSeconds = 7 * 24 * 60 * 60
        table.options.memtableFlushPeriodMilliseconds = 60 * 60 * 1000
        return table.build()
    }

    private static func makeVirtual(
        _ name: String, _ comment: String, clustering: [String] = [], regular: [(String, CQLType)] = []
    ) -> TableDefinition {
        SystemTableDefinition(
            SystemKeyspaceNames.virtualSchema, name, comment, partition: [("keyspace_name", .text)],
            clustering: clustering.map { ($0, .text) }, regular: regular
        ).build()
    }
}
