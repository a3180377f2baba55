package import DataModel
package import Primitives
package import Storage

/// How far a read has come: every partition before the mark's, and of that one the rows up to `clustering`, in the
/// direction of the read and included.
package struct ReadMark: Sendable, Hashable {
    package var token: Token
    package var key: [UInt8]
    /// Nil: the whole partition.
    package var clustering: [UInt8]?

    package init(token: Token, key: [UInt8], clustering: [UInt8]?) {
        self.token = token
        self.key = key
        self.clustering = clustering
    }

    /// Whether this mark is before another one, in a read of the given direction.
    package func precedes(_ other: ReadMark, isReversed: Bool) -> Bool {
        if token != other.token { return token < other.token }
        let order: Int = ByteOrder.compare(key, other.key)
        if order != 0 { return order < 0 }
        guard let own = clustering else { return false }
        guard let theirs = other.clustering else { return true }
        let rows: Int = ByteOrder.compare(own, theirs)
        return isReversed ? rows > 0 : rows < 0
    }
}

/// One page of a read as a replica is asked for it.
package struct PageRequest: Sendable, Hashable {
    package var table: UUID
    package var command: ReadCommand
    /// Seconds since 1970: the coordinator's clock, by which all replicas judge what has expired.
    package var nowSeconds: Int64
    /// The page ends once it has this many live rows.
    package var rowLimit: Int
    /// The page ends once it has this many bytes.
    package var byteLimit: Int
    /// Whether the digest of the page is enough.
    package var isDigest: Bool
    /// Tombstones made before this second are left out of digests: a replica may have dropped them already.
    package var graceStart: Int64
    /// A page with more tombstones is not made; nil for no limit.
    package var tombstoneLimit: Int?

    package static let standardByteLimit = 1 << 20

    package init(
        table: UUID, command: ReadCommand, nowSeconds: Int64, graceStart: Int64, rowLimit: Int,
        byteLimit: Int = PageRequest.standardByteLimit, isDigest: Bool = false, tombstoneLimit: Int? = nil
    ) {
        self.table = table
        self.command = command
        self.nowSeconds = nowSeconds
        self.graceStart = graceStart
        self.rowLimit = rowLimit
        self.byteLimit = byteLimit
        self.isDigest = isDigest
        self.tombstoneLimit = tombstoneLimit
    }
}

/// What one replica has for a page: a fragment for each partition, in the one encoding of mutations, so that a fragment
/// can be merged, compared and sent on as a repair.
///
///     page := flags u8 (1: covers all that was asked for; 2: has no fragments; 4: truncation) · live rows u32
///             · tombstones u32 · digest (16) · [truncation i64] · [mark] · fragments
///     mark := token i64 · key (u16 length · bytes) · has clustering u8 · [clustering (u32 length · bytes)]
///     fragment := u32 length · mutation
package struct ReadPage: Sendable, Hashable {
    /// Nil: everything that was asked for.
    package var covered: ReadMark?
    package var liveRowCount: Int
    package var tombstoneCount: Int
    package var digest: PageDigest
    package var fragments: [UInt8]
    /// Whether the fragments were left out, because only the digest was wanted.
    package var isDigest: Bool
    /// The last truncation of the table that the replica had finished before it read; 0 for none.
    package var truncation: Int64 = 0

    package init(
        covered: ReadMark?, liveRowCount: Int, tombstoneCount: Int, digest: PageDigest, fragments: [UInt8],
        isDigest: Bool = false
    ) {
        self.covered = covered
        self.liveRowCount = liveRowCount
        self.tombstoneCount = tombstoneCount
        self.digest = digest
        self.fragments = fragments
        self.isDigest = isDigest
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(UInt8(covered == nil ? 1 : 0) | UInt8(isDigest ? 2 : 0) | UInt8(truncation == 0 ? 0 : 4))
        writer.write(UInt32(clamping: liveRowCount))
        writer.write(UInt32(clamping: tombstoneCount))
        writer.write(digest.low)
        writer.write(digest.high)
        if truncation != 0 { writer.write(truncation) }
        if let covered { covered.write(to: &writer) }
        if !isDigest { writer.write(fragments) }
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let flags = try reader.readUInt8()
        guard flags & ~7 == 0 else { throw .invalid(offset: 0, what: "unknown flags of a page") }
        self.liveRowCount = Int(try reader.readUInt32())
        self.tombstoneCount = Int(try reader.readUInt32())
        let low = try reader.readUInt64()
        self.digest = PageDigest(low: low, high: try reader.readUInt64())
        self.truncation = flags & 4 == 0 ? 0 : try reader.readInt64()
        self.covered = flags & 1 == 0 ? try ReadMark(from: &reader) : nil
        self.isDigest = flags & 2 != 0
        self.fragments = try reader.readArray(reader.remaining)
    }
}

