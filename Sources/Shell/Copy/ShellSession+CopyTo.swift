import CQL
import DataModel
import Environment
import MartletClient

/// COPY TO: the rows of a table, page after page, into a file.
extension ShellSession {
    func copy(_ command: CopyCommand) async {
        guard let client else { return complain("not connected") }
        guard let keyspace = command.keyspace ?? client.keyspace else {
            return complain("No keyspace specified and no current keyspace")
        }
        do {
            let known: [CopyColumn] = try await copyColumns(keyspace, command.table, client)
            if known.isEmpty { return complain("Table \(keyspace).\(command.table) not found.") }
            var columns: [CopyColumn] = []
            for name in command.columns {
                guard let column = known.first(where: { $0.name == name }) else {
                    return complain("Invalid column name \(name)")
                }
                columns.append(column)
            }
            let table = CopyTable(
                keyspace: keyspace, name: command.table, columns: columns.isEmpty ? known : columns,
                partitionKey: known.filter { $0.kind == .partitionKey }.map(\.name))
            switch command.direction {
            case .to: try await copy(table, to: command.path.map { expanded($0) }, command.options, client)
            case .from: try await copy(into: table, from: command.path.map { expanded($0) }, command.options, client)
            }
        } catch {
            complain(ErrorText.text(error))
        }
    }

    /// The columns of a table in the order in which a result has them.
    private func copyColumns(
        _ keyspace: String, _ table: String, _ client: CQLSession
    ) async throws -> [CopyColumn] {
        let isVirtual: Bool = keyspace == "system_views" || keyspace.hasPrefix("system_virtual")
        let source: String = isVirtual ? "system_virtual_schema" : "system_schema"
        let text =
            "SELECT column_name, kind, position, type FROM \(source).columns WHERE keyspace_name = ? AND table_name = ?"
        var columns: [CopyColumn] = []
        for row in try await client.query(text, values: [keyspace, table]).rows {
            let kind: String = try row["kind", as: String.self] ?? ""
            columns.append(
                CopyColumn(
                    name: try row["column_name", as: String.self] ?? "", kind: CopyColumn.Kind(kind),
                    position: Int(try row["position", as: Int32.self] ?? 0),
                    isCounter: try row["type", as: String.self] == "counter"))
        }
        return columns.sorted { ($0.kind.rawValue, $0.position, $0.name) < ($1.kind.rawValue, $1.position, $1.name) }
    }

    private func copy(
        _ table: CopyTable, to path: String?, _ options: CopyOptions, _ client: CQLSession
    ) async throws {
        var progress = CopyProgress(options, host.time, isShown: path != nil && terminal.isOutputTerminal)
        var output = CopyOutput(path: path, disk: host.disk, rowsPerFile: options.rowsPerFile)
        if path != nil { say("\nStarting copy of \(table.shownName) with columns [\(table.shownColumns)].") }
        let values = CopyValues(options)
        let selection: String = table.selection(options)
        var sent: QueryOptions = queryOptions
        sent.pageSize = options.pageSize
        var page: QueryResult = try await client.query(selection, options: sent)
        var writer = CSVWriter(options.dialect)
        let names: [String] = table.columns.map(\.name)
        if options.hasHeader { writer.write(names) }
        while true {
            let state: [UInt8]? = page.pagingState
            sent.pagingState = state
            let wanted: QueryOptions = sent
            // The server reads the next page while this one is written.
            async let following: QueryResult? =
                state == nil ? nil : client.query(selection, options: wanted)
            for row in page.rows {
                var fields: [String] = []
                for (index, column) in row.columns.enumerated() {
                    fields.append(values.field(of: row.bytes(at: index), type: column.type))
                }
                writer.write(fields)
                progress.rowCount += 1
                if try await output.countRow(&writer), options.hasHeader { writer.write(names) }
            }
            if path == nil {
                show(String(decoding: writer.take(), as: UTF8.self))
            } else {
                try await output.write(writer.take())
            }
            if let text = progress.report() { terminal.write(text) }
            guard let read = try await following else { break }
            page = read
        }
        try await output.close()
        guard path != nil else { return }
        terminal.write(progress.lastReport())
        say("\(progress.rowCount) rows exported to \(output.fileCount) files in \(progress.duration).")
    }
}
