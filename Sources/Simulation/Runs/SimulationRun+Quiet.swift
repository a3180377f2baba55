import CQL
import DataModel
import MartletClient
import SimulatedHost

/// What happens once the faults are over.
extension SimulationRun {
    /// Longer than it takes to notice that a node is back and to bring it what it missed.
    private static let hintMilliseconds = 20_000
    private static let tryCount = 40
    /// A node that died for good is down for a while before it counts as such.
    private static let ringTryCount = 240

    func settle() async {
        driver.heal()
        if let mover, await !untilDone("the ring stands still", tries: SimulationRun.ringTryCount, { mover.isStill }) {
            return
        }
        guard await waitForNodes() else { return }
        clock.note("all nodes are up")
        await rest(milliseconds: SimulationRun.hintMilliseconds)
        let client: WorkloadClient = clients[0]
        // Where every process lived through it, hints alone must have brought everything everywhere. A hint is not for
        // whoever takes over from the node that it was written for.
        if !plan.endsNodes, cluster.nodes.count > 1, mover == nil {
            for rows in rows {
                guard await untilDone("replicas answer", { await self.readReplicas(of: rows) }) else { return }
                violations += rows.violations()
            }
            if !violations.isEmpty { return }
        }
        for rows in rows {
            guard await untilDone("all replicas answer reads at ALL", { await rows.repair(client) }) else { return }
        }
        for workload in workloads {
            guard await untilDone("everything can be read", { await workload.lookAgain(client) }) else { return }
        }
        for rows in rows { _ = await untilDone("replicas answer", { await self.readReplicas(of: rows) }) }
    }

    private func waitForNodes() async -> Bool {
        for _ in 0..<600 {
            if keeper.areAllUp { return true }
            await rest(milliseconds: 100)
        }
        let down: [String] = cluster.present.map { cluster.nodes[$0] }.filter { !$0.isUp }.map(\.machine.name)
        violations.append(
            Violation(
                .clusterRecovers, subject: down.joined(separator: ", "), reason: "the nodes do not start",
                history: keeper.failedStarts.suffix(5) + cluster.nodes.flatMap { $0.isUp ? [] : $0.logLines.suffix(5) })
        )
        return false
    }

    private func untilDone(
        _ what: String, tries: Int = SimulationRun.tryCount, _ body: () async -> Bool
    ) async -> Bool {
        for _ in 0..<tries {
            if await body() { return true }
            await rest(milliseconds: 500)
        }
        violations.append(
            Violation(
                .clusterRecovers, subject: "cluster", reason: "it is not so that \(what)",
                history: Array(clock.lines.suffix(5))))
        return false
    }

    /// Asks each node for its tokens.
    private func observeRing() async throws -> ObservedRing {
        var tokens: [(token: Int64, node: Int)] = []
        for index in cluster.present {
            let connection = try await cluster.clients.connect(to: cluster.nodes[index])
            let result = try await connection.query("SELECT tokens FROM system.local")
            for row in result.rows {
                for text in try row[0, as: Set<String>.self] ?? [] {
                    if let token = Int64(text) { tokens.append((token, index + 1)) }
                }
            }
            connection.close()
        }
        return ObservedRing(tokens, shape)
    }

    /// Asks each replica for what it holds itself.
    private func readReplicas(of rows: RowWorkload) async -> Bool {
        rows.forgetReadings()
        var options = QueryOptions(consistency: .nodeLocal)
        options.pageSize = nil
        let ring: ObservedRing
        do {
            ring = try await observeRing()
        } catch {
            clock.note("the ring can not be seen: \(error)")
            return false
        }
        for index in cluster.present {
            do {
                let connection = try await cluster.clients.connect(to: cluster.nodes[index])
                for partition in rows.partitions where ring.replicas(of: partition).contains(index + 1) {
                    let result = try await connection.query(
                        rows.selectPartition, values: [Int32(truncatingIfNeeded: partition)], options: options)
                    try rows.note(result, of: partition, heldBy: index + 1)
                }
                connection.close()
            } catch {
                clock.note("node \(index + 1) does not show what it holds: \(error)")
                return false
            }
        }
        return true
    }
}
