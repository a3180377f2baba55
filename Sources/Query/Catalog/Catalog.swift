package import CQL
package import Coordination
package import DataModel
package import Primitives

/// The schema at one epoch with its tables compiled: what statements are planned against.
///
/// Immutable. A change of the schema makes the next one, and every shard is given it before the client hears of it.
package final class Catalog: Sendable {
    package let schema: Schema
    private let tables: [String: [String: CompiledTable]]

    /// Compiles a schema, reusing what has not changed since `previous`.
    package init(_ schema: Schema, localDatacenter: String, after previous: Catalog? = nil) {
        self.schema = schema
        var tables: [String: [String: CompiledTable]] = [:]
        for (name, keyspace) in schema.keyspaces {
            let known: [String: CompiledTable] = previous?.tables[name] ?? [:]
            let replicas = ReplicaCounts(replication: keyspace.replication, localDatacenter: localDatacenter)
            tables[name] = keyspace.tables.mapValues { definition in
                if let same = known[definition.name], same.definition == definition, same.replicas == replicas,
                    same.replication == keyspace.replication
                {
                    return same
                }
                let isComputed: Bool = keyspace.isVirtual || SystemTables.isComputed(name, definition.name)
                return CompiledTable(
                    definition, replicas: replicas, replication: keyspace.replication, isComputed: isComputed)
            }
        }
        self.tables = tables
    }

    package var epoch: UInt64 { schema.epoch }

    /// The table that a statement names.
    ///
    /// - Throws: Cassandra's errors for a name without keyspace, and for what does not exist.
    package func table(
        keyspace: String?, name: String, session sessionKeyspace: String?
    ) throws(CQLError) -> CompiledTable {
        guard let keyspace = keyspace ?? sessionKeyspace else {
            throw .invalid(
                message: "No keyspace has been specified. USE a keyspace, or explicitly specify keyspace.tablename")
        }
        guard let inside = tables[keyspace] else {
            throw .invalid(message: "keyspace \(keyspace) does not exist")
        }
        guard let table = inside[name] else { throw .invalid(message: "table \(name) does not exist") }
        return table
    }

    package func table(_ keyspace: String, _ name: String) -> CompiledTable? { tables[keyspace]?[name] }

    /// How each stored table is replicated, by its id.
    package var replications: [UUID: TableReplication] {
        var found: [UUID: TableReplication] = [:]
        for inside in tables.values {
            for table in inside.values where !table.isComputed { found[table.definition.id] = table.tableReplication }
        }
        return found
    }
}
