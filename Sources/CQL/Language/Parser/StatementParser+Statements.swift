/// The first words of a statement decide which rule reads the rest.
extension StatementParser {
    mutating func statement() throws(CQLSyntaxError) -> Statement {
        guard let keyword = current.keyword else { throw noViableAlternative() }
        switch keyword {
        case .select: return .select(try selectStatement())
        case .insert, .update, .delete: return Statement(try modification())
        case .begin: return .batch(try batchStatement())
        case .use:
            advance()
            return .use(keyspace: try keyspaceName())
        case .truncate:
            advance()
            // `TRUNCATE table` alone cannot be a name: TABLE is reserved.
            _ = accept(.table)
            return .truncate(try tableName())
        case .create:
            advance()
            return try createStatement()
        case .alter:
            advance()
            return try alterStatement()
        case .drop:
            advance()
            return try dropStatement()
        case .grant, .revoke: return try grantOrRevokeStatement()
        case .list:
            advance()
            return try listStatement()
        case .add:
            advance()
            return .addIdentity(try addIdentityStatement())
        case .describe, .desc:
            advance()
            return .describe(try describeStatement())
        default: throw noViableAlternative()
        }
    }

    /// Reads what follows CREATE.
    private mutating func createStatement() throws(CQLSyntaxError) -> Statement {
        let orReplace = isAt(.or)
        if orReplace {
            advance()
            try expect(.replace)
        }
        switch current.keyword {
        case .function: return .createFunction(try createFunctionStatement(orReplace: orReplace))
        case .aggregate: return .createAggregate(try createAggregateStatement(orReplace: orReplace))
        case _ where orReplace: throw noViableAlternative()
        case .keyspace, .schema: return .createKeyspace(try createKeyspaceStatement())
        case .table: return try createTableStatement()
        case .type: return .createType(try createTypeStatement())
        case .index, .custom: return .createIndex(try createIndexStatement())
        case .materialized: return .createView(try createViewStatement())
        case .trigger: return .createTrigger(try createTriggerStatement())
        case .role: return .createRole(try createRoleStatement())
        case .user: return .createUser(try createUserStatement())
        default: throw noViableAlternative()
        }
    }

    /// Reads what follows ALTER.
    private mutating func alterStatement() throws(CQLSyntaxError) -> Statement {
        switch current.keyword {
        case .keyspace, .schema: return .alterKeyspace(try alterKeyspaceStatement())
        case .table: return .alterTable(try alterTableStatement())
        case .type: return .alterType(try alterTypeStatement())
        case .materialized: return .alterView(try alterViewStatement())
        case .role: return .alterRole(try alterRoleStatement())
        case .user: return .alterUser(try alterUserStatement())
        default: throw noViableAlternative()
        }
    }

    /// Reads what follows DROP.
    private mutating func dropStatement() throws(CQLSyntaxError) -> Statement {
        guard let keyword = current.keyword else { throw noViableAlternative() }
        let start = checkpoint
        advance()
        switch keyword {
        case .keyspace, .schema:
            let ifExists = try ifExists()
            return .dropKeyspace(DropKeyspaceStatement(keyspace: try keyspaceName(), ifExists: ifExists))
        case .table: return .dropTable(try dropped { parser throws(CQLSyntaxError) in try parser.tableName() })
        case .type: return .dropType(try dropped { parser throws(CQLSyntaxError) in try parser.userTypeName() })
        case .index: return .dropIndex(try dropped { parser throws(CQLSyntaxError) in try parser.indexName() })
        case .materialized:
            try expect(.view)
            return .dropView(try dropped { parser throws(CQLSyntaxError) in try parser.tableName() })
        case .function: return .dropFunction(try dropFunctionStatement())
        case .aggregate: return .dropAggregate(try dropFunctionStatement())
        case .trigger: return .dropTrigger(try dropTriggerStatement())
        case .role:
            let ifExists = try ifExists()
            return .dropRole(DropRoleStatement(role: try roleName(), ifExists: ifExists))
        case .user:
            let ifExists = try ifExists()
            return .dropUser(DropRoleStatement(role: try userName(), ifExists: ifExists))
        case .identity:
            let ifExists = try ifExists()
            return .dropIdentity(DropIdentityStatement(identity: try identity(), ifExists: ifExists))
        default:
            restore(start)
            throw noViableAlternative()
        }
    }

    private mutating func dropped(
        _ name: (inout StatementParser) throws(CQLSyntaxError) -> QualifiedName
    ) throws(CQLSyntaxError) -> DropStatement {
        let ifExists = try ifExists()
        return DropStatement(name: try name(&self), ifExists: ifExists)
    }
}
