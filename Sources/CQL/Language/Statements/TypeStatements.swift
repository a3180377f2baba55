/// CREATE TYPE.
package struct CreateTypeStatement: Hashable, Sendable {
    package let type: QualifiedName
    package let ifNotExists: Bool
    package let fields: [FieldDeclaration]
}

/// A field of a user-defined type.
package struct FieldDeclaration: Hashable, Sendable {
    package let name: String
    package let type: TypeName
}

/// ALTER TYPE.
package struct AlterTypeStatement: Hashable, Sendable {
    package let type: QualifiedName
    package let ifExists: Bool
    package let change: Change

    package enum Change: Hashable, Sendable {
        case addField(FieldDeclaration, ifNotExists: Bool)
        case renameFields([Rename], ifExists: Bool)
        /// `ALTER field TYPE type`, which the grammar knows and no type allows.
        case alterFieldType(field: String, type: TypeName)
    }
}
