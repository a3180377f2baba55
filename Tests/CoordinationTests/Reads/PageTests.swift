import Coordination
import DataModel
import Primitives
import Storage
import Testing

/// Pages of replicas: made, sent, merged, compared.
@Suite struct PageTests {
    private static let table = UUID(high: 7, low: 9)
    private static let seeds: [UInt64] = Array(1...60)

    @Test(arguments: seeds) func pagesOfSeveralReplicasMergeToWhatOneReplicaWithAllWritesHas(seed: UInt64) async throws
    {
        var random = SeededGenerator(seed: seed)
        let world = RandomReplicas(&random, replicaCount: 3, mutationCount: 60)
        let isReversed: Bool = random.next() % 2 == 0
        let whole = try await rows(of: world.everything, isReversed: isReversed)
        let rowLimit = Int(random.next() % 7) + 1
        var merged: [String] = []
        var command = ReadCommand(partitions: .all, isReversed: isReversed)
        while true {
            var pages: [ReadPage] = []
            for replica in world.replicas { pages.append(try await page(of: replica, command, rowLimit: rowLimit)) }
            let limit: ReadMark? = ReadMark.earliest(pages.map(\.covered), isReversed: isReversed)
            let sources = pages.map { FragmentCursor($0.fragments, limit: limit, isReversed: isReversed) }
            merged += try await rows(of: ReadCursor(sources: sources, isReversed: isReversed))
            guard let limit else { break }
            command = command.after(limit)
        }
        #expect(RandomReplicas.live(merged) == RandomReplicas.live(whole), "seed \(seed)")
    }

    @Test(arguments: seeds) func repairsMakeReplicasEqual(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed &+ 1_000)
        let world = RandomReplicas(&random, replicaCount: 3, mutationCount: 40)
        let command = ReadCommand(partitions: .all)
        var pages: [ReadPage] = []
        for replica in world.replicas { pages.append(try await page(of: replica, command, rowLimit: 1_000)) }
        let repairs = try PageRepair.repairs(of: pages, upTo: nil, table: PageTests.table, isReversed: false)
        for (replica, mutations) in zip(world.replicas, repairs) {
            for mutation in mutations {
                let bytes: [UInt8] = mutation
                try replica.apply(bytes.span.bytes)
            }
        }
        var digests: Set<PageDigest> = []
        for replica in world.replicas {
            let after = try await page(of: replica, command, rowLimit: 1_000)
            digests.insert(after.digest)
        }
        #expect(digests.count == 1, "seed \(seed)")
        let first = try await rows(of: world.replicas[0], isReversed: false)
        let all = try await rows(of: world.everything, isReversed: false)
        #expect(RandomReplicas.live(first) == RandomReplicas.live(all), "seed \(seed)")
    }

    @Test func repairingEqualReplicasSendsNothing() async throws {
        var random = SeededGenerator(seed: 3)
        let world = RandomReplicas(&random, replicaCount: 1, mutationCount: 50)
        let one = try await page(of: world.replicas[0], ReadCommand(partitions: .all), rowLimit: 1_000)
        let repairs = try PageRepair.repairs(of: [one, one], upTo: nil, table: PageTests.table, isReversed: false)
        #expect(repairs == [[], []])
    }

    @Test func aTombstonePastItsGraceDoesNotChangeTheDigest() async throws {
        let clean = Memtable(table: PageTests.table)
        let other = Memtable(table: PageTests.table)
        try clean.apply(RandomReplicas.cell(key: 1, row: 1, timestamp: 5, value: 1).span.bytes)
        try other.apply(RandomReplicas.cell(key: 1, row: 1, timestamp: 5, value: 1).span.bytes)
        try other.apply(RandomReplicas.rowTombstone(key: 1, row: 2, timestamp: 5, seconds: 50).span.bytes)
        try other.apply(RandomReplicas.rowTombstone(key: 2, row: 2, timestamp: 5, seconds: 50).span.bytes)
        let command = ReadCommand(partitions: .all)
        let young = try await page(of: other, command, rowLimit: 10, graceStart: 50).digest
        let old = try await page(of: other, command, rowLimit: 10, graceStart: 51).digest
        let without = try await page(of: clean, command, rowLimit: 10, graceStart: 51).digest
        #expect(old == without)
        #expect(young != without)
    }

    @Test(arguments: seeds) func requestsAndPagesSurviveTheWire(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let world = RandomReplicas(&random, replicaCount: 1, mutationCount: 20)
        let start = PartitionPosition.before(Token(Int64(bitPattern: random.next())), [1, 2])
        var command = ReadCommand(
            partitions: .range(start: start, end: .afterEverything), slices: [.everything, .row([3])],
            isReversed: random.next() % 2 == 0, columns: [1, 2, 9])
        command.firstPartitionSlices = random.next() % 2 == 0 ? [.row([9])] : nil
        let request = PageRequest(
            table: PageTests.table, command: command, nowSeconds: 12, graceStart: 3, rowLimit: 5, isDigest: true)
        var writer = ByteWriter()
        request.write(to: &writer)
        let read = try PageRequest(decoding: writer.span)
        #expect(read == request)

        let made = try await page(of: world.replicas[0], ReadCommand(partitions: .all), rowLimit: 4)
        var sent = ByteWriter()
        made.write(to: &sent)
        let received = try ReadPage(decoding: sent.span)
        #expect(received == made)
    }

    @Test(arguments: seeds) func damagedPagesAreRefusedAndNeverCrash(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let world = RandomReplicas(&random, replicaCount: 1, mutationCount: 30)
        let made = try await page(of: world.replicas[0], ReadCommand(partitions: .all), rowLimit: 1_000)
        for _ in 0..<50 {
            var damaged: [UInt8] = made.fragments
            for _ in 0...(random.next() % 3) {
                damaged[Int(random.next() % UInt64(damaged.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 4 == 0 { damaged.removeLast(Int(random.next() % UInt64(damaged.count))) }
            let cursor = FragmentCursor(damaged, limit: nil, isReversed: false)
            do {
                _ = try await rows(of: ReadCursor(sources: [cursor], isReversed: false))
            } catch is StorageError {} catch is DecodingError {}
        }
    }

    // MARK: Pieces

    private func page(
        of memtable: Memtable, _ command: ReadCommand, rowLimit: Int, graceStart: Int64 = .min
    ) async throws -> ReadPage {
        let writer = PageWriter(
            PageRequest(
                table: PageTests.table, command: command, nowSeconds: 100, graceStart: graceStart, rowLimit: rowLimit))
        let source = memtable.makeCursor(command)
        try await writer.fill(from: ReadCursor(sources: [source], isReversed: command.isReversed))
        return writer.page()
    }

    private func rows(of memtable: Memtable, isReversed: Bool) async throws -> [String] {
        let source = memtable.makeCursor(ReadCommand(partitions: .all, isReversed: isReversed))
        return try await rows(of: ReadCursor(sources: [source], isReversed: isReversed))
    }

    /// What a reader sees, in words: live cells only.
    private func rows(of cursor: ReadCursor) async throws -> [String] {
        var seen: [String] = []
        while true {
            switch try cursor.step() {
            case .blocked: try await cursor.load()
            case .end: return seen
            case .partition: seen.append("partition \([UInt8](cursor.key))")
            case .row:
                let body = [UInt8](cursor.row)
                seen.append("  \([UInt8](cursor.clustering)): \(try RandomReplicas.words(body))")
            }
        }
    }
}
