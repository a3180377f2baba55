import CQL
import DataModel
import MartletClient
import Primitives

/// A client that creates, alters and drops tables through whatever node it likes, the same table at two nodes at once
/// now and then.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SchemaWorkload: Workload, @unchecked Sendable {
    /// What must be so of a table.
    private struct Table {
        var exists = false
        var columns: [String] = []
        /// Whether nothing is sure, because a change may yet be made, after others that are known.
        var isUnsure = false
    }

    private let clock: HistoryClock
    private let cluster: SimulatedCluster
    private var tables: [Int: Table] = [:]
    private var columnCount = 0
    private var found: [Violation] = []
    /// For each node, what it says the schema is.
    private var seen: [(node: Int, lines: [String])] = []

    package init(_ clock: HistoryClock, _ cluster: SimulatedCluster) {
        self.clock = clock
        self.cluster = cluster
    }

    package var schema: [String] { [] }

    package func act(_ client: WorkloadClient) async {
        let table: Int = client.generator.below(3)
        switch client.generator.below(5) {
        case 0, 1: await create(table, client)
        case 2, 3: await addColumn(table, client)
        default: await drop(table, client)
        }
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        seen = []
        for node in cluster.present {
            var lines: [String] = []
            for text in [
                "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = 'sim'",
                "SELECT table_name, column_name, type FROM system_schema.columns WHERE keyspace_name = 'sim'",
            ] {
                guard case .done(let result) = await client.send(text, [], QueryOptions(consistency: .one), to: node)
                else { return false }
                for row in result.rows {
                    lines.append((0..<row.count).map { row.literal(at: $0) }.joined(separator: " "))
                }
            }
            seen.append((node + 1, lines.sorted()))
        }
        // The last word comes to everybody, if not at the same moment.
        return seen.allSatisfy { $0.lines == seen[0].lines }
    }

    package func violations() -> [Violation] {
        var violations: [Violation] = found
        guard let first = seen.first else { return violations }
        for (node, lines) in seen where lines != first.lines {
            violations.append(
                Violation(
                    .schemasAgree, subject: "node \(node)", reason: "its schema is not that of node \(first.node)",
                    history: lines.filter { !first.lines.contains($0) } + first.lines.filter { !lines.contains($0) }))
        }
        for number in tables.keys.sorted() {
            guard let table = tables[number], !table.isUnsure else { continue }
            let name = "'t\(number)'"
            let isThere: Bool = first.lines.contains { $0.hasPrefix(name + " ") }
            if isThere != table.exists {
                let words: String = table.exists ? "was created and is not there" : "was dropped and is there"
                violations.append(
                    Violation(.schemasAgree, subject: "table \(name)", reason: words, history: first.lines))
                continue
            }
            for column in table.columns where table.exists {
                if first.lines.contains(where: { $0.hasPrefix(name + " '\(column)' ") }) { continue }
                violations.append(
                    Violation(
                        .schemasAgree, subject: "column \(column) of \(name)", reason: "was added and is not there",
                        history: first.lines))
            }
        }
        return violations
    }

    // MARK: Changes

    private func create(_ number: Int, _ client: WorkloadClient) async {
        let text = "CREATE TABLE IF NOT EXISTS sim.t\(number) (k int PRIMARY KEY, v text)"
        let first: Int = client.nextNode()
        let second: Int = cluster.present.first { $0 > first } ?? cluster.present[0]
        guard second != first, client.generator.oneIn(2) else {
            let answer = await send(text, to: first, client)
            settle(number, answer) { $0.exists = true }
            return
        }
        let other = WorkloadClient(100, cluster, client.generator.split(), timeout: .milliseconds(3_000))
        async let one = send(text, to: first, client)
        async let two = send(text, to: second, other)
        let answers: [Attempt<QueryResult>] = [await one, await two]
        other.close()
        for answer in answers { settle(number, answer) { $0.exists = true } }
    }

    private func addColumn(_ number: Int, _ client: WorkloadClient) async {
        columnCount += 1
        let column = "c\(columnCount)"
        let answer = await send("ALTER TABLE sim.t\(number) ADD \(column) int", to: client.nextNode(), client)
        settle(number, answer) { $0.columns.append(column) }
    }

    private func drop(_ number: Int, _ client: WorkloadClient) async {
        let answer = await send("DROP TABLE IF EXISTS sim.t\(number)", to: client.nextNode(), client)
        settle(number, answer) { table in
            table.exists = false
            table.columns = []
        }
    }

    private func send(_ text: String, to node: Int, _ client: WorkloadClient) async -> Attempt<QueryResult> {
        _ = clock.nextOperation()
        let answer = await client.send(text, [], QueryOptions(consistency: .quorum), to: node, isPrepared: false)
        clock.note("schema at node \(node + 1): \(text): \(SchemaWorkload.words(answer))")
        return answer
    }

    private func settle(_ number: Int, _ answer: Attempt<QueryResult>, _ change: (inout Table) -> Void) {
        switch answer {
        case .done: change(&tables[number, default: Table()])
        case .refused: break
        case .unknown:
            tables[number, default: Table()].isUnsure = true
        }
    }

    private static func words(_ answer: Attempt<QueryResult>) -> String {
        switch answer {
        case .done: "done"
        case .refused(let reason): "refused: \(reason)"
        case .unknown(let reason): "unknown: \(reason)"
        }
    }
}
