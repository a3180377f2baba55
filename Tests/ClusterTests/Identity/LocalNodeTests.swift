import Cluster
import DataModel
import Environment
import Testing

/// What a node knows about itself.
@Suite struct LocalNodeTests {
    @Test(arguments: [1, 2, 3, 16, 256, 1536])
    func tokensCutTheRingIntoEqualParts(_ count: Int) {
        for offset: UInt64 in [0, 1, .max, 1 << 63, 0x1234_5678_9ABC_DEF0] {
            let tokens = LocalNode.evenTokens(count, offset: offset)
            #expect(Set(tokens).count == count)
            #expect(tokens == tokens.sorted())
            #expect(!tokens.contains(.minimum))
            let ordinals = tokens.map(\.ordinal)
            let part = count == 1 ? 0 : UInt64.max / UInt64(count)
            for (first, second) in zip(ordinals, ordinals.dropFirst()) {
                let distance = second &- first
                #expect(distance >= part - 1 && distance <= part + 2)
            }
        }
    }
}

/// What a node keeps over restarts.
@Suite struct NodeFileTests {
    private struct Clock: TimeSource {
        var wallMicroseconds: Int64
        var monotonicNanoseconds: UInt64 { 0 }
        func sleep(for duration: Duration) async throws(CancellationError) {}
    }

    private struct Seed: Entropy {
        func next() -> UInt64 { 0x0123_4567_89AB_CDEF }
    }

    private let settings = LocalNode.Settings(clusterName: "one", dataCenter: "dc1", rack: "r1")

    @Test func aNodeStaysItselfAndGrowsOlder() async throws {
        let file = LocalNodeFile(disk: MemoryDisk(), directory: "data")
        let first = try await file.start(settings, time: Clock(wallMicroseconds: 5_000_000), entropy: Seed())
        #expect(first.tokens.count == 16)
        #expect(first.generation == 5)
        let second = try await file.start(settings, time: Clock(wallMicroseconds: 4_000_000), entropy: Seed())
        #expect(second.hostID == first.hostID)
        #expect(second.tokens == first.tokens)
        #expect(second.firstStartedAtMicroseconds == 5_000_000)
        #expect(second.generation == 6)
    }

    @Test func anotherConfigurationIsRefused() async throws {
        let file = LocalNodeFile(disk: MemoryDisk(), directory: "data")
        let clock = Clock(wallMicroseconds: 1_000_000)
        _ = try await file.start(settings, time: clock, entropy: Seed())
        var other = settings
        other.clusterName = "two"
        await #expect(throws: MetadataError.clusterNameChanged(saved: "one", configured: "two")) {
            try await file.start(other, time: clock, entropy: Seed())
        }
        #expect(
            MetadataError.clusterNameChanged(saved: "one", configured: "two").description
                == "Saved cluster name one != configured name two")
        other = settings
        other.tokenCount = 8
        await #expect(throws: MetadataError.tokenCountChanged(saved: 16, configured: 8)) {
            try await file.start(other, time: clock, entropy: Seed())
        }
    }

    @Test func theSchemaSurvivesAndItsPredecessorIsKept() async throws {
        let disk = MemoryDisk()
        let log = SchemaFile(disk: disk, directory: "data")
        let nothing = try await log.load()
        #expect(nothing == nil)
        var schema = Schema()
        schema.epoch = 1
        try await log.save(schema)
        let firstBytes = disk.bytes("data/schema")
        schema.epoch = 2
        schema.keyspaces["ks"] = KeyspaceDefinition(name: "ks", replication: ["class": "x"])
        try await log.save(schema)
        let loaded = try await SchemaFile(disk: disk, directory: "data").load()
        #expect(loaded == schema)
        #expect(disk.bytes("data/schema.previous") == firstBytes)
        #expect(disk.bytes("data/schema.new") == nil)
    }

    @Test func damageIsNamedAndNeverTakenForAbsence() async throws {
        let disk = MemoryDisk()
        let log = SchemaFile(disk: disk, directory: "data")
        try await log.save(Schema())
        let whole = try #require(disk.bytes("data/schema"))
        for index in whole.indices {
            var damaged = whole
            damaged[index] ^= 0x40
            disk.put(damaged, at: "data/schema")
            do {
                _ = try await log.load()
                Issue.record("byte \(index) was not missed")
            } catch {
                guard case .damaged(let path, _) = error else {
                    Issue.record("\(error)")
                    continue
                }
                #expect(path == "data/schema")
            }
        }
        disk.put([], at: "data/schema")
        await #expect(throws: MetadataError.self) { try await log.load() }
    }
}
