/// SELECT.
extension StatementParser {
    mutating func selectStatement() throws(CQLSyntaxError) -> SelectStatement {
        try expect(.select)
        let head = try selectHead()
        let table = try tableName()
        let whereClause = try optionalWhereClause()
        var groupBy: [Selector] = []
        if accept(.group) {
            try expect(.by)
            groupBy = try commaSeparated { parser throws(CQLSyntaxError) in try parser.selector() }
        }
        var orderBy: [Ordering] = []
        if accept(.order) {
            try expect(.by)
            orderBy = try commaSeparated { parser throws(CQLSyntaxError) in try parser.ordering() }
        }
        var perPartitionLimit: Term?
        if accept(.per) {
            try expect(.partition)
            try expect(.limit)
            perPartitionLimit = try integerTerm()
        }
        let limit = accept(.limit) ? try integerTerm() : nil
        let allowsFiltering = accept(.allow)
        if allowsFiltering { try expect(.filtering) }
        return SelectStatement(
            table: table, isJSON: head.isJSON, isDistinct: head.isDistinct, selection: head.selection,
            whereClause: whereClause, groupBy: groupBy, orderBy: orderBy, perPartitionLimit: perPartitionLimit,
            limit: limit, allowsFiltering: allowsFiltering)
    }

    mutating func optionalWhereClause() throws(CQLSyntaxError) -> WhereClause {
        accept(.where) ? try relations() : WhereClause()
    }

    private struct SelectHead {
        var isJSON = false
        var isDistinct = false
        var selection: Selection = .all
    }

    /// Reads up to and including FROM. JSON and DISTINCT may also be columns, as in `SELECT json, distinct FROM t`:
    /// they are taken as words of the language first, and as columns when that leads nowhere.
    private mutating func selectHead() throws(CQLSyntaxError) -> SelectHead {
        let readings: [(isJSON: Bool, isDistinct: Bool)] = [(true, true), (true, false), (false, true), (false, false)]
        let start = checkpoint
        var furthest: (position: Int, error: CQLSyntaxError)?
        for reading in readings {
            if reading.isJSON, !isAt(.json) { continue }
            if reading.isDistinct, (reading.isJSON ? peek(1) : current).keyword != .distinct { continue }
            do throws(CQLSyntaxError) {
                return try selectHead(isJSON: reading.isJSON, isDistinct: reading.isDistinct)
            } catch {
                // The reading that got furthest is most likely the one that was meant.
                if furthest.map({ $0.position < position }) ?? true { furthest = (position, error) }
                restore(start)
            }
        }
        throw furthest?.error ?? noViableAlternative()
    }

    private mutating func selectHead(isJSON: Bool, isDistinct: Bool) throws(CQLSyntaxError) -> SelectHead {
        if isJSON { advance() }
        if isDistinct { advance() }
        let selection = try selection()
        try expect(.from)
        return SelectHead(isJSON: isJSON, isDistinct: isDistinct, selection: selection)
    }

    mutating func selection() throws(CQLSyntaxError) -> Selection {
        if accept(.asterisk) { return .all }
        return .items(
            try commaSeparated { parser throws(CQLSyntaxError) -> SelectedItem in
                let selector = try parser.selector()
                return SelectedItem(selector: selector, alias: parser.accept(.as) ? try parser.name() : nil)
            })
    }

    private mutating func ordering() throws(CQLSyntaxError) -> Ordering {
        let column = try columnName()
        var nearestTo: Term?
        if accept(.ann) {
            try expect(.of)
            nearestTo = try term()
        }
        if accept(.desc) { return Ordering(column: column, nearestTo: nearestTo, isDescending: true) }
        _ = accept(.asc)
        return Ordering(column: column, nearestTo: nearestTo, isDescending: false)
    }
}
