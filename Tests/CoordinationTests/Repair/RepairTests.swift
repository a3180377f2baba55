import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Synchronization
import Testing

/// Replicas that differ, and what a repair makes of them.
@Suite struct RepairTests {
    private static func number(_ value: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, 6 - digits.count)) + digits
    }

    /// 20,000 rows in 200 partitions, on every node, in files.
    private static func fill(_ test: CoordinatedWorld, partitions: Int = 200, rows: Int = 100) async throws {
        let now: Int64 = test.nowSeconds
        for partition in 0..<partitions {
            let change = RepairChange(
                key: number(partition), kinds: (0..<rows).map { .row(number($0), value: "v\($0)") }, timestamp: 1,
                nowSeconds: now)
            let bytes: [UInt8] = change.encoded()
            for node in test.nodes.compactMap(\.self) { try await node.put(bytes) }
        }
        for node in test.nodes.compactMap(\.self) { try await node.engine.flush() }
    }

    private static func areEqual(_ test: CoordinatedWorld, _ table: UUID = ReplicaWorld.table) async throws -> Bool {
        var pages: [UnitPage] = []
        for node in test.nodes.compactMap(\.self) { pages.append(try await node.units(table)) }
        return pages.allSatisfy { $0 == pages[0] }
    }

    @Test func equalReplicasStreamNothingAndAreReadOnce() throws {
        let reports: [RepairReport] = try CoordinatedWorld(seed: 1).run { test in
            try await RepairTests.fill(test, partitions: 60, rows: 10)
            let node = try #require(test.nodes[0])
            return [try await node.repair(), try await node.repair()]
        }
        #expect(reports.map(\.state) == [.completed, .completed])
        #expect(reports.map(\.counts.rowsCompared) == [600, 600])
        #expect(reports.map(\.counts.rowsStreamed) == [0, 0])
        #expect(reports.map(\.counts.differences) == [0, 0])
        #expect(reports[0].counts.bytesRead > 0)
        #expect(reports[1].counts.bytesRead == 0)
        #expect(reports[1].doneRangeCount == reports[1].rangeCount)
    }

    @Test func aReplicaThatMissedAFewChangesGetsTheseAlone() throws {
        let (report, areEqual): (RepairReport, Bool) = try CoordinatedWorld(seed: 2).run { test in
            try await RepairTests.fill(test)
            for change in 0..<300 {
                let bytes: [UInt8] = RepairChange(
                    key: RepairTests.number(change * 7 % 200),
                    kinds: [.row(RepairTests.number(change % 90), value: "new")],
                    timestamp: 2, nowSeconds: test.nowSeconds
                ).encoded()
                for index in [0, 2] { try await test.nodes[index]?.put(bytes) }
            }
            let report = try await #require(test.nodes[1]).repair()
            return (report, try await RepairTests.areEqual(test))
        }
        #expect(report.state == .completed)
        #expect(report.counts.rowsCompared == 20_000)
        #expect(report.counts.differences == 300)
        #expect(report.counts.rowsStreamed == 300)
        #expect(areEqual)
    }

    @Test(arguments: 0..<16 as Range<UInt64>) func whateverDiffersIsEqualAfterwards(_ seed: UInt64) throws {
        let (before, report, after, again, isMerged): (Bool, RepairReport, Bool, RepairReport, Bool) =
            try CoordinatedWorld(seed: seed &+ 100, loops: seed % 2 == 0 ? 1 : 3).run { test in
                var random = SeededGenerator(seed: seed)
                let everything = try await RepairTests.scatter(test, &random)
                let before = try await RepairTests.areEqual(test)
                let node = try #require(test.nodes[Int(seed % 3)])
                let report = try await node.repair(RepairTests.kind(seed % 2 == 0 ? .incremental : .full))
                let after = try await RepairTests.areEqual(test)
                let again = try await node.repair()
                // What all have is what one would have that had seen everything.
                let state: UnitPage = try await node.units()
                for bytes in everything { try await node.put(bytes) }
                return (before, report, after, again, try await node.units() == state)
            }
        #expect(!before, "seed \(seed)")
        #expect(report.state == .completed, "seed \(seed)")
        #expect(after, "seed \(seed)")
        #expect(isMerged, "seed \(seed)")
        #expect(again.counts.rowsStreamed == 0, "seed \(seed)")
        #expect(again.counts.differences == 0, "seed \(seed)")
    }

    private static func kind(_ kind: RepairOptions.Kind) -> RepairOptions {
        var options = RepairOptions(keyspace: "ks")
        options.kind = kind
        return options
    }

    /// Brings random changes to random replicas; returns all of them.
    private static func scatter(
        _ test: CoordinatedWorld, _ random: inout SeededGenerator
    ) async throws -> [[UInt8]] {
        var everything: [[UInt8]] = []
        for step in 0..<250 {
            func row() -> String { "r\(random.next() % 6)" }
            let kind: RepairChange.Kind =
                switch random.next() % 9 {
                case 0: .deletePartition
                case 1: .deleteRange("r\(random.next() % 3)", "r\(3 + random.next() % 4)")
                case 2: .deleteRow(row())
                case 3: .deleteCell(row())
                case 4: .setStatic("s\(step)")
                case 5: .row(row(), value: "mortal", ttl: 1 + UInt32(random.next() % 1_000))
                default: .row(row(), value: "v\(step)")
                }
            let bytes: [UInt8] = RepairChange(
                key: "p\(random.next() % 12)", kinds: [kind], timestamp: Int64(random.next() % 1_000),
                nowSeconds: test.nowSeconds - Int64(random.next() % 500)
            ).encoded()
            everything.append(bytes)
            let chosen = Int(random.next() % 3)
            for index in 0..<3 where index == chosen || random.next() % 2 == 0 {
                try await test.nodes[index]?.put(bytes)
            }
            if random.next() % 20 == 0 { try await test.nodes[Int(random.next() % 3)]?.engine.flush() }
        }
        return everything
    }

    @Test func countersAreMergedAndNeverCountedTwice() throws {
        let totals: [Int64?] = try CoordinatedWorld(seed: 4).run { test in
            for (index, node) in test.nodes.enumerated() {
                let change = RepairChange(
                    key: "c",
                    kinds: [
                        .counted("r", node: UInt64(index + 1), clock: Int64(index + 1), count: Int64(10 * (index + 1)))
                    ],
                    timestamp: Int64(index + 1), nowSeconds: test.nowSeconds)
                try await node?.put(change.encoded(table: CoordinatedNode.counterTable))
            }
            let node = try #require(test.nodes[0])
            _ = try await node.repair(tables: [CoordinatedNode.counterTable])
            _ = try await node.repair(tables: [CoordinatedNode.counterTable])
            var totals: [Int64?] = []
            for node in test.nodes { totals.append(try await node?.ownTotal("c", "r")) }
            return totals
        }
        #expect(totals == [60, 60, 60])
    }

    @Test func aPreviewAndAValidationChangeNothing() throws {
        let (reports, values): ([RepairReport], [String?]) = try CoordinatedWorld(seed: 5).run { test in
            try await RepairTests.fill(test, partitions: 20, rows: 5)
            try await test.nodes[2]?.put(ReplicaWorld.mutation("extra", "x", at: 1))
            let node = try #require(test.nodes[0])
            let reports = [
                try await node.repair(RepairTests.kind(.preview)), try await node.repair(RepairTests.kind(.validate)),
            ]
            var values: [String?] = []
            for node in test.nodes { values.append(try await node?.own("extra")) }
            return (reports, values)
        }
        #expect(reports.map(\.counts.differences) == [1, 1])
        #expect(reports.map(\.counts.rowsStreamed) == [0, 0])
        #expect(reports.map(\.counts.wrongLeaves) == [0, 0])
        #expect(values == [nil, nil, "x"])
    }

    @Test func aReplicaThatIsDownFailsItsRangesAndForceGoesOnWithoutIt() throws {
        let (failed, forced, values, watermarks) = try CoordinatedWorld(seed: 6).run { test in
            try await test.nodes[0]?.put(ReplicaWorld.mutation("a", "x", at: 1))
            test.kill(2)
            let node = try #require(test.nodes[0])
            let failed = try await node.repair()
            var options = RepairOptions(keyspace: "ks")
            options.isForced = true
            let forced = try await node.repair(options)
            let values: [String?] = [try await node.own("a"), try await test.nodes[1]?.own("a")]
            let watermark: Int64 = node.watermarks.watermark(table: ReplicaWorld.table, range: .wholeRing)
            return (failed, forced, values, watermark)
        }
        #expect(failed.state == .failed)
        #expect(failed.failedRangeCount == failed.rangeCount)
        #expect(failed.failures.first?.contains(ReplicaWorld.id(2).description) == true)
        #expect(forced.state == .completed)
        #expect(values == ["x", "x"])
        #expect(watermarks == TokenSeconds.never)
    }

    @Test func aReplicaThatDiesOnTheWayFailsTheRestAndKeepsWhatWasRepaired() throws {
        let report: RepairReport = try CoordinatedWorld(seed: 7).run { test in
            try await RepairTests.fill(test, partitions: 40, rows: 5)
            for node in test.nodes.compactMap(\.self) { try await node.engine.setHashThroughput(2_000) }
            let node = try #require(test.nodes[0])
            return try await node.repair { job in
                while job.report.doneRangeCount < 2 { await test.pause(.milliseconds(50)) }
                test.kill(2)
            }
        }
        #expect(report.state == .failed)
        #expect(report.doneRangeCount >= 2)
        #expect(report.failedRangeCount == report.rangeCount - report.doneRangeCount)
        #expect(report.failures.allSatisfy { $0.contains(ReplicaWorld.id(2).description) })
    }

    @Test func aRepairEndsWhenItIsCancelled() throws {
        let (report, isKnown, isCancelledTwice) = try CoordinatedWorld(seed: 8).run { test in
            try await RepairTests.fill(test, partitions: 40, rows: 5)
            for node in test.nodes.compactMap(\.self) { try await node.engine.setHashThroughput(2_000) }
            let node = try #require(test.nodes[0])
            let report = try await node.repair { job in
                await test.pause(.milliseconds(500))
                _ = node.repairs.cancel(job.id)
            }
            return (report, node.repairs.report(report.id) == report, node.repairs.cancel(report.id))
        }
        #expect(report.state == .cancelled)
        #expect(report.doneRangeCount < report.rangeCount)
        #expect(isKnown)
        #expect(!isCancelledTwice)
    }

    /// Or each range would leave another small file to be compacted.
    @Test func whatIsWrittenMeanwhileIsCutOnceForAllRanges() throws {
        let (report, flushes, areEqual) = try CoordinatedWorld(seed: 12).run { test in
            try await RepairTests.fill(test, partitions: 40, rows: 5)
            let nodes: [CoordinatedNode] = test.nodes.compactMap(\.self)
            let before: [Int] = try await RepairTests.flushCounts(nodes)
            let now: Int64 = test.nowSeconds
            let report = try await nodes[0].repair { job in
                var count = 0
                while job.report.state == .running, count < 10_000 {
                    let change = RepairChange(
                        key: RepairTests.number(count % 40), kinds: [.row("meanwhile", value: "\(count)")],
                        timestamp: 2, nowSeconds: now)
                    for node in nodes { try? await node.put(change.encoded()) }
                    count += 1
                    await test.pause(.milliseconds(1))
                }
            }
            let after: [Int] = try await RepairTests.flushCounts(nodes)
            return (report, zip(after, before).map { $0 - $1 }, try await RepairTests.areEqual(test))
        }
        #expect(report.state == .completed)
        #expect(report.rangeCount > 10)
        #expect(flushes.allSatisfy { $0 <= 2 }, "\(flushes)")
        #expect(areEqual)
    }

    /// For each node, how many of its memtables were written to files.
    private static func flushCounts(_ nodes: [CoordinatedNode]) async throws -> [Int] {
        var counts: [Int] = []
        for node in nodes { counts.append(try await node.engine.statistics(of: ReplicaWorld.table).flushCount) }
        return counts
    }

    @Test func allReplicasKnowUpToWhenTheyWereEqualAlsoAfterARestart() throws {
        let (watermarks, before) = try CoordinatedWorld(seed: 9).run { test in
            let before: Int64 = test.nowSeconds
            _ = try await #require(test.nodes[0]).repair()
            let node = try #require(test.nodes[1])
            try await LoopWork("save", on: node.host.loops[0], of: node.host) { try await node.watermarks.save() }
                .value()
            test.kill(1)
            try await test.restart(1)
            var found: [Int64] = []
            for node in test.nodes.compactMap(\.self) {
                found.append(node.watermarks.watermark(table: ReplicaWorld.table, range: .wholeRing))
            }
            return (found, before)
        }
        let delay: Int64 = TombstonePurge.standardPropagationDelaySeconds
        #expect(watermarks.allSatisfy { $0 >= before - delay && $0 <= before - delay + 60 })
    }

    /// Whoever has given a range to a new owner, or is about to, knows of it: nothing is vouched for then.
    @Test(arguments: [true, false]) func nothingIsVouchedForWhileOwnersChange(_ isPending: Bool) throws {
        let (watermarks, reports, areEqual) = try CoordinatedWorld(seed: 19).run { test in
            try await RepairTests.fill(test, partitions: 20, rows: 2)
            for index in [0, 1] { try await test.nodes[index]?.put(ReplicaWorld.mutation("new", "v", at: 9)) }
            let others: Set<NodeID> = [ReplicaWorld.id(0), ReplicaWorld.id(1), ReplicaWorld.id(7)]
            test.nodes[1]?.ownersSeen.withLock { $0 = { _ in isPending ? nil : others } }
            let node = try #require(test.nodes[0])
            node.missed.note(ReplicaWorld.table, node.token("new"))
            var watermarks: [Int64] = []
            func look() {
                for node in test.nodes.compactMap(\.self) {
                    watermarks.append(node.watermarks.watermark(table: ReplicaWorld.table, range: .wholeRing))
                }
            }
            var reports: [RepairReport] = [try await node.repair()]
            let areEqual: Bool = try await RepairTests.areEqual(test)
            look()
            #expect(!node.missed.isEmpty)
            test.nodes[1]?.ownersSeen.withLock { $0 = nil }
            await test.pause(.seconds(20))
            reports.append(try await node.repair())
            look()
            #expect(node.missed.isEmpty)
            return (watermarks, reports, areEqual)
        }
        #expect(areEqual)
        #expect(reports.map(\.state) == [.completed, .completed])
        #expect(watermarks.prefix(3).allSatisfy { $0 == TokenSeconds.never })
        #expect(watermarks.suffix(3).allSatisfy { $0 > TokenSeconds.never })
    }

    @Test func oneReplicaAtATimeComesToTheSame() throws {
        let areEqual: Bool = try CoordinatedWorld(seed: 10).run { test in
            var random = SeededGenerator(seed: 10)
            _ = try await RepairTests.scatter(test, &random)
            for parallelism in [RepairManner.Parallelism.sequential, .datacenterParallel] {
                var options = RepairOptions(keyspace: "ks")
                options.parallelism = parallelism
                options.jobCount = 3
                _ = try await #require(test.nodes[0]).repair(options)
            }
            return try await RepairTests.areEqual(test)
        }
        #expect(areEqual)
    }
}
