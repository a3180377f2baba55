/// Roles and the older users.
extension StatementParser {
    mutating func roleName() throws(CQLSyntaxError) -> String {
        try refuseBindMarker(of: "role")
        if isAt(.string) || isAt(.dollarString) { return try stringText() }
        return try name()
    }

    /// Reads the name of a user, whose case counts even without quotes.
    mutating func userName() throws(CQLSyntaxError) -> String {
        switch current.kind {
        case .string, .dollarString: return try stringText()
        case .identifier:
            let text = decoded(current.range)
            advance()
            return text
        case .quotedName:
            throw refusal(
                "Quoted strings are are not supported for user names and USER is deprecated, please use ROLE")
        default: throw noViableAlternative()
        }
    }

    mutating func identity() throws(CQLSyntaxError) -> String {
        if isAt(.quotedName) { throw refusal("Quoted strings are are not supported for identity") }
        return try userName()
    }

    mutating func createRoleStatement() throws(CQLSyntaxError) -> RoleDefinitionStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let role = try roleName()
        return RoleDefinitionStatement(role: role, isConditional: ifNotExists, options: try roleOptions())
    }

    mutating func alterRoleStatement() throws(CQLSyntaxError) -> RoleDefinitionStatement {
        advance()
        let ifExists = try ifExists()
        let role = try roleName()
        return RoleDefinitionStatement(role: role, isConditional: ifExists, options: try roleOptions())
    }

    mutating func createUserStatement() throws(CQLSyntaxError) -> RoleDefinitionStatement {
        advance()
        let ifNotExists = try ifNotExists()
        let role = try userName()
        return RoleDefinitionStatement(role: role, isConditional: ifNotExists, options: try userOptions())
    }

    mutating func alterUserStatement() throws(CQLSyntaxError) -> RoleDefinitionStatement {
        advance()
        let ifExists = try ifExists()
        let role = try userName()
        return RoleDefinitionStatement(role: role, isConditional: ifExists, options: try userOptions())
    }

    private mutating func roleOptions() throws(CQLSyntaxError) -> [RoleOption] {
        guard accept(.with) else { return [] }
        var options: [RoleOption] = []
        repeat { options.append(try roleOption()) } while accept(.and)
        try refuseContradictingPasswords(options)
        return options
    }

    private mutating func roleOption() throws(CQLSyntaxError) -> RoleOption {
        guard let keyword = current.keyword else { throw noViableAlternative() }
        switch keyword {
        case .access:
            advance()
            return try accessOption()
        case .generated:
            advance()
            try expect(.password)
            return .generatedPassword
        case .hashed:
            advance()
            try expect(.password)
            try expect(.equal)
            return .hashedPassword(try stringText())
        case .password, .options, .superuser, .login: break
        default: throw noViableAlternative()
        }
        advance()
        try expect(.equal)
        switch keyword {
        case .password: return .password(try stringText())
        case .options: return .options(try propertyMap())
        case .superuser: return .superuser(try truth())
        default: return .login(try truth())
        }
    }

    private mutating func truth() throws(CQLSyntaxError) -> Bool {
        guard isAt(Lexeme.Kind.boolean) else { throw mismatch(expecting: Lexeme.Kind.boolean.grammarName) }
        let isTrue = current.range.count == 4
        advance()
        return isTrue
    }

    /// Reads what follows ACCESS.
    private mutating func accessOption() throws(CQLSyntaxError) -> RoleOption {
        if accept(.to) {
            if accept(.all) {
                try expect(.datacenters)
                return .accessToAllDatacenters
            }
            try expect(.datacenters)
            return .accessToDatacenters(try strings())
        }
        guard accept(.from) else { throw noViableAlternative() }
        if accept(.all) {
            try expect(.cidrs)
            return .accessFromAllCIDRs
        }
        try expect(.cidrs)
        return .accessFromCIDRs(try strings())
    }

    private mutating func strings() throws(CQLSyntaxError) -> [String] {
        try expect(.leftBrace)
        let strings = try commaSeparated { parser throws(CQLSyntaxError) in try parser.stringText() }
        try expect(.rightBrace)
        return strings
    }

    private mutating func userOptions() throws(CQLSyntaxError) -> [RoleOption] {
        var options: [RoleOption] = []
        if accept(.with) {
            if accept(.generated) {
                try expect(.password)
                options.append(.generatedPassword)
            } else {
                let isHashed = accept(.hashed)
                try expect(.password)
                let text = try stringText()
                options.append(isHashed ? .hashedPassword(text) : .password(text))
            }
        }
        if accept(.superuser) {
            options.append(.superuser(true))
        } else if accept(.nosuperuser) {
            options.append(.superuser(false))
        }
        return options
    }

    private func refuseContradictingPasswords(_ options: [RoleOption]) throws(CQLSyntaxError) {
        var kinds: [String] = []
        for option in options {
            switch option {
            case .password: kinds.append("password")
            case .hashedPassword: kinds.append("hashed password")
            case .generatedPassword: kinds.append("generated password")
            default: break
            }
        }
        let order = ["password", "hashed password", "generated password"].filter(kinds.contains)
        if order.count > 1 {
            throw refusal("Options '\(order[0])' and '\(order[1])' are mutually exclusive")
        }
    }

    /// Reads what follows ADD.
    mutating func addIdentityStatement() throws(CQLSyntaxError) -> AddIdentityStatement {
        try expect(.identity)
        let ifNotExists = try ifNotExists()
        let identity = try identity()
        try expect(.to)
        try expect(.role)
        return AddIdentityStatement(identity: identity, role: try self.identity(), ifNotExists: ifNotExists)
    }
}
