package import Cluster
package import DataModel
package import Environment
package import Primitives
package import Storage

/// This node as a replica that takes part in repairs, its own and those of others.
///
///     cut ─▶ flush what is in memory of the range      leaves ─▶ hash trees ─▶ (files)      units ─▶ memory and files
///     fetch ─▶ versions of units       apply ─▶ log and memory, durable       mark ─▶ watermark of the range
///
/// What is asked for is not trusted: limits are this node's own.
package final class RepairReplica: Sendable {
    package static let refusesMalformed: UInt16 = 1
    package static let refusesFailure: UInt16 = 2
    package static let refusesUnknownTable: UInt16 = 3

    /// How long a replica hashes before it answers with what it has.
    private static let turn: Duration = .seconds(2)
    /// Leaves in one answer.
    package static let leafLimit = 4_096

    private let node: NodeReplica
    private let engine: StorageEngine
    private let watermarks: RepairWatermarks
    private let missed: MissedWrites?
    private let owners: @Sendable (UUID, ClosedRange<Token>) -> Set<NodeID>?
    private let host: Host

    /// - Parameter owners: who has some tokens of a table, as far as this node knows; nil when not all of them have the same
    ///   owners, or when that is about to change.
    package init(
        node: NodeReplica, engine: StorageEngine, watermarks: RepairWatermarks, missed: MissedWrites? = nil, host: Host,
        owners: @escaping @Sendable (UUID, ClosedRange<Token>) -> Set<NodeID>?
    ) {
        self.missed = missed
        self.owners = owners
        self.node = node
        self.engine = engine
        self.watermarks = watermarks
        self.host = host
    }

    /// Has this node do its part. Called once, before messages come.
    package func register(on messenger: any Messenger) {
        handle(.repairCut, messenger) { replica, body in try await replica.cut(body) }
        handle(.repairLeaves, messenger) { replica, body in try await replica.leaves(body) }
        handle(.repairUnits, messenger) { replica, body in try await replica.units(body) }
        handle(.repairFetch, messenger) { replica, body in try await replica.fetch(body) }
        handle(.repairApply, messenger) { replica, body in try await replica.apply(body) }
        handle(.repairMark, messenger) { replica, body in try await replica.mark(body) }
    }

    private func handle(
        _ verb: Verb, _ messenger: any Messenger,
        _ body: @escaping @Sendable (RepairReplica, [UInt8]) async throws -> [UInt8]
    ) {
        messenger.handle(verb) { [self] incoming in
            do {
                return try await body(self, incoming.body)
            } catch let error as DecodingError {
                throw Refusal(code: RepairReplica.refusesMalformed, reason: "\(error)")
            } catch ReplicaError.unknownTable(let table) {
                throw Refusal(code: RepairReplica.refusesUnknownTable, reason: "This node has no table \(table)")
            } catch {
                throw Refusal(code: RepairReplica.refusesFailure, reason: "\(error)")
            }
        }
    }

    /// The table on a shard, on its loop.
    private static func table(_ id: UUID, _ shard: ReplicaShard) throws(ReplicaError) -> TableStore {
        guard let table = shard.store.table(id) else { throw .unknownTable(id) }
        return table
    }

    // MARK: Comparing

    /// Writes what is in memory to files, whose hashes are compared from then on.
    private func cut(_ body: [UInt8]) async throws -> [UInt8] {
        let request = try CutRequest(decoding: body.span.bytes)
        let place: RepairPlace = request.place
        switch request.extent {
        case .nothing: break
        case .range: try await flush(place.table, place.tokens)
        case .table: try await flush(place.table, .minimum ... .maximum)
        }
        var answer = RepairMessage.Cut(partitionCount: 0, depth: nil)
        for shard in node.shards.indices {
            let found: (Int, UInt8?) = try await node.run(on: shard) { shard in
                let table: TableStore = try RepairReplica.table(place.table, shard)
                let middle: UInt64 =
                    place.tokens.lowerBound.ordinal
                    + (place.tokens.upperBound.ordinal - place.tokens.lowerBound.ordinal) / 2
                let leaf: ClosedRange<Token>? = table.knownLeaf(at: Token(ordinal: middle))
                return (table.statistics.estimatedPartitionCount, leaf.flatMap { LeafGrid.depth(ofPart: $0) })
            }
            answer.partitionCount &+= UInt64(clamping: found.0)
            answer.depth = answer.depth ?? found.1
        }
        return answer.encoded()
    }

    /// Writes a table's memtables to files if anything of a range is in them.
    private func flush(_ table: UUID, _ tokens: ClosedRange<Token>) async throws {
        for shard in PartitionRange(tokens).shards(node.slices) {
            let isUnflushed: Bool = try await node.run(on: shard) { shard in
                try RepairReplica.table(table, shard).hasUnflushed(tokens)
            }
            if isUnflushed { return try await engine.flush(tables: [table]) }
        }
    }

    private func leaves(_ body: [UInt8]) async throws -> [UInt8] {
        let request = try LeavesRequest(decoding: body.span.bytes)
        let all: [ClosedRange<Token>] = LeafGrid(tokens: request.place.tokens, depth: request.depth)
            .leaves(limit: RepairReplica.leafLimit)
        guard let first = all.first, let last = all.last else { return HashedLeaves().encoded() }
        let limit = UInt64(RepairReplica.turn / .nanoseconds(1))
        let deadline: UInt64 = host.time.monotonicNanoseconds &+ limit
        var answer = HashedLeaves()
        answer.hashes = Array(repeating: .empty, count: all.count)
        var doneCount: Int = all.count
        let range = PartitionRange(first.lowerBound...last.upperBound)
        for index in range.shards(node.slices) {
            let slice: ClosedRange<Token> = node.slices.tokens(of: index)
            let touched: [Int] = all.indices.filter { all[$0].overlaps(slice) && $0 < doneCount }
            guard let start = touched.first else { continue }
            let wanted: [ClosedRange<Token>] = touched.map { all[$0].clamped(to: slice) }
            let part: HashedLeaves = try await node.run(on: index) { shard in
                try await RepairReplica.table(request.place.table, shard).hash(
                    wanted, request.frame, request.mode, deadline: deadline)
            }
            for (offset, hash) in part.hashes.enumerated() { answer.hashes[start + offset].add(hash) }
            answer.knownCount += part.knownCount
            answer.wrongCount += part.wrongCount
            answer.readByteCount += part.readByteCount
            doneCount = min(doneCount, start + part.hashes.count)
            // The leaves of later shards come after those that are missing.
            if part.hashes.count < wanted.count { break }
        }
        answer.hashes.removeLast(all.count - doneCount)
        return answer.encoded()
    }

    private func units(_ body: [UInt8]) async throws -> [UInt8] {
        let request = try UnitsRequest(decoding: body.span.bytes)
        let command: ReadCommand = request.command
        let writer = UnitPageWriter(request.frame, after: request.mark)
        for index in command.partitions.shards(node.slices) {
            let before: Int = writer.readByteCount
            try await node.run(on: index) { shard in
                let table: TableStore = try RepairReplica.table(request.place.table, shard)
                try await writer.fill(from: table.cursor(command))
                try await shard.store.hashThrottle.spend(writer.readByteCount - before)
            }
            if writer.isFull { break }
        }
        var answer = ByteWriter(capacity: 4_096)
        writer.page().write(to: &answer)
        return answer.array()
    }

    // MARK: Exchanging

    /// Answers with a fragment for each entry, until there are enough.
    private func fetch(_ body: [UInt8]) async throws -> [UInt8] {
        let request = try FetchRequest(decoding: body.span.bytes)
        var answer = ByteWriter(capacity: 4_096)
        // Known before anything is read: what is read is of after it.
        answer.write(node.truncations?.finished(request.table) ?? 0)
        for entry in request.entries {
            let fragment: [UInt8] = try await node.run(on: node.slices.shard(of: entry.token)) { shard in
                try await UnitFetch(request.table, entry).run(RepairReplica.table(request.table, shard))
            }
            Fragments.write(fragment, to: &answer)
            if answer.count >= Fragments.byteLimit { break }
        }
        return answer.array()
    }

    private func apply(_ body: [UInt8]) async throws -> [UInt8] {
        var reader = ByteReader(body.span.bytes)
        let high: UInt64 = try reader.readUInt64()
        let table = UUID(high: high, low: try reader.readUInt64())
        let span = try TruncationSpan(from: &reader)
        await node.hear(span, of: table)
        let truncations: TruncationTimes? = node.truncations
        var byShard: [[[UInt8]]] = node.shards.map { _ in [] }
        for mutation in try Fragments.read(&reader) {
            guard let token = Token(ofMutation: mutation.span.bytes), UUID(mutation.span.bytes) == table else {
                throw DecodingError.invalid(offset: 0, what: "a mutation of another table")
            }
            byShard[node.slices.shard(of: token)].append(mutation)
        }
        for (index, mutations) in byShard.enumerated() where !mutations.isEmpty {
            try await node.run(on: index) { [node] shard in
                let table: TableStore = try RepairReplica.table(table, shard)
                var last: LogPosition = .start
                for mutation in mutations {
                    // Asked where the mutation is applied: a truncation that begins later removes it.
                    guard
                        let position = try await shard.applyWithPatience(
                            mutation, to: table, unless: { (truncations?.begun(table.id) ?? 0) > span.oldest })
                    else {
                        throw Refusal(
                            code: RepairReplica.refusesFailure, reason: "The table was truncated meanwhile")
                    }
                    last = max(last, position)
                    node.passOn(mutation, on: index)
                }
                try await shard.waitUntilDurable(last)
            }
        }
        return []
    }

    private func mark(_ body: [UInt8]) async throws -> [UInt8] {
        let mark = try RepairMark(decoding: body.span.bytes).bounded(nowSeconds: host.time.wallSeconds)
        let isAgreed: Bool = owners(mark.place.table, mark.place.tokens) == Set(mark.owners)
        guard isAgreed else { return [0] }
        guard mark.isFinal else { return [1] }
        watermarks.note(mark.place.table, mark.place.tokens, repairedAtSeconds: mark.watermarkSeconds)
        missed?.clear(mark.place.table, mark.place.tokens, cutAtSeconds: mark.cutSeconds)
        return [1]
    }
}

