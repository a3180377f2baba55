package import Cluster
package import DataModel
package import Primitives
package import Storage

/// Which data a step of a repair is about: a table and a run of tokens.
///
///     place := table (16) · first token i64 · last token i64
package struct RepairPlace: Hashable, Sendable {
    package var table: UUID
    package var tokens: ClosedRange<Token>

    package init(table: UUID, tokens: ClosedRange<Token>) {
        self.table = table
        self.tokens = tokens
    }

    func write(to writer: inout ByteWriter) {
        writer.write(table.high)
        writer.write(table.low)
        writer.write(tokens.lowerBound.value)
        writer.write(tokens.upperBound.value)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        let high: UInt64 = try reader.readUInt64()
        self.table = UUID(high: high, low: try reader.readUInt64())
        let first = Token(try reader.readInt64())
        let last = Token(try reader.readInt64())
        guard first <= last else { throw .invalid(offset: reader.offset, what: "a run of tokens without any") }
        self.tokens = first...last
    }
}

extension HashFrame {
    func write(to writer: inout ByteWriter) {
        writer.write(nowSeconds)
        writer.write(purgeSeconds)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        let now: Int64 = try reader.readInt64()
        self.init(nowSeconds: now, purgeSeconds: try reader.readInt64())
    }
}

/// What a repair asks of a replica, and what it answers.
///
///     cut     := place                                   → partitions u64 · depth u8 (255: nothing is known)
///     leaves  := place · depth u8 · frame · mode u8      → known u32 · wrong u32 · read bytes u64
///                                                          · count u32 · (low u64 · high u64 · units u64)*
///     units   := place · frame · has mark u8 · [mark]    → a page of hashes (`UnitPage`)
///     fetch   := table (16) · (entry)*                   → truncation i64 · (fragment)*, for the first entries
///     apply   := table (16) · span · (fragment)*         → nothing
///     mark    := place · watermark i64 · cut i64
///                · final u8 · count u8 · node (16)*      → agreed u8
///     frame := now i64 · purge i64       fragment := u32 length · mutation       span: `TruncationSpan`
///     entry := token i64 · key (u16 length · bytes) · head u8 · rows: u16 count · (u32 length · clustering)*
package enum RepairMessage {
    package struct Cut: Equatable, Sendable {
        package var partitionCount: UInt64
        /// How deep the leaves are cut that the replica knows; nil when it knows none.
        package var depth: UInt8?

        func encoded() -> [UInt8] {
            var writer = ByteWriter(capacity: 9)
            writer.write(partitionCount)
            writer.write(depth ?? 255)
            return writer.array()
        }

        init(partitionCount: UInt64, depth: UInt8?) {
            self.partitionCount = partitionCount
            self.depth = depth
        }

        init(decoding bytes: RawSpan) throws(DecodingError) {
            var reader = ByteReader(bytes)
            self.partitionCount = try reader.readUInt64()
            let depth: UInt8 = try reader.readUInt8()
            self.depth = depth == 255 ? nil : depth
        }
    }

}

/// Asks a replica to write to files what is compared there.
package struct CutRequest: Equatable, Sendable {
    /// What is in memory and has to be in files.
    package enum Extent: UInt8, Sendable {
        /// Nothing: a cut before this one was soon enough.
        case nothing
        case range
        case table
    }

    package var place: RepairPlace
    package var extent: Extent

    package init(place: RepairPlace, extent: Extent) {
        self.place = place
        self.extent = extent
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 40)
        place.write(to: &writer)
        writer.write(extent.rawValue)
        return writer.array()
    }

    init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.place = try RepairPlace(from: &reader)
        let offset: Int = reader.offset
        guard let extent = Extent(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: offset, what: "an unknown extent of a cut")
        }
        self.extent = extent
    }
}

/// A request for the hashes of leaves.
package struct LeavesRequest: Equatable, Sendable {
    package var place: RepairPlace
    package var depth: UInt8
    package var frame: HashFrame
    package var mode: HashMode

    package init(place: RepairPlace, depth: UInt8, frame: HashFrame, mode: HashMode) {
        self.place = place
        self.depth = depth
        self.frame = frame
        self.mode = mode
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 50)
        place.write(to: &writer)
        writer.write(depth)
        frame.write(to: &writer)
        writer.write(mode.rawValue)
        return writer.array()
    }

    init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.place = try RepairPlace(from: &reader)
        self.depth = try reader.readUInt8()
        self.frame = try HashFrame(from: &reader)
        guard let mode = HashMode(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: reader.offset, what: "an unknown mode of hashing")
        }
        self.mode = mode
    }
}

