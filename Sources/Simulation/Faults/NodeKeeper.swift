import Cluster
import Environment
import MartletClient
import SimulatedHost

/// Starts nodes that are down, as a service manager does, unless something holds them down.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class NodeKeeper: @unchecked Sendable {
    private let cluster: SimulatedCluster
    private let clock: HistoryClock
    /// How many faults want each node down.
    private var holdCounts: [Int]
    private var isStopping = false
    /// Starts that failed, in words; a disk that fails makes some.
    package private(set) var failedStarts: [String] = []

    package init(_ cluster: SimulatedCluster, _ clock: HistoryClock) {
        self.cluster = cluster
        self.clock = clock
        self.holdCounts = cluster.nodes.map { _ in 0 }
    }

    /// Ends a process, which is not started again before `release`.
    func hold(_ node: Int, _ end: (SimulatedNode) -> Void) {
        holdCounts[node] += 1
        end(cluster.nodes[node])
    }

    func release(_ node: Int) {
        holdCounts[node] -= 1
    }

    package func stop() {
        isStopping = true
    }

    /// Whether all nodes take clients.
    package var areAllUp: Bool { cluster.present.allSatisfy { cluster.nodes[$0].isUp } }

    /// Looks after the nodes until it is told to stop.
    package func run() async {
        while !isStopping {
            for index in cluster.present where holdCounts[index] == 0 {
                let node: SimulatedNode = cluster.nodes[index]
                if !node.isUp, !node.isChanging { start(index) }
            }
            try? await cluster.clients.sleep(for: .milliseconds(50))
        }
    }

    /// In the background, because a start that a crash interrupts never returns.
    private func start(_ index: Int) {
        let node: SimulatedNode = cluster.nodes[index]
        clock.note("\(node.machine.name) starts")
        cluster.clients.host.background.run("keep a node running", on: cluster.clients.host.loops[0]) { [self] in
            do {
                try await node.restart()
                clock.note("\(node.machine.name) is up")
            } catch MetadataFailure.left {
                // It had begun to leave, or was taken out, when it was stopped.
                clock.note("\(node.machine.name) is out of the ring")
                cluster.sendAway(index)
                node.kill()
            } catch {
                failedStarts.append("\(node.machine.name): \(error)")
                clock.note("\(node.machine.name) did not start: \(error)")
                hold(index) { $0.kill() }
                try? await cluster.clients.sleep(for: .milliseconds(300))
                release(index)
            }
        }
    }
}
