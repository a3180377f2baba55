/// CREATE FUNCTION.
package struct CreateFunctionStatement: Hashable, Sendable {
    package let function: QualifiedName
    package let orReplace: Bool
    package let ifNotExists: Bool
    package let arguments: [FieldDeclaration]
    /// CALLED ON NULL INPUT; otherwise any null argument makes the result null.
    package let isCalledOnNullInput: Bool
    package let returnType: TypeName
    /// In lower case.
    package let language: String
    package let body: String
}

/// DROP FUNCTION or DROP AGGREGATE.
package struct DropFunctionStatement: Hashable, Sendable {
    package let function: QualifiedName
    package let ifExists: Bool
    /// Nil when no list was written: then the name alone must be enough.
    package let argumentTypes: [TypeName]?
}

/// CREATE AGGREGATE.
package struct CreateAggregateStatement: Hashable, Sendable {
    package let aggregate: QualifiedName
    package let orReplace: Bool
    package let ifNotExists: Bool
    package let argumentTypes: [TypeName]
    package let stateFunction: String
    package let stateType: TypeName
    package let finalFunction: String?
    package let initialState: Term?
}

/// CREATE TRIGGER.
package struct CreateTriggerStatement: Hashable, Sendable {
    package let name: String
    package let table: QualifiedName
    package let ifNotExists: Bool
    package let triggerClass: String
}

/// DROP TRIGGER.
package struct DropTriggerStatement: Hashable, Sendable {
    package let name: String
    package let table: QualifiedName
    package let ifExists: Bool
}
