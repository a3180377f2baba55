/// Holds the reads of a row at QUORUM against the writes at QUORUM: what was acknowledged before a read began is seen by
/// it, or something newer; and so is what an earlier read has seen.
///
/// The newest version that must be known is followed through the history, the *floor*. A read that finds no row needs a
/// deletion at or above its floor; which one it saw is not known, so it raises the floor to the oldest that explains it,
/// and the check never blames a history that is right.
package struct QuorumVisibilityChecker: Sendable {
    /// The newest version that is known to be in a quorum, and how that is known.
    private struct Floor {
        let timestamp: Int64
        /// The write that was acknowledged, or the read that has seen the version.
        let witness: Operation<RowAction, RowResult>
    }

    package init() {}

    /// The first thing wrong in the history of one row; nil when nothing is.
    package func violation(_ history: RowHistory, of subject: String) -> Violation? {
        var floor: Floor?
        var floors: [Int: Floor] = [:]
        for (operation, isReturn) in QuorumVisibilityChecker.moments(of: history) {
            guard isReturn else {
                if operation.action == .read { floors[operation.number] = floor }
                continue
            }
            guard let result = operation.result else { continue }
            let known: Floor? = floors[operation.number]
            let seen: Int64?
            switch result {
            case .acknowledged:
                seen = operation.action.timestamp
            case .found(let value, let timestamp):
                if !isWritten(value, timestamp, in: history, before: operation) {
                    return fromNowhere(operation, subject)
                }
                if let known, timestamp < known.timestamp { return stale(operation, known, history, subject) }
                seen = timestamp
            case .absent:
                if let known {
                    guard let deletion = oldestDeletion(from: known.timestamp, in: history, before: operation) else {
                        return stale(operation, known, history, subject)
                    }
                    seen = deletion
                } else {
                    seen = nil
                }
            }
            if let seen, seen > floor?.timestamp ?? .min { floor = Floor(timestamp: seen, witness: operation) }
        }
        return nil
    }

    /// Calls and returns in the order of their moments.
    private static func moments(
        of history: RowHistory
    ) -> [(operation: Operation<RowAction, RowResult>, isReturn: Bool)] {
        var moments: [(moment: Moment, index: Int, isReturn: Bool)] = []
        for (index, operation) in history.enumerated() {
            moments.append((operation.invoked, index, false))
            if let returned = operation.returned { moments.append((returned, index, true)) }
        }
        moments.sort { $0.moment < $1.moment }
        return moments.map { (history[$0.index], $0.isReturn) }
    }

    private func isWritten(
        _ value: Int64, _ timestamp: Int64, in history: RowHistory, before read: Operation<RowAction, RowResult>
    ) -> Bool {
        history.contains { operation in
            operation.action == .write(value: value, timestamp: timestamp)
                && read.returned.map { operation.invoked < $0 } ?? true
        }
    }

    private func oldestDeletion(
        from timestamp: Int64, in history: RowHistory, before read: Operation<RowAction, RowResult>
    ) -> Int64? {
        var oldest: Int64?
        for operation in history where operation.action.isDelete {
            guard let own = operation.action.timestamp, own >= timestamp,
                read.returned.map({ operation.invoked < $0 }) ?? true
            else { continue }
            oldest = min(oldest ?? own, own)
        }
        return oldest
    }

    // MARK: What is wrong

    private func fromNowhere(_ read: Operation<RowAction, RowResult>, _ subject: String) -> Violation {
        Violation(
            .nothingFromNowhere, subject: subject,
            reason: "a read returned what nobody wrote, or what was refused", history: [read.description])
    }

    /// A read below its floor, with the operations that show it and no others.
    private func stale(
        _ read: Operation<RowAction, RowResult>, _ floor: Floor, _ history: RowHistory, _ subject: String
    ) -> Violation {
        let newer = history.first { $0.action.timestamp == floor.timestamp }
        var shown: RowHistory = [read, floor.witness]
        if let newer { shown.append(newer) }
        if case .found(let value, let timestamp) = read.result {
            shown += history.filter { $0.action == .write(value: value, timestamp: timestamp) }
        }
        var numbers: Set<Int> = []
        shown = shown.filter { numbers.insert($0.number).inserted }.sorted { $0.invoked < $1.invoked }
        let rule: Rule
        let reason: String
        if newer?.action.isDelete == true, read.result != .absent {
            rule = .nothingDeletedReturns
            reason = "a QUORUM read found what was deleted before it began"
        } else if floor.witness.action == .read {
            rule = .quorumReadsAreMonotonic
            reason = "a QUORUM read saw less than one that had ended before it began"
        } else {
            rule = .quorumWriteIsVisible
            reason = "a QUORUM read does not see a write that was acknowledged before it began"
        }
        return Violation(rule, subject: subject, reason: reason, history: shown.map(\.description))
    }
}
