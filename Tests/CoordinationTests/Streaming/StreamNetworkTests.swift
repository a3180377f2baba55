import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

@testable import Coordination

/// Streams over connections between machines that stop and start.
@Suite struct StreamNetworkTests {
    private static let pull = StreamReceiver.Pull(
        id: UUID(high: 1, low: 1), title: "Bootstrap",
        parts: [
            StreamReceiver.Part(
                tables: [StreamWorld.table], ranges: [.wholeRing], sources: [StreamWorld.id(0)])
        ], includesPaxos: false)

    private static func fill(_ node: ConnectedNode, seed: UInt64) async throws -> [[UInt8]: Int] {
        var generator = SeededGenerator(seed: seed)
        for number in 0..<150 {
            try await node.table.write(number, rows: 0..<(generator.oneIn(12) ? 250 : 1 + generator.below(3)))
            if generator.oneIn(40) { try await node.engine.flush() }
        }
        try await node.engine.flush()
        return try await node.table.rows()
    }

    /// The source dies in the middle, comes back, and the rest is fetched from it.
    @Test(arguments: 0..<8)
    func aSourceThatStartsAgainGoesOn(seed: UInt64) throws {
        let test = ConnectedWorld(seed: seed, loops: [2, 3])
        test.settings.wholeByteCount = seed % 2 == 0 ? 0 : .max
        try test.world.run(timeLimit: .seconds(3_600)) {
            try await test.start(0)
            try await test.start(1)
            let (source, target) = (try #require(test.nodes[0]), try #require(test.nodes[1]))
            let expected: [[UInt8]: Int] = try await StreamNetworkTests.fill(source, seed: seed)
            let work = LoopWork<Void>("pull", on: target.host.loops[0], of: target.host) {
                try await target.receiver.pull(StreamNetworkTests.pull) { _, _ in }
            }
            try await target.host.time.sleep(for: .milliseconds(Int64(5 + seed * 9)))
            if seed % 3 == 0 { test.machines[0].crash() } else { test.machines[0].kill() }
            try await target.host.time.sleep(for: .seconds(3))
            test.machines[0].restart()
            try await test.start(0)
            try await work.value()
            #expect(try await target.table.rows() == expected)
            await target.stop()
        }
    }

    /// The node that fetches loses its power in the middle: nothing half-fetched is seen, and it fetches again.
    @Test(arguments: 0..<8)
    func aReceiverThatLosesPowerFetchesAgain(seed: UInt64) throws {
        let test = ConnectedWorld(seed: 50 + seed, loops: [2, 2])
        test.settings.wholeByteCount = seed % 2 == 0 ? 0 : .max
        try test.world.run(timeLimit: .seconds(3_600)) {
            try await test.start(0)
            try await test.start(1)
            let (source, target) = (try #require(test.nodes[0]), try #require(test.nodes[1]))
            let expected: [[UInt8]: Int] = try await StreamNetworkTests.fill(source, seed: seed)
            _ = target.host.background.run("pull", on: target.host.loops[0]) {
                do {
                    try await target.receiver.pull(StreamNetworkTests.pull) { _, _ in }
                } catch {
                    // It ends with its process.
                }
            }
            try await source.host.time.sleep(for: .milliseconds(Int64(5 + seed * 11)))
            test.machines[1].crash()
            try await source.host.time.sleep(for: .seconds(1))
            test.machines[1].restart()
            try await test.start(1)
            let again = try #require(test.nodes[1])
            for (key, count) in try await again.table.rows() { #expect(count == expected[key]) }
            try await again.receiver.pull(StreamNetworkTests.pull) { _, _ in }
            #expect(try await again.table.rows() == expected)
            try await source.host.time.sleep(for: .seconds(400))
            #expect(await source.source.progress().isEmpty, "what the first process has opened ends with its lease")
            await again.stop()
        }
    }

    @Test func aSplitThatHealsOnlyTakesTime() throws {
        let test = ConnectedWorld(seed: 99, loops: [1, 1])
        try test.world.run(timeLimit: .seconds(3_600)) {
            try await test.start(0)
            try await test.start(1)
            let (source, target) = (try #require(test.nodes[0]), try #require(test.nodes[1]))
            let expected: [[UInt8]: Int] = try await StreamNetworkTests.fill(source, seed: 3)
            let work = LoopWork<Void>("pull", on: target.host.loops[0], of: target.host) {
                try await target.receiver.pull(StreamNetworkTests.pull) { _, _ in }
            }
            try await target.host.time.sleep(for: .milliseconds(20))
            test.world.network.split([test.machines[0]], from: [test.machines[1]])
            try await target.host.time.sleep(for: .seconds(15))
            test.world.network.healAll()
            try await work.value()
            #expect(try await target.table.rows() == expected)
        }
    }
}

/// Machines with storage, messages over connections, and streams.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class ConnectedWorld: @unchecked Sendable {
    let world: SimulatedWorld
    let machines: [SimulatedMachine]
    private(set) var nodes: [ConnectedNode?]
    var settings = StreamSettings()
    private let members: [Member]

    init(seed: UInt64, loops: [Int]) {
        let world = SimulatedWorld(seed: seed)
        let machines: [SimulatedMachine] = loops.enumerated().map { index, count in
            world.makeHost(name: "m\(index)", loopCount: count)
        }
        self.world = world
        self.machines = machines
        self.nodes = loops.map { _ in nil }
        self.members = machines.enumerated().map { index, machine in
            let address: SocketAddress = machine.address(port: 7_000)
            return Member(
                id: StreamWorld.id(index), internode: address, native: address, datacenter: "dc1", rack: "r1",
                tokens: [Token(Int64(index))], state: .normal, releaseVersion: "1")
        }
        settings.bytesPerSecond = 0
        settings.chunkByteCount = 3_000
        settings.requestTimeout = .seconds(2)
    }

    func start(_ index: Int) async throws {
        nodes[index] = try await ConnectedNode.start(members[index], members, machines[index].host, settings)
    }
}

final class ConnectedNode: Sendable {
    let host: Host
    let engine: StorageEngine
    let source: StreamSource
    let receiver: StreamReceiver
    private let messages: MessageService

    var table: StreamedTable { StreamedTable(engine: engine, host: host) }

    private init(_ host: Host, _ engine: StorageEngine, _ messages: MessageService, _ settings: StreamSettings) {
        self.host = host
        self.engine = engine
        self.messages = messages
        self.source = StreamSource(
            engine: engine, host: host, messenger: messages, settings: settings, appliedEpoch: { 1 },
            truncate: { [engine] in try await engine.truncate(id: $0) })
        self.receiver = StreamReceiver(
            engine: engine, host: host, messenger: messages, settings: settings, paxosTable: nil, knownEpoch: { 1 })
    }

    static func start(
        _ member: Member, _ members: [Member], _ host: Host, _ settings: StreamSettings
    ) async throws -> ConnectedNode {
        var options = StorageOptions(dataDirectory: "/data", commitLogDirectory: "/log")
        options.segmentByteCount = 256 << 10
        let engine = try await StorageEngine.open(
            options, host: host, tables: [StreamWorld.definition(StreamWorld.table, "t")])
        let clock = HybridClock(time: host.time)
        let messages = MessageService(
            host: host,
            identity: MessageIdentity(
                node: member.id, address: member.internode, datacenter: member.datacenter, clusterName: "test",
                clusterID: UUID(high: 5, low: 5)), callbacks: MessageCallbacks { clock.current })
        let node = ConnectedNode(host, engine, messages, settings)
        node.source.register()
        messages.setMembers(members)
        try await messages.start()
        return node
    }

    func stop() async {
        await source.stop()
        await messages.stop()
        await engine.close()
    }
}
