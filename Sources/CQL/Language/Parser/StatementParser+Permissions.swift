/// GRANT, REVOKE and LIST.
extension StatementParser {
    mutating func grantOrRevokeStatement() throws(CQLSyntaxError) -> Statement {
        let isGrant = isAt(.grant)
        let preposition: Keyword = isGrant ? .to : .from
        advance()
        // ALL, UNMASK and SELECT_MASKED may be names of roles too; only what follows tells.
        guard isAtPermissions, peek(1).keyword != preposition else {
            let role = try roleName()
            try expect(preposition)
            let statement = RoleMembershipStatement(role: role, member: try roleName())
            return isGrant ? .grantRole(statement) : .revokeRole(statement)
        }
        let permissions = try permissionSelection()
        try expect(.on)
        let resource = try resource()
        try expect(preposition)
        let statement = PermissionStatement(permissions: permissions, resource: resource, role: try roleName())
        return isGrant ? .grantPermissions(statement) : .revokePermissions(statement)
    }

    private var isAtPermissions: Bool { isAt(.all) || currentPermission != nil }

    private var currentPermission: Permission? {
        current.keyword.flatMap { Permission(rawValue: $0.rawValue.uppercased()) }
    }

    private mutating func permissionSelection() throws(CQLSyntaxError) -> PermissionSelection {
        if accept(.all) {
            _ = accept(.permissions)
            return .all
        }
        return .some(
            try commaSeparated { parser throws(CQLSyntaxError) -> Permission in
                guard let permission = parser.currentPermission else { throw parser.noViableAlternative() }
                parser.advance()
                _ = parser.accept(.permission)
                return permission
            })
    }

    private mutating func resource() throws(CQLSyntaxError) -> Resource {
        switch current.keyword {
        case .all where peek(1).kind != .dot && peek(1).keyword != .to && peek(1).keyword != .from:
            advance()
            return try resourceGroup()
        case .keyspace, .schema:
            advance()
            return .keyspace(try keyspaceName())
        case .role where isName(peek(1)) || peek(1).kind == .string || peek(1).kind == .dollarString:
            advance()
            return .role(try roleName())
        case .function where isName(peek(1)) || isFunctionName(peek(1)):
            advance()
            let function = try functionName()
            return .function(function, argumentTypes: try argumentTypes())
        case .mbean where peek(1).kind == .string || peek(1).kind == .dollarString:
            advance()
            return .managementBean(try stringText())
        case .mbeans where peek(1).kind == .string || peek(1).kind == .dollarString:
            advance()
            return .managementBeans(try stringText())
        default:
            _ = accept(.table)
            return .table(try tableName())
        }
    }

    /// Reads what follows ALL in a resource.
    private mutating func resourceGroup() throws(CQLSyntaxError) -> Resource {
        if accept(.keyspaces) { return .allKeyspaces }
        if accept(.roles) { return .allRoles }
        if accept(.mbeans) { return .allManagementBeans }
        if accept(.functions) {
            guard accept(.in) else { return .allFunctions }
            return .functions(keyspace: try keyspaceAfterKeyword())
        }
        guard accept(.tables) else { throw noViableAlternative() }
        try expect(.in)
        return .allTables(keyspace: try keyspaceAfterKeyword())
    }

    private mutating func keyspaceAfterKeyword() throws(CQLSyntaxError) -> String {
        if !accept(.schema) { try expect(.keyspace) }
        return try keyspaceName()
    }

    /// Reads what follows LIST.
    mutating func listStatement() throws(CQLSyntaxError) -> Statement {
        if accept(.users) { return .listUsers }
        if accept(.superusers) { return .listSuperusers }
        if accept(.roles) {
            let member = accept(.of) ? try roleName() : nil
            return .listRoles(ListRolesStatement(member: member, isRecursive: !accept(.norecursive)))
        }
        guard isAtPermissions else { throw noViableAlternative() }
        let permissions = try permissionSelection()
        let resource = accept(.on) ? try resource() : nil
        let role = accept(.of) ? try roleName() : nil
        return .listPermissions(
            ListPermissionsStatement(
                permissions: permissions, resource: resource, role: role, isRecursive: !accept(.norecursive)))
    }
}
