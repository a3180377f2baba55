import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

@Suite struct ManifestTests {
    private static func sample() -> ShardManifest {
        var manifest = ShardManifest(shard: 3)
        manifest.nextGeneration = 9
        let file = ShardManifest.File(generation: 4, byteCount: 100, tokens: Token(-5)...Token(7))
        manifest.add([file], to: UUID(high: 2, low: 1), flushed: LogPosition(17))
        manifest.truncate(UUID(high: 1, low: 1), at: LogPosition(5), isDropped: true)
        return manifest
    }

    @Test func aManifestIsReadBackAsItWasWritten() throws {
        let manifest: ShardManifest = ManifestTests.sample()
        #expect(try ShardManifest(decoding: manifest.encoded()) == manifest)
    }

    @Test func aLayoutIsReadBackAsItWasWritten() throws {
        let entry = ShardLayout.Inherited(shard: 1, table: UUID(high: 1, low: 2), flushed: LogPosition(9))
        let layout = ShardLayout(number: 7, shardCount: 4, inherited: [entry])
        #expect(try ShardLayout(decoding: layout.encoded()) == layout)
    }

    @Test func aManifestThatWasCutIsRefusedWhereverTheCutIs() {
        let bytes: [UInt8] = ManifestTests.sample().encoded()
        for count in 0..<bytes.count {
            #expect(throws: DecodingError.self) { try ShardManifest(decoding: Array(bytes.prefix(count))) }
        }
    }

    @Test func aReplacementTakesInputsOutAndOutputsInAtOnce() {
        var manifest: ShardManifest = ManifestTests.sample()
        let table = UUID(high: 2, low: 1)
        let added = ShardManifest.File(generation: 8, byteCount: 50, tokens: Token(-5)...Token(7))
        manifest.replace([4], with: [added], in: table)
        #expect(manifest.table(table)?.files == [added])
        #expect(manifest.table(table)?.flushed == LogPosition(17))
    }

    @Test func flushedPositionsNeverGoBack() {
        var manifest: ShardManifest = ManifestTests.sample()
        let table = UUID(high: 2, low: 1)
        manifest.add([], to: table, flushed: LogPosition(3))
        #expect(manifest.table(table)?.flushed == LogPosition(17))
    }

    @Test func theNextLayoutInheritsTheFurthestPositionOfEachShardAndTable() {
        let table = UUID(high: 2, low: 1)
        let old = ShardLayout(
            number: 1, shardCount: 4,
            inherited: [
                ShardLayout.Inherited(shard: 3, table: table, flushed: LogPosition(20)),
                ShardLayout.Inherited(shard: 9, table: table, flushed: LogPosition(1)),
            ])
        let next: [ShardLayout.Inherited] = old.inherited(adding: [ManifestTests.sample()])
        #expect(next.first { $0.shard == 3 && $0.table == table }?.flushed == LogPosition(20))
        #expect(next.first { $0.shard == 9 }?.flushed == LogPosition(1))
        #expect(next.first { $0.table == UUID(high: 1, low: 1) }?.flushed == LogPosition(5))
    }

    /// The power goes at each disk operation of a replacement in turn; what is read afterwards is the old body or the
    /// new.
    @Test func aReplacementIsOldOrNewAfterACrashAtAnyOperation() throws {
        for operation in 0..<12 {
            for seed in 0..<UInt64(8) {
                let world = SimulatedWorld(seed: seed)
                let machine = world.makeHost(name: "a")
                var host: Host = machine.host
                try world.run(on: host.loops[0]) { [host] in
                    try await host.disk.createDirectory("/d")
                    try await host.disk.syncDirectory("/")
                    try await ManifestFile(path: "/d/m", magic: 1, disk: host.disk).write([1, 2, 3])
                }
                machine.disk.crashAfterOperation = machine.disk.operationCount + operation
                do {
                    try world.run(on: host.loops[0]) { [host] in
                        try await ManifestFile(path: "/d/m", magic: 1, disk: host.disk).write([4, 5, 6, 7])
                    }
                } catch SimulationFailure.crashed {
                    // This is what the test is about.
                }
                machine.disk.crashAfterOperation = nil
                machine.crash()
                host = machine.restart()
                let body: [UInt8]? = try world.run(on: host.loops[0]) { [host] in
                    try await ManifestFile(path: "/d/m", magic: 1, disk: host.disk).read()
                }
                #expect(body == [1, 2, 3] || body == [4, 5, 6, 7], "operation \(operation), seed \(seed)")
            }
        }
    }
}
