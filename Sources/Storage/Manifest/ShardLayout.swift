package import Primitives

/// How the node's data is cut into shards on the disk: which folders are current. The file `layout` holds it.
///
/// When the node starts with another number of shards, folders of a new layout are filled with hard links, and
/// replacing this file makes them current. Folders of other layouts are what a crash left behind.
package struct ShardLayout: Equatable, Sendable {
    /// Up to where the shards of earlier layouts have flushed a table: what they logged up to there is not replayed.
    package struct Inherited: Equatable, Sendable {
        package var shard: Int
        package var table: UUID
        package var flushed: LogPosition
    }

    package var number: UInt32
    package var shardCount: Int
    package var inherited: [Inherited]

    package init(number: UInt32, shardCount: Int, inherited: [Inherited] = []) {
        self.number = number
        self.shardCount = shardCount
        self.inherited = inherited
    }

    package static let magic: UInt32 = 0x4D52_4C59  // MRLY
    package static let fileName = "layout"
    package static let folderPrefix = "shards-"
    /// More shards than any machine has cores; a file that says more is damaged.
    static let maximumShardCount = 4_096

    /// The name of the folder that holds the shards' folders.
    package var folderName: String { ShardLayout.folderPrefix + String(number) }

    /// The folder of a shard, below the data directory.
    package func shardFolder(_ shard: Int) -> String { "\(folderName)/\(shard)" }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.write(number)
        writer.write(UInt32(truncatingIfNeeded: shardCount))
        writer.write(UInt32(truncatingIfNeeded: inherited.count))
        for entry in inherited {
            writer.write(UInt32(truncatingIfNeeded: entry.shard))
            writer.write(entry.table.high)
            writer.write(entry.table.low)
            writer.write(entry.flushed.value)
        }
        return writer.array()
    }

    package init(decoding bytes: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(bytes.span.bytes)
        self.number = try reader.readUInt32()
        self.shardCount = Int(try reader.readUInt32())
        guard shardCount > 0, shardCount <= ShardLayout.maximumShardCount else {
            throw .invalid(offset: 4, what: "an impossible number of shards")
        }
        self.inherited = []
        let count = try reader.readUInt32()
        for _ in 0..<count {
            let shard = Int(try reader.readUInt32())
            let high = try reader.readUInt64()
            let low = try reader.readUInt64()
            let flushed = LogPosition(try reader.readUInt64())
            inherited.append(Inherited(shard: shard, table: UUID(high: high, low: low), flushed: flushed))
        }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after the last entry") }
    }

    /// The flushed positions of earlier layouts and of this one's shards, for the layout that comes next.
    func inherited(adding manifests: [ShardManifest]) -> [Inherited] {
        var result: [Inherited] = inherited
        for manifest in manifests {
            for table in manifest.tables where table.flushed > .start {
                let place: Int? = result.firstIndex { $0.shard == manifest.shard && $0.table == table.id }
                if let place {
                    result[place].flushed = max(result[place].flushed, table.flushed)
                } else {
                    result.append(Inherited(shard: manifest.shard, table: table.id, flushed: table.flushed))
                }
            }
        }
        return result
    }
}
