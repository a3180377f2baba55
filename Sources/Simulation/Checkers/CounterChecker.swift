/// What clients do to a counter.
package enum CounterAction: Sendable, Equatable, CustomStringConvertible {
    case add(Int64)
    case read

    package var description: String {
        switch self {
        case .add(let amount): "add \(amount)"
        case .read: "read"
        }
    }
}

/// What a client was told.
package enum CounterResult: Sendable, Equatable, CustomStringConvertible {
    case acknowledged
    case value(Int64)

    package var description: String {
        switch self {
        case .acknowledged: "acknowledged"
        case .value(let value): "\(value)"
        }
    }
}

/// All operations at QUORUM on one counter.
package typealias CounterHistory = [Operation<CounterAction, CounterResult>]

/// Holds what a counter shows against the increments: those that were acknowledged before a read began count once,
/// those under way or unknown once or not at all, and nothing else counts.
package struct CounterChecker: Sendable {
    package init() {}

    package func violation(_ history: CounterHistory, of subject: String) -> Violation? {
        for read in history.sorted(by: { $0.invoked < $1.invoked }) {
            guard case .value(let value) = read.result, let returned = read.returned else { continue }
            var sure: Int64 = 0
            var open: CounterHistory = []
            for operation in history {
                guard case .add(let amount) = operation.action, operation.invoked < returned else { continue }
                if operation.result != nil, let end = operation.returned, end < read.invoked {
                    sure += amount
                } else {
                    open.append(operation)
                }
            }
            let amounts: [Int64] = open.compactMap { if case .add(let amount) = $0.action { amount } else { nil } }
            guard !CounterChecker.canReach(value - sure, with: amounts) else { continue }
            let reason =
                "a read returned \(value); increments acknowledged before it began are worth \(sure), and "
                + (amounts.isEmpty
                    ? "there are no others"
                    : "those whose outcome was open \(amounts.map(String.init).joined(separator: ", "))")
            return Violation(
                .counterIsExact, subject: subject, reason: reason,
                history: open.sorted { $0.invoked < $1.invoked }.map(\.description) + [read.description])
        }
        return nil
    }

    /// How many different sums are followed before only their bounds are held.
    private static let sumLimit = 100_000

    /// Whether some of `amounts` sum up to `wanted`.
    static func canReach(_ wanted: Int64, with amounts: [Int64]) -> Bool {
        let low: Int64 = amounts.reduce(0) { $0 + min(0, $1) }
        let high: Int64 = amounts.reduce(0) { $0 + max(0, $1) }
        guard low <= wanted, wanted <= high else { return false }
        var sums: Set<Int64> = [0]
        for amount in amounts {
            sums.formUnion(sums.map { $0 + amount })
            if sums.count > sumLimit { return true }
        }
        return sums.contains(wanted)
    }
}
