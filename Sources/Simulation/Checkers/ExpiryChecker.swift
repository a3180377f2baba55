/// What clients do to a row whose value may expire. Every version has a timestamp of its own, which the client gives.
package enum ExpiringAction: Sendable, Equatable, CustomStringConvertible {
    /// - expires: the seconds, by the clock of the node that took the write, at which the value goes; nil when it stays.
    case write(value: Int64, timestamp: Int64, expires: ClosedRange<Int64>?)
    case delete(timestamp: Int64)
    /// - now: the seconds that the clock of the node showed which was asked.
    /// - latest: the latest seconds that the clock of any node has shown until then.
    case read(now: ClosedRange<Int64>, latest: Int64)

    package var timestamp: Int64? {
        switch self {
        case .write(_, let timestamp, _), .delete(let timestamp): timestamp
        case .read: nil
        }
    }

    package var description: String {
        switch self {
        case .write(let value, let timestamp, let expires):
            "write \(value) at timestamp \(timestamp)"
                + (expires.map { ", which expires at \($0.lowerBound) to \($0.upperBound)" } ?? "")
        case .delete(let timestamp): "delete at timestamp \(timestamp)"
        case .read(let now, let latest):
            "read at \(now.lowerBound) to \(now.upperBound), no clock being later than \(latest)"
        }
    }
}

/// All operations at QUORUM on one row.
package typealias ExpiringHistory = [Operation<ExpiringAction, RowResult>]

/// Holds reads at QUORUM against values with a time to live: none is seen after it has passed, by the clock of the node
/// that was asked; and none is lost before, by all clocks: one that is ahead lets a replica forget a value earlier.
package struct ExpiryChecker: Sendable {
    package init() {}

    package func violation(_ history: ExpiringHistory, of subject: String) -> Violation? {
        let reads: ExpiringHistory = history.filter { $0.action.timestamp == nil && $0.result != nil }
        for read in reads.sorted(by: { $0.invoked < $1.invoked }) {
            guard case .read(let now, let latest) = read.action else { continue }
            let floor: Operation<ExpiringAction, RowResult>? = newest(
                history.filter { $0.result == .acknowledged && $0.returned.map { $0 < read.invoked } ?? false })
            let known: Int64 = floor?.action.timestamp ?? .min
            switch read.result {
            case .found(let value, let timestamp):
                guard let written = version(value, timestamp, before: read, in: history) else {
                    return violation(.nothingFromNowhere, "a read returned what nobody wrote", [read], subject)
                }
                if timestamp < known {
                    return violation(
                        .quorumWriteIsVisible,
                        "a QUORUM read does not see a change that was acknowledged before it began",
                        [written, floor, read], subject)
                }
                if case .write(_, _, let expires?) = written.action, expires.upperBound <= now.lowerBound {
                    return violation(
                        .lifetimesAreKept, "a read saw a value whose time to live had passed", [written, read], subject)
                }
            case .absent:
                guard let floor, !isExplained(read, from: known, latest: latest, in: history) else { continue }
                return violation(
                    .lifetimesAreKept, "a read does not see a value whose time to live had not passed", [floor, read],
                    subject)
            default: continue
            }
        }
        return nil
    }

    private func newest(_ history: ExpiringHistory) -> Operation<ExpiringAction, RowResult>? {
        history.max { ($0.action.timestamp ?? .min) < ($1.action.timestamp ?? .min) }
    }

    private func version(
        _ value: Int64, _ timestamp: Int64, before read: Operation<ExpiringAction, RowResult>,
        in history: ExpiringHistory
    ) -> Operation<ExpiringAction, RowResult>? {
        history.first { operation in
            guard case .write(value, timestamp, _) = operation.action else { return false }
            return read.returned.map { operation.invoked < $0 } ?? true
        }
    }

    /// Whether some version that the read may have seen leaves no row: a deletion, or a value that may have expired.
    private func isExplained(
        _ read: Operation<ExpiringAction, RowResult>, from timestamp: Int64, latest: Int64, in history: ExpiringHistory
    ) -> Bool {
        history.contains { operation in
            guard let own = operation.action.timestamp, own >= timestamp,
                read.returned.map({ operation.invoked < $0 }) ?? true
            else { return false }
            switch operation.action {
            case .delete: return true
            case .write(_, _, let expires): return expires.map { $0.lowerBound <= latest } ?? false
            case .read: return false
            }
        }
    }

    private func violation(
        _ rule: Rule, _ reason: String, _ shown: [Operation<ExpiringAction, RowResult>?], _ subject: String
    ) -> Violation {
        var numbers: Set<Int> = []
        let history: ExpiringHistory = shown.compactMap { $0 }.filter { numbers.insert($0.number).inserted }
        return Violation(
            rule, subject: subject, reason: reason,
            history: history.sorted { $0.invoked < $1.invoked }.map(\.description))
    }
}
