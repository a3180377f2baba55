internal import Primitives

/// How much of a node's state somebody has.
package struct GossipDigest: Hashable, Sendable {
    package let id: NodeID
    package let generation: Int32
    package let version: UInt32

    package init(id: NodeID, generation: Int32, version: UInt32) {
        self.id = id
        self.generation = generation
        self.version = version
    }
}

/// What a node knows about all members, itself included, and how two nodes bring each other up to date:
///
///     a: digests ──syn──▶ b: what a lacks, and what b wants ──ack──▶ a: what b wants ──ack2──▶ b
///
/// A pure value: it sends nothing and reads no clock. Members are set from outside; a state of somebody else is refused.
/// The state of a dead member is kept, so that its old news are told from new ones.
package struct GossipState: Sendable {
    /// What a merge has brought.
    package enum Event: Hashable, Sendable {
        /// A sign of life that was not known yet.
        case heartbeat(NodeID, Heartbeat)
        /// The node has told a new value.
        case changed(NodeID, ApplicationState)
        /// The node has said that it stops; its last sign of life.
        case stopped(NodeID, Heartbeat)
        /// A generation too far in the future was refused.
        case refused(NodeID, generation: Int32)
    }

    /// What answers a syn.
    package struct Answer: Hashable, Sendable {
        package var wanted: [GossipDigest] = []
        package var states: [EndpointState] = []

        package init() {}
    }

    /// How far ahead of now a generation may be: a year. A node whose clock was wrong for a moment must not make it
    /// impossible for ever to tell its later lives.
    package static let maximumGenerationLead: Int64 = 365 * 86_400
    /// About how many bytes of states one message carries; the rest comes with a later one.
    static let messageByteLimit = 256 << 10

    package let local: NodeID
    /// Ascending; of all members of which something is known, and always of the local node.
    package private(set) var endpoints: [EndpointState]
    /// Ascending.
    private var members: [NodeID]

    package init(local: NodeID, generation: Int32) {
        self.local = local
        self.members = [local]
        self.endpoints = [
            EndpointState(id: local, heartbeat: Heartbeat(generation: generation, milliseconds: 0), version: 0)
        ]
    }

    package subscript(id: NodeID) -> EndpointState? {
        index(of: id).map { endpoints[$0] }
    }

    package var own: EndpointState { self[local] ?? endpoints[0] }

    /// Takes the members from now on; what is known of others is forgotten.
    package mutating func setMembers(_ members: [NodeID]) {
        let sorted: [NodeID] = Set(members).union([local]).sorted()
        self.members = sorted
        endpoints.removeAll { !GossipState.contains(sorted, $0.id) }
    }

    // MARK: The local node

    /// Gives a sign of life.
    package mutating func beat(milliseconds: UInt64) {
        changeOwn { own in
            own.heartbeat.milliseconds = max(
                own.heartbeat.milliseconds, min(milliseconds, Heartbeat.maximumMilliseconds))
        }
    }

    /// Tells a value of the local node; the same value again is no news.
    package mutating func set(_ key: ApplicationState, _ value: String) {
        require(value.utf8.count <= EndpointState.maximumValueByteCount, "what is told about a node is short")
        guard own[key] != value else { return }
        changeOwn { own in own.put(EndpointState.Entry(key: key, value: value, version: own.version)) }
    }

    private mutating func changeOwn(_ body: (inout EndpointState) -> Void) {
        guard let index = index(of: local) else { return }
        endpoints[index].version &+= 1
        body(&endpoints[index])
    }

    /// Moves past what others have of the local node when that is not older than what it is: news of a former life whose
    /// generation was lost, or larger because the clock was set back, would hide all news of this one.
    private mutating func passFormerSelf(generation: Int32, version: UInt32, nowSeconds: Int64) {
        guard let index = index(of: local), !isTooFarAhead(generation, nowSeconds) else { return }
        let known: EndpointState = endpoints[index]
        if generation > known.heartbeat.generation, generation < .max {
            endpoints[index].heartbeat.generation = generation + 1
            endpoints[index].version = known.version &+ 1
        } else if generation == known.heartbeat.generation, version > known.version, version < .max {
            let entries: [EndpointState.Entry] = known.entries
            endpoints[index].version = version + 1
            for entry in entries {
                endpoints[index].put(
                    EndpointState.Entry(key: entry.key, value: entry.value, version: version + 1))
            }
        }
    }

    // MARK: Exchange

    /// What a syn says, ascending by node.
    package var digests: [GossipDigest] {
        endpoints.map { GossipDigest(id: $0.id, generation: $0.heartbeat.generation, version: $0.version) }
    }

    /// Answers a syn: what its sender lacks, and what it has and we lack.
    package mutating func answer(to digests: [GossipDigest], nowSeconds: Int64) -> Answer {
        var answer = Answer()
        var lacking: [(lag: UInt64, state: EndpointState)] = []
        let told: [GossipDigest] = digests.sorted { $0.id < $1.id }
        var seen: [NodeID] = []
        for digest in told where GossipState.contains(members, digest.id) && seen.last != digest.id {
            seen.append(digest.id)
            if digest.id == local {
                passFormerSelf(generation: digest.generation, version: digest.version, nowSeconds: nowSeconds)
            }
            guard let known = self[digest.id] else {
                answer.wanted.append(GossipDigest(id: digest.id, generation: 0, version: 0))
                continue
            }
            let generation: Int32 = known.heartbeat.generation
            if digest.generation < generation {
                lacking.append((.max, known))
            } else if digest.generation > generation {
                guard !isTooFarAhead(digest.generation, nowSeconds) else { continue }
                answer.wanted.append(GossipDigest(id: digest.id, generation: digest.generation, version: 0))
            } else if digest.version < known.version {
                lacking.append((UInt64(known.version - digest.version), known.changes(since: digest.version)))
            } else if digest.version > known.version {
                answer.wanted.append(GossipDigest(id: digest.id, generation: generation, version: known.version))
            }
        }
        for state in endpoints where !GossipState.contains(seen, state.id) { lacking.append((.max, state)) }
        answer.states = GossipState.fitting(lacking)
        return answer
    }

    /// The states that somebody wants, from the version on that they name.
    package func states(wantedBy wanted: [GossipDigest]) -> [EndpointState] {
        var states: [(lag: UInt64, state: EndpointState)] = []
        for digest in wanted.sorted(by: { $0.id < $1.id }) {
            guard let known = self[digest.id], states.last?.state.id != digest.id else { continue }
            if digest.generation == known.heartbeat.generation {
                guard digest.version < known.version else { continue }
                states.append((UInt64(known.version - digest.version), known.changes(since: digest.version)))
            } else {
                states.append((.max, known))
            }
        }
        return GossipState.fitting(states)
    }

    /// Takes over what is newer than what is known; returns what was news, ascending by node.
    package mutating func merge(_ states: [EndpointState], nowSeconds: Int64) -> [Event] {
        var events: [Event] = []
        for state in states.sorted(by: { $0.id < $1.id }) where GossipState.contains(members, state.id) {
            let generation: Int32 = state.heartbeat.generation
            if isTooFarAhead(generation, nowSeconds) {
                events.append(.refused(state.id, generation: generation))
            } else if state.id == local {
                passFormerSelf(generation: generation, version: state.version, nowSeconds: nowSeconds)
            } else {
                merge(state, &events)
            }
        }
        return events
    }

    private mutating func merge(_ news: EndpointState, _ events: inout [Event]) {
        let place: Int = GossipState.place(of: news.id, in: endpoints)
        let isKnown: Bool = place < endpoints.count && endpoints[place].id == news.id
        let former: EndpointState? = isKnown ? endpoints[place] : nil
        let isSameLife: Bool = former?.heartbeat.generation == news.heartbeat.generation
        if let former {
            if news.heartbeat.generation < former.heartbeat.generation { return }
            if isSameLife && news.version <= former.version { return }
        }
        var merged: EndpointState = isSameLife ? (former ?? news) : EndpointState(news)
        merged.version = news.version
        merged.heartbeat = max(merged.heartbeat, news.heartbeat)
        for entry in news.entries { merged.put(entry) }
        if isKnown { endpoints[place] = merged } else { endpoints.insert(merged, at: place) }
        if merged.hasStopped {
            events.append(.stopped(news.id, merged.heartbeat))
        } else {
            events.append(.heartbeat(news.id, merged.heartbeat))
        }
        for entry in merged.entries where former?[entry.key] != entry.value {
            events.append(.changed(news.id, entry.key))
        }
    }

    // MARK: Parts

    private func isTooFarAhead(_ generation: Int32, _ nowSeconds: Int64) -> Bool {
        Int64(generation) > nowSeconds &+ GossipState.maximumGenerationLead
    }

    /// As many as one message carries, those that lag most first; a state is sent whole or not at all, since the
    /// receiver takes its version for that of all its values.
    private static func fitting(_ states: [(lag: UInt64, state: EndpointState)]) -> [EndpointState] {
        var room: Int = messageByteLimit
        var chosen: [EndpointState] = []
        let ordered = states.sorted { ($1.lag, $0.state.id) < ($0.lag, $1.state.id) }
        for (_, state) in ordered {
            room -= state.estimatedByteCount
            if room < 0 && !chosen.isEmpty { break }
            chosen.append(state)
        }
        return chosen.sorted { $0.id < $1.id }
    }

    private func index(of id: NodeID) -> Int? {
        let place: Int = GossipState.place(of: id, in: endpoints)
        return place < endpoints.count && endpoints[place].id == id ? place : nil
    }

    private static func place(of id: NodeID, in endpoints: [EndpointState]) -> Int {
        var low = 0
        var high: Int = endpoints.count
        while low < high {
            let middle: Int = (low + high) / 2
            if endpoints[middle].id < id { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private static func contains(_ sorted: [NodeID], _ id: NodeID) -> Bool {
        var low = 0
        var high: Int = sorted.count
        while low < high {
            let middle: Int = (low + high) / 2
            if sorted[middle] < id { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] == id
    }
}

extension EndpointState {
    /// The start of another life: nothing of the one before counts.
    fileprivate init(_ news: EndpointState) {
        self.init(id: news.id, heartbeat: news.heartbeat, version: news.version)
    }
}
