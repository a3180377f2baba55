import Cluster
import Coordination
import DataModel
import Environment
import Logging
import Primitives
import Query
import Storage

/// How a node comes into the ring, and what it does when it has gone.
extension NodeStart {
    /// For how long a node waits for its turn, while others join.
    private static let turnTimeout: Duration = .seconds(3_600)

    /// What changes the ring, and has this node do its part in changes of others.
    func makeRing(_ local: LocalNode, _ place: Place, _ data: DataParts, _ streams: NodeStreams) -> RingOperations {
        let hints: HintStore = data.hints
        let leave = Departure(
            local: NodeID(local.hostID), metadata: place.metadata, hints: hints, delivery: data.delivery,
            batches: data.coordination.batchLog, liveness: data.gossip.liveness, host: host)
        var parts = RingOperations.Parts(
            host: host, local: NodeID(local.hostID), log: place.metadata, messenger: place.messages.service,
            liveness: data.gossip.liveness, keeper: data.coordination, receiver: streams, ranges: streams,
            takeLeave: { await leave.takeLeave() }, stay: { await leave.stay() }, forget: { await hints.truncate($0) })
        let log: Logger = self.log
        parts.waits = { change, words in
            log.info(
                "A change of the ring waits",
                metadata: ["change": "\(change.kind.words) \(change.node)", "reason": "\(words)"])
        }
        let ring = RingOperations(parts)
        ring.register()
        return ring
    }

    /// What brings ranges of tables from node to node.
    func makeStreams(
        _ local: LocalNode, _ place: Place, _ data: DataParts, _ engine: StorageEngine, _ repair: NodeRepair
    ) -> NodeStreams {
        let metadata: MetadataLog = place.metadata
        let applied: AppliedEpoch = place.follower.applied
        let datacenter: String = configuration.text("data_center")
        let truncation: TruncationCoordinator = data.coordination.truncation
        let settings: StreamSettings = configuration.streams
        let truncations: TruncationTimes? = data.coordination.parts.truncations
        let source = StreamSource(
            engine: engine, host: host, messenger: place.messages.service, settings: settings,
            appliedEpoch: { applied.epoch },
            isRemote: { metadata.current?.member($0).map { $0.datacenter != datacenter } ?? false },
            truncate: { try await truncation.truncateForSource($0) }, truncations: truncations,
            watermarks: repair.watermarks)
        source.register()
        truncation.whenEmptied { try await source.truncated($0) }
        let receiver = StreamReceiver(
            engine: engine, host: host, messenger: place.messages.service, settings: settings,
            paxosTable: SystemTables.paxos.id, knownEpoch: { metadata.epoch },
            name: { metadata.current?.member($0)?.internode.description ?? "\($0)" }, truncations: truncations,
            watermarks: repair.watermarks)
        return NodeStreams(
            source: source, receiver: receiver, engine: engine, metadata: metadata, local: NodeID(local.hostID))
    }

    /// Returns once this node owns its tokens, with their data.
    func takeTokens(_ local: LocalNode, _ place: Place, _ ring: RingOperations) async throws {
        let id = NodeID(local.hostID)
        guard let known = place.metadata.current else { throw MetadataFailure.notStarted }
        let end: RingChangeEnd
        switch known.member(id)?.state {
        case nil: end = try await ring.end(of: try await join(local, place, ring, known))
        case .joining:
            guard let change = known.change(of: id) else { return }
            log.info("Resuming the bootstrap", metadata: ["change.id": "\(change.id)"])
            end = try await ring.end(of: change.id)
        case .left: throw MetadataFailure.left
        case .normal, .leaving, .moving: return
        }
        guard end == .done, place.metadata.current?.member(id)?.state != .left else {
            throw ConfigurationError(
                "The bootstrap of this node was aborted: its data folder has to be emptied before it can join again.")
        }
        log.info("The node has its data and owns its tokens")
    }

