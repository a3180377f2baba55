public import Primitives

/// A keyspace: how its data is replicated, and its tables and types.
public struct KeyspaceDefinition: Hashable, Sendable {
    public var name: String
    /// As users gave it: `class` (the full class name) and the strategy's options.
    public var replication: [String: String]
    public var durableWrites: Bool
    public var tables: [String: TableDefinition] = [:]
    public var types: [String: UserDefinedType] = [:]
    /// Whether its tables are made up on reading and stored nowhere.
    public var isVirtual: Bool = false

    public init(name: String, replication: [String: String], durableWrites: Bool = true) {
        self.name = name
        self.replication = replication
        self.durableWrites = durableWrites
    }

    /// The tables in ascending order of name.
    public var sortedTables: [TableDefinition] {
        // Names are sorted, not what they stand for: that is large, and there may be thousands.
        tables.keys.sorted(by: bytesPrecede).compactMap { tables[$0] }
    }

    public var sortedTypes: [UserDefinedType] {
        types.keys.sorted(by: bytesPrecede).compactMap { types[$0] }
    }
}

/// All keyspaces, at one epoch. A value: every change of the schema makes the next one.
public struct Schema: Hashable, Sendable {
    public var keyspaces: [String: KeyspaceDefinition] = [:]
    /// Counts the changes.
    public var epoch: UInt64 = 0
    /// What drivers compare to see whether nodes agree: it changes with every change and is the same on every node.
    public var version: UUID = UUID(high: 0, low: 0)

    public init() {}

    public func keyspace(_ name: String) -> KeyspaceDefinition? { keyspaces[name] }

    public func table(_ keyspace: String, _ name: String) -> TableDefinition? { keyspaces[keyspace]?.tables[name] }

    /// The keyspaces in ascending order of name.
    public var sortedKeyspaces: [KeyspaceDefinition] {
        keyspaces.keys.sorted(by: bytesPrecede).compactMap { keyspaces[$0] }
    }
}

/// Whether a name comes before another one by its bytes, as names are sorted everywhere.
private func bytesPrecede(_ first: String, _ second: String) -> Bool {
    first.utf8.lexicographicallyPrecedes(second.utf8)
}
