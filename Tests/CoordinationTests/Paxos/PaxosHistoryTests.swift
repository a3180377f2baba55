import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// Many clients of several coordinators that change one register, while nodes die and return, links are cut and
/// connections break, and clocks jump.
@Suite struct PaxosHistoryTests {
    @Test func historiesAreLinearizableWhateverHappens() throws {
        var appliedCount = 0
        for seed in 1...UInt64(seedCount(60)) {
            let history = try HistoryRun(seed: seed).run()
            #expect(history.problem == nil, "seed \(seed)")
            appliedCount += history.appliedCount
        }
        #expect(appliedCount > 0)
        print("applied", appliedCount)
    }

    @Test func anAcceptorThatAnswersAnOlderBallotIsFound() throws {
        let broken = PaxosAcceptor { _, _ in true }
        var foundCount = 0
        for seed in 1...UInt64(40) where foundCount == 0 {
            if try HistoryRun(seed: seed, acceptor: broken).run().problem != nil { foundCount += 1 }
        }
        #expect(foundCount > 0)
    }
}

/// One world, its clients, and what goes wrong. `Sendable` is unchecked because a world is used by one thread.
private final class HistoryRun: @unchecked Sendable {
    private let test: PaxosWorld
    private let seed: UInt64
    private var random: SeededGenerator
    private var history = CasHistory()
    private var openCount = 0
    private var valueCount = 0

    init(seed: UInt64, acceptor: PaxosAcceptor = PaxosAcceptor()) {
        self.seed = seed
        self.random = SeededGenerator(seed: seed)
        self.test = PaxosWorld(seed: seed, acceptor: acceptor)
    }

    func run() throws -> (problem: String?, appliedCount: Int) {
        try test.run { [self] test in
            for step in 0..<90 {
                if step > 8 { try await disturb() }
                if openCount < 6 { begin() }
                await test.replicas.pause(.microseconds(Int64(random.below(6_000))))
            }
            try await heal()
            return (history.problem(last: try await lastValue()), history.appliedCount)
        }
    }

    private func heal() async throws {
        test.replicas.world.network.healAll()
        for index in 0..<3 where test.node(index) == nil { try await test.replicas.restart(index) }
        for _ in 0..<400 where openCount > 0 { await test.replicas.pause(.milliseconds(20)) }
        // The clients of nodes that died hear nothing.
        await test.replicas.pause(.seconds(3))
    }

    private func lastValue() async throws -> String? {
        let patient = PaxosTimeouts(contention: .seconds(10), write: .seconds(5))
        guard let node = test.node(0) else { return nil }
        return try await test.look("a", through: node, timeouts: patient)
    }

    private func begin() {
        guard let node = test.node(random.below(3)) else { return }
        let operation: Int = history.begin(at: test.now)
        let isLook: Bool = random.oneIn(4)
        let isIdle: Bool = random.oneIn(6)
        openCount += 1
        node.host.background.run("client", on: node.host.loops[0]) { [self] in
            let outcome: CasHistory.Outcome
            do {
                if isLook {
                    outcome = .seen(try await test.look("a", through: node))
                } else {
                    let result = try await test.change("a", through: node) { [self] seen, _ in
                        guard !isIdle else { return nil }
                        valueCount += 1
                        let value = "\(valueCount)"
                        history.tried(value, after: seen, by: operation)
                        return value
                    }
                    outcome = result.written.map { .applied($0) } ?? .seen(result.seen)
                }
            } catch { outcome = HistoryRun.outcome(of: error) }
            history.ended(operation, outcome, at: test.now)
            openCount -= 1
        }
    }

    private static func outcome(of error: any Error) -> CasHistory.Outcome {
        guard let failure = error as? CoordinationFailure else { return .unknown }
        switch failure {
        case .unavailable, .contended, .writeTimedOut(.compareAndSet, _, _, _), .readTimedOut: return .refused
        default: return .unknown
        }
    }

    /// One step of what goes wrong; at most one node is down at a time.
    private func disturb() async throws {
        let machines: [SimulatedMachine] = test.replicas.machines
        let one: Int = random.below(3)
        let other: Int = (one + 1 + random.below(2)) % 3
        switch random.below(24) {
        case 0:
            if (0..<3).allSatisfy({ test.node($0) != nil }) {
                openCount = 0
                test.replicas.kill(one)
            }
        case 1, 2:
            if let dead = (0..<3).first(where: { test.node($0) == nil }) { try await test.replicas.restart(dead) }
        case 3: test.replicas.world.network.cut(from: machines[one], to: machines[other])
        case 4: test.replicas.world.network.split([machines[one]], from: machines.filter { $0 !== machines[one] })
        case 5, 6: test.replicas.world.network.healAll()
        case 7: test.replicas.world.network.resetConnections(between: machines[one], and: machines[other])
        case 8: machines[one].time.jump(byMicroseconds: Int64(random.below(40_000_000)) - 20_000_000)
        case 9:
            var slow = LinkBehavior()
            slow.latency = SimulatedLatency(minimum: .microseconds(50), maximum: .milliseconds(Int64(random.below(30))))
            slow.resetProbability = random.oneIn(3) ? 0.02 : 0
            test.replicas.world.network.setLink(from: machines[one], to: machines[other], slow)
        case 10: await test.replicas.pause(.milliseconds(Int64(random.below(300))))
        default: break
        }
    }
}
