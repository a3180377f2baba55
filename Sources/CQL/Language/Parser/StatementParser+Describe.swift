/// DESCRIBE.
extension StatementParser {
    /// Reads what follows DESCRIBE or DESC.
    mutating func describeStatement() throws(CQLSyntaxError) -> DescribeStatement {
        let target = try describedTarget()
        let withInternals = accept(.with)
        if withInternals { try expect(.internals) }
        return DescribeStatement(target: target, withInternals: withInternals)
    }

    private mutating func describedTarget() throws(CQLSyntaxError) -> DescribeStatement.Target {
        guard let keyword = current.keyword, peek(1).kind != .dot else { return .anything(try tableName()) }
        let hasName = isName(peek(1))
        switch keyword {
        case .cluster, .keyspaces, .tables, .types, .functions, .aggregates, .schema:
            advance()
            return describedGroup(keyword)
        case .full:
            advance()
            try expect(.schema)
            return .schema(full: true)
        case .only:
            guard peek(1).keyword == .keyspace else { return .anything(try tableName()) }
            advance()
            advance()
            return .keyspace(isName(current) ? try keyspaceName() : nil, only: true)
        case .keyspace:
            advance()
            return .keyspace(isName(current) ? try keyspaceName() : nil, only: false)
        case .table:
            advance()
            return .table(try tableName())
        case .index:
            advance()
            return .index(try tableName())
        case .materialized:
            advance()
            try expect(.view)
            return .view(try tableName())
        case .type where hasName:
            advance()
            return .type(try userTypeName())
        case .function where hasName || isFunctionName(peek(1)):
            advance()
            return .function(try functionName())
        case .aggregate where hasName || isFunctionName(peek(1)):
            advance()
            return .aggregate(try functionName())
        default: return .anything(try tableName())
        }
    }

    private func describedGroup(_ keyword: Keyword) -> DescribeStatement.Target {
        switch keyword {
        case .cluster: .cluster
        case .keyspaces: .keyspaces
        case .tables: .tables
        case .types: .types
        case .functions: .functions
        case .aggregates: .aggregates
        default: .schema(full: false)
        }
    }
}
