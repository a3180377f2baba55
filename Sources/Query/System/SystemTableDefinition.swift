internal import DataModel
internal import Primitives

/// Makes the definitions of the system's tables.
///
/// Ids follow from the names alone, as Cassandra's do, so that they are the same on every node and in every release.
struct SystemTableDefinition {
    let keyspace: String
    let name: String
    let comment: String
    var partition: [(String, CQLType)] = []
    var clustering: [(String, CQLType)] = []
    var regular: [(String, CQLType)] = []
    var options = TableOptions()
    /// Columns of earlier releases, which a table made by them may still hold.
    var deprecated: [(String, CQLType)] = []

    init(
        _ keyspace: String, _ name: String, _ comment: String, partition: [(String, CQLType)],
        clustering: [(String, CQLType)] = [], regular: [(String, CQLType)] = []
    ) {
        self.keyspace = keyspace
        self.name = name
        self.comment = comment
        self.partition = partition
        self.clustering = clustering
        self.regular = regular
    }

    func build() -> TableDefinition {
        var columns: [ColumnDefinition] = []
        for (position, (columnName, type)) in partition.enumerated() {
            columns.append(ColumnDefinition(name: columnName, kind: .partitionKey, position: position, type: type))
        }
        for (position, (columnName, type)) in clustering.enumerated() {
            columns.append(ColumnDefinition(name: columnName, kind: .clustering, position: position, type: type))
        }
        var nextID: UInt16 = 1
        for (columnName, type) in regular {
            columns.append(ColumnDefinition(name: columnName, id: nextID, kind: .regular, type: type))
            nextID += 1
        }
        var dropped: [DroppedColumn] = []
        for (columnName, type) in deprecated {
            dropped.append(
                DroppedColumn(name: columnName, id: nextID, kind: .regular, type: type, droppedAt: Int64.max))
            nextID += 1
        }
        var tableOptions: TableOptions = options
        tableOptions.comment = comment
        return TableDefinition(
            keyspace: keyspace, name: name, id: SystemTableDefinition.id(keyspace, name), columns: columns,
            droppedColumns: dropped, options: tableOptions, nextColumnID: nextID)
    }

    static func id(_ keyspace: String, _ name: String) -> UUID {
        .named(digest: MD5.digest(Array(keyspace.utf8) + Array(name.utf8)))
    }
}

/// Short names for the collections that the definitions use.
extension CQLType {
    static func listOf(_ element: CQLType) -> CQLType { .list(element, isMultiCell: true) }
    static func setOf(_ element: CQLType) -> CQLType { .set(element, isMultiCell: true) }
    static func mapOf(_ key: CQLType, _ value: CQLType) -> CQLType { .map(key, value, isMultiCell: true) }
    static func frozenList(_ element: CQLType) -> CQLType { .list(element, isMultiCell: false) }
    static func frozenSet(_ element: CQLType) -> CQLType { .set(element, isMultiCell: false) }
    static func frozenMap(_ key: CQLType, _ value: CQLType) -> CQLType { .map(key, value, isMultiCell: false) }
}