extension HashedLeaves {
    private static let leafByteCount = 24

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 20 + hashes.count * HashedLeaves.leafByteCount)
        writer.write(UInt32(clamping: knownCount))
        writer.write(UInt32(clamping: wrongCount))
        writer.write(UInt64(clamping: readByteCount))
        writer.write(UInt32(clamping: hashes.count))
        for hash in hashes {
            writer.write(hash.low)
            writer.write(hash.high)
            writer.write(hash.unitCount)
        }
        return writer.array()
    }

    init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.init()
        knownCount = Int(try reader.readUInt32())
        wrongCount = Int(try reader.readUInt32())
        readByteCount = Int(clamping: try reader.readUInt64())
        let count = Int(try reader.readUInt32())
        try reader.need(count * HashedLeaves.leafByteCount)
        hashes.reserveCapacity(count)
        for _ in 0..<count {
            let low: UInt64 = try reader.readUInt64()
            let high: UInt64 = try reader.readUInt64()
            hashes.append(LeafHash(low: low, high: high, unitCount: try reader.readUInt64()))
        }
    }
}

/// A request for the hashes of units.
package struct UnitsRequest: Equatable, Sendable {
    package var place: RepairPlace
    package var frame: HashFrame
    /// Where the page before has ended.
    package var mark: ReadMark?

    package init(place: RepairPlace, frame: HashFrame, after mark: ReadMark? = nil) {
        self.place = place
        self.frame = frame
        self.mark = mark
    }

    func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 128)
        place.write(to: &writer)
        frame.write(to: &writer)
        writer.write(UInt8(mark == nil ? 0 : 1))
        mark?.write(to: &writer)
        return writer.array()
    }

    init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.place = try RepairPlace(from: &reader)
        self.frame = try HashFrame(from: &reader)
        self.mark = try reader.readUInt8() == 0 ? nil : try ReadMark(from: &reader)
    }

    /// The read that the page is made of.
    var command: ReadCommand {
        let whole = ReadCommand(partitions: PartitionRange(place.tokens))
        return mark.map { whole.after($0) } ?? whole
    }
}

/// What all owners of a range are told once they were equal.
package struct RepairMark: Hashable, Sendable {
    package var place: RepairPlace
    /// Tombstones from before this second are on all of them.
    package var watermarkSeconds: Int64
    /// When the comparison began.
    package var cutSeconds: Int64
    /// Who was equal then.
    package var owners: [NodeID]
    /// Whether all of them have agreed that they are the owners, the only ones, and that nothing is about to change it.
    package var isFinal: Bool

    package init(
        place: RepairPlace, watermarkSeconds: Int64, cutSeconds: Int64, owners: [NodeID] = [], isFinal: Bool = true
    ) {
        self.place = place
        self.watermarkSeconds = watermarkSeconds
        self.cutSeconds = cutSeconds
        self.owners = owners
        self.isFinal = isFinal
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 48)
        place.write(to: &writer)
        writer.write(watermarkSeconds)
        writer.write(cutSeconds)
        writer.write(UInt8(isFinal ? 1 : 0))
        writer.write(UInt8(truncatingIfNeeded: owners.count))
        for node in owners {
            writer.write(node.uuid.high)
            writer.write(node.uuid.low)
        }
        return writer.array()
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.place = try RepairPlace(from: &reader)
        self.watermarkSeconds = try reader.readInt64()
        self.cutSeconds = try reader.readInt64()
        guard watermarkSeconds <= cutSeconds else {
            throw .invalid(offset: reader.offset, what: "a watermark after the cut it comes from")
        }
        self.isFinal = try reader.readUInt8() != 0
        self.owners = []
        for _ in 0..<(try reader.readUInt8()) {
            let high: UInt64 = try reader.readUInt64()
            owners.append(NodeID(UUID(high: high, low: try reader.readUInt64())))
        }
    }

    /// The mark as a replica takes it: a coordinator whose clock is ahead must not vouch for deletes that come later.
    package func bounded(nowSeconds: Int64) -> RepairMark {
        guard cutSeconds > nowSeconds else { return self }
        let (ahead, isAbsurd) = cutSeconds.subtractingReportingOverflow(nowSeconds)
        let (watermark, isBelow) = watermarkSeconds.subtractingReportingOverflow(ahead)
        return RepairMark(
            place: place, watermarkSeconds: isAbsurd || isBelow ? TokenSeconds.never : watermark,
            cutSeconds: nowSeconds, owners: owners, isFinal: isFinal)
    }
}