    private func join(
        _ local: LocalNode, _ place: Place, _ ring: RingOperations, _ known: ClusterMetadata
    ) async throws -> UUID {
        let replaced: Member? = try await deadNode(known, place)
        let entry = Member(
            id: NodeID(local.hostID), internode: place.internode, native: place.native,
            datacenter: local.dataCenter, rack: local.rack, tokens: [], state: .joining,
            releaseVersion: ServerVersions.release)
        let seed: UInt64 = host.entropy.next()
        let count: Int = local.tokens.count
        log.info(
            "Joining the ring",
            metadata: ["replaced.host.id": "\(replaced.map { $0.id.description } ?? "none")"])
        return try await ring.join(
            entry, replacing: replaced?.id, isWithoutData: !configuration.boolean("auto_bootstrap"),
            within: NodeStart.turnTimeout
        ) { before in
            if let replaced { return before.member(replaced.id)?.tokens ?? [] }
            if let other = before.members.first(where: {
                $0.internode == entry.internode && $0.state != .left && $0.id != entry.id
            }) {
                throw MetadataFailure.addressTaken(entry.internode, by: other.id)
            }
            return TokenAllocation.tokens(
                count: count, datacenter: entry.datacenter, rack: entry.rack, among: before.members, seed: seed)
        }
    }

    /// The node whose place this one is to take, as the configuration names it.
    private func deadNode(_ known: ClusterMetadata, _ place: Place) async throws -> Member? {
        let text: String = configuration.text("replace_address_first_boot")
        guard !text.isEmpty else { return nil }
        let address: SocketAddress = try await NodeAddresses.resolve(text, configuration.integer("storage_port"), host)
        let found: [Member] = known.members.filter { member in
            member.state != .left && (member.internode.host == address.host || member.native.host == address.host)
        }
        guard let member = found.first(where: { $0.internode == address }) ?? found.first else {
            throw ConfigurationError("Cannot replace_address \(text) because it doesn't exist in gossip")
        }
        guard member.state == .normal else {
            throw ConfigurationError("Cannot replace \(text): it is \(member.state), not normal")
        }
        guard member.datacenter == configuration.text("data_center") else {
            throw ConfigurationError(
                "Cannot replace \(text): it is in the data center \(member.datacenter), and this node is in "
                    + configuration.text("data_center"))
        }
        // Where this node itself listens nobody else does; it would only ask itself.
        if member.internode == place.internode { return member }
        do {
            _ = try await place.messages.service.request(.ping, [], to: member.id, timeout: .seconds(2))
            throw ConfigurationError("Cannot replace a live node: \(text) answers")
        } catch MessageFailure.refused {
            throw ConfigurationError("Cannot replace a live node: \(text) answers")
        } catch is MessageFailure {
            return member
        }
    }
}

/// What a node does before it goes for good: whatever it keeps for others has to be theirs.
actor Departure {
    private let local: NodeID
    private let metadata: MetadataLog
    private let hints: HintStore
    private let delivery: HintDelivery
    private let batches: BatchLog
    private let liveness: Liveness
    private let host: Host
    private var isLeaving = false
    /// The fewest bytes of hints that have waited, and until when fewer are waited for.
    private var wait: (least: Int, endNanoseconds: UInt64) = (.max, 0)

    /// For how long the others are waited for while they take nothing of what is theirs.
    private static let patience: UInt64 = 30_000_000_000

    init(
        local: NodeID, metadata: MetadataLog, hints: HintStore, delivery: HintDelivery, batches: BatchLog,
        liveness: Liveness, host: Host
    ) {
        self.local = local
        self.metadata = metadata
        self.hints = hints
        self.delivery = delivery
        self.batches = batches
        self.liveness = liveness
        self.host = host
    }

    /// Goes on with it, and says what is still waited for; nil when that is nothing, or nobody takes it.
    func takeLeave() async -> String? {
        await batches.replay()
        if !isLeaving { wait = (.max, 0) }
        isLeaving = true
        await delivery.leave(to: successor)
        await hints.flush()
        let byteCount: Int = await hints.backlog().reduce(0) { $0 + $1.byteCount }
        let batchCount: Int = batches.batchCount
        if byteCount == 0, batchCount == 0 { return nil }
        let now: UInt64 = host.time.monotonicNanoseconds
        if byteCount < wait.least { wait = (byteCount, now &+ Departure.patience) }
        guard now < wait.endNanoseconds else { return nil }
        return "\(byteCount) bytes of hints and \(batchCount) batches are to be brought to others"
    }

    /// It keeps what it has for those it is for.
    func stay() async {
        guard isLeaving else { return }
        isLeaving = false
        await delivery.leave(to: nil)
    }

    /// Who takes the hints for nodes that are down: one that is up, of this datacenter if there is one.
    private var successor: NodeID? {
        let members: [Member] = metadata.current?.members ?? []
        let datacenter: String = members.first { $0.id == local }?.datacenter ?? ""
        let able: [Member] = members.filter { $0.id != local && $0.state == .normal && liveness.isAlive($0.id) }
        return (able.first { $0.datacenter == datacenter } ?? able.first)?.id
    }
}
