public import Primitives

/// What a table is: its name, its columns and its options. A value: a change makes another one.
public struct TableDefinition: Hashable, Sendable {
    public var keyspace: String
    public var name: String
    public var id: UUID
    /// In order of position.
    public private(set) var partitionKey: [ColumnDefinition]
    /// In order of position.
    public private(set) var clustering: [ColumnDefinition]
    /// In ascending order of name, as results show them.
    public private(set) var statics: [ColumnDefinition]
    /// In ascending order of name, as results show them.
    public private(set) var regulars: [ColumnDefinition]
    public var droppedColumns: [DroppedColumn]
    public var options: TableOptions
    /// The id that the next column gets.
    public var nextColumnID: UInt16

    public init(
        keyspace: String, name: String, id: UUID, columns: [ColumnDefinition], droppedColumns: [DroppedColumn] = [],
        options: TableOptions = TableOptions(), nextColumnID: UInt16
    ) {
        self.keyspace = keyspace
        self.name = name
        self.id = id
        func named(_ kind: ColumnKind) -> [ColumnDefinition] {
            columns.filter { $0.kind == kind }.sorted {
                Array($0.name.utf8).lexicographicallyPrecedes(Array($1.name.utf8))
            }
        }
        func placed(_ kind: ColumnKind) -> [ColumnDefinition] {
            columns.filter { $0.kind == kind }.sorted { $0.position < $1.position }
        }
        self.partitionKey = placed(.partitionKey)
        self.clustering = placed(.clustering)
        self.statics = named(.static)
        self.regulars = named(.regular)
        self.droppedColumns = droppedColumns
        self.options = options
        self.nextColumnID = nextColumnID
    }

    /// All columns in the order of `SELECT *`: partition key, clustering, static, regular.
    public var columns: [ColumnDefinition] { partitionKey + clustering + statics + regulars }

    public func column(named name: String) -> ColumnDefinition? {
        columns.first { $0.name == name }
    }

    public var isCounter: Bool { regulars.contains { $0.type == .counter } || statics.contains { $0.type == .counter } }

    /// The same table with other columns; each must have its id.
    public func replacingColumns(_ columns: [ColumnDefinition]) -> TableDefinition {
        TableDefinition(
            keyspace: keyspace, name: name, id: id, columns: columns, droppedColumns: droppedColumns, options: options,
            nextColumnID: nextColumnID)
    }
}
