import CQL
import DataModel
import MartletClient
import Primitives

/// Clients that fill a table and read all of it, page after page, from node after node; and that truncate it, if told.
///
/// Rows are numbered; every one is written once, and deleted at most once.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class ScanWorkload: Workload, @unchecked Sendable {
    private let recorder: HistoryRecorder<TableAction, TableResult>
    private let timestamps: ClientTimestamps
    private let table: String
    private let isTruncating: Bool
    private let settlingMilliseconds: Int
    private var rowCount = 0
    /// Rows that were acknowledged and that nobody has tried to delete, ascending.
    private var deletable: [Int] = []

    private static let rowsOfPartition = 3
    /// So that a scan stays short.
    private static let rowLimit = 500

    /// - Parameter settlingMilliseconds: how long what is under way may stay so.
    package init(_ clock: HistoryClock, isTruncating: Bool, settlingMilliseconds: Int) {
        self.table = isTruncating ? "sim.emptied" : "sim.scanned"
        self.recorder = HistoryRecorder(isTruncating ? "emptied table" : "scanned table", clock)
        self.timestamps = ClientTimestamps(clock)
        self.isTruncating = isTruncating
        self.settlingMilliseconds = settlingMilliseconds
    }

    package var schema: [String] { ["CREATE TABLE \(table) (p int, c int, v bigint, PRIMARY KEY (p, c))"] }

    package func act(_ client: WorkloadClient) async {
        switch client.generator.below(100) {
        case 0..<70 where rowCount < ScanWorkload.rowLimit: await insert(client)
        case 70..<78 where !deletable.isEmpty: await delete(client)
        case 78..<80 where isTruncating && client.generator.oneIn(3): await truncate(client)
        case 80..<92: await scan(client)
        case 92..<96: await scanTokens(client)
        default: await count(client)
        }
    }

    package func lookAgain(_ client: WorkloadClient) async -> Bool {
        let isSeen: Bool = await scan(client)
        return isSeen ? await count(client) : false
    }

    package func violations() -> [Violation] {
        let checker = ScanChecker(settlingMilliseconds: settlingMilliseconds)
        return checker.violation(recorder.history(of: 0), of: "table \(table)").map { [$0] } ?? []
    }

    // MARK: Changes

    private func insert(_ client: WorkloadClient) async {
        let row: Int = rowCount
        rowCount += 1
        let (p, c) = ScanWorkload.key(row)
        let answer = await change(
            .insert(row), "INSERT INTO \(table) (p, c, v) VALUES (?, ?, ?)", [p, c, Int64(row)], client)
        if case .done = answer { deletable.append(row) }
    }

    private func delete(_ client: WorkloadClient) async {
        let row: Int = deletable.remove(at: client.generator.below(deletable.count))
        let (p, c) = ScanWorkload.key(row)
        _ = await change(.delete(row), "DELETE FROM \(table) WHERE p = ? AND c = ?", [p, c], client)
    }

    private func truncate(_ client: WorkloadClient) async {
        _ = await change(.truncate, "TRUNCATE \(table)", [], client, isPrepared: false)
    }

    private func change(
        _ action: TableAction, _ text: String, _ values: [(any CQLEncodable)?], _ client: WorkloadClient,
        isPrepared: Bool = true
    ) async -> Attempt<QueryResult> {
        let node: Int = client.nextNode()
        let ticket = recorder.begin(0, action, client: client.number, node: node + 1)
        var options = QueryOptions(consistency: .quorum)
        // In order, so that a deletion is newer than its row.
        options.timestamp = timestamps.nextInOrder()
        let answer = await client.send(text, values, options, to: node, isPrepared: isPrepared)
        recorder.settle([ticket], answer, .acknowledged)
        return answer
    }

    private static func key(_ row: Int) -> (p: Int32, c: Int32) {
        let (partition, place): (Int, Int) = row.quotientAndRemainder(dividingBy: rowsOfPartition)
        return (Int32(truncatingIfNeeded: partition), Int32(truncatingIfNeeded: place))
    }

    // MARK: Scans

    @discardableResult
    private func scan(_ client: WorkloadClient) async -> Bool {
        let filter: String = client.generator.oneIn(4) ? " WHERE v >= 0 ALLOW FILTERING" : ""
        let size: Int32? = pageSize(client)
        let name: String = (size.map { "pages of \($0)" } ?? "one page") + filter
        let ticket = begin(.scan(name), client)
        let answer = await pages("SELECT p, c FROM \(table)" + filter, [], size, client)
        return end(ticket, [answer])
    }

    /// Reads range after range of tokens, as those do that read a table in parallel.
    private func scanTokens(_ client: WorkloadClient) async {
        var bounds: [Int64] = (0..<(1 + client.generator.below(4))).map { _ in
            Int64(bitPattern: client.generator.next())
        }
        bounds = [Int64.min] + bounds.sorted() + [Int64.max]
        let size: Int32? = pageSize(client)
        let ticket = begin(.scan("\(bounds.count - 1) ranges of tokens"), client)
        var answers: [Attempt<[Int]>] = []
        for (low, high) in zip(bounds, bounds.dropFirst()) {
            answers.append(
                await pages(
                    "SELECT p, c FROM \(table) WHERE token(p) > ? AND token(p) <= ?", [low, high], size, client))
        }
        end(ticket, answers)
    }

    @discardableResult
    private func count(_ client: WorkloadClient) async -> Bool {
        let ticket = begin(.scan("a count"), client)
        var options = QueryOptions(consistency: .quorum)
        options.pageSize = pageSize(client)
        let answer = await client.send("SELECT count(*) FROM \(table)", [], options, to: client.nextNode())
        guard case .done(let result) = answer, let row = result.rows.first(where: { _ in true }),
            let count = try? row[0, as: Int64.self]
        else {
            recorder.forget([ticket], answer)
            return false
        }
        recorder.end(ticket, .count(Int(count)))
        return true
    }

    private func begin(
        _ action: TableAction, _ client: WorkloadClient
    ) -> HistoryRecorder<TableAction, TableResult>.Ticket {
        recorder.begin(0, action, client: client.number, node: 0)
    }

    private func pageSize(_ client: WorkloadClient) -> Int32? {
        let sizes: [Int32?] = [nil, 7, 20, 50, 100]
        // Single rows only while there are few.
        return rowCount < 40 && client.generator.oneIn(3) ? 1 : sizes[client.generator.below(sizes.count)]
    }

    private func pages(
        _ text: String, _ values: [(any CQLEncodable)?], _ pageSize: Int32?, _ client: WorkloadClient
    ) async -> Attempt<[Int]> {
        var options = QueryOptions(consistency: .quorum)
        options.pageSize = pageSize
        var found: [Int] = []
        repeat {
            switch await client.send(text, values, options, to: client.nextNode()) {
            case .done(let result):
                for row in result.rows {
                    guard let p = try? row[0, as: Int32.self], let c = try? row[1, as: Int32.self] else {
                        return .unknown("a row without its key")
                    }
                    found.append(Int(p) * ScanWorkload.rowsOfPartition + Int(c))
                }
                options.pagingState = result.pagingState
            case .refused(let reason): return .refused(reason)
            case .unknown(let reason): return .unknown(reason)
            }
        } while options.pagingState != nil
        return .done(found)
    }

    @discardableResult
    private func end(
        _ ticket: HistoryRecorder<TableAction, TableResult>.Ticket, _ answers: [Attempt<[Int]>]
    ) -> Bool {
        var rows: [Int] = []
        for answer in answers {
            guard case .done(let found) = answer else {
                recorder.forget([ticket], answer)
                return false
            }
            rows += found
        }
        recorder.end(ticket, .rows(rows))
        return true
    }
}
