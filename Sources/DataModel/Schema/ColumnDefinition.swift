/// The place a column has in its table.
public enum ColumnKind: String, Sendable, Hashable {
    case partitionKey = "partition_key"
    case clustering
    case `static`
    case regular
}

/// One column of a table.
public struct ColumnDefinition: Hashable, Sendable {
    public var name: String
    /// Names the column in encoded rows. Given once in the life of a table and never again, so that the cells of a
    /// dropped column are never taken for those of a later one with its name. 0 for key columns, which have no cells.
    public var id: UInt16
    public var kind: ColumnKind
    /// The place among the columns of its kind, from 0; 0 for static and regular columns.
    public var position: Int
    public var type: CQLType
    /// For clustering columns: whether rows are kept in descending order.
    public var isDescending: Bool

    public init(
        name: String, id: UInt16 = 0, kind: ColumnKind, position: Int = 0, type: CQLType, isDescending: Bool = false
    ) {
        self.name = name
        self.id = id
        self.kind = kind
        self.position = position
        self.type = type
        self.isDescending = isDescending
    }
}

/// A column that a table once had.
public struct DroppedColumn: Hashable, Sendable {
    public var name: String
    public var id: UInt16
    public var kind: ColumnKind
    public var type: CQLType
    /// Microseconds since 1970.
    public var droppedAt: Int64

    public init(name: String, id: UInt16, kind: ColumnKind, type: CQLType, droppedAt: Int64) {
        self.name = name
        self.id = id
        self.kind = kind
        self.type = type
        self.droppedAt = droppedAt
    }
}
