/// CREATE TABLE.
package struct CreateTableStatement: Hashable, Sendable {
    package let table: QualifiedName
    package let ifNotExists: Bool
    package let columns: [ColumnDeclaration]
    /// Every PRIMARY KEY that was written, inline or apart, in order; a valid table has exactly one.
    package let primaryKeys: [PrimaryKeyDeclaration]
    package let clusteringOrder: [ClusteringOrdering]
    package let isCompactStorage: Bool
    package let properties: [Property]
}

/// A column in CREATE TABLE or ALTER TABLE … ADD.
package struct ColumnDeclaration: Hashable, Sendable {
    package let name: String
    package let type: TypeName
    package let isStatic: Bool
    package let mask: ColumnMask?
}

/// MASKED WITH: what readers without the permission see instead of the value.
package enum ColumnMask: Hashable, Sendable {
    /// MASKED WITH DEFAULT.
    case standard
    case function(QualifiedName, [Term])
}

/// `PRIMARY KEY ((a, b), c)`.
package struct PrimaryKeyDeclaration: Hashable, Sendable {
    package let partition: [String]
    package let clustering: [String]

    package init(partition: [String], clustering: [String]) {
        self.partition = partition
        self.clustering = clustering
    }
}

/// One column of CLUSTERING ORDER BY.
package struct ClusteringOrdering: Hashable, Sendable {
    package let column: String
    package let isDescending: Bool

    package init(column: String, isDescending: Bool) {
        self.column = column
        self.isDescending = isDescending
    }
}

/// CREATE TABLE … LIKE.
package struct CopyTableStatement: Hashable, Sendable {
    package let table: QualifiedName
    package let source: QualifiedName
    package let ifNotExists: Bool
    package let copiesIndexes: Bool
    package let properties: [Property]
}

/// ALTER TABLE.
package struct AlterTableStatement: Hashable, Sendable {
    package let table: QualifiedName
    package let ifExists: Bool
    package let change: Change

    package enum Change: Hashable, Sendable {
        case addColumns([ColumnDeclaration], ifNotExists: Bool)
        /// `timestamp` is in microseconds.
        case dropColumns([String], ifExists: Bool, timestamp: Int64?)
        case renameColumns([Rename], ifExists: Bool)
        /// `ALTER column TYPE type`, which the grammar knows and no table allows.
        case alterColumnType(column: String, type: TypeName)
        case maskColumn(column: String, mask: ColumnMask, ifExists: Bool)
        case unmaskColumn(column: String, ifExists: Bool)
        case dropCompactStorage
        case setProperties([Property])
    }
}

/// One `a TO b` of a RENAME.
package struct Rename: Hashable, Sendable {
    package let from: String
    package let to: String

    package init(from: String, to: String) {
        self.from = from
        self.to = to
    }
}

/// DROP TABLE, DROP TYPE, DROP INDEX or DROP MATERIALIZED VIEW.
package struct DropStatement: Hashable, Sendable {
    package let name: QualifiedName
    package let ifExists: Bool
}
