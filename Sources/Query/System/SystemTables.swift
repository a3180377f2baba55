package import Coordination
package import DataModel
import Primitives

/// The keyspaces that the server makes by itself: what is in them, what of it is computed.
package enum SystemTables {
    /// All keyspaces of the system, in ascending order of name.
    package static let keyspaces: [KeyspaceDefinition] = {
        let system = keyspace(
            SystemKeyspaceNames.system, SystemKeyspaceTables.computed + SystemKeyspaceTables.stored)
        let schemaTables: [TableDefinition] = [
            SchemaKeyspaceTables.keyspaces, SchemaKeyspaceTables.tables, SchemaKeyspaceTables.columns,
            SchemaKeyspaceTables.columnMasks, SchemaKeyspaceTables.droppedColumns, SchemaKeyspaceTables.triggers,
            SchemaKeyspaceTables.views, SchemaKeyspaceTables.indexes, SchemaKeyspaceTables.types,
            SchemaKeyspaceTables.functions, SchemaKeyspaceTables.aggregates,
        ]
        let schema = keyspace(SystemKeyspaceNames.schema, schemaTables)
        var traces = keyspace(SystemKeyspaceNames.traces, SchemaKeyspaceTables.traces)
        traces.replication = ["class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "2"]
        var views = keyspace(
            SystemKeyspaceNames.views,
            [SchemaKeyspaceTables.settings, SchemaKeyspaceTables.clients] + LiveViews.definitions)
        views.isVirtual = true
        var virtualSchema = keyspace(
            SystemKeyspaceNames.virtualSchema,
            [
                SchemaKeyspaceTables.virtualKeyspaces, SchemaKeyspaceTables.virtualTables,
                SchemaKeyspaceTables.virtualColumns,
            ])
        virtualSchema.isVirtual = true
        return [system, distributed, schema, traces, views, virtualSchema]
    }()

    private static let distributed: KeyspaceDefinition = {
        var distributed = keyspace(SystemKeyspaceNames.distributed, DistributedTables.all)
        distributed.replication = ["class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "3"]
        return distributed
    }()

    /// What a cluster shares from its first moment on: it moves with the ring and is repaired like data of users.
    package static let founding: Schema = {
        var schema = Schema()
        schema.keyspaces[distributed.name] = distributed
        schema.version = SchemaCodec.contentVersion(of: schema)
        return schema
    }()

    /// Where this node keeps the batches of others.
    package static let batches: BatchTable = {
        let table: TableDefinition? = SystemKeyspaceTables.stored.first { $0.name == "batches" }
        func id(_ column: String) -> UInt16 { table?.columns.first { $0.name == column }?.id ?? 0 }
        return BatchTable(
            id: table?.id ?? UUID(high: 0, low: 0), mutations: id("mutations"), version: id("version"))
    }()

    /// The tables that are computed, in no order that matters.
    package static let computed: [any ComputedTable] =
        NodeTables.all + SchemaTables.all + VirtualTables.all + LiveViews.all

    /// Where nodes keep their part of the decisions of lightweight transactions.
    package static let paxos: TableDefinition = SystemKeyspaceTables.paxos

    /// The computed table of these names; nil for a stored one, or none.
    package static func computedTable(_ keyspace: String, _ table: String) -> (any ComputedTable)? {
        computed.first { $0.definition.keyspace == keyspace && $0.definition.name == table }
    }

    package static func isComputed(_ keyspace: String, _ table: String) -> Bool {
        computedTable(keyspace, table) != nil
    }

    /// The same schema with the system's keyspaces as this release has them.
    ///
    /// Local ones replace whatever was there. Replicated ones keep the replication that operators gave them, and get
    /// the tables that they lack. The epoch stays: nothing is changed that other nodes would have to be told.
    package static func installed(in schema: Schema) -> Schema {
        var installed: Schema = merged(in: schema)
        installed.version = SchemaCodec.contentVersion(of: installed)
        return installed
    }

    /// As `installed`, with the version that the schema has: to work that out means to read all of it.
    static func merged(in schema: Schema) -> Schema {
        var installed: Schema = schema
        for keyspace in keyspaces {
            guard !keyspace.isLocal, var existing = schema.keyspaces[keyspace.name] else {
                installed.keyspaces[keyspace.name] = keyspace
                continue
            }
            for table in keyspace.sortedTables where existing.tables[table.name] == nil {
                existing.tables[table.name] = table
            }
            installed.keyspaces[keyspace.name] = existing
        }
        return installed
    }

    private static func keyspace(_ name: String, _ tables: [TableDefinition]) -> KeyspaceDefinition {
        var keyspace = KeyspaceDefinition(
            name: name, replication: ["class": "org.apache.cassandra.locator.LocalStrategy"])
        for table in tables { keyspace.tables[table.name] = table }
        return keyspace
    }
}
