import DataModel
package import Environment
import Primitives

/// How a node finds its cluster.
///
///     on the disk ──▶ go on from there, and say so if the address is another one
///     a schema of a node that was alone ──▶ a cluster of one with that schema
///     a seed knows a cluster ──▶ join it
///     no seed does, and this is the first of them ──▶ found one
extension MetadataLog {
    /// Returns when the node has found its cluster and the listener has been told: as a member, unless it is new and may
    /// not come at once.
    ///
    /// - Parameters:
    ///   - seeds: where other nodes may be; this node's own address among them, or none at all, lets it found a cluster.
    ///   - timeout: for how long to look for a cluster and to try to join it.
    ///   - joins: whether a new node may become a member at once, without data, of a cluster like this.
    package func start(
        seeds: [SocketAddress], timeout: Duration, joins: @escaping @Sendable (ClusterMetadata) -> Bool = { _ in true }
    ) async throws -> ClusterMetadata {
        let end: UInt64 = host.time.monotonicNanoseconds &+ MetadataLog.nanoseconds(timeout)
        if let saved = try await store.load() {
            guard saved.metadata.clusterName == identity.clusterName else {
                throw MetadataError.clusterNameChanged(
                    saved: saved.metadata.clusterName, configured: identity.clusterName)
            }
            resume(saved)
        } else if let schema = try await SchemaFile(disk: store.disk, directory: store.directory).load() {
            try await found(with: schema)
        }
        registerHandlers()
        let isRestart: Bool = metadata != nil
        if !isRestart { try await find(seeds, until: end) }
        // Whoever carries messages learns from the listener where the members are.
        await delivered(metadata?.epoch ?? 0)
        if isRestart { await hearTheNews() }
        guard let known = metadata else { throw MetadataFailure.notStarted }
        await delivered(known.epoch)
        switch known.member(identity.id)?.state {
        case nil: try await join(until: end, joins)
        case .left: throw MetadataFailure.left
        default: inBackground("metadata-entry") { log in await log.keepOwnEntry() }
        }
        guard let now = metadata else { throw MetadataFailure.notStarted }
        await delivered(now.epoch)
        return now
    }

    private func found(with schema: Schema) async throws {
        let id = UUID.version4(high: host.entropy.next(), low: host.entropy.next())
        let founder: Member = ownEntry(tokens: identity.node.tokens)
        try await adopt(
            ClusterMetadata(founder: founder, clusterID: id, clusterName: identity.clusterName, schema: schema))
    }

    private func ownEntry(tokens: [Token]) -> Member {
        Member(
            id: identity.id, internode: identity.internode, native: identity.native,
            datacenter: identity.datacenter, rack: identity.rack, tokens: tokens, state: .normal,
            releaseVersion: identity.releaseVersion)
    }

    // MARK: Founding and finding

    private func find(_ seeds: [SocketAddress], until end: UInt64) async throws {
        let others: [SocketAddress] = seeds.filter { $0 != identity.internode }
        // All seeds agree on which of them is the first, so that at most one founds a cluster.
        let isFirst: Bool = others.allSatisfy { SocketAddress.precedes(identity.internode, $0) }
        let mayFound: Bool = seeds.isEmpty || (seeds.contains(identity.internode) && isFirst)
        let patience: UInt64 = MetadataLog.nanoseconds(settings.foundingPatience)
        let patienceEnd: UInt64 = host.time.monotonicNanoseconds &+ patience
        while true {
            var silentCount = 0
            for seed in others {
                switch await ask(seed) {
                case .cluster(let snapshot): return try await adopt(snapshot)
                case .none: break
                case .silence: silentCount += 1
                }
            }
            let now: UInt64 = host.time.monotonicNanoseconds
            if mayFound, silentCount == 0 || now >= patienceEnd {
                return try await found(with: settings.foundingSchema)
            }
            guard !isStopped else { throw MetadataFailure.stopped }
            guard now < end else { throw MetadataFailure.noCluster(seeds: seeds) }
            try await host.time.sleep(for: settings.seedInterval)
        }
    }

    private enum SeedAnswer {
        case cluster(ClusterMetadata)
        case none
        case silence
    }

    private func ask(_ seed: SocketAddress) async -> SeedAnswer {
        let body: [UInt8] = MetadataMessages.encode(.init(clusterID: MetadataMessages.noCluster, after: 0))
        do {
            let answer = try await messenger.request(.metadataFetch, body, at: seed, timeout: settings.seedTimeout)
            // A seed list may name this node by an address that it does not know itself by.
            if answer.sender == identity.id { return .none }
            switch try MetadataMessages.decodeFetched(answer.body) {
            case .snapshot(let snapshot): return .cluster(snapshot)
            case .nothing, .edits: return .none
            }
        } catch {
            // It is asked again in a moment; in the end the caller learns that no seed answered.
            return .silence
        }
    }

