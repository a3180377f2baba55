/// SELECT, INSERT, UPDATE, DELETE and batches.
extension CQLPrinter {
    func select(_ statement: SelectStatement) -> String {
        var text = "SELECT "
        if statement.isJSON { text += "JSON " }
        if statement.isDistinct { text += "DISTINCT " }
        text += selection(statement.selection) + " FROM " + qualified(statement.table)
        text += whereClause(statement.whereClause)
        if !statement.groupBy.isEmpty { text += " GROUP BY " + list(statement.groupBy, selector) }
        if !statement.orderBy.isEmpty { text += " ORDER BY " + list(statement.orderBy, ordering) }
        if let limit = statement.perPartitionLimit { text += " PER PARTITION LIMIT " + term(limit) }
        if let limit = statement.limit { text += " LIMIT " + term(limit) }
        if statement.allowsFiltering { text += " ALLOW FILTERING" }
        return text
    }

    func selection(_ selection: Selection) -> String {
        guard case .items(let items) = selection else { return "*" }
        return list(items) { item in selector(item.selector) + (item.alias.map { " AS " + name($0) } ?? "") }
    }

    private func ordering(_ ordering: Ordering) -> String {
        var text = name(ordering.column)
        if let vector = ordering.nearestTo { text += " ANN OF " + term(vector) }
        return ordering.isDescending ? text + " DESC" : text
    }

    func whereClause(_ clause: WhereClause) -> String {
        clause.isEmpty ? "" : " WHERE " + relations(clause)
    }

    func relations(_ clause: WhereClause) -> String {
        var parts = clause.relations.map(relation)
        for (count, expression) in clause.indexExpressions.enumerated() {
            let place = min(expression.precedingRelationCount + count, parts.count)
            parts.insert("expr(" + name(expression.index) + ", " + term(expression.term) + ")", at: place)
        }
        return joined(parts, " AND ") { $0 }
    }

    func relation(_ relation: Relation) -> String {
        let subject: String
        switch relation.subject {
        case .column(let column): subject = name(column)
        case .columns(let columns): subject = "(" + names(columns) + ")"
        case .token(let columns): subject = "token(" + names(columns) + ")"
        case .element(let column, let key): subject = name(column) + "[" + term(key) + "]"
        }
        return subject + " " + predicate(relation.predicate)
    }

    private func predicate(_ predicate: Predicate) -> String {
        switch predicate {
        case .compare(let comparison, let value): comparison.rawValue + " " + term(value)
        case .isIn(let values): "IN " + membership(values)
        case .isNotIn(let values): "NOT IN " + membership(values)
        case .contains(let value): "CONTAINS " + term(value)
        case .containsKey(let value): "CONTAINS KEY " + term(value)
        case .notContains(let value): "NOT CONTAINS " + term(value)
        case .notContainsKey(let value): "NOT CONTAINS KEY " + term(value)
        case .like(let pattern): "LIKE " + term(pattern)
        case .isNotNull: "IS NOT NULL"
        case .between(let lower, let upper): "BETWEEN " + term(lower) + " AND " + term(upper)
        }
    }

    private func membership(_ values: MembershipValues) -> String {
        switch values {
        case .terms(let values): "(" + terms(values) + ")"
        case .bindMarker(let marker): bindMarker(marker)
        }
    }

    func modification(_ modification: Modification) -> String {
        switch modification {
        case .insert(let statement): insert(statement)
        case .insertJSON(let statement): insertJSON(statement)
        case .update(let statement): update(statement)
        case .delete(let statement): delete(statement)
        }
    }

    func insert(_ statement: InsertStatement) -> String {
        var text = "INSERT INTO " + qualified(statement.table) + " (" + names(statement.columns) + ")"
        text += " VALUES (" + terms(statement.values) + ")"
        if statement.ifNotExists { text += " IF NOT EXISTS" }
        return text + using(statement.using)
    }

    func insertJSON(_ statement: InsertJSONStatement) -> String {
        var text = "INSERT INTO " + qualified(statement.table) + " JSON " + term(statement.value)
        if statement.leavesMissingColumnsUnset { text += " DEFAULT UNSET" }
        if statement.ifNotExists { text += " IF NOT EXISTS" }
        return text + using(statement.using)
    }

    private func using(_ clause: UsingClause) -> String {
        var parts: [String] = []
        if let seconds = clause.timeToLive { parts.append("TTL " + term(seconds)) }
        if let timestamp = clause.timestamp { parts.append("TIMESTAMP " + term(timestamp)) }
        // Bind markers keep their numbers only in the order in which they were written.
        if case .bindMarker(let first) = clause.timeToLive, case .bindMarker(let second) = clause.timestamp,
            second.index < first.index
        {
            parts.reverse()
        }
        return parts.isEmpty ? "" : " USING " + joined(parts, " AND ") { $0 }
    }

    func update(_ statement: UpdateStatement) -> String {
        "UPDATE " + qualified(statement.table) + using(statement.using) + " SET "
            + list(statement.assignments, assignment) + whereClause(statement.whereClause)
            + condition(statement.condition)
    }

    private func assignment(_ assignment: Assignment) -> String {
        let column = name(assignment.column)
        switch assignment {
        case .set(_, let value): return column + " = " + term(value)
        case .add(_, let value): return column + " = " + column + " + " + term(value)
        case .subtract(_, let value): return column + " = " + column + " - " + term(value)
        case .prepend(_, let value): return column + " = " + term(value) + " + " + column
        case .setElement(_, let key, let value): return column + "[" + term(key) + "] = " + term(value)
        case .setField(_, let field, let value): return column + "." + name(field) + " = " + term(value)
        }
    }

    private func condition(_ clause: ConditionClause) -> String {
        switch clause {
        case .none: ""
        case .ifExists: " IF EXISTS"
        case .columns(let conditions): " IF " + joined(conditions, " AND ", condition)
        }
    }

    private func condition(_ condition: Condition) -> String {
        let subject: String
        switch condition.subject {
        case .column(let column): subject = name(column)
        case .element(let column, let key): subject = name(column) + "[" + term(key) + "]"
        case .field(let column, let field): subject = name(column) + "." + name(field)
        }
        return subject + " " + predicate(condition.predicate)
    }

    func delete(_ statement: DeleteStatement) -> String {
        var text = "DELETE "
        if !statement.deletions.isEmpty { text += list(statement.deletions, deletion) + " " }
        text += "FROM " + qualified(statement.table)
        if let timestamp = statement.timestamp { text += " USING TIMESTAMP " + term(timestamp) }
        return text + whereClause(statement.whereClause) + condition(statement.condition)
    }

    private func deletion(_ deletion: DeletionTarget) -> String {
        switch deletion {
        case .column(let column): name(column)
        case .element(let column, let key): name(column) + "[" + term(key) + "]"
        case .field(let column, let field): name(column) + "." + name(field)
        }
    }

    func batch(_ statement: BatchStatement) -> String {
        var text = "BEGIN "
        switch statement.kind {
        case .logged: break
        case .unlogged: text += "UNLOGGED "
        case .counter: text += "COUNTER "
        }
        text += "BATCH" + using(statement.using) + " "
        for modification in statement.statements { text += self.modification(modification) + "; " }
        return text + "APPLY BATCH"
    }
}
