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
    private static let seeds = Array(1...UInt64(seedCount(50)))

    @Test(arguments: seeds) func historiesAreLinearizableWhateverHappens(seed: UInt64) throws {
        let history = try HistoryRun(seed: seed).run()
        #expect(history.problem == nil, "seed \(seed)")
        #expect(history.appliedCount > 0, "seed \(seed)")
    }

    /// The replica decides by itself, and the others, which have no data, go the long way to it.
    @Test func historiesOfAPartitionWithOneReplicaAreLinearizable() throws {
        var appliedCount = 0
        for seed in 1...UInt64(seedCount(20)) {
            let history = try HistoryRun(
                seed: seed, replication: ["class": "SimpleStrategy", "replication_factor": "1"]
            ).run()
            #expect(history.problem == nil, "seed \(seed)")
            appliedCount += history.appliedCount
        }
        #expect(appliedCount > 0)
    }

    @Test func anAcceptorThatAnswersAnOlderBallotIsFound() throws {
        let broken = PaxosAcceptor { _, _ in true }
        var foundCount = 0
        for seed in 1...UInt64(40) where foundCount == 0 {
            let problem: String?
            do {
                problem = try HistoryRun(seed: seed, acceptor: broken).run().problem
            } catch { problem = "\(error)" }
            if problem != nil { foundCount += 1 }
        }
        #expect(foundCount > 0)
    }
}

/// One world, its clients, and what goes wrong. `Sendable` is unchecked because a world is used by one thread.
private final class HistoryRun: @unchecked Sendable {
    private let test: PaxosWorld
    private let level: Consistency
    private var random: SeededGenerator
    private var history = CasHistory()
    private var openCount = 0
    private var openCounts = [0, 0, 0]
    private var valueCount = 0

    init(
        seed: UInt64, acceptor: PaxosAcceptor = PaxosAcceptor(),
        replication: [String: String] = ReplicaWorld.replication
    ) {
        self.level = [.quorum, .one, .any, .all][Int(seed % 4)]
        self.random = SeededGenerator(seed: seed)
        self.test = PaxosWorld(seed: seed, replication: replication, acceptor: acceptor)
    }

    func run() throws -> (problem: String?, appliedCount: Int) {
        try test.run { [self] test in
            for step in 0..<45 {
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
        let index: Int = random.below(3)
        guard let node = test.node(index) else { return }
        let operation: Int = history.begin(at: test.now)
        let isLook: Bool = random.oneIn(4)
        let isIdle: Bool = random.oneIn(6)
        openCount += 1
        openCounts[index] += 1
        node.host.background.run("client", on: node.host.loops[0]) { [self] in
            let outcome: CasHistory.Outcome
            do {
                if isLook {
                    outcome = .seen(try await test.look("a", through: node))
                } else {
                    let result = try await test.change("a", through: node, .serial, level) { [self] seen, _ in
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
            openCounts[index] -= 1
        }
    }

    private static func outcome(of error: any Error) -> CasHistory.Outcome {
        guard let failure = error as? CoordinationFailure else { return .unknown }
        switch failure {
        case .unavailable, .contended, .writeTimedOut(.compareAndSet, _, _, _), .readTimedOut: return .refused
        default: return .unknown
        }
    }

    /// Ends nodes, or takes their power away. Their clients hear nothing.
    private func end(_ nodes: [Int]) {
        for index in nodes where test.node(index) != nil {
            if random.oneIn(2) { test.replicas.kill(index) } else { test.replicas.crash(index) }
            openCount -= openCounts[index]
            openCounts[index] = 0
        }
    }

    /// One step of what goes wrong.
    private func disturb() async throws {
        let machines: [SimulatedMachine] = test.replicas.machines
        let one: Int = random.below(3)
        let other: Int = (one + 1 + random.below(2)) % 3
        switch random.below(24) {
        case 0: end(random.oneIn(8) ? [0, 1, 2] : [one])
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
