package import CQL
package import DataModel
import Primitives

/// What storage has to make and remove, and what clients are told, when one schema gives way to another.
///
/// A pure value. It is computed on every node alike, whether the change was made there or came from another node, and
/// also when several changes came at once because the node was away.
package struct SchemaDifference: Equatable, Sendable {
    package private(set) var createdTables: [TableDefinition] = []
    package private(set) var alteredTables: [TableDefinition] = []
    package private(set) var droppedTables: [TableDefinition] = []
    package private(set) var events: [SchemaChange] = []

    package init(from before: Schema, to after: Schema) {
        let names: Set<String> = Set(before.keyspaces.keys).union(after.keyspaces.keys)
        for name in names.sorted() { compare(name, before.keyspaces[name], after.keyspaces[name]) }
    }

    private mutating func compare(_ name: String, _ before: KeyspaceDefinition?, _ after: KeyspaceDefinition?) {
        let old: [TableDefinition] = before?.sortedTables ?? []
        let new: [TableDefinition] = after?.sortedTables ?? []
        // A table is the same table as long as it keeps its id: one that is dropped and made again is another.
        let oldIDs: Set<UUID> = Set(old.map(\.id))
        let newIDs: Set<UUID> = Set(new.map(\.id))
        let dropped: [TableDefinition] = old.filter { !newIDs.contains($0.id) }
        droppedTables += dropped
        guard let after else {
            events.append(SchemaChange(.dropped, keyspace: name))
            return
        }
        if before == nil {
            events.append(SchemaChange(.created, keyspace: name))
        } else if before?.replication != after.replication || before?.durableWrites != after.durableWrites {
            events.append(SchemaChange(.updated, keyspace: name))
        }
        compareTypes(name, before, after)
        for table in dropped { events.append(SchemaChange(.dropped, keyspace: name, target: .table(table.name))) }
        for table in new {
            if !oldIDs.contains(table.id) {
                createdTables.append(table)
                events.append(SchemaChange(.created, keyspace: name, target: .table(table.name)))
            } else if let earlier = old.first(where: { $0.id == table.id }), earlier != table {
                alteredTables.append(table)
                events.append(SchemaChange(.updated, keyspace: name, target: .table(table.name)))
            }
        }
    }

    private mutating func compareTypes(
        _ keyspace: String, _ before: KeyspaceDefinition?, _ after: KeyspaceDefinition
    ) {
        let names: Set<String> = Set(after.types.keys).union(before?.types.keys.map { $0 } ?? [])
        for name in names.sorted() {
            let change: SchemaChange.Change
            switch (before?.types[name], after.types[name]) {
            case (nil, .some): change = .created
            case (.some, nil): change = .dropped
            case (let old, let new) where old != new: change = .updated
            default: continue
            }
            events.append(SchemaChange(change, keyspace: keyspace, target: .type(name)))
        }
    }
}
