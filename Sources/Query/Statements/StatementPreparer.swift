package import CQL
import DataModel

/// From text to a statement that is ready to run.
package struct StatementPreparer {
    private let catalog: Catalog
    private let keyspace: String?

    /// The longest statement that is parsed, in bytes: what fits into the largest frame. How much memory it takes as a
    /// tree is bounded by `CQLParser.maximumLexemeCount`.
    package static let maximumByteCount = 16 << 20

    package init(_ catalog: Catalog, keyspace: String?) {
        self.catalog = catalog
        self.keyspace = keyspace
    }

    package func prepare(_ text: String) throws(CQLError) -> PreparedStatement {
        guard text.utf8.count <= StatementPreparer.maximumByteCount else {
            throw .invalid(
                message:
                    "The statement has \(text.utf8.count) bytes; at most \(StatementPreparer.maximumByteCount) are allowed"
            )
        }
        let parsed: ParsedStatement
        do throws(CQLSyntaxError) {
            parsed = try CQLParser.parse(text)
        } catch { throw .syntaxError(message: error.description) }
        var markers = MarkerSpecifications(parsed.bindMarkers)
        let plan: StatementPlan = try self.plan(parsed.statement, &markers)
        let metadata = PreparedMetadata(
            columns: try markers.complete(),
            partitionKeyIndexes: markers.routingIndexes)
        return PreparedStatement(
            id: StatementID(text: text, keyspace: keyspace), text: text, keyspace: keyspace, plan: plan,
            markers: metadata, epoch: catalog.epoch)
    }

    private func plan(_ statement: Statement, _ markers: inout MarkerSpecifications) throws(CQLError) -> StatementPlan {
        switch statement {
        case .select(let select):
            let table = try self.table(select.table)
            let keyspace = try self.keyspace(table)
            var planner = SelectPlanner(
                table, TermBinder(markers: markers, table: table, keyspace: keyspace), keyspace: keyspace)
            let plan = try planner.plan(select)
            markers = planner.binder.markers
            return .select(plan)
        case .insert(let insert): return .modification(try modification(.insert(insert), &markers))
        case .insertJSON(let insert): return .modification(try modification(.insertJSON(insert), &markers))
        case .update(let update): return .modification(try modification(.update(update), &markers))
        case .delete(let delete): return .modification(try modification(.delete(delete), &markers))
        case .batch(let batch): return .batch(try self.batch(batch, &markers))
        case .truncate(let name):
            let table = try self.table(name)
            if table.isComputed { throw .invalid(message: "Cannot truncate virtual tables") }
            return .truncate(table)
        case .use(let name): return .use(name)
        case .describe(let describe): return .describe(describe)
        case .createKeyspace, .alterKeyspace, .dropKeyspace, .createTable, .copyTable, .alterTable, .dropTable,
            .createType, .alterType, .dropType:
            return .schema(statement)
        default: throw UnavailableStatements.refusal(of: statement)
        }
    }

    private func table(_ name: QualifiedName) throws(CQLError) -> CompiledTable {
        try catalog.table(keyspace: name.keyspace, name: name.name, session: keyspace)
    }

    private func keyspace(_ table: CompiledTable) throws(CQLError) -> KeyspaceDefinition {
        guard let keyspace = catalog.schema.keyspaces[table.keyspace] else {
            throw .invalid(message: "keyspace \(table.keyspace) does not exist")
        }
        return keyspace
    }

    private func modification(
        _ statement: Modification, _ markers: inout MarkerSpecifications
    ) throws(CQLError) -> ModificationPlan {
        let name: QualifiedName
        switch statement {
        case .insert(let insert): name = insert.table
        case .insertJSON(let insert): name = insert.table
        case .update(let update): name = update.table
        case .delete(let delete): name = delete.table
        }
        let table = try self.table(name)
        var planner = try ModificationPlanner(
            table, TermBinder(markers: markers, table: table, keyspace: try keyspace(table)))
        let plan: ModificationPlan
        switch statement {
        case .insert(let insert): plan = try planner.plan(insert)
        case .insertJSON(let insert): plan = try planner.plan(insert)
        case .update(let update): plan = try planner.plan(update)
        case .delete(let delete): plan = try planner.plan(delete)
        }
        markers = planner.binder.markers
        return plan
    }

    private func batch(
        _ statement: BatchStatement, _ markers: inout MarkerSpecifications
    ) throws(CQLError) -> BatchPlan {
        var plans: [ModificationPlan] = []
        for inner in statement.statements {
            var own = markers
            own.partitionKeyMarkers = []
            plans.append(try modification(inner, &own))
            markers = own
        }
        guard let first = plans.first else {
            return BatchPlan(kind: statement.kind, plans: [], timestamp: nil, timeToLive: nil)
        }
        var binder = TermBinder(markers: markers, table: first.table, keyspace: try keyspace(first.table))
        let timestamp: Expression? = try statement.using.timestamp.map { term throws(CQLError) in
            try binder.bind(term, to: .bigint, named: "[timestamp]")
        }
        let timeToLive: Expression? = try statement.using.timeToLive.map { term throws(CQLError) in
            try binder.bind(term, to: .int, named: "[ttl]")
        }
        markers = binder.markers
        let plan = BatchPlan(kind: statement.kind, plans: plans, timestamp: timestamp, timeToLive: timeToLive)
        try BatchRules.check(plan)
        return plan
    }
}
