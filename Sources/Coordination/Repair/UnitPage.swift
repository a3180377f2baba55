package import DataModel
package import Primitives
package import Storage

/// The hashes of some partitions' units in order, as one replica has them.
///
///     page := flags u8 (1: covers all that was asked for) · [mark] · partition*
///     partition := token i64 · key (u16 length · bytes) · flags u8 (1: head) · [head hash (16)]
///                  · rows: u32 count · (clustering (u32 length · bytes) · hash (16))*
package struct UnitPage: Sendable, Equatable {
    package struct Row: Sendable, Equatable {
        package var clustering: [UInt8]
        package var hash: UnitHash

        package init(clustering: [UInt8], hash: UnitHash) {
            self.clustering = clustering
            self.hash = hash
        }
    }

    package struct Partition: Sendable, Equatable {
        package var token: Token
        package var key: [UInt8]
        /// Nil when the head says nothing, or was on the page before.
        package var head: UnitHash?
        package var rows: [Row]

        package init(token: Token, key: [UInt8], head: UnitHash? = nil, rows: [Row] = []) {
            self.token = token
            self.key = key
            self.head = head
            self.rows = rows
        }
    }

    /// How far the page reaches; nil: to the end of what was asked for.
    package var covered: ReadMark?
    package var partitions: [Partition]

    package init(covered: ReadMark? = nil, partitions: [Partition] = []) {
        self.covered = covered
        self.partitions = partitions
    }

    /// A page is full when its encoding has about so many bytes.
    package static let byteLimit = 256 << 10
    private static let smallestRowByteCount = 20

    package func write(to writer: inout ByteWriter) {
        writer.write(UInt8(covered == nil ? 1 : 0))
        covered?.write(to: &writer)
        for partition in partitions {
            writer.write(partition.token.value)
            writer.write(UInt16(truncatingIfNeeded: partition.key.count))
            writer.write(partition.key)
            writer.write(UInt8(partition.head == nil ? 0 : 1))
            partition.head?.write(to: &writer)
            writer.write(UInt32(clamping: partition.rows.count))
            for row in partition.rows {
                writer.write(UInt32(clamping: row.clustering.count))
                writer.write(row.clustering)
                row.hash.write(to: &writer)
            }
        }
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let flags = try reader.readUInt8()
        guard flags <= 1 else { throw .invalid(offset: 0, what: "unknown flags of a page of hashes") }
        self.covered = flags == 1 ? nil : try ReadMark(from: &reader)
        self.partitions = []
        while !reader.isAtEnd {
            let token = Token(try reader.readInt64())
            let key: [UInt8] = try reader.readArray(Int(try reader.readUInt16()))
            var partition = Partition(token: token, key: key)
            switch try reader.readUInt8() {
            case 0: break
            case 1: partition.head = try UnitHash(from: &reader)
            default: throw .invalid(offset: reader.offset, what: "unknown flags of a partition's hashes")
            }
            let count = Int(try reader.readUInt32())
            try reader.need(count * UnitPage.smallestRowByteCount)
            partition.rows.reserveCapacity(count)
            for _ in 0..<count {
                let clustering: [UInt8] = try reader.readArray(Int(try reader.readUInt32()))
                partition.rows.append(Row(clustering: clustering, hash: try UnitHash(from: &reader)))
            }
            partitions.append(partition)
        }
    }
}

/// Makes a page out of what a replica's cursors have, one shard after the other.
///
/// `Sendable` is unchecked because the one task that makes a page hands it from shard to shard.
package final class UnitPageWriter: @unchecked Sendable {
    private var hasher: UnitHasher
    private let mark: ReadMark?
    private var partitions: [UnitPage.Partition] = []
    private var byteCount = 0
    private var covered: ReadMark?
    private let byteLimit: Int
    package private(set) var isFull = false
    package private(set) var readByteCount = 0

    /// Rows between two turns of the loop.
    private static let rowsPerTurn = 128

    /// - Parameter mark: where the page before this one has ended.
    package init(_ frame: HashFrame, after mark: ReadMark?, byteLimit: Int = UnitPage.byteLimit) {
        self.hasher = UnitHasher(frame)
        self.mark = mark
        self.byteLimit = byteLimit
    }

    /// Takes what the cursor has; ends early when the page is full.
    package func fill(from cursor: ReadCursor) async throws(StorageError) {
        var untilTurn: Int = UnitPageWriter.rowsPerTurn
        while !isFull {
            switch try cursor.step() {
            case .blocked: try await cursor.load()
            case .end: return endPartition()
            case .partition:
                endPartition()
                if isFull { return }
                try begin(cursor)
            case .row:
                readByteCount += cursor.row.count
                if let hash = try hasher.row(cursor.clustering, cursor.row) { add(cursor, hash) }
            }
            untilTurn -= 1
            if untilTurn <= 0 {
                untilTurn = UnitPageWriter.rowsPerTurn
                if Task.isCancelled { throw .cancelled }
                await Task.yield()
            }
        }
    }

    package func page() -> UnitPage {
        UnitPage(covered: covered, partitions: partitions.filter { $0.head != nil || !$0.rows.isEmpty })
    }

    private func begin(_ cursor: ReadCursor) throws(StorageError) {
        var partition = UnitPage.Partition(token: cursor.token, key: [UInt8](cursor.key))
        hasher.beginPartition(cursor.token, cursor.key)
        byteCount += 15 + partition.key.count
        readByteCount += cursor.key.count + cursor.staticRow.count
        // On a page that goes on inside a partition its head has been said, and only a part of its ranges is here.
        let isContinued: Bool = mark?.clustering != nil && mark?.token == cursor.token && mark?.key == partition.key
        if !isContinued {
            partition.head = try hasher.head(
                deletion: cursor.partitionDeletion, ranges: cursor.rangeDeletions, staticRow: cursor.staticRow)
            if partition.head != nil { byteCount += 16 }
        }
        partitions.append(partition)
    }

    private func add(_ cursor: ReadCursor, _ hash: UnitHash) {
        let clustering = [UInt8](cursor.clustering)
        byteCount += 20 + clustering.count
        partitions[partitions.count - 1].rows.append(UnitPage.Row(clustering: clustering, hash: hash))
        if byteCount >= byteLimit {
            covered = ReadMark(
                token: cursor.token, key: partitions[partitions.count - 1].key, clustering: clustering)
            isFull = true
        }
    }

    /// Ends the partition that is open, and the page when that has filled it.
    private func endPartition() {
        guard !isFull, byteCount >= byteLimit, let last = partitions.last else { return }
        covered = ReadMark(token: last.token, key: last.key, clustering: nil)
        isFull = true
    }
}
