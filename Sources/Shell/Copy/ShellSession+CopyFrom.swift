import CQL
import DataModel
import Environment
import MartletClient
import Synchronization

/// Rows on their way to the server.
private struct RowsInFlight {
    let rows: [CopyRow]
    let work: any BackgroundWork
    let answer: RowsAnswer
}

/// Carries the rows that could not be written out of background work.
private final class RowsAnswer: Sendable {
    let failures = Mutex<[(fields: [String], error: any Error)]>([])
}

/// Writes rows, however often that takes.
private struct RowWriting: Sendable {
    let client: CQLSession
    let statement: PreparedStatement
    let options: QueryOptions
    let isCounter: Bool
    let attemptLimit: Int
    let time: any TimeSource

    /// Writes all rows at once, or one by one when that fails, so that only those are lost that are to blame.
    func write(_ rows: [CopyRow]) async -> [(fields: [String], error: any Error)] {
        if rows.count > 1 {
            let entries: [MartletClient.BatchStatement] = rows.map {
                MartletClient.BatchStatement(statement, bound: $0.values)
            }
            let error: (any Error)? = await error {
                _ = try await client.batch(entries, type: isCounter ? .counter : .unlogged, options: options)
            }
            guard let error else { return [] }
            // Counters that have been added to perhaps must not be added to again.
            if isCounter { return rows.map { (fields: $0.fields, error: error) } }
        }
        var failures: [(fields: [String], error: any Error)] = []
        for row in rows {
            let error: (any Error)? = await error {
                _ = try await client.execute(
                    statement, values: row.values.map { BoundBytes(value: $0) }, options: options)
            }
            if let error { failures.append((fields: row.fields, error: error)) }
        }
        return failures
    }

    /// Tries again while the server has too much to do; the error of the last attempt, nil when one succeeded.
    private func error(_ attempt: () async throws -> Void) async -> (any Error)? {
        var count = 1
        while true {
            do {
                try await attempt()
                return nil
            } catch {
                guard count < attemptLimit, isWorthAnotherAttempt(error) else { return error }
                let pause: Duration = .milliseconds(50 << min(count, 6))
                guard (try? await time.sleep(for: pause)) != nil else { return error }
                count += 1
            }
        }
    }

    private func isWorthAnotherAttempt(_ error: any Error) -> Bool {
        switch error {
        case CQLError.overloaded: true
        case CQLError.writeTimeout, CQLError.unavailable, ClientError.timedOut: !isCounter
        default: false
        }
    }
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
    /// How many requests may wait for their answers.
    private static var copyInFlightLimit: Int { 256 }

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
            if terminal.isInputTerminal { say("[Use \\. on a line by itself to end input]") }
            input = CopyInput(lines: inputLines, dialect: options.dialect)
        }
        say("\nStarting copy of \(table.shownName) with columns [\(table.shownColumns)].")
        var progress = CopyProgress(options, host.time, isShown: terminal.isOutputTerminal && path != nil)
        var counts = CopyCounts(failedRows: CSVWriter(options.dialect))
        if options.hasHeader { _ = try await input.next() }
        while counts.skipped < options.skippedRows, try await input.next() != nil { counts.skipped += 1 }
        let source = CopyRows(table: table, columns: columns, statement: statement, options: options)
        let writing = RowWriting(
            client: client, statement: statement, options: copyQueryOptions, isCounter: source.isCounter,
            attemptLimit: options.attemptLimit, time: host.time)
        try await copyRows(&input, source, writing, options, &counts, &progress)
        await input.close()
        try tell(&counts, progress, table, options)
    }

    /// Reads rows and writes them, many at once, until the input ends or too much has failed.
    private func copyRows(
        _ input: inout CopyInput, _ source: CopyRows, _ writing: RowWriting, _ options: CopyOptions,
        _ counts: inout CopyCounts, _ progress: inout CopyProgress
    ) async throws {
        var waiting: [RowsInFlight] = []
        var batch = CopyBatch(source, partitionLimit: options.batchLimit)
        var readCount = 0
        while options.rowLimit.map({ readCount < $0 }) ?? true, let fields = try await input.next() {
            readCount += 1
            let timestamp: Int64 = timestamps.next(wallMicroseconds: host.time.wallMicroseconds)
            do throws(CopyValues.Fault) {
                let row: CopyRow = try source.row(fields, timestamp: timestamp)
                guard let full = batch.add(row) else { continue }
                waiting.append(send(full, writing))
            } catch {
                counts.parseErrors += 1
                counts.refuse(fields, "Failed to import 1 rows: ParseError - \(error.message)")
            }
            if waiting.count >= ShellSession.copyInFlightLimit {
                await finish(waiting.removeFirst(), &counts, &progress)
            }
            if counts.exceeds(options) || Task.isCancelled { break }
            if let text = progress.report() { terminal.write(text) }
            if let limit = options.rateLimit, let pause = progress.pause(limit: limit) {
                try await host.time.sleep(for: pause)
            }
        }
        let rest: [CopyRow] = batch.take()
        if !rest.isEmpty { waiting.append(send(rest, writing)) }
        for rows in waiting { await finish(rows, &counts, &progress) }
        terminal.write(progress.lastReport())
    }

    private func send(_ rows: [CopyRow], _ writing: RowWriting) -> RowsInFlight {
        let answer = RowsAnswer()
        let work: any BackgroundWork = host.background.run("rows", on: host.loops[0]) {
            let failures: [(fields: [String], error: any Error)] = await writing.write(rows)
            answer.failures.withLock { $0 = failures }
        }
        return RowsInFlight(rows: rows, work: work, answer: answer)
    }

    /// Without a timestamp, because each row has its own.
    private var copyQueryOptions: QueryOptions {
        var options: QueryOptions = queryOptions
        options.pageSize = nil
        options.timestamp = nil
        return options
    }

    private func finish(_ sent: RowsInFlight, _ counts: inout CopyCounts, _ progress: inout CopyProgress) async {
        await sent.work.wait()
        let failures: [(fields: [String], error: any Error)] = sent.answer.failures.withLock { $0 }
        progress.rowCount += sent.rows.count - failures.count
        for failure in failures {
            counts.insertErrors += 1
            counts.refuse(failure.fields, "Failed to import 1 rows: \(ErrorText.text(failure.error))")
        }
    }

    private func tell(
        _ counts: inout CopyCounts, _ progress: CopyProgress, _ table: CopyTable, _ options: CopyOptions
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
            "\(progress.rowCount) rows imported from 1 files in \(progress.duration) "
                + "(\(counts.skipped) skipped).")
    }
}
