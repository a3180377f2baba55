/// What clients did to one register that is only ever changed from the value that was read, and what they were told.
///
/// Every value names the one it follows, so the values that were really written form a chain, and the chain is the order
/// of everything: that makes the check complete and cheap.
struct CasHistory {
    enum Outcome: Equatable {
        /// The value was written.
        case applied(String)
        /// Nothing was written; this is what was seen (nil: no value).
        case seen(String?)
        /// Nothing was written, and nothing is known.
        case refused
        /// Nobody knows whether one of the tried values was written.
        case unknown
    }

    struct Operation {
        let start: UInt64
        var end: UInt64 = .max
        /// The values that were tried, and the one that each follows.
        var tried: [(value: String, previous: String?)] = []
        var outcome: Outcome?
    }

    private(set) var operations: [Operation] = []

    mutating func begin(at time: UInt64) -> Int {
        operations.append(Operation(start: time))
        return operations.count - 1
    }

    mutating func tried(_ value: String, after previous: String?, by operation: Int) {
        operations[operation].tried.append((value, previous))
    }

    mutating func ended(_ operation: Int, _ outcome: Outcome, at time: UInt64) {
        operations[operation].outcome = outcome
        operations[operation].end = time
    }

    /// How many values were acknowledged as written.
    var appliedCount: Int {
        operations.filter { if case .applied = $0.outcome { true } else { false } }.count
    }

    /// What is wrong with the history when `last` is the value in the end; nil when it is linearizable.
    func problem(last: String?) -> String? {
        var previous: [String: String?] = [:]
        for operation in operations { for one in operation.tried { previous[one.value] = .some(one.previous) } }
        var chain: [String] = []
        var current: String? = last
        while let value = current {
            guard let before = previous[value] else { return "\(value) is there, which nobody wrote" }
            guard !chain.contains(value) else { return "\(value) follows itself" }
            chain.append(value)
            current = before
        }
        var place: [String: Int] = [:]
        for (index, value) in chain.reversed().enumerated() { place[value] = index + 1 }
        for operation in operations {
            if let problem = CasHistory.problem(of: operation, place) { return problem }
        }
        return orderProblem(place)
    }

    private static func problem(of operation: Operation, _ place: [String: Int]) -> String? {
        let written: [String] = operation.tried.map(\.value).filter { place[$0] != nil }
        if written.count > 1 { return "one operation has written \(written)" }
        switch operation.outcome {
        case .applied(let value):
            if place[value] == nil { return "\(value) was acknowledged and is lost" }
        case .seen(let value):
            if let value, place[value] == nil { return "\(value) was seen and is lost" }
            if let first = written.first { return "\(first) was said not to be written and is" }
        case .refused:
            if let first = written.first { return "\(first) was refused and is written" }
        case .unknown, nil: break
        }
        return nil
    }

    /// Whoever begins after another has ended must not see less.
    private func orderProblem(_ place: [String: Int]) -> String? {
        var points: [(start: UInt64, end: UInt64, place: Int, name: String)] = []
        for operation in operations {
            switch operation.outcome {
            case .applied(let value): points.append((operation.start, operation.end, place[value] ?? 0, value))
            case .seen(let value):
                let at: Int = value.flatMap { place[$0] } ?? 0
                points.append((operation.start, operation.end, at, "a look at \(value ?? "nothing")"))
            default: break
            }
        }
        for later in points {
            for earlier in points where earlier.end < later.start && earlier.place > later.place {
                return "\(later.name) came after \(earlier.name) and did not see it"
            }
        }
        // What may or may not have been written is over too once somebody has seen that it was not.
        return resurrectionProblem(place)
    }

    /// A value of an operation that ended without knowing must not appear after somebody looked and did not see it.
    private func resurrectionProblem(_ place: [String: Int]) -> String? {
        for operation in operations where operation.outcome == .unknown {
            guard let value = operation.tried.map(\.value).first(where: { place[$0] != nil }),
                let written = place[value]
            else { continue }
            for look in operations where look.start > operation.end {
                guard case .seen(let seen) = look.outcome else { continue }
                let at: Int = seen.flatMap { place[$0] } ?? 0
                if at < written { return "\(value) came back after a look that ended without it" }
            }
        }
        return nil
    }
}
