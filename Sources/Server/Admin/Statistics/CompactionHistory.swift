import Administration
import CQL
import DataModel
import Environment
import Primitives
import Query
import Storage

/// The compactions that have ended, in the table `system.compaction_history`, for a week.
enum CompactionHistory {
    private static let insertion =
        "INSERT INTO system.compaction_history (id, bytes_in, bytes_out, columnfamily_name, compacted_at, keyspace_name, "
        + "rows_merged, compaction_properties) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    static let selection =
        "SELECT id, keyspace_name, columnfamily_name, compacted_at, bytes_in, bytes_out, rows_merged, "
        + "compaction_properties FROM system.compaction_history"

    /// Writes down every compaction from now on.
    static func record(of parts: Node.Parts) async throws {
        let group: ShardGroup = parts.group
        let host: Host = parts.host
        try await parts.engine.watchCompactions { record in
            // Of this table it would never end: each row leads to the next compaction.
            if record.keyspace == "system", record.table == "compaction_history" { return }
            host.background.run("write down a compaction", on: host.loops[0]) {
                // It is for people to read; a node that cannot write has other worries.
                try? await group.run(on: 0) { executor in try await write(record, executor) }
            }
        }
    }

    private static func write(_ record: CompactionRecord, _ executor: ShardExecutor) async throws {
        func big(_ value: Int64) -> TermValue { .bytes(withUnsafeBytes(of: value.bigEndian) { Array($0) }) }
        func text(_ value: String) -> TermValue { .bytes(Array(value.utf8)) }
        var merged: [(key: [UInt8], value: [UInt8])] = []
        for (place, count) in record.partitionsByInputCount.enumerated() where count > 0 {
            merged.append(
                (
                    withUnsafeBytes(of: Int32(place + 1).bigEndian) { Array($0) },
                    withUnsafeBytes(of: Int64(count).bigEndian) { Array($0) }
                ))
        }
        let properties = [(key: Array("compaction_type".utf8), value: Array(record.kind.word.utf8))]
        let statement = try executor.parse(insertion, keyspace: nil)
        _ = try await executor.execute(
            statement,
            [
                .bytes(record.id.bytes), big(Int64(record.inputByteCount)), big(Int64(record.outputByteCount)),
                text(record.table), big(record.endedMicroseconds / 1_000), text(record.keyspace),
                .bytes(CollectionValue.map(merged, keyType: .int)),
                .bytes(CollectionValue.map(properties, keyType: .text)),
            ], RequestContext())
    }
}

extension LiveAdministration {
    /// The compactions of the last week, newest first.
    func compactionHistory() async throws(AdminFailure) -> [JSONValue] {
        let group: ShardGroup = try current().parts.group
        let rows: [[String]] = try await carryOut {
            try await group.run(on: 0) { executor in
                let statement = try executor.parse(CompactionHistory.selection, keyspace: nil)
                let result = try await executor.execute(statement, [], RequestContext())
                guard case .rows(let rows) = result.kind else { return [] }
                return rows.jsonTexts
            }
        }
        let all: [JSONValue] = rows.compactMap { columns in
            let values: [JSONValue] = columns.map { (try? JSONValue(parsing: $0)) ?? .null }
            guard values.count == 8 else { return nil }
            return .record([
                "id": values[0], "keyspace_name": values[1], "columnfamily_name": values[2],
                "compacted_at": values[3], "bytes_in": values[4], "bytes_out": values[5], "rows_merged": values[6],
                "compaction_properties": values[7],
            ])
        }
        return all.sorted { $0["compacted_at"].plainText > $1["compacted_at"].plainText }
    }
}

extension QueryRows {
    /// The values of all rows, each as the text of a JSON value.
    var jsonTexts: [[String]] {
        var texts: [[String]] = []
        let all: [UInt8] = bytes
        var reader = ByteReader(all.span.bytes)
        for _ in 0..<rowCount {
            var row: [String] = []
            for column in metadata.columns {
                guard let length = try? reader.readInt32() else { return texts }
                guard length >= 0 else {
                    row.append("null")
                    continue
                }
                guard let value = try? reader.readArray(Int(length)) else { return texts }
                row.append(column.type.json(of: value.span.bytes))
            }
            texts.append(row)
        }
        return texts
    }
}
