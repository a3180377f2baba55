package import CQL
import Cluster
import Coordination
package import DataModel
import Environment
import Primitives
import Storage

/// Brings this node to each schema that the cluster agrees on: storage, the catalogs of all shards, clients.
///
///     new metadata ─▶ SchemaDifference ─▶ storage: new and altered tables ─▶ catalogs ─▶ storage: dropped ones ─▶ events
///
/// Called for one value of the metadata after another, in order.
package actor LiveSchema {
    private var catalog: Catalog
    private let localDatacenter: String
    private let group: ShardGroup
    private let tellClients: @Sendable (SchemaChange) -> Void
    /// Tables that storage was told to make for a schema that no statement sees yet.
    private var unpublished: [UUID] = []
    /// Tables that no statement sees any more and that storage may still have, in the order in which they went.
    private var gone: [UUID] = []

    package init(
        catalog: Catalog, localDatacenter: String, group: ShardGroup,
        tellClients: @escaping @Sendable (SchemaChange) -> Void
    ) {
        self.catalog = catalog
        self.localDatacenter = localDatacenter
        self.group = group
        self.tellClients = tellClients
    }

    /// The schema that statements see when the cluster has agreed on `shared`: with the keyspaces of this node alone.
    package static func whole(_ shared: Schema) -> Schema {
        // All nodes that have the same shared schema show the same version, whatever their own keyspaces are.
        SystemTables.merged(in: shared)
    }

    /// Returns when every shard plans against the schema, and storage has tried to remove the tables that are gone.
    ///
    /// - Throws: what storage could not do. Nothing is published then, and the next call tries it again.
    package func follow(_ shared: Schema) async throws {
        let schema: Schema = LiveSchema.whole(shared)
        let difference = SchemaDifference(from: catalog.schema, to: schema)
        for table in difference.createdTables {
            if !unpublished.contains(table.id) { unpublished.append(table.id) }
            try await group.engine.createTable(
                table, isLogged: schema.keyspaces[table.keyspace]?.durableWrites ?? true)
        }
        for table in difference.alteredTables { try await group.engine.alterTable(table) }
        try await followDurability(schema)
        let next = Catalog(schema, localDatacenter: localDatacenter, after: catalog)
        try await group.publish(next)
        catalog = next
        let known: Set<UUID> = Set(schema.sortedKeyspaces.flatMap { $0.sortedTables.map(\.id) })
        gone += difference.droppedTables.map(\.id) + unpublished.filter { !known.contains($0) }
        unpublished = []
        await removeGoneTables()
        for event in difference.events { tellClients(event) }
    }

    /// Has storage remove the tables that are gone; returns why some are still there, nil when none is.
    ///
    /// Statements do not see them either way, so nobody has to wait for a full disk.
    @discardableResult
    package func removeGoneTables() async -> (any Error)? {
        var failure: (any Error)?
        for id in gone {
            do throws(StorageError) {
                try await group.engine.dropTable(id: id)
                gone.removeAll { $0 == id }
            } catch { failure = failure ?? error }
            await group.coordination.forget([id])
        }
        return failure
    }

    /// Whether storage still has tables that are gone.
    package var hasGoneTables: Bool { !gone.isEmpty }

    /// Tables of keyspaces whose `durable_writes` has changed.
    private func followDurability(_ schema: Schema) async throws {
        for keyspace in schema.sortedKeyspaces {
            guard let before = catalog.schema.keyspaces[keyspace.name], before.durableWrites != keyspace.durableWrites
            else { continue }
            for table in keyspace.sortedTables {
                try await group.engine.setLogged(keyspace.durableWrites, table: table.id)
            }
        }
    }
}
