import DataModel
import Environment
import Primitives
import SimulatedHost

@testable import Storage

/// Two engines on one machine, and rows and files that go from one to the other as a stream brings them, without
/// messages in between.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class StreamedEngines: @unchecked Sendable {
    static let keys: [[UInt8]] = (0..<24).map { [UInt8](repeating: $0 &+ 1, count: 1 + Int($0) % 5) }

    let seed: UInt64
    var generator: SeededGenerator
    let world: SimulatedWorld
    let machine: SimulatedMachine
    /// What the source holds.
    var model = EngineModel()
    private var clock: Int64 = 1_000

    init(seed: UInt64) {
        self.seed = seed
        self.generator = SeededGenerator(seed: seed ^ 0x57EA)
        self.world = SimulatedWorld(seed: seed)
        self.machine = world.makeHost(name: "node", loopCount: 4)
    }

    /// Whether files are merged in the background.
    var compacts = false

    func options(_ name: String) -> StorageOptions {
        var options = StorageOptions(dataDirectory: "/var/\(name)", commitLogDirectory: "/var/\(name)-log")
        options.segmentByteCount = 64 << 10
        options.memtableByteCount = 4 << 20
        options.blockCacheByteCount = 1 << 20
        options.isAutoSnapshotEnabled = false
        options.isCompactionEnabled = compacts
        return options
    }

    func host(loops count: Int) -> Host {
        let host: Host = machine.host
        return Host(
            time: host.time, entropy: host.entropy, disk: host.disk, network: host.network, background: host.background,
            loops: Array(host.loops.prefix(count)))
    }

    func open(
        _ name: String, shards: Int, definition: TableDefinition = EngineChange.definition
    ) async throws -> EngineUnderTest {
        try await EngineUnderTest.open(
            options(name), host: host(loops: shards), tables: [definition])
    }

    /// A change of some key, newer than those before unless `isLate`.
    func change(now: Int64, isLate: Bool = false) -> EngineChange {
        clock += 20
        let timestamp: Int64 = isLate ? 500 - clock / 20 * 2 : clock
        let row = UInt8(generator.below(12))
        let value = UInt8(generator.below(200))
        let path = UInt8(generator.below(4))
        let kind: EngineChange.Kind
        switch generator.below(20) {
        case 0: kind = .deletePartition
        case 1: kind = .deleteRange(from: row, to: row + UInt8(generator.below(6)))
        case 2: kind = .deleteRow(row: row)
        case 3: kind = .setStatic(value: value)
        case 4: kind = .deleteCell(row: row, column: EngineChange.a)
        case 5, 6: kind = .put(row: row, path: path, value: value)
        case 7: kind = .removeElement(row: row, path: path)
        case 8: kind = .replace(row: row, path: path, value: value)
        case 9: kind = .insert(row: row, value: value, ttl: 1_000_000)
        default: kind = .insert(row: row, value: value, ttl: 0)
        }
        let key: [UInt8] = StreamedEngines.keys[generator.below(StreamedEngines.keys.count)]
        return EngineChange(key: key, kind: kind, timestamp: timestamp, nowSeconds: now)
    }

    /// Writes to the source, over several files.
    func fill(_ source: EngineUnderTest, changes: Int) async throws {
        for _ in 0..<changes {
            let change: EngineChange = change(now: source.host.time.wallSeconds)
            try await source.write(change)
            model.apply(change)
            if generator.oneIn(40) { try await source.engine.flush() }
            if generator.oneIn(150) { try await source.engine.compact(table: EngineChange.table) }
        }
    }

    /// Some part of the ring.
    func ranges() -> TokenRanges {
        if generator.oneIn(4) { return .all }
        var runs: [ClosedRange<Token>] = []
        for _ in 0..<(1 + generator.below(4)) {
            let first = Token(Int64(bitPattern: generator.next()))
            let width: UInt64 = generator.next() >> 2
            let last = Token(ordinal: first.ordinal > .max - width ? .max : first.ordinal + width)
            runs.append(first...last)
        }
        return TokenRanges(runs)
    }

    /// Brings ranges over into files that are not live yet. With `isInterrupted` another capture goes on now and then
    /// where the one before was.
    func transfer(
        _ source: EngineUnderTest, into ingest: TableIngest, _ ranges: TokenRanges, wholeByteCount: Int,
        isInterrupted: Bool
    ) async throws {
        var positions: [Int: StreamPosition] = [:]
        var done: Set<Int> = []
        var hasFiles = false
        while true {
            let capture = try await source.engine.capture(
                table: EngineChange.table, ranges: ranges, wholeByteCount: wholeByteCount)
            guard let capture else { throw EngineMismatch("seed \(seed): no table") }
            // A capture that goes on sees the files of before again, under other names perhaps.
            if !hasFiles || isInterrupted { try await bringFiles(capture, into: ingest) }
            hasFiles = true
            var isBroken = false
            for shard in ingest.shards.indices where !done.contains(shard) && !isBroken {
                let slice: TokenRanges = ranges.clamped(to: ingest.slices.tokens(of: shard))
                let left: TokenRanges = positions[shard].map { $0.remaining(of: slice) } ?? slice
                let rows = capture.rows(in: left, from: positions[shard])
                try await ingest.beginRows(on: shard, in: left, expectedPartitionCount: generator.below(30))
                while true {
                    let chunk: [UInt8] = try await rows.next(byteCount: 1 + generator.below(3_000))
                    let (position, isLast, _) = try await ingest.addRows(chunk, on: shard)
                    positions[shard] = position ?? positions[shard]
                    if isLast {
                        done.insert(shard)
                        break
                    }
                    if isInterrupted, generator.oneIn(6) {
                        isBroken = true
                        break
                    }
                }
                try await ingest.endRows(on: shard)
            }
            if !isBroken { return }
            if generator.oneIn(2) { try await source.engine.compact(table: EngineChange.table) }
        }
    }

    private func bringFiles(_ capture: StreamCapture, into ingest: TableIngest) async throws {
        for (number, file) in capture.files.enumerated() {
            try await bring(file, UInt32(number), into: ingest) { $0 }
        }
    }

    /// Brings one file over; `damage` may change its bytes.
    func bring(
        _ file: CapturedFile, _ number: UInt32, into ingest: TableIngest, damage: ([UInt8]) -> [UInt8]
    ) async throws {
        let offer = OfferedFile(
            number: number, byteCount: file.byteCount, rowCount: file.rowCount, tokens: file.tokens,
            fingerprint: file.fingerprint)
        let taken: FileIngest = try await ingest.beginFile(offer)
        do {
            var sum: UInt32 = 0
            while taken.byteCount < file.byteCount {
                let count: Int = min(1 + generator.below(5_000), file.byteCount - taken.byteCount)
                let bytes: [UInt8] = damage(try await file.table.readBytes(count, at: taken.byteCount))
                sum = Checksum.crc32c(bytes.span.bytes, seed: sum)
                try await taken.add(bytes)
            }
            try await taken.finish(checksum: sum)
        } catch {
            await taken.abort()
            throw error
        }
    }

    /// Holds what an engine shows against the model, for keys inside of the ranges; nothing is to be outside.
    func compare(_ test: EngineUnderTest, _ ranges: TokenRanges, _ when: String) async throws {
        let now: Int64 = test.host.time.wallSeconds
        let found: [[UInt8]: [String]] = try await test.visible(now: now)
        for key in StreamedEngines.keys {
            let isWanted: Bool = ranges.contains(Token(ofKey: key.span.bytes))
            let wanted: [String] = isWanted ? model.visible(key, now: now) : []
            if found[key] ?? [] != wanted {
                throw EngineMismatch("seed \(seed), \(when), \(key)\n found \(found[key] ?? [])\nwanted \(wanted)")
            }
        }
    }

    /// Names in the folders of an engine's shards that no manifest has.
    func strays(_ test: EngineUnderTest) async throws -> [String] {
        var result: [String] = []
        for shard in test.engine.shards {
            let call = LoopCall<[String]>("list", on: shard.loop, of: test.host) { () throws(StorageError) in
                var known: Set<String> = ["manifest"]
                for table in shard.manifest.tables {
                    for file in table.files { known.insert(SSTableName.file(file.generation)) }
                }
                do throws(DiskError) {
                    return try await test.host.disk.list(shard.folder).filter { !known.contains($0) }
                } catch { throw StorageError(error) }
            }
            result += try await call.value()
        }
        return result
    }
}
