package import DataModel
package import Primitives

/// What one shard holds: for each table its live files, and up to where the commit log is in them.
///
/// A value: flushes and compactions make the next one, and `ManifestFile` puts it in the place of the last.
package struct ShardManifest: Equatable, Sendable {
    /// One SSTable of a table.
    package struct File: Equatable, Sendable {
        /// Names the file: `<generation>.sst`. Unique in the shard, and never used twice.
        package var generation: UInt64
        package var byteCount: UInt64
        /// The tokens that belong to this shard; a file from before the number of shards changed may hold others.
        package var tokens: ClosedRange<Token>

        package init(generation: UInt64, byteCount: UInt64, tokens: ClosedRange<Token>) {
            self.generation = generation
            self.byteCount = byteCount
            self.tokens = tokens
        }
    }

    package struct Table: Equatable, Sendable {
        package var id: UUID
        /// What this shard wrote to the log up to here is in the files, or was truncated: it is not replayed.
        package var flushed: LogPosition
        /// The table is gone; kept until the log holds nothing of it any more.
        package var isDropped: Bool
        /// Ascending by generation.
        package var files: [File]

        package init(id: UUID, flushed: LogPosition = .start, isDropped: Bool = false, files: [File] = []) {
            self.id = id
            self.flushed = flushed
            self.isDropped = isDropped
            self.files = files
        }
    }

    /// Which hashes of leaves are right, of those in a file beside the manifest (`HashTreeFile`).
    package struct HashSave: Equatable, Sendable {
        package struct Table: Equatable, Sendable {
            package var id: UUID
            /// The leaves that have changed since the file was written.
            package var stale: StaleLeaves
        }

        /// Names the file.
        package var number: UInt64
        /// Of other tables nothing is right.
        package var tables: [Table]
    }

    package var shard: Int
    package var nextGeneration: UInt64
    package var hashSave: HashSave?
    /// Ascending by id.
    package private(set) var tables: [Table]

    package init(shard: Int) {
        self.shard = shard
        self.nextGeneration = 1
        self.tables = []
    }

    package func table(_ id: UUID) -> Table? {
        let index: Int = place(of: id)
        return index < tables.count && tables[index].id == id ? tables[index] : nil
    }

    /// Changes the entry of a table, which is made when there is none.
    package mutating func change(_ id: UUID, _ body: (inout Table) -> Void) {
        let index: Int = place(of: id)
        if index == tables.count || tables[index].id != id { tables.insert(Table(id: id), at: index) }
        body(&tables[index])
        tables[index].files.sort { $0.generation < $1.generation }
    }

    /// Records that a table's memory up to `flushed` is now in `files`.
    package mutating func add(_ files: [File], to id: UUID, flushed: LogPosition) {
        change(id) { table in
            table.files += files
            table.flushed = max(table.flushed, flushed)
        }
    }

    /// Records that `added` hold what `removed` held.
    package mutating func replace(_ removed: [UInt64], with added: [File], in id: UUID) {
        change(id) { table in
            table.files.removeAll { removed.contains($0.generation) }
            table.files += added
        }
    }

    /// Records that everything of a table up to `position` is gone, from the files and from the log.
    package mutating func truncate(_ id: UUID, at position: LogPosition, isDropped: Bool = false) {
        change(id) { table in
            table.files.removeAll()
            table.flushed = max(table.flushed, position)
            table.isDropped = table.isDropped || isDropped
        }
    }

    /// Forgets dropped tables: the log holds nothing of them any more.
    package mutating func forgetDropped() {
        tables.removeAll { $0.isDropped }
    }

    private func place(of id: UUID) -> Int {
        var low = 0
        var high: Int = tables.count
        while low < high {
            let middle: Int = (low + high) / 2
            let other: UUID = tables[middle].id
            if (other.high, other.low) < (id.high, id.low) { low = middle + 1 } else { high = middle }
        }
        return low
    }
}

// MARK: Encoding

extension ShardManifest {
    package static let magic: UInt32 = 0x4D52_4D46  // MRMF

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 1024)
        writer.write(UInt32(truncatingIfNeeded: shard))
        writer.write(nextGeneration)
        writer.write(UInt32(truncatingIfNeeded: tables.count))
        for table in tables {
            writer.write(table.id.high)
            writer.write(table.id.low)
            writer.write(table.flushed.value)
            writer.write(UInt8(table.isDropped ? 1 : 0))
            writer.write(UInt32(truncatingIfNeeded: table.files.count))
            for file in table.files {
                writer.write(file.generation)
                writer.write(file.byteCount)
                writer.write(file.tokens.lowerBound.value)
                writer.write(file.tokens.upperBound.value)
            }
        }
        if let hashSave {
            writer.write(hashSave.number)
            writer.write(UInt32(truncatingIfNeeded: hashSave.tables.count))
            for table in hashSave.tables {
                writer.write(table.id.high)
                writer.write(table.id.low)
                table.stale.write(to: &writer)
            }
        }
        return writer.array()
    }

    package init(decoding bytes: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(bytes.span.bytes)
        self.shard = Int(try reader.readUInt32())
        self.nextGeneration = try reader.readUInt64()
        self.tables = []
        let tableCount = try reader.readUInt32()
        for _ in 0..<tableCount {
            let high = try reader.readUInt64()
            let low = try reader.readUInt64()
            var table = Table(id: UUID(high: high, low: low))
            table.flushed = LogPosition(try reader.readUInt64())
            table.isDropped = try reader.readUInt8() != 0
            let fileCount = try reader.readUInt32()
            for _ in 0..<fileCount { table.files.append(try File(from: &reader)) }
            tables.append(table)
        }
        if !reader.isAtEnd { self.hashSave = try HashSave(from: &reader) }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the last table") }
    }
}

extension ShardManifest.HashSave {
    init(from reader: inout ByteReader) throws(DecodingError) {
        self.number = try reader.readUInt64()
        self.tables = []
        let count = try reader.readUInt32()
        for _ in 0..<count {
            let high = try reader.readUInt64()
            let low = try reader.readUInt64()
            tables.append(Table(id: UUID(high: high, low: low), stale: try StaleLeaves(from: &reader)))
        }
    }
}

extension ShardManifest.File {
    init(from reader: inout ByteReader) throws(DecodingError) {
        let generation = try reader.readUInt64()
        let byteCount = try reader.readUInt64()
        let first = try reader.readInt64()
        let last = try reader.readInt64()
        guard first <= last else { throw .invalid(offset: reader.offset, what: "tokens in the wrong order") }
        self.init(generation: generation, byteCount: byteCount, tokens: Token(first)...Token(last))
    }
}
