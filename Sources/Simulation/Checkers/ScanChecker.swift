/// What clients do to a table whose rows are written once, and deleted at most once.
package enum TableAction: Sendable, Equatable, CustomStringConvertible {
    case insert(Int)
    case delete(Int)
    case truncate
    /// Reads all rows, by whatever statements.
    case scan(String)

    package var description: String {
        switch self {
        case .insert(let row): "insert row \(row)"
        case .delete(let row): "delete row \(row)"
        case .truncate: "truncate"
        case .scan(let how): "read all rows by \(how)"
        }
    }
}

/// What a client was told.
package enum TableResult: Sendable, Equatable, CustomStringConvertible {
    case acknowledged
    /// In the order in which they came.
    case rows([Int])
    case count(Int)

    package var description: String {
        switch self {
        case .acknowledged: "acknowledged"
        case .rows(let rows): "\(rows.count) rows"
        case .count(let count): "a count of \(count)"
        }
    }
}

/// All operations at QUORUM on a table.
package typealias TableHistory = [Operation<TableAction, TableResult>]

/// Holds scans of a whole table against its changes: a scan has every row once that was acknowledged before it began and
/// that nobody has deleted, and none that was deleted before it began or that nobody wrote.
package struct ScanChecker: Sendable {
    private typealias TableOperation = Operation<TableAction, TableResult>

    /// How long what a client was not told about may still happen, and how long before a truncation a row must have been
    /// acknowledged that is gone for ever after it: what is under way at that time comes after it and stays.
    private let settlingNanoseconds: UInt64

    package init(settlingMilliseconds: Int = 0) {
        self.settlingNanoseconds = UInt64(settlingMilliseconds) * 1_000_000
    }

    /// The first thing wrong in the history of a table; nil when nothing is.
    package func violation(_ history: TableHistory, of subject: String) -> Violation? {
        var inserts: [Int: TableOperation] = [:]
        var deletes: [Int: TableOperation] = [:]
        for operation in history {
            if case .insert(let row) = operation.action { inserts[row] = operation }
            if case .delete(let row) = operation.action { deletes[row] = operation }
        }
        let truncations: TableHistory = history.filter { $0.action == .truncate }
        for scan in history.sorted(by: { $0.invoked < $1.invoked }) {
            guard case .scan = scan.action, let returned = scan.returned else { continue }
            var present: Set<Int> = []
            var possible: Set<Int> = []
            for (row, insert) in inserts where insert.invoked < returned {
                let isKnown: Bool = ends(insert, before: scan)
                let isGone: Bool =
                    deletes[row].map { deletion in
                        ends(deletion, before: scan)
                            && !truncations.contains { $0.invoked < returned && mayMeet(deletion, $0) }
                    } ?? false
                    || truncations.contains { ends($0, before: scan) && isSettled(insert, before: $0) }
                let mayBeGone: Bool =
                    deletes[row].map { $0.invoked < returned } ?? false
                    || truncations.contains { $0.invoked < returned && mayMeet(insert, $0) }
                if isKnown, !mayBeGone { present.insert(row) }
                if !isGone { possible.insert(row) }
            }
            let changes: TableHistory = history.filter { operation in
                if case .scan = operation.action { return false }
                return true
            }
            if let found = judge(scan, present, possible, changes, subject) { return found }
        }
        return nil
    }

    private func judge(
        _ scan: Operation<TableAction, TableResult>, _ present: Set<Int>, _ possible: Set<Int>, _ changes: TableHistory,
        _ subject: String
    ) -> Violation? {
        switch scan.result {
        case .count(let count):
            if present.count <= count, count <= possible.count { return nil }
            return Violation(
                .scansAreComplete, subject: subject,
                reason: "\(count) rows were counted, and there were \(present.count) to \(possible.count)",
                history: [scan.description])
        case .rows(let rows):
            let seen = Set(rows)
            let (reason, wrong): (String, [Int])
            if seen.count < rows.count {
                (reason, wrong) = (
                    "a scan has a row twice", seen.filter { row in rows.count { $0 == row } > 1 }.sorted()
                )
            } else if !present.isSubset(of: seen) {
                (reason, wrong) = ("a scan lacks a row that was there", present.subtracting(seen).sorted())
            } else if !seen.isSubset(of: possible) {
                (reason, wrong) = ("a scan has a row that was not there", seen.subtracting(possible).sorted())
            } else {
                return nil
            }
            let shown: TableHistory = changes.filter { operation in
                switch operation.action {
                case .insert(let row), .delete(let row): row == wrong[0]
                case .truncate: scan.returned.map { operation.invoked < $0 } ?? true
                case .scan: false
                }
            }
            return Violation(
                .scansAreComplete, subject: subject,
                reason: reason + ", \(wrong.prefix(5).map(String.init).joined(separator: ", "))"
                    + (wrong.count > 5 ? " and \(wrong.count - 5) more" : ""),
                history: (shown + [scan]).sorted { $0.invoked < $1.invoked }.map(\.description))
        default: return nil
        }
    }

    private func ends(_ operation: TableOperation, before later: TableOperation) -> Bool {
        operation.result != nil && operation.returned.map { $0 < later.invoked } ?? false
    }

    /// Whether a row was acknowledged so long before a truncation that nothing of it is under way any more.
    private func isSettled(_ insert: TableOperation, before truncation: TableOperation) -> Bool {
        guard let returned = insert.returned, insert.result != nil, returned < truncation.invoked else { return false }
        return returned.nanoseconds &+ settlingNanoseconds <= truncation.invoked.nanoseconds
    }

    /// Whether a truncation may have taken a row away; or a deletion, so that a replica which has not heard of that shows
    /// its row again until it is truncated as well.
    private func mayMeet(_ change: TableOperation, _ truncation: TableOperation) -> Bool {
        if truncation.result != nil, let returned = truncation.returned { return change.invoked < returned }
        return change.invoked.nanoseconds < truncation.invoked.nanoseconds &+ settlingNanoseconds
    }
}
