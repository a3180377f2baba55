package import Cluster
import DataModel
package import Environment
import Primitives
import Synchronization

/// Changes the ring: begins changes, brings those to their end that this node drives, and fetches what others' changes
/// make it own.
///
///     begin ─▶ barrier ─▶ those who gain fetch ─▶ what they hold is handed over … all of it ─▶ barrier ─▶ end
///                                    abort ─▶ barrier ─▶ given back ─▶ barrier ─▶ as it was
///
/// A change is in the cluster's metadata, so a node that stops goes on where it was when it comes back, and another may
/// take its place.
package actor RingOperations {
    package struct Parts: Sendable {
        package var host: Host
        package var local: NodeID
        package var log: MetadataLog
        package var messenger: any Messenger
        package var liveness: Liveness
        package var keeper: any PlacementKeeper
        package var receiver: any RangeReceiver
        package var ranges: any RangeKeeper
        /// Has others take what this node, which leaves, keeps of theirs: hints and batches. Says what it still waits for; nil
        /// when that is nothing.
        package var takeLeave: @Sendable () async -> String?
        /// This node does not leave, or no longer.
        package var stay: @Sendable () async -> Void
        /// Deletes what is kept for a node that is gone for good.
        package var forget: @Sendable (NodeID) async -> Void
        /// Is told what a change that this node drives waits for, once for each reason.
        package var waits: @Sendable (RingChange, String) -> Void = { _, _ in }

        package init(
            host: Host, local: NodeID, log: MetadataLog, messenger: any Messenger, liveness: Liveness,
            keeper: any PlacementKeeper, receiver: any RangeReceiver, ranges: any RangeKeeper,
            takeLeave: @escaping @Sendable () async -> String?, stay: @escaping @Sendable () async -> Void,
            forget: @escaping @Sendable (NodeID) async -> Void
        ) {
            self.host = host
            self.local = local
            self.log = log
            self.messenger = messenger
            self.liveness = liveness
            self.keeper = keeper
            self.receiver = receiver
            self.ranges = ranges
            self.takeLeave = takeLeave
            self.stay = stay
            self.forget = forget
        }
    }

    package struct Settings: Sendable {
        /// Between two questions to those who fetch.
        package var interval: Duration = .milliseconds(200)
        /// Between two steps that hand something over, unless it is the last.
        package var handOverInterval: Duration = .seconds(2)
        /// After an attempt that failed.
        package var pause: Duration = .seconds(1)
        /// For writes to arrive where they are missing, before a change ends all the same.
        package var arrivalPatience: Duration = .seconds(30)
        /// For a change of the metadata.
        package var changeTimeout: Duration = .seconds(10)
        /// For the nodes that are up to take part, before a command gives up.
        package var beginTimeout: Duration = .seconds(60)
        /// After the last change, before what is not owned may be removed: longer than any read takes.
        package var cleanupDelay: Duration = .seconds(30)

        package init() {}
    }

    /// What this node is about with a change, for operators.
    package struct Progress: Sendable, Hashable {
        /// The part of what moves that has been handed over, from 0 to 1.
        package var share: Double
        /// What it waits for, in words; empty when it waits for nothing.
        package var words: String
        /// Those who still fetch.
        package var fetching: [NodeID]
    }

    let parts: Parts
    let settings: Settings
    let barrier: RingBarrier
    let receptions: RingReceptions
    let arrivals: RingArrivals
    private let reachable: ReachableNodes
    var host: Host { parts.host }
    var local: NodeID { parts.local }
    private(set) var isStopped = false
    private var drives: [UUID: any BackgroundWork] = [:]
    var progress: [UUID: Progress] = [:]
    /// The step of each change up to which all nodes have been waited for.
    var passed: [UUID: UInt64] = [:]
    var handedOverAt: [UUID: UInt64] = [:]
    /// Since when the end of each change waits for writes to arrive.
    var arrivalsSince: [UUID: UInt64] = [:]
    private var isCleaning = false
    private var goneNodes: Set<NodeID> = []
    private nonisolated let whenGoneBody = Mutex<(@Sendable () async -> Void)?>(nil)

    package init(_ parts: Parts, settings: Settings = Settings()) {
        let log: MetadataLog = parts.log
        let liveness: Liveness = parts.liveness
        let reachable = ReachableNodes(parts.host.time)
        let isAlive: @Sendable (NodeID) -> Bool = { liveness.isAlive($0) || reachable.contains($0) }
        self.parts = parts
        self.settings = settings
        self.reachable = reachable
        self.barrier = RingBarrier(
            host: parts.host, local: parts.local, messenger: parts.messenger, keeper: parts.keeper, isAlive: isAlive,
            behind: { epoch, node in log.observed(epoch: epoch, at: node) })
        self.arrivals = RingArrivals(
            host: parts.host, local: parts.local, messenger: parts.messenger, keeper: parts.keeper, log: log)
        self.receptions = RingReceptions(
            host: parts.host, local: parts.local, receiver: parts.receiver, isAlive: isAlive)
    }

    /// Has this node do its part for others. Called once, before messages come.
    package nonisolated func register() {
        barrier.register()
        arrivals.register()
        let log: MetadataLog = parts.log
        let receptions: RingReceptions = self.receptions
        parts.messenger.handle(.ringPull) { message in
            guard message.body.count == 16, let id = UUID(message.body.span.bytes) else {
                throw Refusal(code: RingMessages.refusesMalformed, reason: "no id of a change")
            }
            guard let metadata = log.current, let reception = await receptions.proceed(with: id, in: metadata) else {
                throw Refusal(code: RingMessages.refusesUnknown, reason: "The change \(id) is not known here")
            }
            return RingMessages.encode(reception)
        }
    }

    /// Names what is done once this node is no member any more: when it has left, or others have taken it out.
    package nonisolated func whenGone(_ body: @escaping @Sendable () async -> Void) {
        whenGoneBody.withLock { $0 = body }
    }

    package func stop() async {
        isStopped = true
        let works: [any BackgroundWork] = Array(drives.values)
        drives = [:]
        for work in works { work.cancel() }
        await receptions.stop()
        for work in works { await work.wait() }
    }

    // MARK: Following the metadata

    /// Prepares for a value before this node places data by it: while something moves, nothing may be removed.
    package func prepare(for metadata: ClusterMetadata) async {
        if !metadata.changes.isEmpty { await parts.ranges.keepOnly(nil) }
    }

    /// This node places data by a value now.
    package func follow(_ metadata: ClusterMetadata) async {
        guard !isStopped else { return }
        await receptions.keepOnly(metadata.changes)
        for id in progress.keys where metadata.change(id) == nil { progress[id] = nil }
        for id in passed.keys where metadata.change(id) == nil { passed[id] = nil }
        for id in handedOverAt.keys where metadata.change(id) == nil { handedOverAt[id] = nil }
        for id in arrivalsSince.keys where metadata.change(id) == nil { arrivalsSince[id] = nil }
        let own: RingChange? = metadata.change(of: local)
        if own == nil || own?.isAborting == true { await parts.stay() }
        for change in metadata.changes where change.driver == local { drive(change.id) }
        let gone: [NodeID] = metadata.members.filter { $0.state == .left && $0.id != local }.map(\.id)
        for node in gone where goneNodes.insert(node).inserted { await parts.forget(node) }
        if metadata.member(local)?.state == .left, let body = takeWhenGone() { return await body() }
        cleanUpLater()
    }

    private nonisolated func takeWhenGone() -> (@Sendable () async -> Void)? {
        whenGoneBody.withLock { body in
            defer { body = nil }
            return body
        }
    }

    private func drive(_ id: UUID) {
        guard drives[id] == nil, !isStopped else { return }
        drives[id] = host.background.run("change of the ring", on: host.loops[0]) { [self] in
            await driveToTheEnd(id)
            await ended(id)
        }
    }

    private func ended(_ id: UUID) async {
        drives[id] = nil
        // It may have become this node's again in the last moment.
        if let change = parts.log.current?.change(id), change.driver == local { drive(id) }
    }

    // MARK: Cleaning up

    /// Tells storage what this node owns, some time after nothing moves any more.
    private func cleanUpLater() {
        guard !isCleaning, !isStopped else { return }
        isCleaning = true
        host.background.run("clean up after changes of the ring", on: host.loops[0]) { [self] in
            await cleanUp()
        }
    }

    private func cleanUp() async {
        defer { isCleaning = false }
        while !isStopped, let before = parts.log.current {
            do { try await host.time.sleep(for: settings.cleanupDelay) } catch { return }
            guard let now = parts.log.current, !isStopped else { return }
            guard now.changes.isEmpty else { return }
            guard now.placementEpoch == before.placementEpoch, now.schema.epoch == before.schema.epoch else { continue }
            await parts.ranges.keepOnly(owned(in: now))
            // What has begun meanwhile must not find that its ranges are not kept.
            if parts.log.current?.changes.isEmpty == false { await parts.ranges.keepOnly(nil) }
            return
        }
    }

    /// What this node owns of each keyspace.
    package nonisolated func owned(in metadata: ClusterMetadata) -> [String: RangeSet] {
        let topology = Topology(metadata, local: parts.local)
        var owned: [String: RangeSet] = [:]
        for (strategy, keyspaces) in metadata.keyspacesByStrategy {
            let placement: Placement = topology.placement(for: strategy)
            let ranges = RangeSet(
                placement.ranges(of: parts.local) + placement.ranges(of: parts.local, pending: true))
            for keyspace in keyspaces { owned[keyspace] = ranges }
        }
        return owned
    }

    /// Removes at once what keyspaces have beyond what this node owns.
    package func cleanup(_ keyspaces: [String]?) async throws {
        guard let metadata = parts.log.current else { throw MetadataFailure.notStarted }
        if let change = metadata.changes.first { throw RingChangeRefused.busy(change.kind, change.node) }
        await parts.ranges.keepOnly(owned(in: metadata))
        try await parts.ranges.cleanup(keyspaces)
    }

    /// Asks who is there, before this node is a member that hears of it.
    func findReachable(_ members: [Member]) async {
        let others: [NodeID] = members.filter { $0.state != .left && $0.id != local }.map(\.id)
        let found: [NodeID] = await NodePoll(host: host, name: "who is there").agreeing(among: others) { [parts] node in
            do {
                _ = try await parts.messenger.request(.ping, [], to: node, timeout: .seconds(2))
                return true
            } catch MessageFailure.refused {
                // Nobody gossips with a stranger, but who says so is there.
                return true
            } catch { return false }
        }
        reachable.set(found)
    }

}

/// Nodes that have answered lately, while gossip does not know of them yet.
private final class ReachableNodes: Sendable {
    private struct State {
        var nodes: Set<NodeID> = []
        var endNanoseconds: UInt64 = 0
    }

    /// By then gossip knows better, or they have been asked again.
    private static let lifeNanoseconds: UInt64 = 10_000_000_000

    private let state = Mutex(State())
    private let time: any TimeSource

    init(_ time: any TimeSource) {
        self.time = time
    }

    func contains(_ node: NodeID) -> Bool {
        state.withLock { $0.nodes.contains(node) && time.monotonicNanoseconds < $0.endNanoseconds }
    }

    func set(_ nodes: [NodeID]) {
        let end: UInt64 = time.monotonicNanoseconds &+ ReachableNodes.lifeNanoseconds
        state.withLock { $0 = State(nodes: Set(nodes), endNanoseconds: end) }
    }
}
