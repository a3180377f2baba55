import CQL
import DataModel
import Environment
import MartletClient
import Synchronization

/// A row on its way to the server.
private struct RowInFlight {
    let fields: [String]
    let work: any BackgroundWork
    let error: RowAnswer
}

/// Carries an error out of background work.
private final class RowAnswer: Sendable {
    let error = Mutex<(any Error)?>(nil)
}

/// What became of the rows of a COPY FROM.
private struct CopyCounts {
    var parseErrors = 0
    var insertErrors = 0
    var skipped = 0
    /// The rows that are not in the table, as lines of a file.
    var failedRows: CSVWriter
    /// How often each message has come, in the order in which they came.
    var messages: [(text: String, count: Int)] = []

    mutating func refuse(_ fields: [String], _ message: String) {
        failedRows.write(fields)
        if let index = messages.firstIndex(where: { $0.text == message }) {
            messages[index].count += 1
        } else if messages.count < 20 {
            messages.append((text: message, count: 1))
        }
    }

    func exceeds(_ options: CopyOptions) -> Bool {
        options.parseErrorLimit.map { parseErrors > $0 } ?? false
            || options.insertErrorLimit.map { insertErrors > $0 } ?? false
    }
}

/// COPY FROM: the rows of a file, many at once on their way, into a table.
extension ShellSession {
    /// How many rows may wait for their answers.
    private static var copyInFlightLimit: Int { 512 }

    func copy(
        into table: CopyTable, from path: String?, _ options: CopyOptions, _ client: CQLSession
    ) async throws {
        let columns: [CopyColumn] = table.columns.filter { !options.skippedColumns.contains($0.name) }
        let statement = try await client.prepare(table.insertion(options, columns))
        var input: CopyInput
        if let path {
            do {
                input = try await CopyInput(path: path, disk: host.disk, dialect: options.dialect)
            } catch {
                return complain("Can't open '\(path)' for reading: \(error)")
            }
        } else {
            if terminal.isInputTerminal { say("[Use . on a line by itself to end input]") }
            input = CopyInput(lines: inputLines, dialect: options.dialect)
        }
        say("\nStarting copy of \(table.shownName) with columns [\(table.shownColumns)].")
        var progress = CopyProgress(options, host.time, isShown: terminal.isOutputTerminal)
        var counts = CopyCounts(failedRows: CSVWriter(options.dialect))
        if options.hasHeader { _ = try await input.next() }
        while counts.skipped < options.skippedRows, try await input.next() != nil { counts.skipped += 1 }
        let rows = CopyRows(table: table, columns: columns, statement: statement, options: options)
        var waiting: [RowInFlight] = []
        var first = 0
        var readCount = 0
        while options.rowLimit.map({ readCount < $0 }) ?? true, let fields = try await input.next() {
            readCount += 1
            do {
                let values: [BoundBytes] = try rows.values(of: fields)
                waiting.append(send(statement, values, fields, client, options))
            } catch {
                counts.parseErrors += 1
                counts.refuse(fields, "Failed to import 1 rows: ParseError - \(error.message)")
            }
            if waiting.count - first >= ShellSession.copyInFlightLimit {
                await finish(waiting[first], &counts, &progress)
                first += 1
                if first >= ShellSession.copyInFlightLimit {
                    waiting.removeFirst(first)
                    first = 0
                }
            }
            if counts.exceeds(options) || Task.isCancelled { break }
            if let text = progress.report() { terminal.write(text) }
            if let limit = options.rateLimit, let pause = progress.pause(limit: limit) {
                try await host.time.sleep(for: pause)
            }
        }
        for row in waiting[first...] { await finish(row, &counts, &progress) }
        await input.close()
        terminal.write(progress.lastReport())
        try tell(&counts, progress, table, options, fileCount: path == nil ? 0 : 1)
    }

