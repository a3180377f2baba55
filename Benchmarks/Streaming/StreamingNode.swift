import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage
import SystemHost

/// A node with storage, messages and streams, and nothing else. It has a loop of its own.
final class StreamingNode: Sendable {
    let system: OperatingSystem
    let member: Member
    let engine: StorageEngine
    let receiver: StreamReceiver
    private let messages: MessageService

    var host: Host { system.host }

    private init(_ system: OperatingSystem, _ member: Member, _ engine: StorageEngine, _ messages: MessageService) {
        self.system = system
        self.member = member
        self.engine = engine
        self.messages = messages
        self.receiver = StreamReceiver(
            engine: engine, host: system.host, messenger: messages, settings: StreamingNode.settings, paxosTable: nil,
            knownEpoch: { 0 })
    }

    private static var settings: StreamSettings {
        var settings = StreamSettings()
        settings.bytesPerSecond = 0
        settings.interDatacenterBytesPerSecond = 0
        return settings
    }

    static func start(_ number: UInt64, folder: String, wholeByteCount: Int) async throws -> StreamingNode {
        let system = OperatingSystem(loopCount: 1, diskThreadCount: 4)
        var options = StorageOptions(dataDirectory: "\(folder)/data", commitLogDirectory: "\(folder)/log")
        options.sync = .periodic(milliseconds: 10_000)
        options.compactionByteCountPerSecond = 0
        let definition = TableDefinition(
            keyspace: "ks", name: "t", id: MeasureStreaming.table,
            columns: [
                ColumnDefinition(name: "k", kind: .partitionKey, type: .blob),
                ColumnDefinition(name: "c", kind: .clustering, type: .blob),
                ColumnDefinition(name: "v", id: 1, kind: .regular, type: .blob),
            ], nextColumnID: 2)
        let engine = try await StorageEngine.open(options, host: system.host, tables: [definition])
        let id = NodeID(UUID(high: 1, low: number))
        let clock = HybridClock(time: system.host.time)
        let messages = MessageService(
            host: system.host,
            identity: MessageIdentity(
                node: id, address: .loopback(port: 0), datacenter: "dc1", clusterName: "streaming",
                clusterID: UUID(high: 5, low: 5)), callbacks: MessageCallbacks { clock.current })
        try await messages.start()
        let address: SocketAddress = messages.address ?? .loopback(port: 0)
        let member = Member(
            id: id, internode: address, native: address, datacenter: "dc1", rack: "r1", tokens: [Token(0)],
            state: .normal, releaseVersion: "1")
        let node = StreamingNode(system, member, engine, messages)
        node.serve(wholeByteCount: wholeByteCount)
        return node
    }

    /// Answers streams from now on, with files that are at least so large as they are.
    func serve(wholeByteCount: Int) {
        var settings: StreamSettings = StreamingNode.settings
        settings.wholeByteCount = wholeByteCount
        StreamSource(
            engine: engine, host: host, messenger: messages, settings: settings, appliedEpoch: { 0 },
            truncate: { _ in }
        ).register()
    }

    func meet(_ other: StreamingNode) {
        messages.setMembers([member, other.member])
    }

    /// Applies a mutation, waiting for room where there is none.
    func apply(_ mutation: [UInt8]) async throws {
        let shard: ShardStore = engine.shards[0]
        let work = LoopWork<Void>("write", on: shard.loop, of: host) {
            guard let table = shard.table(MeasureStreaming.table) else { throw StorageError.closed }
            while true {
                do {
                    _ = try shard.apply(mutation.span.bytes, to: table)
                    return
                } catch StorageError.overloaded { await shard.pauseForRoom() }
            }
        }
        try await work.value()
    }

    func stop() async {
        await messages.stop()
        await engine.close()
    }
}