    // MARK: Joining

    private func join(
        until end: UInt64, _ joins: @escaping @Sendable (ClusterMetadata) -> Bool
    ) async throws {
        let now: UInt64 = host.time.monotonicNanoseconds
        let left: UInt64 = end > now ? end - now : 1
        let seed: UInt64 = host.entropy.next()
        let own: Member = ownEntry(tokens: [])
        let tokenCount: Int = identity.node.tokens.count
        _ = try await change(timeout: .nanoseconds(Int64(clamping: left))) { before in
            if let known = before.member(own.id) {
                if known.state == .left { throw MetadataFailure.left }
                return nil
            }
            guard joins(before) else { return nil }
            if let other = before.members.first(where: { $0.internode == own.internode && $0.state != .left }) {
                throw MetadataFailure.addressTaken(own.internode, by: other.id)
            }
            var joined: Member = own
            joined.tokens = TokenAllocation.tokens(
                count: tokenCount, datacenter: own.datacenter, rack: own.rack, among: before.members, seed: seed)
            var after: ClusterMetadata = before
            after.set(joined)
            after.voters = after.chosenVoters
            return after
        }
    }

    /// Brings the addresses and the release of this node's entry up to date, however long that takes.
    func keepOwnEntry() async {
        while !isStopped {
            let wanted: Member = ownEntry(tokens: [])
            guard let entry = metadata?.member(identity.id) else { return }
            var updated: Member = entry
            updated.internode = wanted.internode
            updated.native = wanted.native
            updated.releaseVersion = wanted.releaseVersion
            if updated == entry { return }
            do {
                _ = try await change(timeout: settings.fetchTimeout) { before in
                    guard var present = before.member(wanted.id) else { return nil }
                    present.internode = wanted.internode
                    present.native = wanted.native
                    present.releaseVersion = wanted.releaseVersion
                    var after: ClusterMetadata = before
                    after.set(present)
                    return after
                }
            } catch {
                // No majority yet, as is usual while a cluster starts.
                guard await rested() else { return }
            }
        }
    }

    /// Asks the other members once what happened while this node was away: it may have been taken out of the ring. Who
    /// does not answer soon is not waited for, because all may be starting.
    private func hearTheNews() async {
        let news = News()
        inBackground("metadata-catch-up") { log in
            await log.askForNews()
            await news.come()
        }
        let end: UInt64 = host.time.monotonicNanoseconds &+ MetadataLog.nanoseconds(settings.foundingPatience)
        while !isStopped, await !news.hasCome, host.time.monotonicNanoseconds < end {
            do { try await host.time.sleep(for: .milliseconds(5)) } catch { return }
        }
    }

    private func askForNews() async {
        for member in metadata?.members ?? [] where member.id != identity.id && member.state != .left {
            if await catchUp(from: member.id) { return }
        }
    }

    /// Whether an answer has come.
    private actor News {
        private(set) var hasCome = false
        func come() { hasCome = true }
    }

    /// - Returns: false when the node is stopping.
    private func rested() async -> Bool {
        do { try await host.time.sleep(for: settings.longestPause) } catch { return false }
        return !isStopped
    }

    // MARK: Voters

    /// Sees to it that those vote who should: each member waits for those before it, the first one does it.
    func watchVoters() {
        guard !isWatchingVoters, let metadata, metadata.chosenVoters != metadata.voters,
            metadata.member(identity.id)?.state == .normal
        else { return }
        isWatchingVoters = true
        inBackground("metadata-voters") { log in await log.changeVoters() }
    }

    private func changeVoters() async {
        defer { isWatchingVoters = false }
        while !isStopped, let metadata, metadata.chosenVoters != metadata.voters {
            let ranked: [NodeID] = metadata.voters + metadata.members.map(\.id).filter { !metadata.voters.contains($0) }
            let rank: Int = ranked.firstIndex(of: identity.id) ?? ranked.count
            do {
                try await host.time.sleep(for: settings.rankDelay * (rank + 1))
                if self.metadata?.voters != metadata.voters || isStopped { continue }
                _ = try await change(timeout: settings.fetchTimeout) { before in
                    var after: ClusterMetadata = before
                    after.voters = before.chosenVoters
                    return after
                }
            } catch {
                // Without a majority of the present voters nobody can choose others; the next member that is reached
                // may change that.
                guard await rested() else { return }
            }
        }
    }
}

extension SocketAddress {
    /// An order that all nodes agree on: IPv4 first, then by bytes, then by port.
    static func precedes(_ left: SocketAddress, _ right: SocketAddress) -> Bool {
        if left.host.count != right.host.count { return left.host.count < right.host.count }
        if left.host != right.host { return left.host.lexicographicallyPrecedes(right.host) }
        return left.port < right.port
    }
}