/// Reads what one replica has of some units of a partition, as a mutation.
private final class UnitFetch {
    private let entry: UnitEntry
    private var writer: ByteWriter
    private var mutation: MutationWriter
    private let partition: PartitionRange

    init(_ table: UUID, _ entry: UnitEntry) {
        self.entry = entry
        // Not `.one`: a read of one row may leave out older deletions that change nothing for clients.
        self.partition = .range(start: .before(entry.token, entry.key), end: .after(entry.token, entry.key))
        let key: [UInt8] = entry.key
        var writer = ByteWriter()
        self.mutation = MutationWriter(table: table, token: entry.token, key: key.span.bytes, to: &writer)
        self.writer = writer
    }

    func run(_ table: TableStore) async throws(StorageError) -> [UInt8] {
        let rows: [ClusteringSlice] = entry.rows.map { .row($0) }
        let head: ReadCursor = table.cursor(
            ReadCommand(partitions: partition, slices: entry.hasHead ? [.everything] : rows))
        var ranges: [RangeDeletion] = []
        if try await UnitFetch.isAnything(head) {
            if !head.partitionDeletion.isNone { mutation.partitionDeletion(head.partitionDeletion, to: &writer) }
            if entry.hasHead, !head.staticRow.isEmpty {
                let start: Int = mutation.beginStaticRow(&writer)
                writer.write(head.staticRow)
                mutation.endBody(start, &writer)
            }
            ranges = head.rangeDeletions.filter { !head.partitionDeletion.covers($0.deletion.timestamp) }
        }
        mutation.beginRows(&writer)
        if !rows.isEmpty { try await write(table.cursor(ReadCommand(partitions: partition, slices: rows))) }
        mutation.beginRanges(&writer)
        for range in ranges {
            mutation.range(start: range.start.span.bytes, end: range.end.span.bytes, range.deletion, to: &writer)
        }
        mutation.finish(&writer)
        return writer.array()
    }

    /// Steps to the partition; false when there is none.
    private static func isAnything(_ cursor: ReadCursor) async throws(StorageError) -> Bool {
        while true {
            switch try cursor.step() {
            case .partition: return true
            case .blocked: try await cursor.load()
            case .row, .end: return false
            }
        }
    }

    private func write(_ rows: ReadCursor) async throws(StorageError) {
        while true {
            switch try rows.step() {
            case .partition: continue
            case .blocked: try await rows.load()
            case .end: return
            case .row:
                let clustering = unsafe RawSpan(_unsafeBytes: rows.clustering)
                let start: Int = mutation.beginRow(clustering: clustering, to: &writer)
                writer.write(rows.row)
                mutation.endBody(start, &writer)
            }
        }
    }
}