    private func send(
        _ statement: PreparedStatement, _ values: [BoundBytes], _ fields: [String], _ client: CQLSession,
        _ options: CopyOptions
    ) -> RowInFlight {
        var sent: QueryOptions = queryOptions
        sent.pageSize = nil
        let (chosen, answer, attemptLimit): (QueryOptions, RowAnswer, Int) = (sent, RowAnswer(), options.attemptLimit)
        let time: any TimeSource = host.time
        let work: any BackgroundWork = host.background.run("row", on: host.loops[0]) {
            var attempt = 1
            while true {
                do {
                    _ = try await client.execute(statement, values: values, options: chosen)
                    return
                } catch {
                    let isLast: Bool = attempt >= attemptLimit || !ShellSession.isWorthAnotherAttempt(error)
                    let pause: Duration? = isLast ? nil : .milliseconds(50 << min(attempt, 6))
                    guard let pause, (try? await time.sleep(for: pause)) != nil else {
                        answer.error.withLock { $0 = error }
                        return
                    }
                    attempt += 1
                }
            }
        }
        return RowInFlight(fields: fields, work: work, error: answer)
    }

    /// Whether a row that could not be written may be written when the server has less to do.
    private static func isWorthAnotherAttempt(_ error: any Error) -> Bool {
        switch error {
        case CQLError.overloaded, CQLError.writeTimeout, CQLError.unavailable, ClientError.timedOut: true
        default: false
        }
    }

    private func finish(_ row: RowInFlight, _ counts: inout CopyCounts, _ progress: inout CopyProgress) async {
        await row.work.wait()
        guard let error = row.error.error.withLock({ $0 }) else {
            progress.rowCount += 1
            return
        }
        counts.insertErrors += 1
        counts.refuse(row.fields, "Failed to import 1 rows: \(ErrorText.text(error))")
    }

    private func tell(
        _ counts: inout CopyCounts, _ progress: CopyProgress, _ table: CopyTable, _ options: CopyOptions, fileCount: Int
    ) throws {
        for message in counts.messages {
            complain(message.text + (message.count > 1 ? " (\(message.count) times)" : ""))
        }
        let failedCount: Int = counts.parseErrors + counts.insertErrors
        if failedCount > 0 {
            if counts.exceeds(options) { complain("Exceeded maximum number of errors, the rest was not read.") }
            let path: String = expanded(options.errorPath ?? "import_\(table.keyspace)_\(table.name).err")
            try files.write(counts.failedRows.take(), to: path)
            complain("Failed to process \(failedCount) rows; failed rows written to \(path)")
        }
        say(
            "\n\(progress.rowCount) rows imported from \(fileCount) files in \(progress.duration) "
                + "(\(counts.skipped) skipped).")
    }
}

/// The bytes of a value that is bound as it is.
struct BoundBytes: CQLEncodable {
    let value: BoundValue

    func boundValue(as type: CQLType?) -> BoundValue { value }
}

/// Makes the values of an insertion from the fields of a row.
private struct CopyRows {
    private let values: CopyValues
    private let options: CopyOptions
    private let fieldCount: Int
    /// For each marker, the field it takes, its type, and whether it must have a value.
    private var markers: [(index: Int, type: CQLType, column: CopyColumn)] = []

    init(table: CopyTable, columns: [CopyColumn], statement: PreparedStatement, options: CopyOptions) {
        self.values = CopyValues(options)
        self.options = options
        self.fieldCount = table.columns.count
        for (marker, index) in zip(statement.markers.columns, CopyTable.markerOrder(columns)) {
            let column: CopyColumn = columns[index]
            let place: Int = table.columns.firstIndex(of: column) ?? index
            markers.append((index: place, type: marker.type, column: column))
        }
    }

    func values(of fields: [String]) throws(CopyValues.Fault) -> [BoundBytes] {
        guard fields.count == fieldCount else {
            throw CopyValues.Fault(message: "Invalid row length \(fields.count) should be \(fieldCount)")
        }
        var bound: [BoundBytes] = []
        bound.reserveCapacity(markers.count)
        for marker in markers {
            if let bytes = try values.value(of: fields[marker.index], type: marker.type) {
                bound.append(BoundBytes(value: .bytes(bytes)))
            } else if marker.column.isCounter {
                bound.append(BoundBytes(value: .bytes([UInt8](repeating: 0, count: 8))))
            } else if marker.column.kind == .plain {
                bound.append(BoundBytes(value: .null))
            } else {
                throw CopyValues.Fault(
                    message: "Cannot insert null value for primary key column '\(marker.column.name)'. If you want to "
                        + "insert empty strings, consider using the WITH NULL=<marker> option for COPY.")
            }
        }
        return bound
    }
}
