import Environment
import Primitives
import Server

/// Has nodes come into the ring and go out of it while clients work, and takes some of that back.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
final class RingMover: @unchecked Sendable {
    private let cluster: SimulatedCluster
    private let keeper: NodeKeeper
    private let clock: HistoryClock
    private var generator: SeededGenerator
    private var spares: [Int]
    /// So many nodes stay.
    private let leastCount: Int
    private var isMoving = false
    private var hasEnded = false
    /// How many nodes have come and gone.
    private(set) var moveCount = 0

    private static let stepMilliseconds = 100
    /// A change may wait for nodes that are down; then something else is tried.
    private static let patienceStepCount = 300

    init(
        _ cluster: SimulatedCluster, _ keeper: NodeKeeper, _ clock: HistoryClock, _ generator: SeededGenerator,
        spareCount: Int
    ) {
        let first: Int = cluster.nodes.count - spareCount
        self.cluster = cluster
        self.keeper = keeper
        self.clock = clock
        self.generator = generator
        self.spares = Array(first..<cluster.nodes.count)
        self.leastCount = max(3, first)
        for spare in spares { keeper.sendAway(spare) }
    }

    /// Whether nothing changes any more: every node that has come owns tokens, and every one that has gone does not.
    var isStill: Bool {
        guard hasEnded, !isMoving, let known = someNode, !known.isRingChanging else { return false }
        // A departure may have begun late, when nobody waited for it any more.
        for node in keeper.present {
            guard let id = cluster.nodes[node].running?.hostID, !known.owners.contains(id) else { continue }
            keeper.sendAway(node)
            cluster.nodes[node].kill()
        }
        return known.owners.count == keeper.present.count
    }

    private var someNode: Node? { keeper.present.lazy.compactMap { self.cluster.nodes[$0].running }.first }

    func run(until isStopping: () -> Bool) async {
        while !isStopping() {
            await rest(5 + generator.below(20))
            if isStopping() { break }
            let present: [Int] = keeper.present
            if let spare = spares.first, present.count <= leastCount || generator.oneIn(2) {
                spares.removeFirst()
                await join(spare)
            } else if present.count > leastCount {
                await leave(present[generator.below(present.count)])
            }
        }
        hasEnded = true
    }

    private func join(_ node: Int) async {
        clock.note("node\(node + 1) comes")
        isMoving = true
        keeper.letIn(node)
        for _ in 0..<RingMover.patienceStepCount where !cluster.nodes[node].isUp { await rest(1) }
        isMoving = false
        moveCount += 1
        clock.note("node\(node + 1) has come: \(cluster.nodes[node].isUp)")
    }

    /// A node that leaves goes on doing so after it was killed; only once it has left it is held back.
    private func leave(_ node: Int) async {
        guard let id: UUID = cluster.nodes[node].running?.hostID else { return }
        clock.note("node\(node + 1) goes")
        isMoving = true
        defer { isMoving = false }
        let leaving: SimulatedNode = cluster.nodes[node]
        cluster.clients.host.background.run("decommission", on: cluster.clients.host.loops[0]) {
            do {
                _ = try await leaving.carryOut { try await $0.decommission() }
            } catch {
                // It is killed in the middle, or others change the ring: what comes of it shows below.
            }
        }
        let isTakenBack: Bool = generator.oneIn(4)
        if isTakenBack { await rest(generator.below(20)) }
        if isTakenBack, let other = keeper.present.first(where: { $0 != node && cluster.nodes[$0].isUp }) {
            clock.note("node\(node + 1) is to stay")
            cluster.clients.host.background.run("abort", on: cluster.clients.host.loops[0]) { [cluster] in
                do {
                    _ = try await cluster.nodes[other].carryOut { try await $0.abortRingChange() }
                } catch {
                    // It has ended already, or the node that was asked is killed.
                }
            }
        }
        for step in 0..<(RingMover.patienceStepCount * 4) {
            await rest(1)
            guard
                let known = keeper.present.lazy.filter({ $0 != node }).compactMap({ self.cluster.nodes[$0].running })
                    .first
            else { continue }
            if !known.owners.contains(id) {
                // Others have heard of it: it is over.
                keeper.sendAway(node)
                leaving.kill()
                moveCount += 1
                return clock.note("node\(node + 1) has gone")
            }
            if step > 20, !known.isRingChanging, leaving.isUp { return clock.note("node\(node + 1) stays") }
        }
    }

    private func rest(_ steps: Int) async {
        try? await cluster.clients.sleep(for: .milliseconds(steps * RingMover.stepMilliseconds))
    }
}
