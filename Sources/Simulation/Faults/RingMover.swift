import DataModel
import Environment
import Primitives
import Server
import SimulatedHost

/// Has nodes come into the ring and go out of it while clients work, lets some die for good, and takes some of that back.
///
/// One thing at a time: with two nodes lost at once no rule would hold.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class RingMover: @unchecked Sendable {
    private let cluster: SimulatedCluster
    private let shape: ClusterShape
    private let clock: HistoryClock
    private var generator: SeededGenerator
    private var spares: [Int]
    private var isMoving = false
    private var hasEnded = false

    private static let stepMilliseconds = 100
    /// A change may wait for nodes that are down; then something else is tried.
    private static let patienceStepCount = 300
    private static let leastNodeCount = 3
    private static let tokenCount = 16

    init(
        _ cluster: SimulatedCluster, _ shape: ClusterShape, _ clock: HistoryClock, _ generator: SeededGenerator,
        spareCount: Int
    ) {
        self.cluster = cluster
        self.shape = shape
        self.clock = clock
        self.generator = generator
        self.spares = shape.spares(spareCount)
        for spare in spares { cluster.sendAway(spare) }
    }

    /// Whether nothing changes any more: every node that has come owns tokens, and every one that has gone does not.
    var isStill: Bool {
        guard hasEnded, !isMoving, let known = someNode(), !known.isRingChanging else { return false }
        sendAwayThoseGone(known)
        return known.owners.count == cluster.present.count
    }

    /// A departure may have begun late, when nobody waited for it any more.
    private func sendAwayThoseGone(_ known: Node) {
        for node in cluster.present {
            guard let id = cluster.nodes[node].running?.hostID, !known.owners.contains(id) else { continue }
            cluster.sendAway(node)
            cluster.nodes[node].kill()
        }
    }

    func run(until isStopping: () -> Bool) async {
        while !isStopping() {
            await rest(5 + generator.below(20))
            if isStopping() { break }
            isMoving = true
            await moveSomething()
            isMoving = false
        }
        hasEnded = true
    }

    private func moveSomething() async {
        if let known = someNode(), !known.isRingChanging { sendAwayThoseGone(known) }
        let going: [Int] = cluster.present.filter(mayGo)
        let draw: Int = generator.below(10)
        if let spare = spares.first, draw < 3, shape.survivesLoss, let node = goner(for: spare) {
            spares.removeFirst()
            await replace(node, by: spare)
        } else if let spare = spares.first, going.isEmpty || draw < 6 {
            spares.removeFirst()
            await join(spare)
        } else if draw == 9 {
            let present: [Int] = cluster.present
            await move(present[generator.below(present.count)])
        } else if !going.isEmpty {
            let node: Int = going[generator.below(going.count)]
            if shape.survivesLoss, generator.oneIn(3) { await remove(node) } else { await leave(node) }
        }
    }

    /// Whether as many nodes as there are copies stay where a node is.
    private func mayGo(_ node: Int) -> Bool {
        let present: [Int] = cluster.present
        let datacenter: String = shape.places[node].datacenter
        let rest: Int = present.count { shape.places[$0].datacenter == datacenter } - 1
        let copies: Int = shape.factors.first { $0.datacenter == datacenter }?.count ?? 1
        return present.count > RingMover.leastNodeCount && rest >= copies
    }

    /// A node of the same data centre, whose place a new one can take.
    private func goner(for spare: Int) -> Int? {
        let found: [Int] = cluster.present.filter { shape.places[$0].datacenter == shape.places[spare].datacenter }
        return found.isEmpty ? nil : found[generator.below(found.count)]
    }

    // MARK: What happens to one node

    private func join(_ node: Int) async {
        clock.note("node\(node + 1) comes")
        cluster.letIn(node)
        for _ in 0..<RingMover.patienceStepCount where !cluster.nodes[node].isUp { await rest(1) }
        clock.note("node\(node + 1) has come: \(cluster.nodes[node].isUp)")
    }

    /// A node that leaves goes on doing so after it was killed; only once it has left it is held back.
    private func leave(_ node: Int) async {
        let leaving: SimulatedNode = cluster.nodes[node]
        guard let id: UUID = leaving.running?.hostID else { return }
        clock.note("node\(node + 1) goes")
        let order: RingOrder = order("decommission", at: leaving) { _ = try await $0.decommission() }
        if generator.oneIn(4) { await takeBack(node) }
        for step in 0..<(RingMover.patienceStepCount * 4) {
            await rest(1)
            guard let known = someNode(besides: node) else { continue }
            if !known.owners.contains(id) {
                // Others have heard of it: it is over.
                cluster.sendAway(node)
                leaving.kill()
                return clock.note("node\(node + 1) has gone")
            }
            // It may begin late: those who still act by the ring of before are waited for. Who was killed may never begin.
            let isOver: Bool = order.hasEnded || step > RingMover.patienceStepCount
            if isOver, !known.isRingChanging, leaving.isUp { return clock.note("node\(node + 1) stays") }
        }
    }

    private func takeBack(_ node: Int) async {
        await rest(generator.below(20))
        guard let other = cluster.present.first(where: { $0 != node && cluster.nodes[$0].isUp }) else { return }
        clock.note("node\(node + 1) is to stay")
        order("abort", at: cluster.nodes[other]) { _ = try await $0.abortRingChange() }
    }

    private func move(_ node: Int) async {
        let tokens: Set<Token> = Set((0..<RingMover.tokenCount).map { _ in Token(Int64(bitPattern: generator.next())) })
        clock.note("node\(node + 1) takes other tokens")
        let order: RingOrder = order("move", at: cluster.nodes[node]) { _ = try await $0.move(to: Array(tokens)) }
        for _ in 0..<RingMover.patienceStepCount {
            await rest(1)
            if order.hasEnded, let known = someNode(), !known.isRingChanging { return }
        }
    }

    /// A node dies with its disk, and others are told to go on without it.
    private func remove(_ node: Int) async {
        guard let id: UUID = die(node) else { return }
        var step = 0
        while !hasGone(id) {
            // It is refused as long as the node counts as up, and while other changes are under way.
            if step % 20 == 0, let other = cluster.present.first(where: isWhole) {
                order("remove", at: cluster.nodes[other]) { _ = try await $0.remove(id) }
            }
            // One that began before the node died may wait for it for ever, until somebody takes it back.
            if step % 200 == 199, let other = cluster.present.first(where: isWhole) {
                order("abort", at: cluster.nodes[other]) { node in
                    if !node.isRemoving { _ = try await node.abortRingChange() }
                }
            }
            step += 1
            await rest(1)
        }
        clock.note("node\(node + 1) is removed")
    }

    /// A node dies with its disk, and a new one takes its place.
    private func replace(_ node: Int, by spare: Int) async {
        let address: String = cluster.nodes[node].address.hostText
        guard let id: UUID = die(node) else { return spares.insert(spare, at: 0) }
        clock.note("node\(spare + 1) comes for it")
        do {
            try cluster.nodes[spare].configuration.set("replace_address_first_boot", address)
        } catch { return clock.note("the setting is refused: \(error)") }
        cluster.letIn(spare)
        while !hasGone(id) || !cluster.nodes[spare].isUp { await rest(1) }
        clock.note("node\(node + 1) is replaced")
    }

    private func die(_ node: Int) -> UUID? {
        guard let id: UUID = cluster.nodes[node].running?.hostID else { return nil }
        clock.note("node\(node + 1) dies for good")
        cluster.sendAway(node)
        cluster.nodes[node].kill()
        return id
    }

    // MARK: Looking

    private func isWhole(_ node: Int) -> Bool {
        let found: SimulatedNode = cluster.nodes[node]
        return found.isUp && found.running.map { $0.owners.contains($0.hostID) } ?? false
    }

    private func hasGone(_ id: UUID) -> Bool {
        someNode().map { !$0.owners.contains(id) && !$0.isRingChanging } ?? false
    }

    /// The node that knows most, of those that know of no end of their own: one that was paused may know little.
    private func someNode(besides node: Int? = nil) -> Node? {
        cluster.present.filter { $0 != node }.compactMap { cluster.nodes[$0].running }
            .filter { $0.owners.contains($0.hostID) }.max { $0.metadataEpoch < $1.metadataEpoch }
    }

    /// Has a node do something, without waiting for it: it may be killed in the middle, or others may change the ring; what
    /// comes of it is looked at elsewhere.
    @discardableResult
    private func order(
        _ words: StaticString, at node: SimulatedNode, _ body: @escaping @Sendable (Node) async throws -> Void
    ) -> RingOrder {
        let clock: HistoryClock = self.clock
        let order = RingOrder()
        cluster.clients.host.background.run(words, on: cluster.clients.host.loops[0]) {
            do {
                try await node.carryOut(body)
            } catch { clock.note("\(words) at \(node.machine.name): \(error)") }
            order.hasEnded = true
        }
        return order
    }

    private func rest(_ steps: Int) async {
        try? await cluster.clients.sleep(for: .milliseconds(steps * RingMover.stepMilliseconds))
    }
}

/// What a node was told to do.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
private final class RingOrder: @unchecked Sendable {
    /// Whether the node has answered, or has ended itself.
    var hasEnded = false
}
