import CQL
import DataModel
import MartletClient
import Primitives

/// Clients that change and read registers by lightweight transactions only, each register at SERIAL or, where there are
/// several data centres, at LOCAL_SERIAL in one of them.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class ConditionalWorkload: Workload, @unchecked Sendable {
    private typealias Register = ConditionalRegister

    private let recorder: HistoryRecorder<ConditionalRegister.Action, ConditionalRegister.Result>
    /// The registers that clients work on.
    private var present: [Int]
    private let operationLimit: Int
    private let shape: ClusterShape
    /// What some client has last seen in each register, so that conditions hold now and then.
    private var lastSeen: [Int: Int64] = [:]
    private var nextValue: Int64 = 0
    package private(set) var undecided: [String] = []

    /// - Parameters:
    ///   - keyCount: how many registers there are at a time.
    ///   - operationLimit: how many operations a register gets before another takes its place; the time to judge them
    ///     grows with their number.
    package init(_ clock: HistoryClock, _ shape: ClusterShape, keyCount: Int = 4, operationLimit: Int = 120) {
        self.shape = shape
        self.recorder = HistoryRecorder("register", clock)
        self.present = Array(0..<keyCount)
        self.operationLimit = operationLimit
    }

    package var schema: [String] { ["CREATE TABLE registers (k int PRIMARY KEY, v bigint)"] }

    package func act(_ client: WorkloadClient) async {
        let place: Int = client.generator.below(present.count)
        if recorder.history(of: present[place]).count >= operationLimit { present[place] = (present.max() ?? 0) + 1 }
        let key: Int = present[place]
        let known: Int64? = lastSeen[key]
        let action: Register.Action
        switch client.generator.below(10) {
        case 0...2: action = .read
        case 3: action = .deleteIfExists
        case 4: action = .insertIfNotExists(freshValue())
        default:
            let new: Int64 = freshValue()
            action = known.map { .compareAndSet(expected: $0, new: new) } ?? .insertIfNotExists(new)
        }
        await perform(action, on: key, client)
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        for key in recorder.keys {
            let isDone: Bool = await perform(.read, on: key, client)
            if !isDone { return false }
        }
        return true
    }

    package func violations() -> [Violation] {
        undecided = []
        var violations: [Violation] = []
        let checker = LinearizabilityChecker<ConditionalRegister>()
        for key in recorder.keys {
            switch checker.verdict(recorder.history(of: key), from: nil) {
            case .linearizable: break
            case .undecided(let stepCount): undecided.append("register \(key): no order found in \(stepCount) steps")
            case .violated(let example):
                let before: String = example.before.map { $0.map { "\($0)" } ?? "no row" }.joined(separator: " or ")
                violations.append(
                    Violation(
                        .serialIsLinearizable, subject: "register \(key)",
                        reason: "no order of these operations has these results; before them it holds \(before)",
                        history: example.history.map(\.description)))
            }
        }
        return violations
    }

    /// The data centre whose nodes alone decide on a register; nil when all do. Of three registers each data centre has
    /// one.
    private func home(of key: Int) -> String? {
        guard shape.knowsDatacenters, key % 3 > 0 else { return nil }
        return shape.datacenters[(key % 3 - 1) % shape.datacenters.count]
    }

    private func freshValue() -> Int64 {
        nextValue += 1
        return nextValue
    }

    @discardableResult
    private func perform(_ action: ConditionalRegister.Action, on key: Int, _ client: WorkloadClient) async -> Bool {
        let home: String? = home(of: key)
        let node: Int = home.map { client.nextNode(in: shape.nodes(in: $0)) } ?? client.nextNode()
        let ticket = recorder.begin(key, action, client: client.number, node: node + 1)
        var options = QueryOptions(consistency: home == nil ? .quorum : .localQuorum)
        options.serialConsistency = home == nil ? .serial : .localSerial
        if action == .read { options.consistency = home == nil ? .serial : .localSerial }
        let (text, values) = ConditionalWorkload.statement(action, key)
        switch await client.send(text, values, options, to: node) {
        case .done(let rows):
            guard let result = ConditionalWorkload.result(of: action, rows) else {
                recorder.leaveOpen(ticket, because: "an answer of another form")
                return false
            }
            switch (action, result) {
            case (.insertIfNotExists(let value), .applied), (.compareAndSet(_, let value), .applied):
                lastSeen[key] = value
            case (_, .applied): lastSeen[key] = nil
            case (_, .notApplied(let value)), (_, .value(let value)): lastSeen[key] = value
            }
            recorder.end(ticket, result)
            return true
        case .refused(let reason): recorder.forget(ticket, because: reason)
        case .unknown(let reason):
            // A read that failed has changed nothing.
            if action == .read {
                recorder.forget(ticket, because: reason)
            } else {
                recorder.leaveOpen(ticket, because: reason)
            }
        }
        return false
    }

    private static func statement(
        _ action: ConditionalRegister.Action, _ key: Int
    ) -> (text: String, values: [(any CQLEncodable)?]) {
        let key = Int32(truncatingIfNeeded: key)
        switch action {
        case .insertIfNotExists(let value):
            return ("INSERT INTO sim.registers (k, v) VALUES (?, ?) IF NOT EXISTS", [key, value])
        case .compareAndSet(let expected, let new):
            return ("UPDATE sim.registers SET v = ? WHERE k = ? IF v = ?", [new, key, expected])
        case .deleteIfExists: return ("DELETE FROM sim.registers WHERE k = ? IF EXISTS", [key])
        case .read: return ("SELECT v FROM sim.registers WHERE k = ?", [key])
        }
    }

    private static func result(
        of action: ConditionalRegister.Action, _ answer: QueryResult
    ) -> ConditionalRegister.Result? {
        let row: Row? = answer.rows.first { _ in true }
        var value: Int64?
        if let row, row.index(of: "v") != nil {
            guard let found = try? row["v", as: Int64.self] else { return action == .read ? nil : .notApplied(nil) }
            value = found
        }
        if action == .read { return .value(value) }
        guard let wasApplied = answer.wasApplied else { return nil }
        return wasApplied ? .applied : .notApplied(value)
    }
}
