internal import DataModel

/// The tables of `system_distributed`: what the cluster as a whole remembers of its upkeep.
enum DistributedTables {
    private static let month: Int32 = 30 * 86_400

    static let all: [TableDefinition] = [repairHistory, parentRepairHistory, viewBuildStatus, partitionDenylist]

    private static let repairHistory: TableDefinition = {
        var table = SystemTableDefinition(
            SystemKeyspaceNames.distributed, "repair_history", "Repair history",
            partition: [("keyspace_name", .text), ("columnfamily_name", .text)], clustering: [("id", .timeuuid)],
            regular: [
                ("parent_id", .timeuuid), ("range_begin", .text), ("range_end", .text), ("coordinator", .inet),
                ("coordinator_port", .int), ("participants", .setOf(.inet)), ("participants_v2", .setOf(.text)),
                ("exception_message", .text), ("exception_stacktrace", .text), ("status", .text),
                ("started_at", .timestamp), ("finished_at", .timestamp),
            ])
        table.options.defaultTimeToLive = month
        return table.build()
    }()

    private static let parentRepairHistory: TableDefinition = {
        var table = SystemTableDefinition(
            SystemKeyspaceNames.distributed, "parent_repair_history", "Repair history",
            partition: [("parent_id", .timeuuid)],
            regular: [
                ("keyspace_name", .text), ("columnfamily_names", .setOf(.text)), ("started_at", .timestamp),
                ("finished_at", .timestamp), ("exception_message", .text), ("exception_stacktrace", .text),
                ("requested_ranges", .setOf(.text)), ("successful_ranges", .setOf(.text)),
                ("options", .mapOf(.text, .text)),
            ])
        table.options.defaultTimeToLive = month
        return table.build()
    }()

    private static let viewBuildStatus: TableDefinition = SystemTableDefinition(
        SystemKeyspaceNames.distributed, "view_build_status", "Materialized View build status",
        partition: [("keyspace_name", .text), ("view_name", .text)], clustering: [("host_id", .uuid)],
        regular: [("status", .text)]
    ).build()

    private static let partitionDenylist: TableDefinition = SystemTableDefinition(
        SystemKeyspaceNames.distributed, "partition_denylist", "Partition keys which have been denied access",
        partition: [("ks_name", .text), ("table_name", .text)], clustering: [("key", .blob)]
    ).build()
}
