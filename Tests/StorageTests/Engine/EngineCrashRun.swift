import DataModel
import Environment
import Primitives
import SimulatedHost

@testable import Storage

/// One random history of an engine over several lives of its process, each ended by a clean stop, a kill, or a loss of
/// power at a random disk operation; after each the engine is compared with a model.
///
/// `Sendable` is unchecked because a world is used by one thread at a time.
final class EngineCrashRun: @unchecked Sendable {
    private let seed: UInt64
    private var generator: SeededGenerator
    private let world: SimulatedWorld
    private let machine: SimulatedMachine
    private let options: StorageOptions
    private let isPeriodic: Bool
    /// What was acknowledged.
    private var model = EngineModel()
    /// What was asked for and not answered when the process ended: it may have happened or not.
    private var pending: Operation?
    private var usedTimestamps: Set<Int64> = []
    private var clock: Int64 = 100
    private var isGraceShort = false
    /// Whether operations on data files fail now and then while flushes, compactions and truncations run.
    private var isFaulty = false
    private(set) var trail: [String] = []

    private enum Operation {
        case write(EngineChange)
        case truncate
    }

    static let keys: [[UInt8]] = (0..<8).map { [UInt8](repeating: $0 &+ 1, count: Int($0) + 1) }
    static let rowCount: UInt8 = 10

    init(seed: UInt64) {
        self.seed = seed
        self.generator = SeededGenerator(seed: seed ^ 0x5EED)
        self.world = SimulatedWorld(seed: seed)
        self.machine = world.makeHost(name: "node", loopCount: 3)
        var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
        options.segmentByteCount = 64 << 10
        options.logSpaceByteCount = 512 << 10
        options.memtableByteCount = 3 << 20
        options.flushThreshold = 0.1
        options.blockCacheByteCount = 256 << 10
        options.isAutoSnapshotEnabled = generator.oneIn(4)
        isPeriodic = generator.oneIn(4)
        options.sync =
            isPeriodic
            ? .periodic(milliseconds: 1_000) : (generator.oneIn(3) ? .group(windowMilliseconds: 5) : .batch)
        self.options = options
        isGraceShort = generator.oneIn(3)
        isFaulty = generator.oneIn(3)
        machine.disk.faults.failingPathPart = "/var/data"
    }

    func run() throws {
        let lives: Int = 3 + generator.below(5)
        for life in 0...lives {
            let isLast: Bool = life == lives
            try oneLife(isLast: isLast)
        }
    }

    private func oneLife(isLast: Bool) throws {
        let losesPower: Bool = !isPeriodic && !isLast && !generator.oneIn(3)
        if losesPower, generator.oneIn(2) {
            machine.disk.crashAfterOperation =
                machine.disk.operationCount + generator.below(generator.oneIn(2) ? 60 : 400)
        }
        let shardCount: Int = 1 + generator.below(3)
        let closes: Bool = isLast || generator.oneIn(3)
        let host: Host = machine.host
        let reduced = Host(
            time: host.time, entropy: host.entropy, disk: host.disk, network: host.network, background: host.background,
            loops: Array(host.loops.prefix(shardCount)))
        trail.append("life with \(shardCount) shards")
        do {
            try world.run(on: reduced.loops[0]) { try await self.live(reduced, closes: closes) }
        } catch SimulationFailure.crashed {
            trail.append("crashed")
        }
        machine.disk.crashAfterOperation = nil
        machine.disk.faults.failureProbability = 0
        if losesPower { machine.crash() } else { machine.kill() }
        machine.restart()
    }

    // MARK: A life

    private func live(_ host: Host, closes: Bool) async throws {
        let test: EngineUnderTest = try await EngineUnderTest.open(options, host: host, tables: [definition])
        try await settle(test)
        for _ in 0..<(5 + generator.below(60)) { try await act(test) }
        try await compare(test)
        if closes {
            trail.append("close")
            await test.engine.close()
        }
    }

    private var definition: TableDefinition {
        var definition: TableDefinition = EngineChange.definition
        definition.options.gcGraceSeconds = isGraceShort ? 0 : 864_000
        definition.options.compaction["min_threshold"] = "3"
        return definition
    }

    /// After a crash: what was not answered may have happened, partition by partition; then it is asked for again.
    private func settle(_ test: EngineUnderTest) async throws {
        guard let operation = pending else { return try await compare(test) }
        var other: EngineModel = model
        switch operation {
        case .write(let change): other.apply(change)
        case .truncate: other = EngineModel()
        }
        let now: Int64 = test.host.time.wallSeconds
        let found: [[UInt8]: [String]] = try await test.visible(now: now)
        for key in EngineCrashRun.keys {
            let seen: [String] = found[key] ?? []
            if seen != model.visible(key, now: now), seen != other.visible(key, now: now) {
                throw mismatch("after a crash", key, seen, model.visible(key, now: now))
            }
        }
        trail.append("ask again")
        try await perform(operation, test)
    }

    private func perform(_ operation: Operation, _ test: EngineUnderTest) async throws {
        pending = operation
        switch operation {
        case .write(let change):
            try await test.write(change)
            model.apply(change)
        case .truncate:
            try await test.engine.truncate(id: EngineChange.table)
            model = EngineModel()
        }
        pending = nil
    }

