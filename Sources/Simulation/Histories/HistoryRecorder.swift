package import SimulatedHost

/// Numbers what clients do, and says when.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class HistoryClock: @unchecked Sendable {
    private let world: SimulatedWorld
    private var sequence = 0
    private(set) var operationCount = 0
    /// Everything that was noted, in order, when that was asked for.
    package private(set) var lines: [String] = []
    private let keepsLines: Bool

    package init(_ world: SimulatedWorld, keepsLines: Bool) {
        self.world = world
        self.keepsLines = keepsLines
    }

    var now: Moment {
        sequence += 1
        return Moment(sequence: sequence, nanoseconds: world.nowNanoseconds)
    }

    /// Virtual time since the world began.
    var nanoseconds: UInt64 { world.nowNanoseconds }

    func nextOperation() -> Int {
        operationCount += 1
        return operationCount
    }

    /// Puts words into the trace of the world, and into the record for whoever reads along.
    func note(_ words: @autoclosure () -> String) {
        let words: String = words()
        world.record(words)
        if keepsLines { lines.append("\(world.nowNanoseconds / 1_000) µs " + words) }
    }
}

/// The histories of objects of one kind, one for each key, while they are made.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class HistoryRecorder<Action: Sendable, Result: Sendable>: @unchecked Sendable {
    /// An operation that has begun: where it is noted.
    struct Ticket: Sendable {
        let key: Int
        let number: Int
    }

    private let clock: HistoryClock
    private let name: String
    private var histories: [Int: [Operation<Action, Result>]] = [:]

    init(_ name: String, _ clock: HistoryClock) {
        self.name = name
        self.clock = clock
    }

    /// The keys that were used, ascending.
    var keys: [Int] { histories.keys.sorted() }

    func history(of key: Int) -> [Operation<Action, Result>] { histories[key] ?? [] }

    /// How many operations have an outcome that is known.
    var knownCount: Int { histories.values.reduce(0) { $0 + $1.count { !$0.isUnknown } } }

    func begin(_ key: Int, _ action: Action, client: Int, node: Int) -> Ticket {
        let number: Int = clock.nextOperation()
        histories[key, default: []].append(
            Operation(number: number, client: client, node: node, action: action, invoked: clock.now))
        return Ticket(key: key, number: number)
    }

    func end(_ ticket: Ticket, _ result: Result) {
        change(ticket) { $0.end(result, at: clock.now) }
        clock.note(
            "\(name) \(ticket.key) \(histories[ticket.key]?.first { $0.number == ticket.number }?.description ?? "")")
    }

    /// Nobody knows what came of the operation: it may take effect at any time.
    func leaveOpen(_ ticket: Ticket, because reason: String) {
        clock.note("\(name) \(ticket.key) #\(ticket.number) unknown: \(reason)")
    }

    /// The operation was not done and never will be: there is no word of it.
    func forget(_ ticket: Ticket, because reason: String) {
        histories[ticket.key]?.removeAll { $0.number == ticket.number }
        clock.note("\(name) \(ticket.key) #\(ticket.number) refused: \(reason)")
    }

    /// Ends changes as a request has ended of which they were parts.
    func settle<Value>(_ tickets: [Ticket], _ answer: Attempt<Value>, _ result: Result) {
        for ticket in tickets {
            switch answer {
            case .done: end(ticket, result)
            case .refused(let reason): forget(ticket, because: reason)
            case .unknown(let reason): leaveOpen(ticket, because: reason)
            }
        }
    }

    /// Forgets reads that came to nothing.
    func forget<Value>(_ tickets: [Ticket], _ answer: Attempt<Value>) {
        for ticket in tickets {
            switch answer {
            case .done: forget(ticket, because: "an answer of another form")
            case .refused(let reason), .unknown(let reason): forget(ticket, because: reason)
            }
        }
    }

    private func change(_ ticket: Ticket, _ body: (inout Operation<Action, Result>) -> Void) {
        guard var history = histories[ticket.key],
            let index = history.lastIndex(where: { $0.number == ticket.number })
        else { return }
        histories[ticket.key] = nil
        body(&history[index])
        histories[ticket.key] = history
    }
}