/// A hash of what a page says, equal on replicas that have the same data, however it came to them.
package struct PageDigest: Sendable, Hashable {
    package var low: UInt64
    package var high: UInt64

    package init(low: UInt64 = 0, high: UInt64 = 0) {
        self.low = low
        self.high = high
    }
}

extension ReadMark {
    func write(to writer: inout ByteWriter) {
        writer.write(token.value)
        writer.write(UInt16(truncatingIfNeeded: key.count))
        writer.write(key)
        writer.write(UInt8(clustering == nil ? 0 : 1))
        guard let clustering else { return }
        writer.write(UInt32(truncatingIfNeeded: clustering.count))
        writer.write(clustering)
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        self.token = Token(try reader.readInt64())
        self.key = try reader.readArray(Int(try reader.readUInt16()))
        let hasClustering = try reader.readUInt8()
        self.clustering = hasClustering == 0 ? nil : try reader.readArray(Int(try reader.readUInt32()))
    }
}

extension ReadMark {
    /// How far all of several reads have come; nil when all of them have everything.
    package static func earliest(_ marks: [ReadMark?], isReversed: Bool) -> ReadMark? {
        var earliest: ReadMark?
        for case let mark? in marks {
            guard let best = earliest else {
                earliest = mark
                continue
            }
            if mark.precedes(best, isReversed: isReversed) { earliest = mark }
        }
        return earliest
    }
}

extension ReadCommand {
    /// What is left of a read that has come to `mark`.
    package func after(_ mark: ReadMark) -> ReadCommand {
        var rest: ReadCommand = self
        guard let clustering = mark.clustering else {
            if case .one = partitions {
                rest.slices = []
                rest.partitions = .range(start: .after(mark.token, mark.key), end: .after(mark.token, mark.key))
            } else {
                rest.partitions = .range(start: .after(mark.token, mark.key), end: partitions.end)
                rest.firstPartitionSlices = nil
            }
            return rest
        }
        let left =
            isReversed
            ? ClusteringSlice(start: [], end: clustering)
            : ClusteringSlice(start: clustering + [0], end: ClusteringBound.afterEverything)
        let present: [ClusteringSlice] = mark.key.withUnsafeBytes { self.slices(of: mark.token, $0) }
        let slices: [ClusteringSlice] = ClusteringSlice.intersection(present, left)
        if case .one = partitions {
            rest.slices = slices
        } else {
            rest.partitions = .range(start: .before(mark.token, mark.key), end: partitions.end)
            rest.firstPartitionSlices = slices
        }
        return rest
    }
}

extension ClusteringSlice {
    /// What of `slices` lies inside another one.
    static func intersection(_ slices: [ClusteringSlice], _ bound: ClusteringSlice) -> [ClusteringSlice] {
        slices.compactMap { slice in
            let start: [UInt8] = ByteOrder.precedes(slice.start, bound.start) ? bound.start : slice.start
            let end: [UInt8] = ByteOrder.precedes(slice.end, bound.end) ? slice.end : bound.end
            return ByteOrder.precedes(start, end) ? ClusteringSlice(start: start, end: end) : nil
        }
    }
}
