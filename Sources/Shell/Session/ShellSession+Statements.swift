import CQL
import Environment
import MartletClient
import Primitives

/// Statements: sent to the server, and their results drawn.
extension ShellSession {
    func run(statement: String) async {
        guard let client else { return complain("not connected") }
        let started: UInt64 = host.time.monotonicNanoseconds
        do {
            let isTraced: Bool = settings.isTracing && !readsTraces(statement)
            let sent: QueryOptions = queryOptions
            let result = try await client.query(statement, options: sent, isTraced: isTraced)
            if case .schemaChange = result.outcome { schema.forget() }
            var shown = Shown(result)
            if case .rows(let rows) = result.outcome {
                if ShellSession.isQuery(statement) {
                    try await showPages(result, statement, sent, isTraced: isTraced, &shown)
                } else {
                    // A conditional statement: no count of rows.
                    let table: ResultTable = await table(of: rows)
                    show("\n" + draw(table, hasHeader: true, firstNumber: 1))
                }
            }
            if settings.tellsElapsed {
                show("(\((host.time.monotonicNanoseconds &- started) / 1_000_000)ms elapsed)\n")
            }
            showWarnings(shown.warnings)
            for identifier in shown.tracingIDs { await showTrace(identifier, isPartial: false) }
        } catch {
            complain(ErrorText.text(error))
        }
    }

    /// What the pages of a result bring besides rows.
    struct Shown {
        var warnings: [String]
        var tracingIDs: [UUID]

        init(_ result: QueryResult) {
            self.warnings = result.warnings
            self.tracingIDs = result.tracingID.map { [$0] } ?? []
        }

        mutating func add(_ result: QueryResult) {
            warnings += result.warnings
            if let identifier = result.tracingID { tracingIDs.append(identifier) }
        }
    }

    /// What goes with a statement, among it a timestamp that is greater than that of every statement before it.
    var queryOptions: QueryOptions {
        var chosen = QueryOptions(consistency: settings.consistency)
        chosen.serialConsistency = settings.serialConsistency
        chosen.pageSize = settings.isPaging ? settings.pageSize : nil
        chosen.timestamp = timestamps.next(wallMicroseconds: host.time.wallMicroseconds)
        return chosen
    }

    private func readsTraces(_ statement: String) -> Bool {
        let lower: String = statement.lowercased()
        return lower.hasPrefix("select")
            && (lower.contains("system_traces.") || client?.keyspace == "system_traces")
    }

    /// Whether the rows of a statement are counted.
    private static func isQuery(_ statement: String) -> Bool {
        let start: String = statement.prefix(6).lowercased()
        return start == "select" || start.hasPrefix("list")
    }

    private func showPages(
        _ first: QueryResult, _ statement: String, _ sent: QueryOptions, isTraced: Bool, _ shown: inout Shown
    ) async throws {
        var page: QueryResult = first
        var next: QueryOptions = sent
        var count = 0
        show("\n")
        while true {
            let rows: ResultRows = page.rows
            if !rows.isEmpty || count == 0 {
                let table: ResultTable = await table(of: rows)
                show(draw(table, hasHeader: count == 0 || isInteractive, firstNumber: count + 1))
                count += rows.count
            }
            guard let state = page.pagingState, let client else { break }
            if isInteractive, capturePath == nil, !asksForMore() { break }
            next.pagingState = state
            page = try await client.query(statement, options: next, isTraced: isTraced)
            shown.add(page)
        }
        show((isInteractive ? "" : "\n") + "(\(count) rows)\n")
    }

    /// Waits for the person to want the next page; false when they have seen enough.
    private func asksForMore() -> Bool {
        terminal.write("---MORE---")
        guard terminal.enterRawMode() else {
            let line: [UInt8] = terminal.read()
            return !line.isEmpty
        }
        let keys: [UInt8] = terminal.read()
        terminal.leaveRawMode()
        terminal.write("\n")
        let ends: [UInt8] = [UInt8(ascii: "q"), UInt8(ascii: "Q"), 0x03, 0x04]
        return keys.first.map { !ends.contains($0) } ?? false
    }

    func table(of rows: ResultRows) async -> ResultTable {
        let painter: ValuePainter = self.painter
        let kinds: [String: String] = painter.isColored ? await columnKinds(rows.columns) : [:]
        let names: [StyledText] = rows.columns.map { column in
            switch kinds[column.name] {
            case "partition_key": painter.name(column.name, color: .red)
            case "clustering": painter.name(column.name, color: .cyan)
            case "static": painter.name(column.name, color: .white)
            default: painter.name(column.name)
            }
        }
        var drawn: [[StyledText]] = []
        for row in rows {
            var values: [StyledText] = []
            for (index, column) in rows.columns.enumerated() {
                if let bytes = row.bytes(at: index) {
                    values.append(painter.text(of: bytes.span.bytes, type: column.type))
                } else {
                    values.append(painter.null)
                }
            }
            drawn.append(values)
        }
        return ResultTable(names: names, rows: drawn)
    }

    func draw(_ table: ResultTable, hasHeader: Bool, firstNumber: Int) -> String {
        if settings.isExpanded, !table.rows.isEmpty { return table.drawnExpanded(firstNumber: firstNumber) }
        return table.drawn(hasHeader: hasHeader, hasLastBlank: isInteractive)
    }

    /// The part that columns have in the key of their table, for the colours of their names.
    private func columnKinds(_ columns: [ColumnSpecification]) async -> [String: String] {
        guard let first = columns.first, !first.table.isEmpty,
            columns.allSatisfy({ $0.table == first.table && $0.keyspace == first.keyspace })
        else { return [:] }
        return await columnKinds(keyspace: first.keyspace, table: first.table)
    }

    func showWarnings(_ warnings: [String]) {
        if warnings.isEmpty { return }
        show("\nWarnings :\n" + warnings.map { $0 + "\n\n" }.joined())
    }
}
