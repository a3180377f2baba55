import CQL

/// Tells which statements may be executed at the same time as those before and behind them.
///
/// A server works on the requests of one connection at once, so that two statements may be executed in either order. That
/// changes nothing for plain writes, because each carries a timestamp of ours and the greater one wins. It does for
/// statements that read what is there: queries, conditions, and operations on lists.
package enum StatementOrder {
    /// Whether a statement means the same whatever is executed with it, as long as its timestamp has its place.
    package static func isFree(_ text: String) -> Bool {
        // Most texts that are none of these need not be parsed to know.
        guard let start = text.utf8.first, "IiUuDdBb".utf8.contains(start) else { return false }
        guard let parsed = try? CQLParser.parse(text), parsed.bindMarkers.isEmpty else { return false }
        return switch parsed.statement {
        case .insert(let insert): isFree(.insert(insert))
        case .insertJSON(let insert): isFree(.insertJSON(insert))
        case .update(let update): isFree(.update(update))
        case .delete(let delete): isFree(.delete(delete))
        case .batch(let batch): batch.statements.allSatisfy { isFree($0) }
        default: false
        }
    }

    private static func isFree(_ modification: Modification) -> Bool {
        switch modification {
        case .insert(let insert): !insert.ifNotExists
        case .insertJSON(let insert): !insert.ifNotExists
        case .update(let update): update.condition == .none && update.assignments.allSatisfy { isFree($0) }
        case .delete(let delete): delete.condition == .none && delete.deletions.allSatisfy { isFree($0) }
        }
    }

    private static func isFree(_ assignment: Assignment) -> Bool {
        switch assignment {
        case .set, .setField: true
        case .add(_, let value), .subtract(_, let value): isCommutative(value)
        // The place in a list depends on what is in it; that the column is a map cannot be seen here.
        case .prepend, .setElement: false
        }
    }

    private static func isFree(_ deletion: DeletionTarget) -> Bool {
        if case .element = deletion { false } else { true }
    }

    /// Whether a term can be added to a counter, a set or a map only, where the order does not matter.
    private static func isCommutative(_ value: Term) -> Bool {
        switch value {
        case .literal(.integer), .set, .map: true
        default: false
        }
    }
}