/// Units of one partition whose versions are wanted.
package struct UnitEntry: Hashable, Sendable {
    package var token: Token
    package var key: [UInt8]
    package var hasHead: Bool
    /// Ascending.
    package var rows: [[UInt8]]

    /// Rows of one entry, so that no answer has to be much larger than its limit.
    package static let rowLimit = 16

    package init(token: Token, key: [UInt8], hasHead: Bool, rows: [[UInt8]]) {
        self.token = token
        self.key = key
        self.hasHead = hasHead
        self.rows = rows
    }

    /// The entries for some differences of the same classes, in their order.
    package static func entries(of differences: [UnitDifference]) -> [UnitEntry] {
        var entries: [UnitEntry] = []
        for difference in differences {
            if let last = entries.last, last.token == difference.token, last.key == difference.key,
                last.rows.count < rowLimit, let clustering = difference.clustering
            {
                entries[entries.count - 1].rows.append(clustering)
            } else {
                entries.append(
                    UnitEntry(
                        token: difference.token, key: difference.key, hasHead: difference.clustering == nil,
                        rows: difference.clustering.map { [$0] } ?? []))
            }
        }
        return entries
    }
}

/// A request for the versions of units.
package struct FetchRequest: Equatable, Sendable {
    package var table: UUID
    package var entries: [UnitEntry]

    package init(table: UUID, entries: [UnitEntry]) {
        self.table = table
        self.entries = entries
    }

    package func encoded() -> [UInt8] {
        var writer = ByteWriter(capacity: 1_024)
        writer.write(table.high)
        writer.write(table.low)
        for entry in entries {
            writer.write(entry.token.value)
            writer.write(UInt16(truncatingIfNeeded: entry.key.count))
            writer.write(entry.key)
            writer.write(UInt8(entry.hasHead ? 1 : 0))
            writer.write(UInt16(truncatingIfNeeded: entry.rows.count))
            for row in entry.rows {
                writer.write(UInt32(clamping: row.count))
                writer.write(row)
            }
        }
        return writer.array()
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let high: UInt64 = try reader.readUInt64()
        self.table = UUID(high: high, low: try reader.readUInt64())
        self.entries = []
        while !reader.isAtEnd {
            let token = Token(try reader.readInt64())
            let key: [UInt8] = try reader.readArray(Int(try reader.readUInt16()))
            let hasHead: Bool = try reader.readUInt8() != 0
            var rows: [[UInt8]] = []
            let rowCount: UInt16 = try reader.readUInt16()
            guard Int(rowCount) <= UnitEntry.rowLimit else {
                throw .invalid(offset: reader.offset, what: "more rows than one entry has")
            }
            for _ in 0..<rowCount {
                let row: [UInt8] = try reader.readArray(Int(try reader.readUInt32()))
                guard rows.last.map({ ByteOrder.precedes($0, row) }) ?? true else {
                    throw .invalid(offset: reader.offset, what: "wanted rows that do not ascend")
                }
                rows.append(row)
            }
            entries.append(UnitEntry(token: token, key: key, hasHead: hasHead, rows: rows))
        }
    }
}

/// Mutations one after the other.
package enum Fragments {
    /// Bytes after which no further one is added.
    package static let byteLimit = 1 << 20

    static func write(_ mutation: [UInt8], to writer: inout ByteWriter) {
        writer.write(UInt32(truncatingIfNeeded: mutation.count))
        writer.write(mutation)
    }

    static func read(_ reader: inout ByteReader) throws(DecodingError) -> [[UInt8]] {
        var found: [[UInt8]] = []
        while !reader.isAtEnd { found.append(try reader.readArray(Int(try reader.readUInt32()))) }
        return found
    }

    /// What a replica has fetched, and the last truncation of the table that it had finished before.
    static func fetched(_ bytes: [UInt8]) throws(DecodingError) -> (truncation: Int64, fragments: [[UInt8]]) {
        var reader = ByteReader(bytes.span.bytes)
        let truncation: Int64 = try reader.readInt64()
        return (truncation, try read(&reader))
    }

    /// What a replica is sent to write.
    static func apply(_ mutations: ArraySlice<[UInt8]>, of span: TruncationSpan, to table: UUID) -> [UInt8] {
        var writer = ByteWriter(capacity: 32 + mutations.reduce(0) { $0 + $1.count + 4 })
        writer.write(table.high)
        writer.write(table.low)
        span.write(to: &writer)
        for mutation in mutations { write(mutation, to: &writer) }
        return writer.array()
    }

    /// How many rows a mutation brings; a head alone counts as one.
    static func rowCount(_ mutation: [UInt8]) -> Int {
        do throws(DecodingError) {
            var reader = try MutationReader(mutation.span.bytes)
            var count = 0
            while try reader.nextRow() != nil { count += 1 }
            return max(1, count)
        } catch {
            return 1
        }
    }
}
