package import Cluster
package import DataModel
import Environment
package import Primitives

/// How a change of the ring that somebody waited for has ended.
package enum RingChangeEnd: Sendable, Hashable {
    case done
    /// It was taken back.
    case aborted
}

/// Why a change of the ring was not begun, beside what the ring itself forbids.
package enum RingFailure: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nodes that are up did not take part in time.
    case noBarrier([NodeID])
    /// The node is up, so that it can do it itself.
    case isAlive(NodeID)
    case isSelf
    case notMember
    case timedOut

    package var description: String {
        switch self {
        case .noBarrier(let nodes):
            "These nodes have to take part and do not answer: " + nodes.map(\.description).joined(separator: ", ")
        case .isAlive(let node):
            "Node \(node) is alive and owns this ID. Use decommission command to remove it from the ring"
        case .isSelf: "Cannot remove self"
        case .notMember: "This node is no member of the ring"
        case .timedOut: "The change of the ring did not begin in time, because others were under way"
        }
    }
}

/// What operators and starting nodes ask for.
extension RingOperations {
    // MARK: Beginning

    /// Begins to make this node own tokens; `end(of:)` tells how that ends.
    ///
    /// - Parameters:
    ///   - entry: this node, as it is to be among the members.
    ///   - tokens: chosen anew for every attempt, because others may come first.
    ///   - isWithoutData: whether it comes without the data.
    ///   - timeout: for how long it waits for its turn.
    package func join(
        _ entry: Member, replacing replaced: NodeID? = nil, isWithoutData: Bool = false, within timeout: Duration,
        tokens: @escaping @Sendable (ClusterMetadata) throws -> [Token]
    ) async throws -> UUID {
        guard let known = parts.log.current else { throw MetadataFailure.notStarted }
        await findReachable(known.members)
        let local: NodeID = self.local
        let id: UUID = .version4(high: host.entropy.next(), low: host.entropy.next())
        try await begin(within: timeout, waitsForTurn: true) { before in
            var change = RingChange(
                id: id, kind: replaced == nil ? .join : .replace, node: local, tokens: try tokens(before),
                replaced: replaced, driver: local)
            change.isWithoutData = isWithoutData
            var member: Member = entry
            // Two members may not have one token.
            member.tokens = replaced == nil ? change.tokens : []
            if let replaced, before.member(replaced)?.state != .normal {
                throw RingChangeRefused.wrongState(replaced, before.member(replaced)?.state ?? .left)
            }
            return (change, member)
        }
        return id
    }

    /// Begins to hand over all that this node has.
    package func decommission(isForced: Bool) async throws -> UUID {
        let local: NodeID = self.local
        if let running = parts.log.current?.change(of: local), running.kind == .leave { return running.id }
        let id: UUID = .version4(high: host.entropy.next(), low: host.entropy.next())
        try await begin(within: settings.beginTimeout) { before in
            guard let member = before.member(local) else { throw RingFailure.notMember }
            guard member.state == .normal else { throw RingChangeRefused.wrongState(local, member.state) }
            try before.checkDeparture(of: local, isForced: isForced)
            return (RingChange(id: id, kind: .leave, node: local, tokens: [], driver: local), member)
        }
        return id
    }

    /// Begins to take a dead node out; others get what it had from those who have it too.
    ///
    /// - Parameter isForced: whether what is there is enough where too few of those are up that have it.
    package func remove(_ node: NodeID, isForced: Bool = false) async throws -> UUID {
        guard node != local else { throw RingFailure.isSelf }
        guard parts.log.current?.member(local)?.state.isOwner == true else { throw RingFailure.notMember }
        guard !parts.liveness.isAlive(node) || parts.log.current?.member(node) == nil else {
            throw RingFailure.isAlive(node)
        }
        let local: NodeID = self.local
        if let running = parts.log.current?.change(of: node), running.kind == .remove { return running.id }
        let id: UUID = .version4(high: host.entropy.next(), low: host.entropy.next())
        try await begin(within: settings.beginTimeout) { before in
            guard let member = before.member(node) else { throw RingChangeRefused.unknownNode(node) }
            guard member.state == .normal else { throw RingChangeRefused.wrongState(node, member.state) }
            try before.checkDeparture(of: node, isForced: true)
            var change = RingChange(id: id, kind: .remove, node: node, tokens: [], driver: local)
            change.isForced = isForced
            return (change, member)
        }
        return id
    }

