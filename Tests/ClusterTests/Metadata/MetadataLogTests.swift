import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

/// How nodes find their cluster, change it, and come back to it.
@Suite struct MetadataLogTests {
    @Test(arguments: 0..<20)
    func threeNodesThatStartAtOnceFormOneCluster(_ seed: UInt64) throws {
        let harness = MetadataHarness(seed: seed, machineCount: 3)
        for index in 0..<3 { harness.startLater(index) }
        try harness.world.run(for: .seconds(5))
        harness.mention()
        try harness.world.run(for: .seconds(1))
        #expect(harness.broken == [], "seed \(seed)")
        let values = harness.logs.compactMap { $0?.current }
        #expect(Set(values).count == 1 && values.count == 3, "seed \(seed)")
        #expect(values.first?.members.count == 3, "seed \(seed)")
        #expect(values.first?.voters.count == 3, "seed \(seed)")
        let tokens: [Token] = values.first?.members.flatMap(\.tokens) ?? []
        #expect(Set(tokens).count == 12, "seed \(seed)")
    }

    /// The others have accepted the change and not heard that it is decided.
    @Test(arguments: 0..<10)
    func thatThereIsNothingToDoIsSaidOfTheNewestValueOnly(_ seed: UInt64) throws {
        let harness = MetadataHarness(seed: seed, machineCount: 3)
        for index in 0..<3 { harness.startLater(index) }
        try harness.world.run(for: .seconds(5))
        harness.net.commitLossProbability = 1
        _ = try harness.run { try await harness.createKeyspace("a", on: 0) }
        let epoch: UInt64 = try #require(harness.logs[0]?.epoch)
        let unchanged: ClusterMetadata = try harness.run {
            let log = try #require(harness.logs[1])
            return try await log.change(timeout: .seconds(5), provesNoChange: true) { _ in nil }
        }
        #expect(unchanged.epoch == epoch && unchanged.schema.keyspaces["a"] != nil, "seed \(seed)")
        // Without a majority nobody knows.
        harness.net.island = Set([harness.ids[2]].compactMap { $0 })
        #expect(throws: MetadataFailure.self) {
            try harness.run {
                let log = try #require(harness.logs[2])
                return try await log.change(timeout: .seconds(1), provesNoChange: true) { _ in nil }
            }
        }
    }

    @Test func aQuestionThatIsLostHoldsUpTheNextOneForAMomentOnly() throws {
        let harness = MetadataHarness(seed: 2, machineCount: 3)
        harness.settings.fetchTimeout = .seconds(60)
        for index in 0..<3 { harness.startLater(index) }
        try harness.world.run(for: .seconds(5))
        harness.net.commitLossProbability = 1
        let newest: ClusterMetadata = try harness.run { try await harness.createKeyspace("a", on: 0) }
        let (log, id) = (try #require(harness.logs[2]), try #require(harness.ids[0]))
        #expect(log.epoch < newest.epoch)
        harness.net.island = [id]
        log.observed(epoch: newest.epoch, at: id)
        try harness.world.run(for: .milliseconds(20))
        harness.net.island = []
        // As with every message that follows.
        for _ in 0..<20 where log.epoch < newest.epoch {
            log.observed(epoch: newest.epoch, at: id)
            try harness.world.run(for: .milliseconds(50))
        }
        #expect(log.epoch == newest.epoch)
    }

    @Test func aNodeAloneFoundsAClusterAtOnce() throws {
        let harness = MetadataHarness(seed: 1, machineCount: 1)
        let value = try harness.run { try await harness.start(0, seeds: []) }
        #expect(value.epoch == 1)
        #expect(value.members.count == 1)
        #expect(harness.world.nowNanoseconds < 100_000_000)
        let changed = try harness.run { try await harness.createKeyspace("a", on: 0) }
        #expect(changed.epoch == 2 && changed.schema.keyspaces["a"] != nil)
        harness.crash(0)
        harness.restart(0)
        let again = try harness.run { try await harness.start(0, seeds: []) }
        #expect(again == changed)
    }

    @Test func aNodeThatIsNoSeedDoesNotFoundOne() throws {
        let harness = MetadataHarness(seed: 1, machineCount: 2)
        let seeds = [harness.address(0)]
        #expect(throws: MetadataFailure.noCluster(seeds: seeds)) {
            try harness.run { try await harness.start(1, seeds: seeds, timeout: .seconds(3)) }
        }
        let both = harness.seeds
        #expect(throws: MetadataFailure.noCluster(seeds: both)) {
            try harness.run { try await harness.start(1, seeds: both, timeout: .seconds(3)) }
        }
    }

    @Test func theFirstSeedFoundsAClusterWhenTheOthersStaySilent() throws {
        let harness = MetadataHarness(seed: 1, machineCount: 3)
        let value = try harness.run { try await harness.start(0) }
        #expect(value.members.count == 1)
        #expect(harness.world.nowNanoseconds >= 400_000_000)
    }

    @Test func changesOnAnyNodeAreSeenOnAllBeforeTheCallerHearsOfThem() throws {
        let harness = MetadataHarness(seed: 3, machineCount: 4)
        try harness.run {
            for index in 0..<4 { try await harness.start(index) }
            for round in 0..<6 {
                let name = "k\(round)"
                _ = try await harness.createKeyspace(name, on: round % 4)
                for log in harness.logs { #expect(log?.current?.schema.keyspaces[name] != nil) }
            }
        }
        #expect(harness.broken == [])
        #expect(harness.shown.keys.max() == 10)
    }

    @Test func aChangeThatMakesNoSenseIsRefusedAndChangesNothing() throws {
        let harness = MetadataHarness(seed: 3, machineCount: 3)
        try harness.run {
            for index in 0..<3 { try await harness.start(index) }
            let made = try await harness.createKeyspace("a", on: 0)
            await #expect(throws: MetadataHarness.AlreadyThere.self) {
                try await harness.createKeyspace("a", on: 1)
            }
            let log = try #require(harness.logs[2])
            let same = try await log.change(timeout: .seconds(1)) { _ in nil }
            #expect(same == made)
            let equal = try await log.change(timeout: .seconds(1)) { $0 }
            #expect(equal == made)
        }
    }

    @Test func aNodeThatIsBehindJudgesByTheNewestValue() throws {
        let harness = MetadataHarness(seed: 5, machineCount: 3)
        try harness.run {
            for index in 0..<3 { try await harness.start(index) }
            let third = try #require(harness.ids[2])
            harness.net.island = [third]
            _ = try await harness.createKeyspace("a", on: 0)
            harness.net.island = []
            #expect(harness.logs[2]?.current?.schema.keyspaces["a"] == nil)
            // It does not know the keyspace yet, and finds out instead of making a second one or failing.
            let log = try #require(harness.logs[2])
            let value = try await log.change(timeout: .seconds(5)) { before in
                guard before.schema.keyspaces["a"] != nil else { throw MetadataHarness.AlreadyThere() }
                return adding("b", to: before)
            }
            #expect(value.schema.keyspaces.keys.sorted() == ["a", "b"])
        }
    }

    @Test func aMinorityDecidesNothing() throws {
        let harness = MetadataHarness(seed: 7, machineCount: 3)
        try harness.run {
            for index in 0..<3 { try await harness.start(index) }
            let alone = try #require(harness.ids[1])
            harness.net.island = [alone]
            do {
                _ = try await harness.createKeyspace("lost", on: 1, timeout: .seconds(2))
                Issue.record("a minority decided")
            } catch {
                #expect(
                    error as? MetadataFailure == .noMajority(reachable: 1, needed: 2, isUncertain: false))
            }
            // The majority goes on.
            let value = try await harness.createKeyspace("kept", on: 0)
            #expect(value.schema.keyspaces.keys.sorted() == ["kept"])
            harness.net.island = []
            let healed = try await harness.createKeyspace("after", on: 1)
            #expect(healed.schema.keyspaces.keys.sorted() == ["after", "kept"])
        }
        #expect(harness.broken == [])
    }

    @Test func whoWasAwayForLongGetsTheWholeValue() throws {
        let harness = MetadataHarness(seed: 9, machineCount: 3)
        harness.settings.retainedEditCount = 4
        harness.settings.snapshotInterval = 3
        try harness.run {
            for index in 0..<3 { try await harness.start(index) }
            harness.crash(2)
            for number in 0..<20 { _ = try await harness.createKeyspace("k\(number)", on: number % 2) }
            harness.restart(2)
            try await harness.start(2)
        }
        try harness.world.run(for: .seconds(2))
        #expect(harness.logs[2]?.current == harness.logs[0]?.current)
        #expect(harness.logs[2]?.current?.schema.keyspaces.count == 20)
        #expect(harness.broken == [])
    }

    @Test func aNodeWithAnotherAddressSaysSo() throws {
        let harness = MetadataHarness(seed: 11, machineCount: 3)
        try harness.run {
            for index in 0..<3 { try await harness.start(index) }
            harness.restart(1)
            try await harness.start(1, native: 9999)
        }
        try harness.world.run(for: .seconds(2))
        let id = try #require(harness.ids[1])
        #expect(harness.logs[0]?.current?.member(id)?.native.port == 9999)
        #expect(harness.logs[0]?.current?.members.count == 3)
    }

    @Test func membersPutTheVotersRight() throws {
        let harness = MetadataHarness(seed: 21, machineCount: 4)
        try harness.run {
            for index in 0..<4 { try await harness.start(index) }
            let log = try #require(harness.logs[0])
            let value = try await log.change(timeout: .seconds(1)) { before in
                var after: ClusterMetadata = before
                after.voters = [before.members[0].id]
                return after
            }
            #expect(value.voters.count == 1)
        }
        try harness.world.run(for: .seconds(1))
        for log in harness.logs { #expect(log?.current?.voters.count == 3) }
        // One of them did it, and the others saw that it was done.
        #expect(harness.shown.keys.max() == 6)
    }

    @Test func aNameIsAskedForBeforeANodeJoins() throws {
        let harness = MetadataHarness(seed: 13, machineCount: 2)
        try harness.run {
            try await harness.start(0, seeds: [])
            harness.clusterName = "other"
            await #expect(throws: MetadataFailure.anotherCluster(name: "test", configured: "other")) {
                try await harness.start(1, seeds: [harness.address(0)])
            }
        }
    }

    @Test func aNewNodeDoesNotTakeTheAddressOfAnother() throws {
        let harness = MetadataHarness(seed: 23, machineCount: 2)
        try harness.run {
            for index in 0..<2 { try await harness.start(index) }
            let former = try #require(harness.ids[1])
            harness.restart(1)
            // Its disk is empty, so it is another node.
            let disk = harness.machines[1].host.disk
            for name in try await disk.list(MetadataHarness.directory) {
                try await disk.remove(MetadataHarness.directory + "/" + name)
            }
            await #expect(throws: MetadataFailure.addressTaken(harness.address(1), by: former)) {
                try await harness.start(1)
            }
            #expect(harness.logs[0]?.current?.members.count == 2)
        }
    }

    @Test func bodiesThatAreNoneAreRefusedAndHarmNothing() throws {
        let harness = MetadataHarness(seed: 25, machineCount: 2)
        try harness.run {
            let value = try await harness.start(0, seeds: [])
            let id = try #require(harness.ids[0])
            let stranger = SimulatedMessenger(
                harness.net, id: node(99), address: harness.address(1), host: harness.machines[1].host)
            var generator = SeededGenerator(seed: 25)
            for round in 0..<400 {
                for verb in [Verb.metadataPrepare, .metadataAccept, .metadataCommit, .metadataFetch] {
                    var body: [UInt8] = round % 2 == 0 ? value.clusterID.bytes : []
                    body += generator.bytes(generator.below(100))
                    do {
                        _ = try await stranger.request(verb, body, to: id, timeout: .seconds(1))
                    } catch {
                        guard case .refused? = error as? MessageFailure else {
                            Issue.record("\(verb): \(error)")
                            continue
                        }
                    }
                }
            }
            let changed = try await harness.createKeyspace("a", on: 0)
            #expect(changed.epoch == 2)
        }
    }

    @Test func aNodeThatWasAloneKeepsItsSchemaAndItsTokens() throws {
        let harness = MetadataHarness(seed: 15, machineCount: 1)
        let host: Host = harness.machines[0].host
        let node = try harness.run {
            let settings = LocalNode.Settings(clusterName: "test", dataCenter: "dc1", rack: "r0", tokenCount: 4)
            let node = try await LocalNodeFile(disk: host.disk, directory: MetadataHarness.directory)
                .start(settings, time: host.time, entropy: host.entropy)
            var schema = Schema()
            schema.epoch = 17
            schema.keyspaces["old"] = richKeyspace("old")
            try await SchemaFile(disk: host.disk, directory: MetadataHarness.directory).save(schema)
            return node
        }
        let value = try harness.run { try await harness.start(0, seeds: [SocketAddress.loopback(port: 1)]) }
        #expect(value.epoch == 1)
        #expect(value.schema.keyspaces["old"] == richKeyspace("old"))
        #expect(value.member(NodeID(node.hostID))?.tokens == node.tokens)
        // Once: what happens later is not overwritten by the old file.
        let changed = try harness.run { try await harness.createKeyspace("new", on: 0) }
        harness.restart(0)
        let again = try harness.run { try await harness.start(0, seeds: []) }
        #expect(again == changed)
    }

    @Test func damagedFilesStopTheStart() throws {
        for name in ["cluster", "acceptor", "edit-00000000000000000004"] {
            let harness = MetadataHarness(seed: 17, machineCount: 3)
            try harness.run {
                for index in 0..<3 { try await harness.start(index) }
                _ = try await harness.createKeyspace("a", on: 0)
            }
            let path = MetadataHarness.directory + "/" + name
            let bytes = try #require(harness.machines[0].disk.contents(of: path))
            harness.restart(0)
            let host: Host = harness.machines[0].host
            do {
                _ = try harness.run {
                    let file = try await host.disk.open(path, .update)
                    try await file.write([bytes[20] ^ 1], at: 20)
                    await file.close()
                    return try await harness.start(0)
                }
                Issue.record("\(name) was read")
            } catch {
                guard case .damaged(let damaged, _)? = error as? MetadataError else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(damaged == path)
            }
        }
    }

    @Test func aDiskThatFailsLosesNothingThatWasPromised() throws {
        let harness = MetadataHarness(seed: 19, machineCount: 3)
        try harness.run {
            for index in 0..<3 { try await harness.start(index) }
            harness.machines[1].disk.faults.failureProbability = 1
            _ = try await harness.createKeyspace("a", on: 0)
            #expect(harness.logs[1]?.current?.schema.keyspaces["a"] == nil)
            do {
                _ = try await harness.createKeyspace("b", on: 1, timeout: .seconds(1))
                Issue.record("a node without a disk changed something")
            } catch {}
            harness.machines[1].disk.faults.failureProbability = 0
            _ = try await harness.createKeyspace("c", on: 1)
            #expect(harness.logs[1]?.current?.schema.keyspaces["a"] != nil)
        }
        #expect(harness.broken == [])
    }
}
