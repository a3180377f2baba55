/// What clients do to a column of a row that others drop and add again. Values are written once.
package enum ColumnAction: Sendable, Equatable, CustomStringConvertible {
    case write(value: Int64, timestamp: Int64)
    case read

    package var description: String {
        switch self {
        case .write(let value, let timestamp): "write \(value) at timestamp \(timestamp)"
        case .read: "read"
        }
    }
}

/// What a client was told.
package enum ColumnResult: Sendable, Equatable, CustomStringConvertible {
    case acknowledged
    /// Nil for null.
    case value(Int64?)

    package var description: String {
        switch self {
        case .acknowledged: "acknowledged"
        case .value(let value): value.map { "\($0)" } ?? "null"
        }
    }
}

/// When a column was dropped; what nobody knows the outcome of has not returned.
package struct ColumnDrop: Sendable {
    package let invoked: Moment
    package var returned: Moment?

    package init(invoked: Moment, returned: Moment? = nil) {
        self.invoked = invoked
        self.returned = returned
    }
}

/// Holds reads of a column at QUORUM against its writes: what was acknowledged is seen unless the column was dropped
/// since, and nothing from before a drop is seen after it.
package struct ColumnChecker: Sendable {
    package typealias History = [Operation<ColumnAction, ColumnResult>]

    /// How long a node may take to learn that a column was dropped: until then it writes into and reads from what is gone.
    private let learningNanoseconds: UInt64

    package init(learningMilliseconds: Int) {
        self.learningNanoseconds = UInt64(learningMilliseconds) * 1_000_000
    }

    package func violation(_ history: History, drops: [ColumnDrop], of subject: String) -> Violation? {
        for read in history.sorted(by: { $0.invoked < $1.invoked }) {
            guard case .value(let value) = read.result, let returned = read.returned else { continue }
            var floor: (timestamp: Int64, write: Operation<ColumnAction, ColumnResult>)?
            var seen: (timestamp: Int64, write: Operation<ColumnAction, ColumnResult>)?
            for write in history {
                guard case .write(let own, let timestamp) = write.action, write.invoked < returned else { continue }
                if own == value { seen = (timestamp, write) }
                guard write.result == .acknowledged, let end = write.returned, end < read.invoked,
                    !drops.contains(where: { mayFollow($0, write, before: returned) })
                else { continue }
                if timestamp > floor?.timestamp ?? .min { floor = (timestamp, write) }
            }
            if let value, seen == nil {
                return Violation(
                    .columnsKeepTheirValues, subject: subject, reason: "a read returned \(value), which nobody wrote",
                    history: [read.description])
            }
            if let floor, floor.timestamp > seen?.timestamp ?? .min {
                return Violation(
                    .columnsKeepTheirValues, subject: subject,
                    reason: "a read does not see what was acknowledged before it began",
                    history: [floor.write, seen?.write, read].compactMap { $0?.description })
            }
            if let seen, let drop = drops.first(where: { lies($0, between: seen.write, and: read) }) {
                return Violation(
                    .columnsKeepTheirValues, subject: subject,
                    reason: "a read shows what was written before the column was dropped, from "
                        + "\(drop.invoked.nanoseconds / 1_000) to \((drop.returned?.nanoseconds ?? 0) / 1_000) µs",
                    history: [seen.write.description, read.description])
            }
        }
        return nil
    }

    /// Whether a drop may have taken what was written.
    private func mayFollow(
        _ drop: ColumnDrop, _ write: Operation<ColumnAction, ColumnResult>, before end: Moment
    ) -> Bool {
        guard drop.invoked < end else { return false }
        guard let returned = drop.returned else { return true }
        return write.invoked.nanoseconds < returned.nanoseconds &+ learningNanoseconds
    }

    /// Whether a column was certainly dropped after a write, and every node knew that before a read.
    private func lies(
        _ drop: ColumnDrop, between write: Operation<ColumnAction, ColumnResult>,
        and read: Operation<ColumnAction, ColumnResult>
    ) -> Bool {
        guard let written = write.returned, write.result != nil, written < drop.invoked, let returned = drop.returned
        else { return false }
        return returned.nanoseconds &+ learningNanoseconds < read.invoked.nanoseconds
    }
}