    /// Begins to give this node other tokens.
    package func move(to tokens: [Token]) async throws -> UUID {
        let local: NodeID = self.local
        let sorted: [Token] = Set(tokens).sorted()
        let id: UUID = .version4(high: host.entropy.next(), low: host.entropy.next())
        try await begin(within: settings.beginTimeout) { before in
            guard let member = before.member(local) else { throw RingFailure.notMember }
            guard member.state == .normal else { throw RingChangeRefused.wrongState(local, member.state) }
            guard !sorted.isEmpty, sorted[0] != .minimum else { throw RingChangeRefused.noTokens }
            for other in before.members where other.state != .left && other.id != local {
                if let taken = sorted.first(where: other.tokens.contains) { throw RingChangeRefused.tokenTaken(taken) }
            }
            return (RingChange(id: id, kind: .move, node: local, tokens: sorted, driver: local), member)
        }
        return id
    }

    /// Begins a change once everybody works by the last placement: a step must have only neighbours.
    private func begin(
        within timeout: Duration, waitsForTurn: Bool = false,
        _ make: @escaping @Sendable (ClusterMetadata) throws -> (change: RingChange, member: Member)
    ) async throws {
        let time: any TimeSource = host.time
        let deadline: UInt64 = time.monotonicNanoseconds &+ UInt64(max(0, timeout / .nanoseconds(1)))
        var pauseCount = 0
        var hasAsked = false
        await parts.log.refresh()
        while true {
            guard let present = parts.log.current, !isStopped else { throw MetadataFailure.notStarted }
            do {
                let wanted: (change: RingChange, member: Member) = try make(present)
                let begun: ClusterMetadata = try present.beginning(wanted.change, wanted.member)
                try await barrier.pass(present.placementEpoch, for: wanted.change, in: begun) { missing in
                    if time.monotonicNanoseconds > deadline { throw RingFailure.noBarrier(missing) }
                    try await self.lookAround(since: present)
                }
                _ = try await parts.log.change(timeout: settings.changeTimeout) { before in
                    guard before.placementEpoch == present.placementEpoch else { throw RingChangeRefused.superseded }
                    let wanted: (change: RingChange, member: Member) = try make(before)
                    return try before.beginning(wanted.change, wanted.member)
                }
                return
            } catch RingChangeRefused.superseded {
                guard time.monotonicNanoseconds < deadline else { throw RingFailure.timedOut }
            } catch RingChangeRefused.busy(let kind, let node) {
                guard waitsForTurn || !hasAsked, time.monotonicNanoseconds < deadline else {
                    throw RingChangeRefused.busy(kind, node)
                }
                if !waitsForTurn {
                    // It may have ended in the moment.
                    _ = try await parts.log.change(timeout: settings.changeTimeout, provesNoChange: true) { _ in nil }
                    hasAsked = true
                    continue
                }
            }
            pauseCount = min(pauseCount + 1, 10)
            let milliseconds = Int64(50 * pauseCount) + Int64(host.entropy.next() % 100)
            try await time.sleep(for: .milliseconds(milliseconds))
            // Nobody tells a node that is no member yet.
            await parts.log.refresh()
        }
    }

    /// While the first barrier is waited for: nobody gossips with a node that is no member yet, nor tells it of changes.
    private func lookAround(since known: ClusterMetadata) async throws {
        if known.member(local) == nil {
            await parts.log.refresh()
            await findReachable(known.members)
        }
        guard parts.log.current?.placementEpoch == known.placementEpoch else { throw RingChangeRefused.superseded }
    }

    // MARK: While it goes on

    /// Waits until a change is over.
    ///
    /// - Parameter tell: told how far it is, from time to time, where this node drives it.
    package func end(
        of id: UUID, _ tell: @Sendable (Progress) -> Void = { _ in }
    ) async throws -> RingChangeEnd {
        var isAborting = false
        while !isStopped {
            guard let change = parts.log.current?.change(id) else { return isAborting ? .aborted : .done }
            isAborting = change.isAborting
            if let progress = progress[id] { tell(progress) }
            try await host.time.sleep(for: .milliseconds(50))
        }
        throw MetadataFailure.stopped
    }

    /// How far a change is that this node drives.
    package func progress(of id: UUID) -> Progress? { progress[id] }

    /// Goes on with a change at once, as its driver when the present one is down.
    package func resume(_ id: UUID) async throws {
        guard let change = parts.log.current?.change(id) else { throw RingChangeRefused.noSuchChange }
        guard change.driver != local, !parts.liveness.isAlive(change.driver) else { return }
        try await takeOver(id)
    }

