package import Cluster
import Environment

extension NodeCoordination: PlacementKeeper {
    private static let settlePause: Duration = .milliseconds(5)
    /// Each look at the hints writes those in memory to files.
    private static let longestArrivalPause: Duration = .milliseconds(160)

    package func settle(at epoch: UInt64, within limit: Duration) async -> Bool {
        let time: any TimeSource = parts.host.time
        let end: UInt64 = time.monotonicNanoseconds &+ UInt64(max(0, limit / .nanoseconds(1)))
        while await !isSettled(at: epoch) {
            guard time.monotonicNanoseconds < end else { return false }
            do { try await time.sleep(for: NodeCoordination.settlePause) } catch { return false }
        }
        return true
    }

    private func isSettled(at epoch: UInt64) async -> Bool {
        for (index, shard) in shards.enumerated() {
            do {
                let isDone: Bool = try await replica.run(on: index) { _ in
                    shard.view.placementEpoch >= epoch && shard.writes.hasEnded(before: epoch)
                }
                if !isDone { return false }
            } catch {
                // The node is stopping.
                return false
            }
        }
        return true
    }

    package func arrive(at nodes: Set<NodeID>, within limit: Duration) async -> Bool {
        let time: any TimeSource = parts.host.time
        let start: UInt64 = time.monotonicNanoseconds
        let end: UInt64 = start &+ UInt64(max(0, limit / .nanoseconds(1)))
        var pause: Duration = NodeCoordination.settlePause
        while await !hasArrived(at: nodes, begunBefore: start) {
            guard time.monotonicNanoseconds < end else { return false }
            do { try await time.sleep(for: pause) } catch { return false }
            pause = min(pause * 2, NodeCoordination.longestArrivalPause)
        }
        return true
    }

    private func hasArrived(at nodes: Set<NodeID>, begunBefore start: UInt64) async -> Bool {
        for (index, shard) in shards.enumerated() {
            do {
                let isDone: Bool = try await replica.run(on: index) { _ in shard.writes.hasEnded(begunBefore: start) }
                if !isDone { return false }
            } catch {
                // The node is stopping.
                return false
            }
        }
        return await !parts.hints.hasHints(for: nodes)
    }

    package func seal(_ epoch: UInt64) async {
        await parts.messages.requirePlacement(of: epoch)
    }
}
