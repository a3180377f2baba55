package import Cluster
package import Environment
package import Primitives

/// What this node fetches for the changes of the ring that make it own something.
///
/// Whoever drives a change asks again and again: the first question begins the work, each tells how far it is, and one
/// that comes after a failure begins it anew with what is missing.
package actor RingReceptions {
    private struct Reception {
        /// For each group of keyspaces, by their first one, what is held.
        var held: [String: RangeSet] = [:]
        var work: (any BackgroundWork)?
        var words = ""
        var retryAtNanoseconds: UInt64 = 0
    }

    private let host: Host
    private let local: NodeID
    private let receiver: any RangeReceiver
    private let isAlive: @Sendable (NodeID) -> Bool
    private var receptions: [UUID: Reception] = [:]

    private static let retryNanoseconds: UInt64 = 2_000_000_000

    package init(
        host: Host, local: NodeID, receiver: any RangeReceiver, isAlive: @escaping @Sendable (NodeID) -> Bool
    ) {
        self.host = host
        self.local = local
        self.receiver = receiver
        self.isAlive = isAlive
    }

    /// Goes on with this node's part of a change, and says how far it is.
    package func proceed(with id: UUID, in metadata: ClusterMetadata) -> RangeReception? {
        guard let change = metadata.change(id), !change.isAborting else { return nil }
        let groups: [(strategy: ReplicationStrategy, keyspaces: [String])] = metadata.keyspacesByStrategy
        let topology = Topology(metadata, local: local)
        var reception: Reception = receptions[id] ?? Reception()
        let alive: @Sendable (NodeID) -> Bool = isAlive
        func sources() -> RangeSources {
            RangeSources(
                of: change, for: local, in: topology, groups,
                held: groups.map { reception.held[$0.keyspaces[0]] ?? RangeSet() }, isAlive: alive)
        }
        var plan: RangeSources = sources()
        if plan.free.contains(where: { !$0.isEmpty }) {
            for (group, free) in zip(groups, plan.free) {
                reception.held[group.keyspaces[0], default: RangeSet()] =
                    (reception.held[group.keyspaces[0]] ?? RangeSet()).union(free)
            }
            plan = sources()
        }
        var missing = RangeSet()
        var needed = RangeSet()
        for (group, ranges) in zip(groups, plan.needed) {
            needed = needed.union(ranges)
            missing = missing.union(ranges.subtracting(reception.held[group.keyspaces[0]] ?? RangeSet()))
        }
        #if PLANTS
        // What is to be fetched counts as there.
        if Plant.isOn(.handOverEarly) { return RangeReception(state: .done, held: needed, words: "") }
        #endif
        let now: UInt64 = host.time.monotonicNanoseconds
        if reception.work == nil, !plan.parts.isEmpty, now >= reception.retryAtNanoseconds {
            reception.words = ""
            reception.work = begin(RangePull(id: id, title: change.title(at: local), parts: plan.parts))
        }
        receptions[id] = reception
        let held: RangeSet = needed.subtracting(missing)
        if missing.isEmpty { return RangeReception(state: .done, held: held, words: "") }
        if plan.parts.isEmpty, reception.work == nil {
            return RangeReception(state: .waiting, held: held, words: RingReceptions.waiting(for: plan.missing))
        }
        return RangeReception(
            state: reception.work == nil ? .waiting : .running, held: held, words: reception.words)
    }

    private static func waiting(for nodes: [NodeID]) -> String {
        "Too few of those that have the data are up; missing: " + nodes.map(\.description).joined(separator: ", ")
    }

    private func begin(_ pull: RangePull) -> any BackgroundWork {
        let receiver: any RangeReceiver = self.receiver
        return host.background.run("fetch ranges", on: host.loops[0]) { [self] in
            do {
                try await receiver.pull(pull) { part, ranges in
                    guard pull.parts.indices.contains(part) else { return }
                    await self.hold(pull.id, pull.parts[part], ranges)
                }
                for part in pull.parts { await hold(pull.id, part, part.ranges) }
                await ended(pull.id, "")
            } catch {
                await ended(pull.id, "\(error)")
            }
        }
    }

    private func hold(_ id: UUID, _ part: RangePull.Part, _ ranges: RangeSet) {
        guard let group = part.keyspaces.first else { return }
        let known: RangeSet = receptions[id]?.held[group] ?? RangeSet()
        receptions[id]?.held[group] = known.union(ranges.intersection(part.ranges))
    }

    private func ended(_ id: UUID, _ words: String) {
        receptions[id]?.work = nil
        receptions[id]?.words = words
        receptions[id]?.retryAtNanoseconds = host.time.monotonicNanoseconds &+ RingReceptions.retryNanoseconds
    }

    /// Forgets, and stops, what is for no change any more.
    package func keepOnly(_ changes: [RingChange]) {
        for (id, reception) in receptions where !changes.contains(where: { $0.id == id && !$0.isAborting }) {
            reception.work?.cancel()
            receptions[id] = nil
        }
    }

    package func stop() async {
        let works: [any BackgroundWork] = receptions.values.compactMap(\.work)
        receptions = [:]
        for work in works { work.cancel() }
        for work in works { await work.wait() }
    }
}

extension RingChange {
    /// What operators read about streams to a node.
    func title(at receiver: NodeID) -> String {
        switch kind {
        case .join, .replace: "Bootstrap"
        case .leave: "Unbootstrap"
        case .remove: "Restore replica count"
        case .move: receiver == node ? "Moving" : "Unbootstrap"
        }
    }
}
