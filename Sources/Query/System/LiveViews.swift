package import CQL
import DataModel
package import Primitives

/// A value of a table that shows how the node is now.
package enum ViewValue: Sendable {
    case text(String)
    case int(Int)
    case bigint(Int)
    case double(Double)
    /// Milliseconds since 1970.
    case timestamp(Int64)
    case uuid(UUID)
    case inet(InetAddress)
    case boolean(Bool)
    case float(Float)
    /// A frozen list, and a frozen set.
    case texts([String])
    case textSet([String])

    var bytes: [UInt8] {
        switch self {
        case .text(let value): NativeValue.text(value)
        case .int(let value): NativeValue.int(Int32(clamping: value))
        case .bigint(let value): NativeValue.bigint(Int64(value))
        case .double(let value): NativeValue.double(value)
        case .timestamp(let value): NativeValue.bigint(value)
        case .uuid(let value): NativeValue.uuid(value)
        case .inet(let value): NativeValue.inet(value)
        case .boolean(let value): NativeValue.boolean(value)
        case .float(let value): NativeValue.int(Int32(bitPattern: value.bitPattern))
        case .texts(let values): NativeValue.list(values)
        case .textSet(let values): NativeValue.set(values)
        }
    }
}

/// The tables of `system_views` whose rows the node makes from what it is doing: thread pools, latencies, sizes.
package enum LiveViews {
    /// A row by column name; absent names are null.
    package typealias Row = [String: ViewValue]

    static let definitions: [TableDefinition] =
        work + files + cluster + latencies("read") + latencies("write") + latencies("scan") + [
            perRead("rows_per_read", "rows per read"), perRead("tombstones_per_read", "tombstones per read"),
        ]

    /// Whether the node makes the rows of a table.
    static func contains(_ keyspace: String, _ table: String) -> Bool {
        keyspace == SystemKeyspaceNames.views && definitions.contains { $0.name == table }
    }

    static let all: [any ComputedTable] = definitions.map { definition in
        ComputedRows(definition, isVirtual: true) { context in context.live.map { $0.mapValues(\.bytes) } }
    }

    static func view(
        _ name: String, _ comment: String, partition: [(String, CQLType)], clustering: [(String, CQLType)] = [],
        _ regular: [(String, CQLType)]
    ) -> TableDefinition {
        SystemTableDefinition(
            SystemKeyspaceNames.views, name, comment, partition: partition, clustering: clustering, regular: regular
        ).build()
    }

    private static let tableKey: [(String, CQLType)] = [("keyspace_name", .text), ("table_name", .text)]

    private static let work: [TableDefinition] = [
        view(
            "caches", "system caches", partition: [("name", .text)],
            [
                ("capacity_bytes", .bigint), ("entry_count", .int), ("hit_count", .bigint), ("hit_ratio", .double),
                ("request_count", .bigint), ("size_bytes", .bigint),
            ]),
        view(
            "thread_pools", "stages that work goes through", partition: [("name", .text)],
            [
                ("active_tasks", .int), ("active_tasks_limit", .int), ("blocked_tasks", .bigint),
                ("blocked_tasks_all_time", .bigint), ("completed_tasks", .bigint), ("pending_tasks", .int),
            ]),
        view(
            "sstable_tasks", "current sstable tasks", partition: [("keyspace_name", .text)],
            clustering: [("table_name", .text), ("task_id", .timeuuid)],
            [
                ("completion_ratio", .double), ("kind", .text), ("progress", .bigint), ("sstables", .int),
                ("target_directory", .text), ("total", .bigint), ("unit", .text),
            ]),
        view(
            "cql_metrics", "metrics of CQL statements", partition: [("name", .text)], [("value", .double)]),
        view(
            "batch_metrics", "partitions of batches", partition: [("name", .text)],
            [("max", .bigint), ("p50th", .double), ("p999th", .double), ("p99th", .double)]),
        view(
            "repair_status", "how verified the ranges of this node are", partition: [("keyspace_name", .text)],
            clustering: [("table_name", .text), ("start_token", .text)],
            [
                ("age_seconds", .bigint), ("end_token", .text), ("missed", .boolean), ("state", .text),
                ("verified_at", .timestamp), ("waits_for", .text), ("watermark", .timestamp),
                ("window_seconds", .bigint),
            ]),
        view(
            "pending_hints", "hints that wait for nodes", partition: [("host_id", .uuid)],
            [
                ("address", .inet), ("dc", .text), ("files", .int), ("newest", .timestamp), ("oldest", .timestamp),
                ("port", .int), ("rack", .text), ("status", .text), ("total_size", .bigint),
            ]),
        view(
            "internode_outbound", "messages to other nodes", partition: [("address", .inet), ("port", .int)],
            clustering: [("dc", .text), ("rack", .text)],
            [
                ("active_connections", .bigint), ("connection_attempts", .bigint), ("error_bytes", .bigint),
                ("error_count", .bigint), ("expired_bytes", .bigint), ("expired_count", .bigint),
                ("overload_bytes", .bigint), ("overload_count", .bigint), ("pending_bytes", .bigint),
                ("pending_count", .bigint), ("sent_bytes", .bigint), ("sent_count", .bigint),
                ("successful_connection_attempts", .bigint), ("using_bytes", .bigint),
                ("using_reserve_bytes", .bigint),
            ]),
    ]

    private static let files: [TableDefinition] = [
        view(
            "snapshots", "available snapshots", partition: [("name", .text)],
            clustering: tableKey,
            [
                ("created_at", .timestamp), ("ephemeral", .boolean), ("expires_at", .timestamp),
                ("size_on_disk", .bigint), ("true_size", .bigint),
            ]),
        view("disk_usage", "disk usage of tables", partition: tableKey, [("mebibytes", .bigint)]),
        view("max_partition_size", "largest partitions of tables", partition: tableKey, [("mebibytes", .bigint)]),
        view("max_sstable_size", "largest files of tables", partition: tableKey, [("mebibytes", .bigint)]),
    ]

    private static func latencies(_ kind: String) -> [TableDefinition] {
        ["coordinator", "local"].map { place in
            view(
                "\(place)_\(kind)_latency", "\(place) \(kind) latency of tables", partition: tableKey,
                [
                    ("count", .bigint), ("max_ms", .double), ("p50th_ms", .double), ("p99th_ms", .double),
                    ("per_second", .double),
                ])
        }
    }

    private static func perRead(_ name: String, _ comment: String) -> TableDefinition {
        view(
            name, comment, partition: tableKey,
            [("count", .bigint), ("max", .double), ("p50th", .double), ("p99th", .double)])
    }
}
