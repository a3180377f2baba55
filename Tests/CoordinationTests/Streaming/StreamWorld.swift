import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage

@testable import Coordination

/// Nodes with storage and streams, joined by messages that are late, lost, and answered in vain.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class StreamWorld: @unchecked Sendable {
    static let table = UUID(high: 0x5757, low: 0x8000_0000_0000_0001)
    static let paxos = UUID(high: 0x5757, low: 0x8000_0000_0000_0002)
    static let column: UInt16 = 1

    let seed: UInt64
    let world: SimulatedWorld
    var generator: SeededGenerator
    private(set) var nodes: [StreamNode] = []
    var settings = StreamSettings()
    /// One message in so many is lost, on its way there or back; 0 for none.
    var lossRate = 0
    /// Sees each request before it is carried out.
    var watch: (Verb, StreamNode) async -> Void = { _, _ in }
    private(set) var requestCounts: [Verb: Int] = [:]

    init(seed: UInt64) {
        self.seed = seed
        self.world = SimulatedWorld(seed: seed)
        self.generator = SeededGenerator(seed: seed ^ 0x5731)
        settings.bytesPerSecond = 0
        settings.interDatacenterBytesPerSecond = 0
        settings.requestTimeout = .seconds(1)
        settings.patience = .seconds(20)
        settings.chunkByteCount = 2_000
        settings.wholeByteCount = .max
    }

    static func id(_ index: Int) -> NodeID { NodeID(UUID(high: 7, low: UInt64(index + 1))) }

    static func definition(_ id: UUID, _ name: String) -> TableDefinition {
        TableDefinition(
            keyspace: "ks", name: name, id: id,
            columns: [
                ColumnDefinition(name: "k", kind: .partitionKey, type: .blob),
                ColumnDefinition(name: "c", kind: .clustering, type: .blob),
                ColumnDefinition(name: "v", id: StreamWorld.column, kind: .regular, type: .blob),
            ], nextColumnID: 2)
    }

    /// Starts a node for each number of shards, runs `body`, and returns what it returns.
    func run<Value: Sendable>(
        shards: [Int], _ body: @escaping @Sendable (StreamWorld) async throws -> Value
    ) throws -> Value {
        try world.run(timeLimit: .seconds(7_200)) { [self] in
            for (index, count) in shards.enumerated() {
                let machine = world.makeHost(name: "n\(index)", loopCount: count)
                nodes.append(try await StreamNode.start(index, machine.host, self))
            }
            return try await body(self)
        }
    }

    /// Carries a request from node to node.
    func carry(
        _ verb: Verb, _ body: [UInt8], from sender: StreamNode, to target: NodeID, _ timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        requestCounts[verb, default: 0] += 1
        guard let node = nodes.first(where: { $0.id == target }), !node.isDead else {
            await pause(.milliseconds(5), sender.host)
            throw .unreachable(target)
        }
        await pause(.microseconds(Int64(100 + generator.below(3_000))), sender.host)
        if lossRate > 0, generator.oneIn(lossRate) {
            await pause(timeout, sender.host)
            throw .timedOut(target)
        }
        await watch(verb, node)
        guard let handler = node.handlers[verb], !node.isDead else { throw .timedOut(target) }
        let message = IncomingMessage(verb: verb, sender: sender.id, body: body)
        let work = LoopWork<[UInt8]>("message", on: node.host.loops[0], of: node.host) { try await handler(message) }
        let answer: [UInt8]
        do {
            answer = try await work.value()
        } catch let refusal as Refusal {
            throw .refused(target, code: refusal.code, reason: refusal.reason)
        } catch { throw .refused(target, code: 0xFF02, reason: "\(error)") }
        if lossRate > 0, generator.oneIn(lossRate) {
            await pause(timeout, sender.host)
            throw .timedOut(target)
        }
        return answer
    }

    private func pause(_ duration: Duration, _ host: Host) async {
        do {
            try await host.time.sleep(for: duration)
        } catch {
            // Whoever is cancelled asks by itself.
        }
    }

    func pull(
        _ ranges: [RingRange], tables: [UUID] = [StreamWorld.table], sources: [Int] = [0], includesPaxos: Bool = false
    ) -> StreamReceiver.Pull {
        let part = StreamReceiver.Part(tables: tables, ranges: ranges, sources: sources.map(StreamWorld.id))
        return StreamReceiver.Pull(
            id: UUID(high: 1, low: generator.next()), title: "Rebuild", parts: [part], includesPaxos: includesPaxos)
    }
}

/// One node of a `StreamWorld`.
final class StreamNode: Messenger, @unchecked Sendable {
    let id: NodeID
    let host: Host
    let engine: StorageEngine
    private unowned let world: StreamWorld
    var handlers: [Verb: @Sendable (IncomingMessage) async throws -> [UInt8]] = [:]
    var isDead = false
    var appliedEpoch: UInt64 = 5
    private var made: (source: StreamSource, receiver: StreamReceiver)?
    let truncations: TruncationTimes
    let watermarks: RepairWatermarks

    private init(
        _ id: NodeID, _ host: Host, _ engine: StorageEngine, _ world: StreamWorld, _ truncations: TruncationTimes,
        _ watermarks: RepairWatermarks
    ) {
        self.truncations = truncations
        self.watermarks = watermarks
        self.id = id
        self.host = host
        self.engine = engine
        self.world = world
    }

