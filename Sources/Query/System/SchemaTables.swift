internal import DataModel

/// The tables of `system_schema`: the schema as rows, from which drivers build it again.
///
/// Options that have their default and that Cassandra added late are null, as they are there.
enum SchemaTables {
    /// The end of the year 9999: what is later, languages of clients cannot show.
    private static let latestReadableMilliseconds: Int64 = 253_402_300_799_999

    static let all: [any ComputedTable] =
        [
            ComputedRows(SchemaKeyspaceTables.keyspaces) { context in keyspaces(context).map { row($0) } },
            ComputedRows(SchemaKeyspaceTables.tables) { context in tables(context).map { row($0) } },
            ComputedRows(SchemaKeyspaceTables.columns) { context in tables(context).flatMap { columnRows($0) } },
            ComputedRows(SchemaKeyspaceTables.droppedColumns) { context in tables(context).flatMap { droppedRows($0) }
            },
            ComputedRows(SchemaKeyspaceTables.types) { context in
                keyspaces(context).flatMap { $0.sortedTypes.map { row($0) } }
            },
        ] + empty.map { ComputedRows($0) { _ in [] } }

    private static let empty: [TableDefinition] = [
        SchemaKeyspaceTables.columnMasks, SchemaKeyspaceTables.triggers, SchemaKeyspaceTables.views,
        SchemaKeyspaceTables.indexes, SchemaKeyspaceTables.functions, SchemaKeyspaceTables.aggregates,
    ]

    private static func keyspaces(_ context: SystemContext) -> [KeyspaceDefinition] {
        context.schema.sortedKeyspaces.filter { !$0.isVirtual }
    }

    private static func tables(_ context: SystemContext) -> [TableDefinition] {
        keyspaces(context).flatMap(\.sortedTables)
    }

    private static func row(_ keyspace: KeyspaceDefinition) -> ComputedRows.Row {
        [
            "keyspace_name": NativeValue.text(keyspace.name),
            "durable_writes": NativeValue.boolean(keyspace.durableWrites),
            "replication": NativeValue.map(keyspace.replication),
        ]
    }

    private static func row(_ type: UserDefinedType) -> ComputedRows.Row {
        [
            "keyspace_name": NativeValue.text(type.keyspace),
            "type_name": NativeValue.text(type.name),
            "field_names": NativeValue.list(type.fieldNames),
            "field_types": NativeValue.list(type.fieldTypes.map(\.cqlName)),
        ]
    }

    private static func row(_ table: TableDefinition) -> ComputedRows.Row {
        let options: TableOptions = table.options
        var row: ComputedRows.Row = [
            "keyspace_name": NativeValue.text(table.keyspace),
            "table_name": NativeValue.text(table.name),
            "id": NativeValue.uuid(table.id),
            "flags": NativeValue.set(table.isCounter ? ["compound", "counter"] : ["compound"]),
            "bloom_filter_fp_chance": NativeValue.double(options.bloomFilterFalsePositiveChance),
            "caching": NativeValue.map(options.caching),
            "comment": NativeValue.text(options.comment),
            "compaction": NativeValue.map(options.compaction),
            "compression": NativeValue.map(options.compression),
            "crc_check_chance": NativeValue.double(options.crcCheckChance),
            "dclocal_read_repair_chance": NativeValue.double(0),
            "default_time_to_live": NativeValue.int(options.defaultTimeToLive),
            "extensions": NativeValue.map(options.extensions),
            "gc_grace_seconds": NativeValue.int(options.gcGraceSeconds),
            "max_index_interval": NativeValue.int(options.maxIndexInterval),
            "memtable_flush_period_in_ms": NativeValue.int(options.memtableFlushPeriodMilliseconds),
            "min_index_interval": NativeValue.int(options.minIndexInterval),
            "read_repair_chance": NativeValue.double(0),
            "speculative_retry": NativeValue.text(options.speculativeRetry),
            "additional_write_policy": NativeValue.text(options.additionalWritePolicy),
            "read_repair": NativeValue.text(options.readRepair),
        ]
        if options.cdc { row["cdc"] = NativeValue.boolean(true) }
        if options.memtable != "default" { row["memtable"] = NativeValue.text(options.memtable) }
        if !options.allowAutoSnapshot { row["allow_auto_snapshot"] = NativeValue.boolean(false) }
        if !options.incrementalBackups { row["incremental_backups"] = NativeValue.boolean(false) }
        return row
    }

    /// The columns of a table, also of a virtual one.
    static func columnRows(_ table: TableDefinition) -> [ComputedRows.Row] {
        table.columns.map { column in
            let isKey: Bool = column.kind == .partitionKey || column.kind == .clustering
            let order: String = column.kind == .clustering ? (column.isDescending ? "desc" : "asc") : "none"
            return [
                "keyspace_name": NativeValue.text(table.keyspace),
                "table_name": NativeValue.text(table.name),
                "column_name": NativeValue.text(column.name),
                "column_name_bytes": NativeValue.text(column.name),
                "clustering_order": NativeValue.text(order),
                "kind": NativeValue.text(column.kind.rawValue),
                "position": NativeValue.int(isKey ? Int32(clamping: column.position) : -1),
                "type": NativeValue.text(column.type.cqlName),
            ]
        }
    }

    private static func droppedRows(_ table: TableDefinition) -> [ComputedRows.Row] {
        table.droppedColumns.map { column in
            [
                "keyspace_name": NativeValue.text(table.keyspace),
                "table_name": NativeValue.text(table.name),
                "column_name": NativeValue.text(column.name),
                "dropped_time": NativeValue.bigint(min(column.droppedAt / 1000, latestReadableMilliseconds)),
                "kind": NativeValue.text(column.kind.rawValue),
                "type": NativeValue.text(column.type.cqlName),
            ]
        }
    }
}
