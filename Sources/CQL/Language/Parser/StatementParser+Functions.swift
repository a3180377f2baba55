/// Functions, aggregates and triggers.
extension StatementParser {
    mutating func createFunctionStatement(orReplace: Bool) throws(CQLSyntaxError) -> CreateFunctionStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let function = try functionName()
        try expect(.leftParenthesis)
        let arguments = try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in
            try parser.fieldDeclaration()
        }
        let isCalledOnNullInput = accept(.called)
        if !isCalledOnNullInput {
            guard accept(.returns) else { throw noViableAlternative() }
            try expect(.null)
        }
        try expect(.on)
        try expect(.null)
        try expect(.input)
        try expect(.returns)
        let returnType = try typeName()
        try expect(.language)
        guard isAt(.identifier) else { throw mismatch(expecting: Lexeme.Kind.identifier.grammarName) }
        let language = try name()
        try expect(.as)
        return CreateFunctionStatement(
            function: function, orReplace: orReplace, ifNotExists: ifNotExists, arguments: arguments,
            isCalledOnNullInput: isCalledOnNullInput, returnType: returnType, language: language,
            body: try stringText())
    }

    /// Reads what follows DROP FUNCTION or DROP AGGREGATE.
    mutating func dropFunctionStatement() throws(CQLSyntaxError) -> DropFunctionStatement {
        let ifExists = try ifExists()
        let function = try functionName()
        return DropFunctionStatement(
            function: function, ifExists: ifExists, argumentTypes: isAt(.leftParenthesis) ? try argumentTypes() : nil)
    }

    /// Reads types in parentheses; there may be none.
    mutating func argumentTypes() throws(CQLSyntaxError) -> [TypeName] {
        try expect(.leftParenthesis)
        return try commaSeparated(until: .rightParenthesis) { parser throws(CQLSyntaxError) in try parser.typeName() }
    }

    mutating func createAggregateStatement(orReplace: Bool) throws(CQLSyntaxError) -> CreateAggregateStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let aggregate = try functionName()
        let argumentTypes = try argumentTypes()
        try expect(.sfunc)
        let stateFunction = try unqualifiedFunctionName()
        try expect(.stype)
        let stateType = try typeName()
        let finalFunction = accept(.finalfunc) ? try unqualifiedFunctionName() : nil
        let initialState = accept(.initcond) ? try term() : nil
        return CreateAggregateStatement(
            aggregate: aggregate, orReplace: orReplace, ifNotExists: ifNotExists, argumentTypes: argumentTypes,
            stateFunction: stateFunction, stateType: stateType, finalFunction: finalFunction,
            initialState: initialState)
    }

    mutating func createTriggerStatement() throws(CQLSyntaxError) -> CreateTriggerStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let name = try name()
        try expect(.on)
        let table = try tableName()
        try expect(.using)
        return CreateTriggerStatement(
            name: name, table: table, ifNotExists: ifNotExists, triggerClass: try stringText())
    }

    /// Reads what follows DROP TRIGGER.
    mutating func dropTriggerStatement() throws(CQLSyntaxError) -> DropTriggerStatement {
        let ifExists = try ifExists()
        let name = try name()
        try expect(.on)
        return DropTriggerStatement(name: name, table: try tableName(), ifExists: ifExists)
    }
}