    private func act(_ test: EngineUnderTest) async throws {
        switch generator.below(40) {
        case 0, 1:
            trail.append("flush")
            try await underFaults { try await test.engine.flush() }
        case 2:
            trail.append("compact")
            try await underFaults { try await test.engine.compact(table: EngineChange.table) }
        case 3:
            if generator.oneIn(3) {
                trail.append("truncate")
                pending = .truncate
                try await underFaults { try await test.engine.truncate(id: EngineChange.table) }
                try await perform(.truncate, test)
            }
        case 4:
            trail.append("sleep")
            try await test.host.time.sleep(for: .seconds(Int64(generator.below(40))))
        case 5: try await compare(test)
        case 6, 7, 8: try await compareRow(test)
        default:
            let change: EngineChange = nextChange(now: test.host.time.wallSeconds)
            trail.append("\(change)")
            try await perform(.write(change), test)
        }
    }

    /// Does something while the disk fails now and then, if it does in this history. It may fail, and must not harm.
    private func underFaults(_ body: () async throws -> Void) async throws {
        guard isFaulty else { return try await body() }
        machine.disk.faults.failureProbability = 0.1
        defer { machine.disk.faults.failureProbability = 0 }
        do {
            try await body()
        } catch {
            trail.append("failed: \(error)")
        }
    }

    private func nextChange(now: Int64) -> EngineChange {
        clock += 20
        var timestamp: Int64 = clock
        // Writes may come late, but not under tombstones that a compaction may have purged.
        if !isGraceShort, generator.oneIn(5) { timestamp = 2 + Int64(generator.below(Int(clock))) }
        while usedTimestamps.contains(timestamp) || usedTimestamps.contains(timestamp - 1) { timestamp += 2 }
        usedTimestamps.insert(timestamp)
        usedTimestamps.insert(timestamp - 1)
        clock = max(clock, timestamp)
        let row = UInt8(generator.below(Int(EngineCrashRun.rowCount)))
        let value = UInt8(generator.below(200))
        let path = UInt8(generator.below(5))
        let column: UInt16 = generator.oneIn(2) ? EngineChange.a : EngineChange.b
        let kind: EngineChange.Kind
        switch generator.below(20) {
        case 0: kind = .deleteRow(row: row)
        case 1: kind = .deleteRange(from: row / 2, to: row)
        case 2: kind = .deletePartition
        case 3, 4: kind = .setStatic(value: value)
        case 5: kind = .deleteCell(row: row, column: column)
        case 6, 7, 8: kind = .put(row: row, path: path, value: value)
        case 9: kind = .removeElement(row: row, path: path)
        case 10: kind = .replace(row: row, path: path, value: value)
        case 11, 12: kind = .update(row: row, column: column, value: value)
        default: kind = .insert(row: row, value: value, ttl: generator.oneIn(4) ? UInt32(1 + generator.below(60)) : 0)
        }
        let key: [UInt8] = EngineCrashRun.keys[generator.below(EngineCrashRun.keys.count)]
        return EngineChange(key: key, kind: kind, timestamp: timestamp, nowSeconds: now)
    }

    // MARK: Comparing

    private func compare(_ test: EngineUnderTest) async throws {
        var command = ReadCommand(partitions: .all)
        command.isReversed = generator.oneIn(2)
        let now: Int64 = test.host.time.wallSeconds
        let found: [[UInt8]: [String]] = try await test.visible(command, now: now)
        for key in EngineCrashRun.keys {
            var wanted: [String] = model.visible(key, now: now)
            if command.isReversed {
                let head: Int = wanted.first?.hasPrefix("static") == true ? 1 : 0
                wanted = Array(wanted[..<head]) + wanted[head...].reversed()
            }
            if found[key] ?? [] != wanted { throw mismatch("scan", key, found[key] ?? [], wanted) }
        }
        if found.count > EngineCrashRun.keys.count { throw EngineMismatch("seed \(seed): partitions nobody wrote") }
    }

    private func compareRow(_ test: EngineUnderTest) async throws {
        let key: [UInt8] = EngineCrashRun.keys[generator.below(EngineCrashRun.keys.count)]
        let row = UInt8(generator.below(Int(EngineCrashRun.rowCount)))
        let now: Int64 = test.host.time.wallSeconds
        let found: String? = try await test.readRow(key: key, row: row, now: now)
        let line: String? = model.visible(key, now: now).first { $0.hasPrefix("\(row) ") }
        let wanted: String? = line.map { String($0.dropFirst("\(row) ".count)) }
        if found != wanted { throw mismatch("row \(row)", key, [found ?? "-"], [wanted ?? "-"]) }
    }

    private func mismatch(_ what: String, _ key: [UInt8], _ found: [String], _ wanted: [String]) -> EngineMismatch {
        EngineMismatch(
            "seed \(seed): \(what) of \(key)\n found \(found)\nwanted \(wanted)\n"
                + trail.suffix(60).joined(separator: "\n"))
    }
}