    static func start(_ index: Int, _ host: Host, _ world: StreamWorld) async throws -> StreamNode {
        var options = StorageOptions(dataDirectory: "/data", commitLogDirectory: "/log")
        options.segmentByteCount = 256 << 10
        options.isAutoSnapshotEnabled = false
        let tables = [
            StreamWorld.definition(StreamWorld.table, "t"), StreamWorld.definition(StreamWorld.paxos, "paxos"),
        ]
        let engine = try await StorageEngine.open(options, host: host, tables: tables)
        let (truncations, watermarks) = try await LoopWork("open", on: host.loops[0], of: host) {
            (
                try await TruncationTimes.open(directory: "/data", disk: host.disk),
                await RepairWatermarks.open(directory: "/data", disk: host.disk)
            )
        }.value()
        let node = StreamNode(StreamWorld.id(index), host, engine, world, truncations, watermarks)
        node.makeStreams()
        return node
    }

    /// Also what a restart of the process would do: no session is known any more.
    func makeStreams() {
        let source = StreamSource(
            engine: engine, host: host, messenger: self, settings: world.settings,
            appliedEpoch: { [unowned self] in appliedEpoch }, isRemote: { $0 == StreamWorld.id(9) },
            truncate: { [engine] in try await engine.truncate(id: $0) }, truncations: truncations,
            watermarks: watermarks)
        source.register()
        let receiver = StreamReceiver(
            engine: engine, host: host, messenger: self, settings: world.settings, paxosTable: StreamWorld.paxos,
            knownEpoch: { [unowned self] in appliedEpoch }, name: { "node \($0.uuid.low)" }, truncations: truncations,
            watermarks: watermarks)
        made = (source, receiver)
    }

    var source: StreamSource {
        guard let made else { preconditionFailure("made at the start") }
        return made.source
    }

    var receiver: StreamReceiver {
        guard let made else { preconditionFailure("made at the start") }
        return made.receiver
    }

    /// Empties a table as a truncation of the cluster does here.
    func truncate(_ table: UUID = StreamWorld.table) async throws {
        try await engine.truncate(id: table)
        try await source.truncated(table)
    }

    var table: StreamedTable { StreamedTable(engine: engine, host: host) }

    func write(
        _ number: Int, rows: Range<Int> = 0..<1, at timestamp: Int64 = 10, table: UUID = StreamWorld.table
    ) async throws {
        try await self.table.write(number, rows: rows, at: timestamp, table: table)
    }

    func rows(table: UUID = StreamWorld.table) async throws -> [[UInt8]: Int] {
        try await self.table.rows(table: table)
    }

    // MARK: Messenger

    func send(_ verb: Verb, _ body: [UInt8], to node: NodeID) {
        host.background.run("send", on: host.loops[0]) { [self] in
            _ = try? await world.carry(verb, body, from: self, to: node, .milliseconds(1))
        }
    }

    func request(
        _ verb: Verb, _ body: [UInt8], to node: NodeID, timeout: Duration
    ) async throws(MessageFailure) -> [UInt8] {
        try await world.carry(verb, body, from: self, to: node, timeout)
    }

    func request(
        _ verb: Verb, _ body: [UInt8], at address: SocketAddress, timeout: Duration
    ) async throws(MessageFailure) -> (sender: NodeID, body: [UInt8]) {
        throw .closed
    }

    func handle(_ verb: Verb, _ body: @escaping @Sendable (IncomingMessage) async throws -> [UInt8]) {
        handlers[verb] = body
    }
}

/// What tests write to an engine and read from it.
struct StreamedTable: Sendable {
    let engine: StorageEngine
    let host: Host

    static func key(_ number: Int) -> [UInt8] { Array("key\(number)".utf8) }

    /// Writes rows of a partition.
    func write(_ number: Int, rows: Range<Int> = 0..<1, at timestamp: Int64 = 10, table: UUID = StreamWorld.table)
        async throws
    {
        let key: [UInt8] = StreamedTable.key(number)
        let token = Token(ofKey: key.span.bytes)
        var writer = ByteWriter()
        var mutation = MutationWriter(table: table, token: token, key: key.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        for index in rows {
            let clustering: [UInt8] = [0x40, UInt8(index >> 8), UInt8(index & 0xFF)]
            let value = [UInt8](repeating: UInt8(truncatingIfNeeded: index), count: 40)
            let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
            var row = RowWriter(
                marker: RowMarker(timestamp: timestamp), baseTimestamp: timestamp, deletion: .none, to: &writer)
            row.live(column: StreamWorld.column, timestamp: timestamp, value: value.span.bytes, to: &writer)
            row.finish(&writer)
            mutation.endBody(start, &writer)
        }
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        let bytes: [UInt8] = writer.array()
        let shard: ShardStore = engine.shard(of: token)
        let work = LoopWork<Void>("write", on: shard.loop, of: host) {
            guard let store = shard.table(table) else { throw StorageError.closed }
            _ = try shard.apply(bytes.span.bytes, to: store)
        }
        try await work.value()
    }

    /// The rows that this node shows, by partition.
    func rows(table: UUID = StreamWorld.table) async throws -> [[UInt8]: Int] {
        var result: [[UInt8]: Int] = [:]
        for shard in engine.shards {
            let work = LoopWork<[[UInt8]: Int]>("read", on: shard.loop, of: host) {
                var found: [[UInt8]: Int] = [:]
                guard let cursor = shard.table(table)?.cursor(ReadCommand(partitions: .all)) else { return [:] }
                var key: [UInt8] = []
                while true {
                    switch try cursor.step() {
                    case .partition: key = [UInt8](cursor.key)
                    case .row: found[key, default: 0] += 1
                    case .blocked: try await cursor.load()
                    case .end: return found
                    }
                }
            }
            result.merge(try await work.value()) { $0 + $1 }
        }
        return result
    }
}
