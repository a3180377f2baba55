/// One method per kind of statement, chosen here.
extension CQLPrinter {
    func statement(_ statement: Statement) -> String {
        switch statement {
        case .select(let statement): select(statement)
        case .insert(let statement): insert(statement)
        case .insertJSON(let statement): insertJSON(statement)
        case .update(let statement): update(statement)
        case .delete(let statement): delete(statement)
        case .batch(let statement): batch(statement)
        case .truncate(let table): "TRUNCATE TABLE " + qualified(table)
        case .use(let keyspace): "USE " + name(keyspace)
        case .describe(let statement): describe(statement)
        default: schemaStatement(statement) ?? roleStatement(statement) ?? ""
        }
    }

    private func schemaStatement(_ statement: Statement) -> String? {
        switch statement {
        case .createKeyspace(let statement): createKeyspace(statement)
        case .alterKeyspace(let statement): alterKeyspace(statement)
        case .dropKeyspace(let statement): dropKeyspace(statement)
        case .createTable(let statement): createTable(statement)
        case .copyTable(let statement): copyTable(statement)
        case .alterTable(let statement): alterTable(statement)
        case .dropTable(let statement): drop("TABLE", statement)
        case .createType(let statement): createType(statement)
        case .alterType(let statement): alterType(statement)
        case .dropType(let statement): dropType(statement)
        case .createIndex(let statement): createIndex(statement)
        case .dropIndex(let statement): drop("INDEX", statement)
        case .createView(let statement): createView(statement)
        case .alterView(let statement): alterView(statement)
        case .dropView(let statement): drop("MATERIALIZED VIEW", statement)
        case .createFunction(let statement): createFunction(statement)
        case .dropFunction(let statement): dropFunction("FUNCTION", statement)
        case .createAggregate(let statement): createAggregate(statement)
        case .dropAggregate(let statement): dropFunction("AGGREGATE", statement)
        case .createTrigger(let statement): createTrigger(statement)
        case .dropTrigger(let statement): dropTrigger(statement)
        default: nil
        }
    }

    private func roleStatement(_ statement: Statement) -> String? {
        switch statement {
        case .createRole(let statement): roleDefinition("CREATE ROLE ", "IF NOT EXISTS ", statement)
        case .alterRole(let statement): roleDefinition("ALTER ROLE ", "IF EXISTS ", statement)
        case .dropRole(let statement): dropRole(statement)
        case .createUser(let statement): userDefinition("CREATE USER ", "IF NOT EXISTS ", statement)
        case .alterUser(let statement): userDefinition("ALTER USER ", "IF EXISTS ", statement)
        case .dropUser(let statement): dropUser(statement)
        case .grantRole(let statement): membership("GRANT ", " TO ", statement)
        case .revokeRole(let statement): membership("REVOKE ", " FROM ", statement)
        case .listRoles(let statement): listRoles(statement)
        case .listUsers: "LIST USERS"
        case .listSuperusers: "LIST SUPERUSERS"
        case .addIdentity(let statement): addIdentity(statement)
        case .dropIdentity(let statement): dropIdentity(statement)
        case .grantPermissions(let statement): permission("GRANT ", " TO ", statement)
        case .revokePermissions(let statement): permission("REVOKE ", " FROM ", statement)
        case .listPermissions(let statement): listPermissions(statement)
        default: nil
        }
    }
}
