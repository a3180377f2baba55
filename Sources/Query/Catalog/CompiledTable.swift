package import CQL
package import Coordination
public import DataModel
import Primitives

/// A column, with what the paths that handle its values need to know, worked out once.
public final class CompiledColumn: Sendable {
    public let definition: ColumnDefinition
    public let validator: ValueValidator
    public let form: ComparableForm
    /// For multi-cell columns: the order of its elements' paths (set elements, map keys); for others its own.
    public let elementForm: ComparableForm
    public let isMultiCell: Bool
    /// The place among the table's static columns, or among its regular ones; for key columns, their position.
    public let slot: Int

    init(_ definition: ColumnDefinition, slot: Int) {
        self.definition = definition
        self.validator = ValueValidator(definition.type)
        self.form = ComparableForm(definition.type)
        self.isMultiCell = definition.type.isMultiCell
        self.slot = slot
        switch definition.type {
        case .set(let element, _): self.elementForm = ComparableForm(element)
        case .map(let key, _, _): self.elementForm = ComparableForm(key)
        default: self.elementForm = ComparableForm(definition.type)
        }
    }

    package var name: String { definition.name }
    package var type: CQLType { definition.type }
    package var kind: ColumnKind { definition.kind }
    package var isPrimaryKey: Bool { kind == .partitionKey || kind == .clustering }
}

/// A table as plans see it: immutable, shared by all shards, made again when the table's definition changes.
public final class CompiledTable: Sendable {
    public let definition: TableDefinition
    public let partitionKey: [CompiledColumn]
    public let clustering: [CompiledColumn]
    public let statics: [CompiledColumn]
    public let regulars: [CompiledColumn]
    package let isCounter: Bool
    /// Set for tables whose rows are made up on reading.
    package let isComputed: Bool
    package let replicas: ReplicaCounts
    /// The replication map of its keyspace.
    package let replication: [String: String]
    /// The same for those who know no more than the table's id.
    package let tableReplication: TableReplication
    /// What its options say of reads from several replicas.
    package let readPolicy: ReadPolicy
    private let byName: [String: CompiledColumn]
    /// For each column id its place among the regular (or static) columns; −1 for dropped columns and ids never given.
    public let regularSlots: [Int]
    public let staticSlots: [Int]

    package init(
        _ definition: TableDefinition, replicas: ReplicaCounts, replication: [String: String], isComputed: Bool = false
    ) {
        func compiled(_ columns: [ColumnDefinition]) -> [CompiledColumn] {
            columns.enumerated().map { CompiledColumn($0.element, slot: $0.offset) }
        }
        self.definition = definition
        self.partitionKey = compiled(definition.partitionKey)
        self.clustering = compiled(definition.clustering)
        self.statics = compiled(definition.statics)
        self.regulars = compiled(definition.regulars)
        self.isCounter = definition.isCounter
        self.isComputed = isComputed
        self.replicas = replicas
        self.replication = replication
        self.tableReplication = TableReplication(
            replication: replication, counts: replicas,
            graceSeconds: UInt32(clamping: definition.options.gcGraceSeconds))
        self.readPolicy = ReadPolicy(
            speculation: SpeculativeRetry(definition.options.speculativeRetry),
            repairs: definition.options.readRepair.uppercased() != "NONE")
        func slots(_ columns: [CompiledColumn]) -> [Int] {
            var slots: [Int] = Array(repeating: -1, count: Int(definition.nextColumnID))
            for column in columns where slots.indices.contains(Int(column.definition.id)) {
                slots[Int(column.definition.id)] = column.slot
            }
            return slots
        }
        self.regularSlots = slots(regulars)
        self.staticSlots = slots(statics)
        var byName: [String: CompiledColumn] = [:]
        for column in partitionKey + clustering + statics + regulars { byName[column.name] = column }
        self.byName = byName
    }

    package var keyspace: String { definition.keyspace }
    package var name: String { definition.name }
    package var columns: [CompiledColumn] { partitionKey + clustering + statics + regulars }

    package func column(_ name: String) -> CompiledColumn? { byName[name] }

    /// The column of that name.
    ///
    /// - Throws: Cassandra's error for a column that is not there.
    package func required(_ name: String) throws(CQLError) -> CompiledColumn {
        guard let column = byName[name] else {
            throw .invalid(
                message: "Undefined column name \(CQLIdentifier.quotedIfNeeded(name)) in table \(keyspace).\(self.name)"
            )
        }
        return column
    }

    package func specification(_ column: CompiledColumn) -> ColumnSpecification {
        ColumnSpecification(keyspace: keyspace, table: name, name: column.name, type: column.type)
    }

    package func specification(named name: String, type: CQLType) -> ColumnSpecification {
        ColumnSpecification(keyspace: keyspace, table: self.name, name: name, type: type)
    }
}
