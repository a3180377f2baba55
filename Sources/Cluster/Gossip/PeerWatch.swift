/// Decides which of the other members are up.
///
///     heartbeats, answers, goodbyes, broken connections ──▶ PeerWatch ──▶ [Action] ──▶ GossipLoop ──▶ pings, Liveness
///
/// A member is up once it has answered us itself: what others tell about it makes us ask, and no more. It is down when it
/// said goodbye, when it came back as another life, when the detector says so (phi, or the age of its newest
/// heartbeat), and when its connection broke and it then left several questions without an answer.
///
/// A pure value: it sends nothing and reads no clock. Times are nanoseconds of the caller's monotonic clock.
package struct PeerWatch: Sendable {
    package enum Action: Hashable, Sendable {
        /// Ask whether it lives: `answered` or `unanswered` must follow.
        case ping(NodeID)
        case markUp(NodeID)
        case markDown(NodeID)
    }

    /// What operators see of a member.
    package struct Health: Hashable, Sendable {
        package let id: NodeID
        package let isUp: Bool
        /// 0 for a member that is down or of which no heartbeat has come.
        package let phi: Double
        package let meanIntervalMilliseconds: Double
    }

    private struct Peer: Sendable {
        let id: NodeID
        var isUp = false
        /// The newest sign of life, whoever told it.
        var newest: Heartbeat?
        var detector: PhiAccrualDetector?
        /// The last sign of life of a member that said goodbye: nothing up to it brings the member back.
        var stoppedAt: Heartbeat?
        var openPingCount = 0
        var unansweredCount = 0
        /// How many more times a member that is down but showed signs of life is asked.
        var pingsLeft = 0
        var isConnectionBroken = false
    }

    /// Questions on their way to one member.
    private static let openPingLimit = 3
    /// How often a member that may have come back is asked, and after how many silent questions a member with a
    /// broken connection is down.
    private static let returnPingCount = 6
    private static let brokenSilenceCount = 3
    /// A tick that is this late says that we were paused, not the others.
    private static let pauseNanoseconds: UInt64 = 2_500_000_000
    private static let pauseGraceNanoseconds: UInt64 = 5_000_000_000
    private static let secondNanoseconds: UInt64 = 1_000_000_000

    /// (`phi_convict_threshold`)
    package var phiThreshold: Double
    /// Ascending by node.
    private var peers: [Peer] = []
    private var lastTick: UInt64?
    private var graceUntil: UInt64 = 0
    private var lastWave: UInt64?

    package init(phiThreshold: Double = 8) {
        self.phiThreshold = phiThreshold
    }

    /// A member whose newest heartbeat is this old is down, whatever phi says: at the usual threshold 9 seconds, so
    /// that with a check each half second nobody takes a node for live that died 10 seconds ago.
    package var silenceLimitNanoseconds: UInt64 { UInt64(9e9 * max(1, min(phiThreshold, 100)) / 8) }
    /// A member whose newest heartbeat is this old is asked itself: news through others may be slow or get lost.
    package var suspicionNanoseconds: UInt64 { UInt64(4e9 * max(1, min(phiThreshold, 100)) / 8) }

    // MARK: Looking

    package func isUp(_ id: NodeID) -> Bool {
        index(of: id).map { peers[$0].isUp } ?? false
    }

    package var up: [NodeID] { peers.filter(\.isUp).map(\.id) }
    package var down: [NodeID] { peers.filter { !$0.isUp }.map(\.id) }

    package func health(at now: UInt64) -> [Health] {
        peers.map { peer in
            let phi: Double = peer.isUp ? (peer.detector?.phi(at: now) ?? 0) : 0
            let mean: Double = (peer.detector?.meanIntervalNanoseconds ?? 0) / 1e6
            return Health(id: peer.id, isUp: peer.isUp, phi: phi, meanIntervalMilliseconds: mean)
        }
    }

    // MARK: Events

    /// Watches these nodes from now on. New ones start as down and are asked.
    package mutating func setPeers(_ ids: [NodeID]) -> [Action] {
        let wanted: [NodeID] = Set(ids).sorted()
        var actions: [Action] = []
        var next: [Peer] = []
        var rest: ArraySlice<Peer> = peers[...]
        for id in wanted {
            while let first = rest.first, first.id < id { rest.removeFirst() }
            if let first = rest.first, first.id == id {
                next.append(first)
            } else {
                var peer = Peer(id: id)
                peer.pingsLeft = PeerWatch.returnPingCount
                PeerWatch.ask(&peer, &actions)
                next.append(peer)
            }
        }
        let gone: Set<NodeID> = Set(peers.map(\.id)).subtracting(wanted)
        for peer in peers where gone.contains(peer.id) && peer.isUp { actions.append(.markDown(peer.id)) }
        peers = next
        return actions
    }

    /// Somebody, perhaps the member itself, told a sign of life.
    package mutating func heard(_ id: NodeID, _ heartbeat: Heartbeat, at now: UInt64) -> [Action] {
        guard let index = index(of: id), isNews(heartbeat, of: peers[index]) else { return [] }
        var actions: [Action] = []
        let former: Heartbeat? = peers[index].newest
        peers[index].newest = heartbeat
        if peers[index].isUp {
            if former?.generation == heartbeat.generation {
                peers[index].detector?.arrived(beat: heartbeat.milliseconds, at: now)
                return []
            }
            // It died and came back before anybody noticed: whoever waits for its answers must learn that none comes.
            peers[index].isUp = false
            actions.append(.markDown(id))
        }
        peers[index].pingsLeft = PeerWatch.returnPingCount
        PeerWatch.ask(&peers[index], &actions)
        return actions
    }

    /// The member itself answered, with a sign of life.
    package mutating func answered(_ id: NodeID, _ heartbeat: Heartbeat, at now: UInt64) -> [Action] {
        guard let index = index(of: id) else { return [] }
        peers[index].openPingCount = max(0, peers[index].openPingCount - 1)
        if let newest = peers[index].newest, heartbeat < newest, heartbeat.generation != newest.generation { return [] }
        if let stopped = peers[index].stoppedAt, heartbeat <= stopped { return [] }
        var actions: [Action] = []
        if peers[index].isUp, let newest = peers[index].newest, newest.generation != heartbeat.generation {
            peers[index].isUp = false
            actions.append(.markDown(id))
        }
        peers[index].newest = max(peers[index].newest ?? heartbeat, heartbeat)
        peers[index].unansweredCount = 0
        peers[index].pingsLeft = 0
        peers[index].isConnectionBroken = false
        peers[index].stoppedAt = nil
        if peers[index].isUp {
            peers[index].detector?.arrived(beat: heartbeat.milliseconds, at: now)
            return actions
        }
        // What was known of its rhythm may be of another life, or from before its machine was suspended.
        peers[index].detector = PhiAccrualDetector(beat: heartbeat.milliseconds, at: now)
        peers[index].isUp = true
        actions.append(.markUp(id))
        askOthers(at: now, &actions)
        return actions
    }

    /// A question stayed without an answer.
    package mutating func unanswered(_ id: NodeID) -> [Action] {
        guard let index = index(of: id) else { return [] }
        peers[index].openPingCount = max(0, peers[index].openPingCount - 1)
        peers[index].unansweredCount += 1
        guard peers[index].isUp, peers[index].isConnectionBroken,
            peers[index].unansweredCount >= PeerWatch.brokenSilenceCount
        else { return [] }
        return [markDown(index)]
    }

    /// The member said that it stops; `heartbeat` is its last.
    package mutating func stopped(_ id: NodeID, _ heartbeat: Heartbeat) -> [Action] {
        guard let index = index(of: id) else { return [] }
        if let newest = peers[index].newest, heartbeat < newest { return [] }
        peers[index].newest = heartbeat
        peers[index].stoppedAt = heartbeat
        peers[index].pingsLeft = 0
        return peers[index].isUp ? [markDown(index)] : []
    }

    /// A connection to the member ended without a goodbye.
    package mutating func connectionBroke(_ id: NodeID) -> [Action] {
        guard let index = index(of: id), peers[index].isUp else { return [] }
        var actions: [Action] = []
        peers[index].isConnectionBroken = true
        peers[index].unansweredCount = 0
        PeerWatch.ask(&peers[index], &actions)
        return actions
    }

    /// Time has passed. To be called each half second.
    package mutating func tick(at now: UInt64) -> [Action] {
        if let lastTick, now > lastTick, now - lastTick >= PeerWatch.pauseNanoseconds {
            graceUntil = now + PeerWatch.pauseGraceNanoseconds
        }
        lastTick = now
        var actions: [Action] = []
        for index in peers.indices {
            guard peers[index].isUp, let detector = peers[index].detector else {
                if peers[index].pingsLeft > 0, PeerWatch.ask(&peers[index], &actions) { peers[index].pingsLeft -= 1 }
                continue
            }
            let age: UInt64 = detector.ageNanoseconds(at: now)
            let isSilent: Bool = age >= silenceLimitNanoseconds || detector.phi(at: now) > phiThreshold
            if isSilent && now >= graceUntil {
                actions.append(markDown(index))
            } else if age >= suspicionNanoseconds || peers[index].isConnectionBroken {
                PeerWatch.ask(&peers[index], &actions)
            }
        }
        return actions
    }

    // MARK: Parts

    /// Whether a sign of life is newer than all that are known and than the member's goodbye.
    private func isNews(_ heartbeat: Heartbeat, of peer: Peer) -> Bool {
        if let newest = peer.newest, heartbeat <= newest { return false }
        if let stopped = peer.stoppedAt, heartbeat <= stopped { return false }
        return true
    }

    private mutating func markDown(_ index: Int) -> Action {
        peers[index].isUp = false
        peers[index].isConnectionBroken = false
        peers[index].unansweredCount = 0
        return .markDown(peers[index].id)
    }

    /// When one member is back, perhaps a split of the network has ended: the others that are down are asked too, though
    /// not more often than each second.
    private mutating func askOthers(at now: UInt64, _ actions: inout [Action]) {
        if let lastWave, now < lastWave + PeerWatch.secondNanoseconds { return }
        lastWave = now
        for index in peers.indices where !peers[index].isUp && peers[index].stoppedAt == nil {
            PeerWatch.ask(&peers[index], &actions)
        }
    }

    @discardableResult
    private static func ask(_ peer: inout Peer, _ actions: inout [Action]) -> Bool {
        guard peer.openPingCount < openPingLimit else { return false }
        peer.openPingCount += 1
        actions.append(.ping(peer.id))
        return true
    }

    private func index(of id: NodeID) -> Int? {
        var low = 0
        var high: Int = peers.count
        while low < high {
            let middle: Int = (low + high) / 2
            if peers[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low < peers.count && peers[low].id == id ? low : nil
    }
}
