package import CQL
package import DataModel

/// What a statement does to one column of a row.
package struct ColumnChange: Sendable {
    package enum Action: Sendable {
        /// Overwrites the whole value; null deletes it.
        case assign(Expression)
        /// Adds to a list's end or beginning.
        case append(Expression)
        case prepend(Expression)
        /// Adds elements to a set, or entries to a map.
        case add(Expression)
        /// Removes elements from a set, keys from a map, or all equal values from a list.
        case remove(Expression)
        /// `l[i] = v`, `m[k] = v`; a null value removes the entry.
        case assignElement(key: Expression, value: Expression)
        /// `u.f = v`.
        case assignField(index: Int, value: Expression)
        /// `DELETE l[i]`, `DELETE m[k]`, `DELETE s[v]`.
        case deleteElement(key: Expression)
        case deleteField(index: Int)
        /// `DELETE c`.
        case delete
        /// `c = c + n` of a counter, or minus.
        case count(Expression, isNegative: Bool)
    }

    package let column: CompiledColumn
    package let action: Action

    /// Whether the change depends on what the row holds.
    package var needsRead: Bool {
        switch (action, column.type) {
        case (.assignElement, .list), (.deleteElement, .list), (.remove, .list): true
        default: false
        }
    }
}

/// The IF of a modification.
package enum WriteCondition: Sendable {
    case none
    case notExists
    case exists
    case columns([ColumnCondition])

    package var isPresent: Bool {
        if case .none = self { return false }
        return true
    }
}

/// One condition on the current row.
package struct ColumnCondition: Sendable {
    package enum Subject: Sendable {
        case whole
        case element(Expression)
        case field(Int)
    }

    package enum Check: Sendable {
        case compare(ComparisonOperator, Expression)
        case isIn(Membership)
        /// An element of the collection, or a key of the map.
        case contains(Expression, element: CQLType, inKeys: Bool)
    }

    package let column: CompiledColumn
    package let subject: Subject
    package let check: Check
    /// The type of what is compared.
    package let type: CQLType
}

/// An INSERT, UPDATE or DELETE, ready to run.
package final class ModificationPlan: Sendable {
    package enum Kind: Sendable { case insert, update, delete }

    package let kind: Kind
    package let table: CompiledTable
    package let restrictions: Restrictions
    package let staticChanges: [ColumnChange]
    package let regularChanges: [ColumnChange]
    package let timestamp: Expression?
    package let timeToLive: Expression?
    package let condition: WriteCondition
    /// Whether the statement names the key of one row or more; false for changes of static columns only, of a whole
    /// partition and of ranges.
    package let namesRows: Bool
    /// What the hot path needs, when the statement is simple enough for it.
    package let fast: FastWrite?

    package init(
        kind: Kind, table: CompiledTable, restrictions: Restrictions, changes: [ColumnChange], timestamp: Expression?,
        timeToLive: Expression?, condition: WriteCondition, namesRows: Bool
    ) {
        self.kind = kind
        self.table = table
        self.restrictions = restrictions
        self.staticChanges = changes.filter { $0.column.kind == .static }.sorted {
            $0.column.definition.id < $1.column.definition.id
        }
        self.regularChanges = changes.filter { $0.column.kind != .static }.sorted {
            $0.column.definition.id < $1.column.definition.id
        }
        self.timestamp = timestamp
        self.timeToLive = timeToLive
        self.condition = condition
        self.namesRows = namesRows
        self.fast = FastWrite(
            kind: kind, table: table, restrictions: restrictions, changes: regularChanges, statics: staticChanges,
            timestamp: timestamp, timeToLive: timeToLive, condition: condition, namesRows: namesRows)
    }

    /// Whether rows must be read before they can be written.
    package var needsRead: Bool {
        condition.isPresent || staticChanges.contains(where: \.needsRead) || regularChanges.contains(where: \.needsRead)
    }

    package var isCounter: Bool { table.isCounter }
}

/// Where the hot path finds a value: bound with the request, or known since the statement was prepared.
public enum FastSource: Sendable {
    case marker(Int)
    case constant([UInt8])

    init?(_ expression: Expression) {
        switch expression {
        case .marker(let index, _): self = .marker(index)
        case .constant(let bytes?): self = .constant(bytes)
        default: return nil
        }
    }
}

/// One value of a fast write: where it comes from, and the column that it must suit.
public struct FastValue: Sendable {
    public let source: FastSource
    public let column: CompiledColumn

    /// The values of key columns; nil unless each is restricted to one that is bound or constant.
    static func keys(_ restrictions: [KeyRestriction], _ columns: [CompiledColumn]) -> [FastValue]? {
        var values: [FastValue] = []
        for (restriction, column) in zip(restrictions, columns) {
            guard case .equal(let expression) = restriction, let source = FastSource(expression) else { return nil }
            values.append(FastValue(source: source, column: column))
        }
        return values
    }
}

/// One cell of a fast write, without any reference in it: walking the cells of a row retains nothing.
struct FastCell {
    let column: UInt16
    let kind: ValueKind
    /// The place of the marker, or `-1 - i` for constant number *i*.
    let source: Int32
}

/// A write of one row by its full key, of simple columns only, with values that are bound or constant: what nearly every
/// prepared INSERT and UPDATE is. Its mutation is written straight from the request's bytes.
///
/// A class, so that a request retains one thing and not every array.
public final class FastWrite: Sendable {
    public let partitionKey: [FastValue]
    public let clustering: [FastValue]
    /// In ascending order of column id.
    let cells: [FastCell]
    /// The columns of the cells.
    let columns: [CompiledColumn]
    let constants: [[UInt8]]
    public let writesMarker: Bool
    public let timestamp: FastSource?
    public let timeToLive: FastSource?

    init?(
        kind: ModificationPlan.Kind, table: CompiledTable, restrictions: Restrictions, changes: [ColumnChange],
        statics: [ColumnChange], timestamp: Expression?, timeToLive: Expression?, condition: WriteCondition,
        namesRows: Bool
    ) {
        guard kind != .delete, statics.isEmpty, !condition.isPresent, namesRows, !table.isCounter,
            restrictions.clusteringTuples == nil, restrictions.clusteringRange == nil,
            restrictions.clustering.count == table.clustering.count
        else { return nil }
        guard let partitionKey = FastValue.keys(restrictions.partitionKey, table.partitionKey),
            let clustering = FastValue.keys(restrictions.clustering, table.clustering)
        else { return nil }
        var cells: [FastCell] = []
        var constants: [[UInt8]] = []
        for change in changes {
            guard case .assign(let expression) = change.action, !change.column.isMultiCell,
                let source = FastSource(expression), change.column.definition.id != cells.last?.column
            else { return nil }
            let place: Int
            switch source {
            case .marker(let index): place = index
            case .constant(let bytes):
                constants.append(bytes)
                place = -constants.count
            }
            cells.append(
                FastCell(
                    column: change.column.definition.id, kind: change.column.type.kind,
                    source: Int32(truncatingIfNeeded: place)))
        }
        self.partitionKey = partitionKey
        self.clustering = clustering
        self.cells = cells
        self.columns = changes.map(\.column)
        self.constants = constants
        self.writesMarker = kind == .insert
        if let timestamp {
            guard let source = FastSource(timestamp) else { return nil }
            self.timestamp = source
        } else {
            self.timestamp = nil
        }
        if let timeToLive {
            guard let source = FastSource(timeToLive) else { return nil }
            self.timeToLive = source
        } else {
            self.timeToLive = nil
        }
    }
}
