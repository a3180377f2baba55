import Environment
package import Primitives
import SimulatedHost

/// Carries out a plan of faults on a cluster.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class FaultDriver: @unchecked Sendable {
    private let cluster: SimulatedCluster
    private let keeper: NodeKeeper
    private let clock: HistoryClock
    /// The tables that operators merge.
    package var tables: [UUID] = []
    /// What the wall clock of each node has shown.
    package private(set) var clocks: [WallClockRecord] = []

    package init(_ cluster: SimulatedCluster, _ keeper: NodeKeeper, _ clock: HistoryClock) {
        self.cluster = cluster
        self.keeper = keeper
        self.clock = clock
        self.clocks = cluster.nodes.map { _ in WallClockRecord() }
        for node in cluster.nodes.indices { noteClock(of: node) }
    }

    /// Lets everything of the plan happen; returns when all of it is over.
    package func run(_ plan: FaultPlan) async {
        await withTaskGroup(of: Void.self) { group in
            for event in plan.events {
                group.addTask { [self] in
                    try? await cluster.clients.sleep(for: .milliseconds(event.startMilliseconds))
                    clock.note("begins: \(event.fault)")
                    begin(event.fault)
                    if case .flapping(let node, let period) = event.fault {
                        await flap(node, period, event.durationMilliseconds)
                    } else {
                        try? await cluster.clients.sleep(for: .milliseconds(event.durationMilliseconds))
                    }
                    clock.note("ends: \(event.fault)")
                    end(event.fault)
                }
            }
        }
    }

    /// Takes back whatever faults that met each other have left.
    package func heal() {
        clock.note("everything heals")
        cluster.world.network.healAll()
        for (node, a) in machines.enumerated() {
            a.resume()
            a.disk.faults = DiskFaults()
            set(node) { $0.drift(partsPerMillion: 0) }
            for b in machines { cluster.world.network.setLink(from: a, to: b, LinkBehavior()) }
        }
        cluster.unreliability.probability = 0
    }

    private var machines: [SimulatedMachine] { cluster.nodes.map(\.machine) }

    private func begin(_ fault: Fault) {
        switch fault {
        case .powerLoss(let nodes): for node in nodes { keeper.hold(node) { $0.crash() } }
        case .kill(let node): keeper.hold(node) { $0.kill() }
        case .stop(let node): keeper.hold(node) { stop($0) }
        case .pause(let node): machines[node].suspend()
        case .split(let nodes): split(nodes)
        case .oneWay(let source, let target): cluster.world.network.cut(from: machines[source], to: machines[target])
        case .flapping(let node, _): split([node])
        case .breakingConnections(let nodes, let probability):
            for node in nodes { setLinks(of: node) { $0.resetProbability = probability } }
        case .slowLink(let a, let b, let milliseconds):
            setLink(a, b) { $0.latency.maximum = .milliseconds(milliseconds) }
        case .unreliableMessages(let probability): cluster.unreliability.probability = probability
        case .clockJump(let node, let milliseconds): set(node) { $0.jump(byMicroseconds: Int64(milliseconds) * 1_000) }
        case .clockDrift(let node, let parts): set(node) { $0.drift(partsPerMillion: Int64(parts)) }
        case .slowDisk(let node, let milliseconds):
            machines[node].disk.faults.latency = SimulatedLatency(
                minimum: .microseconds(20), maximum: .milliseconds(2), slowProbability: 0.2,
                slowDuration: .milliseconds(milliseconds))
        case .failingDisk(let node, let probability): machines[node].disk.faults.failureProbability = probability
        case .fullDisk(let node): machines[node].disk.faults.capacityByteCount = 0
        case .flush(let node): cluster.nodes[node].tidy(merging: [])
        case .compact(let node): cluster.nodes[node].tidy(merging: tables)
        }
    }

    private func end(_ fault: Fault) {
        switch fault {
        case .powerLoss(let nodes): for node in nodes { keeper.release(node) }
        case .kill(let node), .stop(let node): keeper.release(node)
        case .pause(let node): machines[node].resume()
        case .split(let nodes): heal(nodes)
        case .oneWay(let source, let target): cluster.world.network.heal(from: machines[source], to: machines[target])
        case .flapping(let node, _): heal([node])
        case .breakingConnections(let nodes, _): for node in nodes { setLinks(of: node) { $0.resetProbability = 0 } }
        case .slowLink(let a, let b, _): setLink(a, b) { $0.latency = LinkBehavior().latency }
        case .unreliableMessages: cluster.unreliability.probability = 0
        case .clockJump(let node, let milliseconds): set(node) { $0.jump(byMicroseconds: Int64(-milliseconds) * 1_000) }
        case .clockDrift(let node, _): set(node) { $0.drift(partsPerMillion: 0) }
        case .slowDisk(let node, _): machines[node].disk.faults.latency = DiskFaults().latency
        case .failingDisk(let node, _):
            machines[node].disk.faults.failureProbability = 0
            restart(node)
        case .fullDisk(let node):
            machines[node].disk.faults.capacityByteCount = nil
            restart(node)
        case .flush, .compact: break
        }
    }

    /// A node whose disk has failed takes no more writes until an operator has started it again.
    private func restart(_ node: Int) {
        keeper.hold(node) { $0.kill() }
        keeper.release(node)
    }

    /// In the background, because a stop that a crash interrupts never returns.
    private func stop(_ node: SimulatedNode) {
        guard node.isUp else { return node.kill() }
        cluster.clients.host.background.run("stop a node", on: cluster.clients.host.loops[0]) { await node.stop() }
    }

    private func flap(_ node: Int, _ period: Int, _ duration: Int) async {
        var left: Int = duration
        var isSplit = true
        while left > 0 {
            try? await cluster.clients.sleep(for: .milliseconds(min(left, period)))
            left -= period
            isSplit.toggle()
            if isSplit { split([node]) } else { heal([node]) }
        }
    }

    // MARK: Clocks

    private func set(_ node: Int, _ change: (SimulatedTime) -> Void) {
        noteClock(of: node)
        change(machines[node].time)
        noteClock(of: node)
    }

    /// Notes what the clock of a node shows now.
    private func noteClock(of node: Int) {
        clocks[node].note(machines[node].time.wallMicroseconds, at: cluster.world.nowNanoseconds)
    }

    // MARK: The net

    private func split(_ nodes: [Int]) {
        let others: [SimulatedMachine] = machines.indices.filter { !nodes.contains($0) }.map { machines[$0] }
        cluster.world.network.split(nodes.map { machines[$0] }, from: others)
    }

    private func heal(_ nodes: [Int]) {
        for node in nodes {
            for other in machines.indices where !nodes.contains(other) {
                cluster.world.network.heal(from: machines[node], to: machines[other])
                cluster.world.network.heal(from: machines[other], to: machines[node])
            }
        }
    }

    private func setLinks(of node: Int, _ change: (inout LinkBehavior) -> Void) {
        for other in machines.indices where other != node { setLink(node, other, change) }
    }

    private func setLink(_ a: Int, _ b: Int, _ change: (inout LinkBehavior) -> Void) {
        cluster.world.network.changeLink(from: machines[a], to: machines[b], change)
        cluster.world.network.changeLink(from: machines[b], to: machines[a], change)
    }
}