    /// Ends a change without the data that is still missing.
    package func force(_ id: UUID) async throws { try await takeOver(id, isWithoutData: true) }

    private func takeOver(_ id: UUID, isWithoutData: Bool = false) async throws {
        let local: NodeID = self.local
        let isDriven: Bool = parts.log.current?.change(id).map { parts.liveness.isAlive($0.driver) } ?? false
        _ = try await parts.log.change(timeout: settings.changeTimeout) { before in
            guard let change = before.change(id) else { throw RingChangeRefused.noSuchChange }
            return try before.driving(id, by: isDriven ? change.driver : local, isWithoutData: isWithoutData)
        }
    }

    /// Takes a change back.
    package func abort(_ id: UUID) async throws {
        let local: NodeID = self.local
        let isDriven: Bool = parts.log.current?.change(id).map { parts.liveness.isAlive($0.driver) } ?? false
        _ = try await parts.log.change(timeout: settings.changeTimeout) { before in
            try before.aborting(id, by: isDriven ? nil : local)
        }
    }

    /// Takes a node out at once, without its data.
    package func assassinate(_ node: NodeID) async throws {
        _ = try await parts.log.change(timeout: settings.changeTimeout) { try $0.assassinating(node) }
    }

    // MARK: Rebuilding

    /// Fetches everything that this node owns from the nodes of a data centre, or from any.
    ///
    /// - Parameter keyspaces: all when nil.
    package func rebuild(from datacenter: String?, keyspaces: [String]?) async throws {
        guard let metadata = parts.log.current else { throw MetadataFailure.notStarted }
        let topology = Topology(metadata, local: local)
        var pulls: [RangePull.Part] = []
        for (strategy, names) in metadata.keyspacesByStrategy {
            let wanted: [String] = names.filter { keyspaces?.contains($0) ?? true }
            guard !wanted.isEmpty else { continue }
            var bySource: [NodeID: [RingRange]] = [:]
            for placed in topology.placement(for: strategy).ranges where placed.replicas.contains(local) {
                let sources: [NodeID] = placed.replicas.natural.filter { node in
                    node != local && parts.liveness.isAlive(node)
                        && (datacenter == nil || topology.member(node)?.datacenter == datacenter)
                }
                guard let source = sources.first else {
                    throw RebuildFailure(keyspace: wanted[0], range: placed.range, datacenter: datacenter)
                }
                bySource[source, default: []].append(contentsOf: placed.range.unwrapped)
            }
            for (source, ranges) in bySource.sorted(by: { $0.key < $1.key }) {
                pulls.append(RangePull.Part(keyspaces: wanted, ranges: RangeSet(ranges), sources: [source]))
            }
        }
        let id: UUID = .version4(high: host.entropy.next(), low: host.entropy.next())
        try await parts.receiver.pull(RangePull(id: id, title: "Rebuild", parts: pulls)) { _, _ in }
    }
}

/// A range that nobody can be asked for.
package struct RebuildFailure: Error, CustomStringConvertible {
    package let keyspace: String
    package let range: RingRange
    package let datacenter: String?

    package var description: String {
        "Unable to find sufficient sources for streaming range \(range) in keyspace \(keyspace)"
            + (datacenter.map { " in data centre \($0)" } ?? "")
    }
}

extension ClusterMetadata {
    /// Refuses what would leave fewer nodes than copies, unless `isForced`; and always what would leave none.
    fileprivate func checkDeparture(of node: NodeID, isForced: Bool) throws {
        let rest: [Member] = members.filter { $0.id != node && $0.state == .normal }
        guard !rest.isEmpty else { throw RingChangeRefused.lastNode }
        guard !isForced else { return }
        let own: String = member(node)?.datacenter ?? ""
        for (strategy, keyspaces) in keyspacesByStrategy {
            guard let keyspace = keyspaces.first(where: { !ClusterMetadata.expendableKeyspaces.contains($0) }) else {
                continue
            }
            let factor: Int
            let count: Int
            switch strategy {
            case .simple(let copies): (factor, count) = (copies, rest.count)
            case .networkTopology:
                (factor, count) = (strategy.factor(in: own) ?? 0, rest.count { $0.datacenter == own })
            case .everywhere, .local: continue
            }
            guard factor > 0, count < factor else { continue }
            throw RingChangeRefused.tooFewNodes(keyspace: keyspace, factor: factor, nodeCount: count + 1)
        }
    }
}
