import CQL
import Environment
import MartletClient
import Primitives
import SimulatedHost
import Simulation
import Testing

/// The node ends in the middle of load and comes back.
@Suite struct CrashTests {
    enum End: String, CaseIterable {
        case kill, powerCut
    }

    /// Runs load, ends the node in its middle, starts it again, twice; returns what was seen.
    static func run(seed: UInt64, mode: String, end: End, version: ProtocolVersion? = nil) throws -> (
        load: RegisterLoad, cluster: SimulatedCluster
    ) {
        let cluster = try SimulatedCluster(
            seed: seed,
            settings: ["commitlog_sync": mode, "memtable_heap_space": "1MiB", "commitlog_segment_size": "1MiB"])
        try cluster.start()
        var options = ConnectionOptions()
        options.version = version
        options.requestTimeout = .milliseconds(500)
        options.connectTimeout = .milliseconds(500)
        let load = RegisterLoad(cluster, options: options)
        try cluster.run { cluster in
            try await load.prepare()
            var generator = SeededGenerator(seed: seed)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await load.run(writerCount: 4) }
                for _ in 0..<2 {
                    try await cluster.clients.sleep(for: .milliseconds(20 + generator.below(80)))
                    switch end {
                    case .kill: cluster.node.kill()
                    case .powerCut: cluster.node.crash()
                    }
                    try await cluster.clients.sleep(for: .milliseconds(10 + generator.below(50)))
                    try await cluster.node.restart()
                }
                try await cluster.clients.sleep(for: .milliseconds(200))
                load.stop()
                try await group.waitForAll()
            }
            try await load.check()
        }
        return (load, cluster)
    }

    @Test(arguments: seeds(2), ["batch", "group"])
    func aPowerCutLosesNothingThatWasAcknowledged(seed: UInt64, mode: String) throws {
        let run = try Self.run(seed: seed, mode: mode, end: .powerCut)
        #expect(run.load.faults.isEmpty, "seed \(seed): \(run.load.faults)")
        #expect(run.load.history.acknowledgedCount > 20 && run.load.failureCount > 0, "seed \(seed)")
    }

    @Test(arguments: seeds(2), ["batch", "group", "periodic"])
    func theDeathOfTheProcessLosesNothingThatWasAcknowledged(seed: UInt64, mode: String) throws {
        let run = try Self.run(seed: seed, mode: mode, end: .kill)
        #expect(run.load.faults.isEmpty, "seed \(seed): \(run.load.faults)")
        #expect(run.load.history.acknowledgedCount > 20 && run.load.failureCount > 0, "seed \(seed)")
    }

    @Test(arguments: [UInt64(77)]) func theSameSeedGivesTheSameHistory(seed: UInt64) throws {
        let first = try Self.run(seed: seed, mode: "batch", end: .powerCut)
        let second = try Self.run(seed: seed, mode: "batch", end: .powerCut)
        #expect(first.cluster.fingerprint == second.cluster.fingerprint)
        #expect(first.cluster.clients.record.byteCount > 10_000)
        let other = try Self.run(seed: seed + 1, mode: "batch", end: .powerCut)
        #expect(first.cluster.fingerprint != other.cluster.fingerprint)
    }

    @Test func aNodeThatIsStoppedKeepsEverything() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let before = try await cluster.clients.connect(to: cluster.node)
            for key in 0..<100 { _ = try await before.query("INSERT INTO k.t (id, v) VALUES (\(key), 'kept')") }
            await cluster.node.stop()
            try await cluster.node.restart()
            let after = try await cluster.clients.connect(to: cluster.node)
            #expect(try await after.query("SELECT id FROM k.t").rows.count == 100)
        }
        let lines: [String] = cluster.node.logLines
        #expect(lines.filter { $0.contains("Startup complete") }.count == 2)
        #expect(lines.contains { $0.contains("Stopped") })
        #expect(lines.contains { $0.contains("The schema changed") && $0.contains("keyspace.name=k") })
    }
}
