package import DataModel
package import Environment
import Primitives
import Synchronization

/// Keeps the cluster's metadata: learns what was decided, votes, and has changes decided.
///
///     change ─▶ EpochProposal ─▶ voters' EpochAcceptors ─▶ chosen edit ─▶ disk ─▶ value ─▶ listener
///                                                             └─▶ metadataCommit to all members
///
/// The rules are in the values; the actor sends what they say, makes state durable before it shows, and keeps the
/// order: states change one at a time, and the listener is told of one value after another.
package actor MetadataLog {
    /// Who this node is, for the entry of it among the members.
    package struct Identity: Sendable {
        package var id: NodeID
        package var clusterName: String
        package var internode: SocketAddress
        package var native: SocketAddress
        package var datacenter: String
        package var rack: String
        /// Those of the first node of a cluster; others are given theirs when they join.
        package var node: LocalNode
        package var releaseVersion: String

        package init(_ node: LocalNode, internode: SocketAddress, native: SocketAddress, releaseVersion: String) {
            self.id = NodeID(node.hostID)
            self.clusterName = node.clusterName
            self.internode = internode
            self.native = native
            self.datacenter = node.dataCenter
            self.rack = node.rack
            self.node = node
            self.releaseVersion = releaseVersion
        }
    }

    /// How long it waits and how much it keeps.
    package struct Settings: Sendable {
        /// For a voter's answer.
        package var voteTimeout: Duration = .seconds(1)
        /// For edits or a snapshot.
        package var fetchTimeout: Duration = .seconds(5)
        /// For an answer to come, before whoever mentions a newer epoch is asked as well.
        package var fetchPatience: Duration = .milliseconds(500)
        /// For members to say that they have a change, before whoever made it hears of success.
        package var commitPatience: Duration = .milliseconds(300)
        /// For seeds that do not answer, before the first of them founds a cluster.
        package var foundingPatience: Duration = .seconds(2)
        package var seedTimeout: Duration = .seconds(1)
        package var seedInterval: Duration = .milliseconds(100)
        /// Between two attempts, at most this times a power of two, and never more than `longestPause`.
        package var firstPause: Duration = .milliseconds(10)
        package var longestPause: Duration = .seconds(1)
        /// Before a member does what every member sees to be done, for each member before it.
        package var rankDelay: Duration = .milliseconds(500)
        /// After so many edits the value is kept as a whole.
        package var snapshotInterval = 64
        /// Edits that are kept in memory for nodes that are behind.
        package var retainedEditCount = 256
        /// Of these, the oldest go first when they take more than this together; the last few always stay.
        package var retainedByteCount = 8 << 20
        /// What a cluster has that this node founds.
        package var foundingSchema = Schema()

        package init() {}
    }

    let host: Host
    let messenger: any Messenger
    private(set) var identity: Identity
    let settings: Settings
    let store: MetadataStore
    private nonisolated let shown: Mutex<ClusterMetadata?> = Mutex(nil)
    /// Until when nobody is asked for what others have mentioned, because somebody has been; 0 when nobody has.
    private nonisolated let followingUntil = Atomic<UInt64>(0)

    var metadata: ClusterMetadata?
    /// The last edits, ascending and without gaps, up to the one that led to `metadata`.
    var recent: [MetadataEdit] = []
    var acceptor = EpochAcceptor(epoch: 1)
    private var recentByteCount = 0
    private var savedEditCount = 0
    var isStopped = false
    private var turns = Turns()
    var attempt: ProposalInFlight?
    var attemptCount: UInt64 = 0
    var gatherings: [UInt64: Gathering] = [:]
    var gatheringCount: UInt64 = 0
    var isWatchingVoters = false
    private var listener: (@Sendable (ClusterMetadata) async -> Void)?
    private var undelivered: [ClusterMetadata] = []
    private var deliveredEpoch: UInt64 = 0
    private var isDelivering = false
    private var awaitingDelivery: [(epoch: UInt64, continuation: UnsafeContinuation<Void, Never>)] = []

    /// - Parameter directory: where the files are kept, with those of `LocalNodeFile` and `SchemaFile`.
    package init(
        host: Host, messenger: any Messenger, directory: String, identity: Identity, settings: Settings = Settings()
    ) {
        self.host = host
        self.messenger = messenger
        self.identity = identity
        self.settings = settings
        self.store = MetadataStore(disk: host.disk, directory: directory)
    }

    // MARK: What others see

    /// The newest value that this node has; nil before it has found its cluster.
    package nonisolated var current: ClusterMetadata? { shown.withLock { $0 } }

    /// The epoch of `current`; 0 before there is one.
    package nonisolated var epoch: UInt64 { shown.withLock { $0?.epoch ?? 0 } }

    /// Names who is told of every new value, one after the other, in order. Called before `start`.
    ///
    /// `change` returns when the listener has returned for the change, so the listener must not wait for another one.
    package func listen(_ body: @escaping @Sendable (ClusterMetadata) async -> Void) {
        listener = body
    }

    /// Says that a node mentioned an epoch. When it is news, it is fetched in the background.
    package nonisolated func observed(epoch: UInt64, at node: NodeID) {
        guard epoch > self.epoch, self.epoch > 0 else { return }
        let now: UInt64 = host.time.monotonicNanoseconds
        let until: UInt64 = followingUntil.load(ordering: .relaxed)
        guard now >= until else { return }
        let end: UInt64 = now &+ max(1, MetadataLog.nanoseconds(settings.fetchPatience))
        let (isFirst, _) = followingUntil.compareExchange(expected: until, desired: end, ordering: .relaxed)
        guard isFirst else { return }
        inBackground("metadata-follow") { log in
            await log.follow(node)
        }
    }

    /// Says where clients connect, when that has become known only after the start.
    package func clientsConnect(at address: SocketAddress) async throws {
        guard identity.native != address else { return }
        identity.native = address
        // Alone it takes no time; with others it may take until a majority is there.
        if metadata?.voters == [identity.id] {
            await keepOwnEntry()
        } else {
            inBackground("metadata-entry") { log in await log.keepOwnEntry() }
        }
    }

    /// Takes part in nothing any more. What waits for others ends when they answer or fail to.
    package func stop() {
        isStopped = true
    }

    private func follow(_ node: NodeID) async {
        // A node that cannot be reached is left for the next message of any node.
        _ = await catchUp(from: node)
        followingUntil.store(0, ordering: .relaxed)
    }

    nonisolated func inBackground(_ name: StaticString, _ work: @escaping @Sendable (MetadataLog) async -> Void) {
        host.background.run(name, on: host.loops[0]) { await work(self) }
    }

    // MARK: Learning

    /// Takes a decided edit, if it is the next one.
    func learn(_ edit: MetadataEdit) async throws {
        await enter(.write)
        defer { leave(.write) }
        guard let before = metadata, edit.epoch == before.epoch + 1 else { return }
        try await advance(edit, from: before)
    }

    /// The caller has the turn to write.
    func advance(_ edit: MetadataEdit, from before: ClusterMetadata) async throws {
        let after: ClusterMetadata = try before.applying(edit)
        try await store.save(edit)
        savedEditCount += 1
        recent.append(edit)
        recentByteCount += edit.byteCount
        trimRecent()
        show(after)
        guard savedEditCount >= settings.snapshotInterval else { return }
        do throws(MetadataError) {
            try await store.save(after)
        } catch {
            // The edits hold all that the snapshot would; the next edit tries it again.
            return
        }
        savedEditCount = 0
    }

    /// Whoever waits for a change finds it among the last few.
    private func trimRecent() {
        while recent.count > 8,
            recent.count > settings.retainedEditCount || recentByteCount > settings.retainedByteCount
        {
            recentByteCount -= recent.removeFirst().byteCount
        }
    }

    /// Takes a whole value from another node, if it is newer.
    func adopt(_ snapshot: ClusterMetadata) async throws {
        await enter(.write)
        defer { leave(.write) }
        guard snapshot.epoch > metadata?.epoch ?? 0 else { return }
        guard snapshot.clusterName == identity.clusterName,
            metadata == nil || metadata?.clusterID == snapshot.clusterID
        else {
            throw MetadataFailure.anotherCluster(name: snapshot.clusterName, configured: identity.clusterName)
        }
        try await store.save(snapshot)
        savedEditCount = 0
        recent = []
        recentByteCount = 0
        show(snapshot)
    }

    /// Goes on from what was on the disk.
    func resume(_ saved: MetadataStore.Saved) {
        recent = saved.edits
        recentByteCount = recent.reduce(0) { $0 + $1.byteCount }
        trimRecent()
        savedEditCount = saved.edits.count
        acceptor = saved.acceptor
        show(saved.metadata)
    }

    private func show(_ value: ClusterMetadata) {
        metadata = value
        acceptor.decided(value.epoch)
        shown.withLock { $0 = value }
        undelivered.append(value)
        if !isDelivering {
            isDelivering = true
            inBackground("metadata-listener") { log in await log.deliver() }
        }
        watchVoters()
    }

    private func deliver() async {
        while !undelivered.isEmpty {
            let value: ClusterMetadata = undelivered.removeFirst()
            if let listener { await listener(value) }
            deliveredEpoch = value.epoch
            let done = awaitingDelivery.filter { $0.epoch <= value.epoch }
            awaitingDelivery.removeAll { $0.epoch <= value.epoch }
            for waiting in done { waiting.continuation.resume() }
        }
        isDelivering = false
    }

    /// Returns when the listener has been told of an epoch that was shown.
    func delivered(_ epoch: UInt64) async {
        guard deliveredEpoch < epoch, metadata?.epoch ?? 0 >= epoch else { return }
        await withUnsafeContinuation { awaitingDelivery.append((epoch, $0)) }
    }

    /// Fetches what a node knows and this one does not.
    ///
    /// - Returns: whether the node answered, and this node now knows as much.
    func catchUp(from node: NodeID) async -> Bool {
        guard node != identity.id, let clusterID = metadata?.clusterID else { return node == identity.id }
        while !isStopped {
            let known: UInt64 = metadata?.epoch ?? 0
            let body: [UInt8] = MetadataMessages.encode(.init(clusterID: clusterID, after: known))
            do {
                let answer: [UInt8] = try await messenger.request(
                    .metadataFetch, body, to: node, timeout: settings.fetchTimeout)
                switch try MetadataMessages.decodeFetched(answer) {
                case .nothing: return false
                case .snapshot(let snapshot): try await adopt(snapshot)
                case .edits(let edits, let epoch):
                    for edit in edits { try await learn(edit) }
                    if metadata?.epoch ?? 0 >= epoch { return true }
                }
            } catch {
                // The node is asked again, or another one, when the next message tells of a newer epoch.
                return false
            }
            // An answer that leads nowhere is not asked for again.
            if metadata?.epoch ?? 0 <= known { return false }
        }
        return false
    }

    // MARK: Turns

    // An actor lets others in at every await; what must not overlap takes turns.
    func enter(_ kind: Turns.Kind) async {
        if turns.take(kind) { return }
        await withUnsafeContinuation { turns.wait(kind, $0) }
    }

    func leave(_ kind: Turns.Kind) {
        turns.pass(kind)
    }
}

/// Who may do what only one may do at a time, in the order of asking.
struct Turns {
    enum Kind {
        /// Changing the state and the files.
        case write
        /// Proposing.
        case propose
    }

    private var taken: Set<Kind> = []
    private var waiting: [(kind: Kind, continuation: UnsafeContinuation<Void, Never>)] = []

    mutating func take(_ kind: Kind) -> Bool { taken.insert(kind).inserted }

    mutating func wait(_ kind: Kind, _ continuation: UnsafeContinuation<Void, Never>) {
        waiting.append((kind, continuation))
    }

    mutating func pass(_ kind: Kind) {
        if let index = waiting.firstIndex(where: { $0.kind == kind }) {
            waiting.remove(at: index).continuation.resume()
        } else {
            taken.remove(kind)
        }
    }
}
