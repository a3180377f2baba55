import CQL
import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// One row as it is stored, copied out, for statements that read before they write.
final class StoredRow: CurrentRow {
    private let bytes: [UInt8]
    private let now: Int64

    init(_ bytes: UnsafeRawBufferPointer, now: Int64) {
        self.bytes = [UInt8](bytes)
        self.now = now
    }

    func listElements(_ column: CompiledColumn) throws(CQLError) -> [(path: [UInt8], value: [UInt8])] {
        var elements: [(path: [UInt8], value: [UInt8])] = []
        try visit(column) { cell in
            guard cell.flags.contains(.path), cell.isLive(at: now) else { return }
            let path = bytes[cell.pathOffset..<(cell.pathOffset + cell.pathByteCount)]
            elements.append((Array(path), Array(bytes[cell.valueOffset..<(cell.valueOffset + cell.valueByteCount)])))
        }
        return elements
    }

    private func visit(_ column: CompiledColumn, _ body: (Cell) -> Void) throws(CQLError) {
        if bytes.isEmpty { return }
        do throws(DecodingError) {
            let row: [UInt8] = bytes
            var reader = try RowReader(row.span.bytes)
            while let cell = try reader.next() {
                if cell.column == column.definition.id { body(cell) }
            }
        } catch { throw .serverError(message: "A stored row cannot be decoded") }
    }
}

/// A partition's static row and some of its rows, read whole for one request.
struct StoredPartition {
    var staticRow: [UInt8] = []
    var rows: [[UInt8]: [UInt8]] = [:]

    /// Takes in what a statement changes, so that the next one of the same request sees it.
    mutating func absorb(_ update: PartitionUpdate) throws {
        for body in update.changes.statics { staticRow = try StoredPartition.merged(staticRow, body) }
        for row in update.changes.rows {
            rows[row.clustering] = try StoredPartition.merged(rows[row.clustering] ?? [], row.body)
        }
    }

    private static func merged(_ old: [UInt8], _ new: [UInt8]) throws -> [UInt8] {
        if old.isEmpty { return new }
        var writer = ByteWriter(capacity: old.count + new.count)
        try RowMerge.merge(old.span.bytes, new.span.bytes, to: &writer)
        return writer.array()
    }

    /// Rows that are asked for at once.
    static let rowLimit = 5_000

    /// A read of the static row of a partition and of the rows with the given keys.
    static func command(_ key: [UInt8], clustering: [[UInt8]]) -> ReadCommand {
        let ordered = clustering.sorted { ByteOrder.precedes($0, $1) }
        var slices: [ClusteringSlice] = []
        for key in ordered where slices.last?.start != key { slices.append(.row(key)) }
        return ReadCommand(partitions: .one(token: Token(ofKey: key.span.bytes), key: key), slices: slices)
    }

    /// Takes in what a cursor has; false when it waits for the disk.
    mutating func take(_ cursor: ReadCursor) throws -> Bool {
        while true {
            switch try cursor.step() {
            case .end: return true
            case .blocked: return false
            case .partition: staticRow = [UInt8](cursor.staticRow)
            case .row: rows[[UInt8](cursor.clustering)] = [UInt8](cursor.row)
            }
        }
    }

    func current(_ bytes: [UInt8]?, now: Int64) -> StoredRow? {
        guard let bytes else { return nil }
        return bytes.withUnsafeBytes { StoredRow($0, now: now) }
    }
}

extension ShardExecutor {
    /// Reads the static row of a partition and the rows with the given clustering keys.
    func readStored(
        _ table: TableStore, _ key: [UInt8], clustering: [[UInt8]]
    ) async throws -> StoredPartition {
        let command: ReadCommand = StoredPartition.command(key, clustering: clustering)
        let cursor = table.cursor(command)
        var found = StoredPartition()
        while try !found.take(cursor) { try await cursor.load() }
        return found
    }

    /// As `readStored`, at a level from the partition's replicas.
    func readReplicas(
        _ table: CompiledTable, _ key: [UInt8], clustering: [[UInt8]], _ plan: ReplicaPlan, _ level: Consistency,
        _ deadline: Deadline, _ trace: RequestTrace?
    ) async throws -> StoredPartition {
        var found = StoredPartition()
        var command: ReadCommand? = StoredPartition.command(key, clustering: clustering)
        let now: Int64 = host.time.wallSeconds
        while let wanted = command {
            let request = PageRequest(
                table: table.definition.id, command: wanted, nowSeconds: now,
                graceStart: now - Int64(table.definition.options.gcGraceSeconds),
                rowLimit: StoredPartition.rowLimit)
            let page: MergedPage = try await self.page(request, plan, level, table, deadline, trace)
            // What pages hold is in memory, so that nothing has to be waited for.
            _ = try found.take(page.cursor(isReversed: false))
            command = page.covered.map { wanted.after($0) }
            if command?.slices.isEmpty == true { break }
        }
        return found
    }
}
