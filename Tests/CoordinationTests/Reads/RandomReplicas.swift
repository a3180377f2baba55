import DataModel
import Primitives
import Storage

/// Replicas of one table, each with some of the same random writes, and one memtable with all of them.
struct RandomReplicas {
    let replicas: [Memtable]
    let everything: Memtable

    private static let table = UUID(high: 7, low: 9)

    init(_ random: inout SeededGenerator, replicaCount: Int, mutationCount: Int) {
        replicas = (0..<replicaCount).map { _ in Memtable(table: RandomReplicas.table) }
        everything = Memtable(table: RandomReplicas.table)
        for _ in 0..<mutationCount {
            let bytes: [UInt8] = RandomReplicas.mutation(&random)
            // At least one replica has it.
            let who: UInt64 = random.next() % (1 << UInt64(replicaCount)) | 1 << (random.next() % UInt64(replicaCount))
            for (index, replica) in replicas.enumerated() where who & 1 << UInt64(index) != 0 {
                RandomReplicas.apply(bytes, to: replica)
            }
            RandomReplicas.apply(bytes, to: everything)
        }
    }

    private static func apply(_ bytes: [UInt8], to memtable: Memtable) {
        do { try memtable.apply(bytes.span.bytes) } catch { preconditionFailure("a made mutation is whole: \(error)") }
    }

    private static func mutation(_ random: inout SeededGenerator) -> [UInt8] {
        let key = UInt8(random.next() % 5)
        let row = UInt8(random.next() % 12)
        let timestamp = Int64(random.next() % 20) + 1
        switch random.next() % 12 {
        case 0: return partitionDeletion(key: key, timestamp: timestamp / 3)
        case 1: return rangeDeletion(key: key, from: row, to: row &+ 4, timestamp: timestamp)
        case 2: return rowTombstone(key: key, row: row, timestamp: timestamp, seconds: 90)
        case 3: return staticCell(key: key, timestamp: timestamp, value: UInt8(truncatingIfNeeded: random.next()))
        default:
            return cell(
                key: key, row: row, timestamp: timestamp, value: UInt8(truncatingIfNeeded: random.next()),
                column: UInt16(random.next() % 3) + 1, isMarked: random.next() % 2 == 0, isDead: random.next() % 5 == 0)
        }
    }

    static func cell(
        key: UInt8, row: UInt8, timestamp: Int64, value: UInt8, column: UInt16 = 1, isMarked: Bool = true,
        isDead: Bool = false
    ) -> [UInt8] {
        write(key) { mutation, writer in
            mutation.beginRows(&writer)
            let start = mutation.beginRow(clustering: [row].span.bytes, to: &writer)
            var body = RowWriter(
                marker: isMarked ? RowMarker(timestamp: timestamp) : nil, baseTimestamp: timestamp, deletion: .none,
                to: &writer)
            if isDead {
                body.tombstone(column: column, timestamp: timestamp, deletedSeconds: 95, to: &writer)
            } else {
                let bytes: [UInt8] = [value]
                body.live(column: column, timestamp: timestamp, value: bytes.span.bytes, to: &writer)
            }
            body.finish(&writer)
            mutation.endBody(start, &writer)
            mutation.beginRanges(&writer)
        }
    }

    static func rowTombstone(key: UInt8, row: UInt8, timestamp: Int64, seconds: Int64) -> [UInt8] {
        write(key) { mutation, writer in
            mutation.beginRows(&writer)
            let start = mutation.beginRow(clustering: [row].span.bytes, to: &writer)
            let deletion = Deletion(timestamp: timestamp, localSeconds: seconds)
            RowWriter(marker: nil, baseTimestamp: timestamp, deletion: deletion, to: &writer).finish(&writer)
            mutation.endBody(start, &writer)
            mutation.beginRanges(&writer)
        }
    }

    private static func staticCell(key: UInt8, timestamp: Int64, value: UInt8) -> [UInt8] {
        write(key) { mutation, writer in
            let start = mutation.beginStaticRow(&writer)
            var body = RowWriter(marker: nil, baseTimestamp: timestamp, deletion: .none, to: &writer)
            let bytes: [UInt8] = [value]
            body.live(column: 9, timestamp: timestamp, value: bytes.span.bytes, to: &writer)
            body.finish(&writer)
            mutation.endBody(start, &writer)
            mutation.beginRows(&writer)
            mutation.beginRanges(&writer)
        }
    }

    private static func partitionDeletion(key: UInt8, timestamp: Int64) -> [UInt8] {
        write(key) { mutation, writer in
            mutation.partitionDeletion(Deletion(timestamp: timestamp, localSeconds: 90), to: &writer)
            mutation.beginRows(&writer)
            mutation.beginRanges(&writer)
        }
    }

    private static func rangeDeletion(key: UInt8, from: UInt8, to: UInt8, timestamp: Int64) -> [UInt8] {
        write(key) { mutation, writer in
            mutation.beginRows(&writer)
            mutation.beginRanges(&writer)
            let (start, end): ([UInt8], [UInt8]) = ([from], [to])
            mutation.range(
                start: start.span.bytes, end: end.span.bytes, Deletion(timestamp: timestamp, localSeconds: 90),
                to: &writer)
        }
    }

    private static func write(_ key: UInt8, _ body: (inout MutationWriter, inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        let bytes: [UInt8] = [key]
        var mutation = MutationWriter(
            table: table, token: Token(ofKey: bytes.span.bytes), key: bytes.span.bytes, to: &writer)
        body(&mutation, &writer)
        mutation.finish(&writer)
        return writer.array()
    }

    /// The live cells of a row.
    static func words(_ row: [UInt8]) throws -> String {
        var reader = try RowReader(row.span.bytes)
        var words: [String] = reader.marker?.isLive(at: 100) == true ? ["marker@\(reader.baseTimestamp)"] : []
        while let cell = try reader.next() {
            guard cell.isLive(at: 100) else { continue }
            let value: ArraySlice<UInt8> = row[cell.valueOffset..<(cell.valueOffset + cell.valueByteCount)]
            words.append("\(cell.column)=\(Array(value))@\(cell.timestamp)")
        }
        return words.joined(separator: " ")
    }

    /// The lines that tell of something alive, with each partition once.
    static func live(_ lines: [String]) -> [String] {
        var kept: [String] = []
        var partition = ""
        for line in lines {
            if line.hasPrefix("partition") {
                partition = line
            } else if !line.hasSuffix(": ") {
                if !partition.isEmpty, kept.last(where: { $0.hasPrefix("partition") }) != partition {
                    kept.append(partition)
                }
                kept.append(line)
            }
        }
        return kept
    }
}
