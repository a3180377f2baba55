/// Roles, permissions and DESCRIBE.
extension CQLPrinter {
    func roleDefinition(_ start: String, _ condition: String, _ statement: RoleDefinitionStatement) -> String {
        let options = joined(statement.options, " AND ", roleOption)
        return start + (statement.isConditional ? condition : "") + nameQuotedAsKeyword(statement.role)
            + (options.isEmpty ? "" : " WITH " + options)
    }

    private func roleOption(_ option: RoleOption) -> String {
        switch option {
        case .password(let text): "PASSWORD = " + string(text)
        case .hashedPassword(let text): "HASHED PASSWORD = " + string(text)
        case .generatedPassword: "GENERATED PASSWORD"
        case .superuser(let isSuperuser): "SUPERUSER = \(isSuperuser)"
        case .login(let mayLogIn): "LOGIN = \(mayLogIn)"
        case .options(let entries): "OPTIONS = " + propertyMap(entries)
        case .accessToAllDatacenters: "ACCESS TO ALL DATACENTERS"
        case .accessToDatacenters(let names): "ACCESS TO DATACENTERS {" + list(names, string) + "}"
        case .accessFromAllCIDRs: "ACCESS FROM ALL CIDRS"
        case .accessFromCIDRs(let names): "ACCESS FROM CIDRS {" + list(names, string) + "}"
        }
    }

    func userDefinition(_ start: String, _ condition: String, _ statement: RoleDefinitionStatement) -> String {
        var text = start + (statement.isConditional ? condition : "") + string(statement.role)
        for option in statement.options {
            switch option {
            case .password(let password): text += " WITH PASSWORD " + string(password)
            case .hashedPassword(let hash): text += " WITH HASHED PASSWORD " + string(hash)
            case .generatedPassword: text += " WITH GENERATED PASSWORD"
            case .superuser(let isSuperuser): text += isSuperuser ? " SUPERUSER" : " NOSUPERUSER"
            default: break  // the grammar of users has no other options
            }
        }
        return text
    }

    func dropRole(_ statement: DropRoleStatement) -> String {
        "DROP ROLE " + (statement.ifExists ? "IF EXISTS " : "") + nameQuotedAsKeyword(statement.role)
    }

    func dropUser(_ statement: DropRoleStatement) -> String {
        "DROP USER " + (statement.ifExists ? "IF EXISTS " : "") + string(statement.role)
    }

    func membership(_ verb: String, _ preposition: String, _ statement: RoleMembershipStatement) -> String {
        verb + nameQuotedAsKeyword(statement.role) + preposition + nameQuotedAsKeyword(statement.member)
    }

    func permission(_ verb: String, _ preposition: String, _ statement: PermissionStatement) -> String {
        verb + permissions(statement.permissions) + " ON " + resource(statement.resource) + preposition
            + nameQuotedAsKeyword(statement.role)
    }

    private func permissions(_ selection: PermissionSelection) -> String {
        switch selection {
        case .all: "ALL PERMISSIONS"
        case .some(let permissions): list(permissions, \.rawValue)
        }
    }

    private func resource(_ resource: Resource) -> String {
        switch resource {
        case .allKeyspaces: "ALL KEYSPACES"
        case .keyspace(let keyspace): "KEYSPACE " + name(keyspace)
        case .allTables(let keyspace): "ALL TABLES IN KEYSPACE " + name(keyspace)
        case .table(let table): "TABLE " + qualified(table)
        case .allRoles: "ALL ROLES"
        case .role(let role): "ROLE " + nameQuotedAsKeyword(role)
        case .allFunctions: "ALL FUNCTIONS"
        case .functions(let keyspace): "ALL FUNCTIONS IN KEYSPACE " + name(keyspace)
        case .function(let function, let types):
            "FUNCTION " + qualifiedFunction(function) + "(" + list(types, type) + ")"
        case .allManagementBeans: "ALL MBEANS"
        case .managementBean(let bean): "MBEAN " + string(bean)
        case .managementBeans(let pattern): "MBEANS " + string(pattern)
        }
    }

    func listPermissions(_ statement: ListPermissionsStatement) -> String {
        var text = "LIST " + permissions(statement.permissions)
        if let resource = statement.resource { text += " ON " + self.resource(resource) }
        if let role = statement.role { text += " OF " + nameQuotedAsKeyword(role) }
        return statement.isRecursive ? text : text + " NORECURSIVE"
    }

    func listRoles(_ statement: ListRolesStatement) -> String {
        let member = statement.member.map { " OF " + nameQuotedAsKeyword($0) } ?? ""
        return "LIST ROLES" + member + (statement.isRecursive ? "" : " NORECURSIVE")
    }

    func addIdentity(_ statement: AddIdentityStatement) -> String {
        "ADD IDENTITY " + (statement.ifNotExists ? "IF NOT EXISTS " : "") + string(statement.identity) + " TO ROLE "
            + string(statement.role)
    }

    func dropIdentity(_ statement: DropIdentityStatement) -> String {
        "DROP IDENTITY " + (statement.ifExists ? "IF EXISTS " : "") + string(statement.identity)
    }

    func describe(_ statement: DescribeStatement) -> String {
        "DESCRIBE " + describedTarget(statement.target) + (statement.withInternals ? " WITH INTERNALS" : "")
    }

    private func describedTarget(_ target: DescribeStatement.Target) -> String {
        switch target {
        case .cluster: "CLUSTER"
        case .schema(let isFull): isFull ? "FULL SCHEMA" : "SCHEMA"
        case .keyspaces: "KEYSPACES"
        case .keyspace(let keyspace, let only):
            (only ? "ONLY KEYSPACE" : "KEYSPACE") + (keyspace.map { " " + name($0) } ?? "")
        case .tables: "TABLES"
        case .table(let table): "TABLE " + qualified(table)
        case .index(let index): "INDEX " + qualified(index)
        case .view(let view): "MATERIALIZED VIEW " + qualified(view)
        case .types: "TYPES"
        case .type(let type): "TYPE " + userType(type)
        case .functions: "FUNCTIONS"
        case .function(let function): "FUNCTION " + qualifiedFunction(function)
        case .aggregates: "AGGREGATES"
        case .aggregate(let aggregate): "AGGREGATE " + qualifiedFunction(aggregate)
        case .anything(let name):
            (name.keyspace.map { nameQuotedAsKeyword($0) + "." } ?? "") + nameQuotedAsKeyword(name.name)
        }
    }
}
