internal import CQL
internal import DataModel

/// The tables of the virtual keyspaces `system_virtual_schema` and `system_views`.
enum VirtualTables {
    static let all: [any ComputedTable] = [
        ComputedRows(SchemaKeyspaceTables.virtualKeyspaces, isVirtual: true) { context in
            keyspaces(context).map { ["keyspace_name": NativeValue.text($0.name)] }
        },
        ComputedRows(SchemaKeyspaceTables.virtualTables, isVirtual: true) { context in
            tables(context).map { table in
                [
                    "keyspace_name": NativeValue.text(table.keyspace),
                    "table_name": NativeValue.text(table.name),
                    "comment": NativeValue.text(table.options.comment),
                ]
            }
        },
        ComputedRows(SchemaKeyspaceTables.virtualColumns, isVirtual: true) { context in
            tables(context).flatMap { SchemaTables.columnRows($0) }
        },
        ComputedRows(SchemaKeyspaceTables.settings, isVirtual: true) { context in
            context.settings.map { ["name": NativeValue.text($0.key), "value": NativeValue.text($0.value)] }
        },
        ComputedRows(SchemaKeyspaceTables.clients, isVirtual: true) { context in
            context.clients.map { row($0) }
        },
    ]

    private static func keyspaces(_ context: SystemContext) -> [KeyspaceDefinition] {
        context.schema.sortedKeyspaces.filter(\.isVirtual)
    }

    private static func tables(_ context: SystemContext) -> [TableDefinition] {
        keyspaces(context).flatMap(\.sortedTables)
    }

    private static func row(_ client: ClientDescription) -> ComputedRows.Row {
        var row: ComputedRows.Row = [
            "address": NativeValue.inet(client.endpoint.address),
            "port": NativeValue.int(client.endpoint.port),
            "connection_stage": NativeValue.text(client.connectionStage),
            "protocol_version": NativeValue.int(client.protocolVersion),
            "client_options": NativeValue.map(client.options),
            "request_count": NativeValue.bigint(client.requestCount),
            "ssl_enabled": NativeValue.boolean(client.isEncrypted),
        ]
        row["hostname"] = NativeValue.text(client.hostname)
        row["username"] = NativeValue.text(client.username)
        row["driver_name"] = NativeValue.text(client.options["DRIVER_NAME"])
        row["driver_version"] = NativeValue.text(client.options["DRIVER_VERSION"])
        row["ssl_protocol"] = NativeValue.text(client.encryptionProtocol)
        row["ssl_cipher_suite"] = NativeValue.text(client.cipherSuite)
        row["keyspace_name"] = NativeValue.text(client.keyspace)
        return row
    }
}
