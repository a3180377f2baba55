/// CREATE MATERIALIZED VIEW.
package struct CreateViewStatement: Hashable, Sendable {
    package let view: QualifiedName
    package let table: QualifiedName
    package let ifNotExists: Bool
    package let selection: Selection
    package let whereClause: WhereClause
    package let primaryKey: PrimaryKeyDeclaration
    package let clusteringOrder: [ClusteringOrdering]
    package let properties: [Property]
}

/// ALTER MATERIALIZED VIEW.
package struct AlterViewStatement: Hashable, Sendable {
    package let view: QualifiedName
    package let ifExists: Bool
    package let properties: [Property]
}
