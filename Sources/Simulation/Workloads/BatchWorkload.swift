import CQL
import DataModel
import MartletClient
import Primitives

/// Clients that write logged batches over several partitions, some of which take back an earlier one.
///
/// A batch inserts a row of its own into each of its partitions, so that what came of it is seen for ever.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class BatchWorkload: Workload, @unchecked Sendable {
    private struct Batch {
        let number: Int
        let partitions: [Int]
    }

    private let recorder: HistoryRecorder<RowAction, RowResult>
    private let timestamps: ClientTimestamps
    private var batches: [Batch] = []
    /// For each batch, whether its row is in its partitions, as it was last looked at.
    private var atTheEnd: [Int: [BatchReading]] = [:]
    private var lookCount = 0

    /// Partitions that batches of a time share; after so many batches others take their place, so that reads stay small.
    private static let partitionsOfEra = 4
    private static let batchesOfEra = 12
    /// How often all is looked at before what is not whole is taken to stay so: a batch that is written again has to
    /// wait for clocks that were set back.
    private static let lookLimit = 36

    package init(_ clock: HistoryClock) {
        self.recorder = HistoryRecorder("batched row", clock)
        self.timestamps = ClientTimestamps(clock)
    }

    package var schema: [String] {
        ["CREATE TABLE batched (p int, b int, v bigint, PRIMARY KEY (p, b))"]
    }

    package func act(_ client: WorkloadClient) async {
        if client.generator.oneIn(2) {
            await write(client)
        } else {
            let era: Int = max(0, batches.count - 1) / BatchWorkload.batchesOfEra
            await read(
                era * BatchWorkload.partitionsOfEra + client.generator.below(BatchWorkload.partitionsOfEra), client)
        }
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        atTheEnd = [:]
        let eras: Int = (batches.count + BatchWorkload.batchesOfEra - 1) / BatchWorkload.batchesOfEra
        for partition in 0..<(eras * BatchWorkload.partitionsOfEra) {
            guard let present = await read(partition, client) else { return false }
            for batch in batches where batch.partitions.contains(partition) {
                atTheEnd[batch.number, default: []].append(
                    BatchReading(partition: partition, isPresent: present.contains(batch.number)))
            }
        }
        lookCount += 1
        return lookCount >= BatchWorkload.lookLimit || parts().isEmpty
    }

    package func violations() -> [Violation] {
        let rows: [Violation] = recorder.keys.compactMap { key in
            QuorumVisibilityChecker().violation(
                recorder.history(of: key), of: "row of batch \(BatchWorkload.number(of: key))")
        }
        return rows.isEmpty ? parts() : rows
    }

    /// The batches of which only a part is there.
    private func parts() -> [Violation] {
        batches.compactMap { batch in
            var history: [String] = []
            for partition in batch.partitions {
                let changes: RowHistory = recorder.history(of: BatchWorkload.key(batch.number, partition)).filter {
                    $0.action != .read
                }
                history += changes.map { "partition \(partition): \($0)" }
            }
            return BatchChecker().violation(
                atTheEnd[batch.number] ?? [], of: "batch \(batch.number)", history: history)
        }
    }

    private static func key(_ batch: Int, _ partition: Int) -> Int {
        batch * partitionsOfEra + partition % partitionsOfEra
    }

    private static func number(of key: Int) -> Int { key / partitionsOfEra }

    // MARK: Requests

    private func write(_ client: WorkloadClient) async {
        let number: Int = batches.count
        let era: Int = number / BatchWorkload.batchesOfEra
        var partitions = Array(0..<BatchWorkload.partitionsOfEra)
        partitions.shuffle(using: &client.generator)
        partitions = partitions.prefix(2 + client.generator.below(BatchWorkload.partitionsOfEra - 1)).sorted().map {
            era * BatchWorkload.partitionsOfEra + $0
        }
        let batch = Batch(number: number, partitions: partitions)
        batches.append(batch)
        let earlier: [Batch] = batches.dropLast().filter { $0.number / BatchWorkload.batchesOfEra == era }
        let removed: Batch? =
            client.generator.oneIn(4) && !earlier.isEmpty ? earlier[client.generator.below(earlier.count)] : nil
        // The row of an earlier batch is older than what takes it away: it came with an earlier timestamp.
        let timestamp: Int64 = timestamps.nextInOrder()
        let node: Int = client.nextNode()
        var tickets: [HistoryRecorder<RowAction, RowResult>.Ticket] = []
        var statements: [(text: String, values: [(any CQLEncodable)?])] = []
        for partition in partitions {
            tickets.append(
                recorder.begin(
                    BatchWorkload.key(number, partition), .write(value: Int64(number), timestamp: timestamp),
                    client: client.number, node: node + 1))
            statements.append(
                (
                    "INSERT INTO sim.batched (p, b, v) VALUES (?, ?, ?)",
                    [Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: number), Int64(number)]
                ))
        }
        for partition in removed?.partitions ?? [] {
            let gone: Int = removed?.number ?? 0
            tickets.append(
                recorder.begin(
                    BatchWorkload.key(gone, partition), .delete(timestamp: timestamp), client: client.number,
                    node: node + 1))
            statements.append(
                (
                    "DELETE FROM sim.batched WHERE p = ? AND b = ?",
                    [Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: gone)]
                ))
        }
        var options = QueryOptions(consistency: .quorum)
        options.timestamp = timestamp
        let answer = await client.sendBatch(statements, options, to: node, isPrepared: !client.generator.oneIn(4))
        recorder.settle(tickets, answer, .acknowledged)
    }

    /// - Returns: the batches that have a row in the partition; nil when that could not be seen.
    @discardableResult
    private func read(_ partition: Int, _ client: WorkloadClient) async -> Set<Int>? {
        let node: Int = client.nextNode()
        let tickets = batches.filter { $0.partitions.contains(partition) }.map {
            recorder.begin(BatchWorkload.key($0.number, partition), .read, client: client.number, node: node + 1)
        }
        let answer = await client.send(
            "SELECT b, v, writetime(v) FROM sim.batched WHERE p = ?", [Int32(truncatingIfNeeded: partition)],
            QueryOptions(consistency: .quorum), to: node)
        var found: [Int: RowResult] = [:]
        guard case .done(let result) = answer else {
            recorder.forget(tickets, answer)
            return nil
        }
        for row in result.rows {
            guard let batch = try? row["b", as: Int32.self], let value = try? row["v", as: Int64.self],
                let timestamp = try? row[2, as: Int64.self]
            else { continue }
            found[Int(batch)] = .found(value: value, timestamp: timestamp)
        }
        for ticket in tickets { recorder.end(ticket, found[BatchWorkload.number(of: ticket.key)] ?? .absent) }
        return Set(found.keys)
    }
}
