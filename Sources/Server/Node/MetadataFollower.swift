import Cluster
import Coordination
import DataModel
import Environment
import Logging
import Primitives
import Query
import Storage

/// Brings this node to each value of the cluster's metadata: where messages go, who is watched, where data is, what the
/// tables are.
///
///     MetadataLog ─▶ messages ─▶ coordinators, gossip, hints, schema (once the node has them) ─▶ gossip tells the epoch
///
/// One value after another. What storage cannot do at once is tried again, less and less often, until it can.
actor MetadataFollower {
    /// What a node has once it has started.
    struct Parts: Sendable {
        var coordination: NodeCoordination
        var gossip: GossipLoop
        var hints: HintStore
        var delivery: HintDelivery
        var schema: LiveSchema
        var watch: ClusterWatch
        var ring: RingOperations
        var seeds: [SocketAddress]
    }

    private let local: LocalNode
    private let address: SocketAddress
    private let messages: NodeMessages
    private let host: Host
    private let log: Logger
    /// By which value the node acts.
    nonisolated let applied = AppliedEpoch()
    private var parts: Parts?
    private var latest: ClusterMetadata?
    private var members: [Member]?
    private var placementEpoch: UInt64 = 0
    private var schema: Schema?
    private var isRetrying = false
    private var isBusy = false
    private var waiting: [UnsafeContinuation<Void, Never>] = []

    private static let firstPause: Duration = .milliseconds(250)
    private static let longestPause: Duration = .seconds(30)

    init(_ local: LocalNode, at address: SocketAddress, _ messages: NodeMessages, _ host: Host, _ log: Logger) {
        self.local = local
        self.address = address
        self.messages = messages
        self.host = host
        self.log = log
    }

    /// Takes the next value.
    func follow(_ metadata: ClusterMetadata) async {
        await enter()
        defer { leave() }
        latest = metadata
        messages.identify(local, at: address, clusterID: metadata.clusterID)
        messages.service.setMembers(metadata.members)
        messages.service.setEpoch(metadata.epoch)
        await apply(metadata)
    }

    /// The node has all its parts now.
    func attach(_ parts: Parts) async {
        await enter()
        defer { leave() }
        self.parts = parts
        if let latest { await apply(latest) }
    }

    private func apply(_ metadata: ClusterMetadata) async {
        guard let parts else { return }
        do {
            if members != metadata.members || placementEpoch != metadata.placementEpoch {
                await parts.ring.prepare(for: metadata)
                try await follow(metadata, parts)
                members = metadata.members
                placementEpoch = metadata.placementEpoch
            }
            if schema != metadata.schema {
                try await parts.schema.follow(metadata.schema)
                schema = metadata.schema
                parts.watch.schemaChanged(metadata.epoch)
            }
        } catch {
            let words: String = StorageFailure.words(error)
            log.error(
                "A change of the cluster's metadata could not be carried out here and is tried again",
                metadata: ["epoch": "\(metadata.epoch)", "reason": "\(words)"])
            applied.failed(words)
            return tryAgainLater(parts)
        }
        applied.reached(metadata.epoch)
        parts.gossip.publish(.schema, metadata.schema.version.description)
        parts.gossip.publish(.metadataEpoch, String(metadata.epoch))
        await parts.ring.follow(metadata)
        if await parts.schema.hasGoneTables { tryAgainLater(parts) }
    }

    // MARK: What could not be done at once

    private func tryAgainLater(_ parts: Parts) {
        if isRetrying { return }
        isRetrying = true
        host.background.run("apply metadata again", on: host.loops[0]) { await self.tryAgain(parts) }
    }

    private func tryAgain(_ parts: Parts) async {
        defer { isRetrying = false }
        var pause: Duration = MetadataFollower.firstPause
        while true {
            do throws(CancellationError) {
                try await host.time.sleep(for: pause)
            } catch { return }
            pause = min(pause * 2, MetadataFollower.longestPause)
            await enter()
            if let latest, applied.epoch < latest.epoch { await apply(latest) }
            let failure: (any Error)? = await parts.schema.removeGoneTables()
            let isBehind: Bool = applied.epoch < latest?.epoch ?? 0
            leave()
            if let failure {
                if case StorageError.closed = failure { return }
                log.warning(
                    "A table that was dropped is still on the disk and is removed later",
                    metadata: ["reason": "\(StorageFailure.words(failure))"])
            } else if !isBehind {
                return
            }
        }
    }

    private func follow(_ metadata: ClusterMetadata, _ parts: Parts) async throws {
        let members: [Member] = metadata.members
        let local = NodeID(self.local.hostID)
        let liveness: Liveness = parts.gossip.liveness
        try await parts.coordination.take(Topology(metadata, local: local))
        parts.gossip.setMembers(members, seeds: parts.seeds)
        await parts.hints.setMembers(members) { liveness.isAlive($0) }
        let otherCount: Int = members.count { $0.state != .left && $0.id != local }
        await parts.delivery.setOtherNodeCount(otherCount)
        parts.coordination.batchLog.setOtherNodeCount(otherCount)
        parts.watch.membersChanged(members)
        log.info(
            "The members of the cluster are known",
            metadata: ["members": "\(members.count { $0.state != .left })"])
    }

    // An actor lets others in at every await; values must not overlap.
    private func enter() async {
        guard isBusy else {
            isBusy = true
            return
        }
        await withUnsafeContinuation { waiting.append($0) }
    }

    private func leave() {
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
    }
}
