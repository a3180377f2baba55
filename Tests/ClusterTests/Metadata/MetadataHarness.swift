import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost

/// Machines that agree on metadata, and everything that their listeners were ever told.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class MetadataHarness: @unchecked Sendable {
    let world: SimulatedWorld
    let net: MessageNet
    private(set) var machines: [SimulatedMachine] = []
    /// The running node of each machine.
    private(set) var logs: [MetadataLog?] = []
    private(set) var ids: [NodeID?] = []
    /// What was shown anywhere for an epoch, and rules that were broken.
    private(set) var shown: [UInt64: ClusterMetadata] = [:]
    private(set) var broken: [String] = []
    private var lives: [Int] = []
    var settings = MetadataLog.Settings()
    var clusterName = "test"
    static let directory = "/data/metadata"

    init(seed: UInt64, machineCount: Int) {
        self.world = SimulatedWorld(seed: seed)
        self.net = MessageNet(world)
        for index in 0..<machineCount {
            machines.append(world.makeHost(name: "m\(index)"))
            logs.append(nil)
            ids.append(nil)
            lives.append(0)
        }
        settings.voteTimeout = .milliseconds(100)
        settings.fetchTimeout = .milliseconds(300)
        settings.commitPatience = .milliseconds(50)
        settings.foundingPatience = .milliseconds(400)
        settings.seedTimeout = .milliseconds(50)
        settings.rankDelay = .milliseconds(50)
    }

    func address(_ index: Int) -> SocketAddress { machines[index].address(port: 7000) }

    var seeds: [SocketAddress] { machines.indices.map { address($0) } }

    /// Starts the node of a machine; returns once it is a member.
    @discardableResult
    func start(
        _ index: Int, seeds: [SocketAddress]? = nil, native: UInt16 = 9042, timeout: Duration = .seconds(20)
    ) async throws -> ClusterMetadata {
        let host: Host = machines[index].host
        let file = LocalNodeFile(disk: host.disk, directory: MetadataHarness.directory)
        let local = LocalNode.Settings(
            clusterName: clusterName, dataCenter: "dc1", rack: "r\(index % 3)", tokenCount: 4)
        let node: LocalNode = try await file.start(local, time: host.time, entropy: host.entropy)
        let identity = MetadataLog.Identity(
            node, internode: address(index), native: machines[index].address(port: native), releaseVersion: "5.0.0")
        let messenger = SimulatedMessenger(net, id: identity.id, address: identity.internode, host: host)
        let log = MetadataLog(
            host: host, messenger: messenger, directory: MetadataHarness.directory, identity: identity,
            settings: settings)
        lives[index] += 1
        ids[index] = identity.id
        logs[index] = log
        let life: Int = lives[index]
        let told = LastEpoch()
        await log.listen { value in self.note(value, index, life, told) }
        return try await log.start(seeds: seeds ?? self.seeds, timeout: timeout)
    }

    private final class LastEpoch: @unchecked Sendable {
        var epoch: UInt64 = 0
    }

    private func note(_ value: ClusterMetadata, _ index: Int, _ life: Int, _ told: LastEpoch) {
        if let other = shown[value.epoch], other != value { broken.append("epoch \(value.epoch) has two values") }
        if value.epoch <= told.epoch { broken.append("machine \(index) was told \(value.epoch) after \(told.epoch)") }
        told.epoch = value.epoch
        shown[value.epoch] = value
    }

    func crash(_ index: Int) {
        machines[index].crash()
        if let id = ids[index] { net.removeNode(id) }
        logs[index] = nil
    }

    func restart(_ index: Int) {
        machines[index].restart()
        if let id = ids[index] { net.removeNode(id) }
        logs[index] = nil
    }

    /// Starts a node without waiting for it.
    func startLater(_ index: Int) {
        let host: Host = machines[index].host
        host.background.run("start", on: host.loops[0]) {
            do { _ = try await self.start(index) } catch { self.broken.append("start of \(index): \(error)") }
        }
    }

    /// Lets all nodes hear of the newest epoch, as any message between them would.
    func mention() {
        let epochs: [(epoch: UInt64, id: NodeID)] = logs.indices.compactMap { index in
            guard let log = logs[index], let id = ids[index] else { return nil }
            return (log.epoch, id)
        }
        guard let newest = epochs.max(by: { $0.epoch < $1.epoch }) else { return }
        for log in logs { log?.observed(epoch: newest.epoch, at: newest.id) }
    }

    func createKeyspace(_ name: String, on index: Int, timeout: Duration = .seconds(5)) async throws -> ClusterMetadata
    {
        guard let log = logs[index] else { throw MetadataFailure.notStarted }
        return try await log.change(timeout: timeout) { before in
            if before.schema.keyspaces[name] != nil { throw AlreadyThere() }
            return adding(name, to: before)
        }
    }

    struct AlreadyThere: Error {}

    func run<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
        try world.run(on: nil, timeLimit: .seconds(600), body)
    }
}
