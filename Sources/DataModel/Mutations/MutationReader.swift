public import Primitives

/// Walks the bytes of a mutation, front to back, without copying: the head at once, then `nextRow` until nil, then
/// `nextRange` until nil.
///
/// Hot: once per write. The bytes may come from a peer or a file, so every step is checked.
public struct MutationReader: ~Escapable {
    public let table: UUID
    public let token: Token
    public let key: RawSpan
    public let partitionDeletion: Deletion
    /// Empty when there is no static row.
    public let staticRow: RawSpan
    @usableFromInline var reader: ByteReader
    @usableFromInline var rowsLeft: UInt32
    @usableFromInline var rangesLeft: UInt32 = 0
    @usableFromInline var isInRanges = false

    @_lifetime(copy bytes)
    @inlinable
    public init(_ bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let high = try reader.readUInt64()
        let low = try reader.readUInt64()
        let token = Token(try reader.readInt64())
        let keyByteCount = Int(try reader.readUInt16())
        let key = try reader.readBytes(keyByteCount)
        let flags = MutationFlags(rawValue: try reader.readUInt8())
        guard flags.isSubset(of: .all) else {
            throw .invalid(offset: reader.offset, what: "unknown flags of a mutation")
        }
        self.partitionDeletion =
            flags.contains(.partitionDeletion)
            ? try Deletion(from: &reader) : Deletion(timestamp: .min, localSeconds: .max)
        let staticByteCount: Int = flags.contains(.staticRow) ? Int(try reader.readUInt32()) : 0
        self.staticRow = try reader.readBytes(staticByteCount)
        self.rowsLeft = try reader.readUInt32()
        self.table = UUID(high: high, low: low)
        self.token = token
        self.key = key
        self.reader = reader
    }

    /// One row: its clustering key and its body.
    public struct Row: ~Escapable {
        public let clustering: RawSpan
        public let body: RawSpan

        @_lifetime(copy clustering, copy body)
        @inlinable
        init(clustering: RawSpan, body: RawSpan) {
            self.clustering = clustering
            self.body = body
        }
    }

    /// One range deletion.
    public struct Range: ~Escapable {
        public let start: RawSpan
        public let end: RawSpan
        public let deletion: Deletion

        @_lifetime(copy start, copy end)
        @inlinable
        init(start: RawSpan, end: RawSpan, deletion: Deletion) {
            self.start = start
            self.end = end
            self.deletion = deletion
        }
    }

    @_lifetime(copy self)
    @inlinable
    public mutating func nextRow() throws(DecodingError) -> Row? {
        guard rowsLeft > 0 else { return nil }
        rowsLeft &-= 1
        let clustering = try reader.readBytes(Int(try reader.readUInt32()))
        let body = try reader.readBytes(Int(try reader.readUInt32()))
        return Row(clustering: clustering, body: body)
    }

    @_lifetime(copy self)
    @inlinable
    public mutating func nextRange() throws(DecodingError) -> Range? {
        if !isInRanges {
            rangesLeft = try reader.readUInt32()
            isInRanges = true
        }
        guard rangesLeft > 0 else { return nil }
        rangesLeft &-= 1
        let start = try reader.readBytes(Int(try reader.readUInt32()))
        let end = try reader.readBytes(Int(try reader.readUInt32()))
        let deletion = try Deletion(from: &reader)
        return Range(start: start, end: end, deletion: deletion)
    }

    /// Reads the whole mutation once, so that a damaged one is refused before any of it is applied.
    public static func validate(_ bytes: RawSpan) throws(DecodingError) {
        var mutation = try MutationReader(bytes)
        if !mutation.staticRow.isEmpty { try validateRow(mutation.staticRow) }
        while let row = try mutation.nextRow() { try validateRow(row.body) }
        while try mutation.nextRange() != nil {}
    }

    private static func validateRow(_ bytes: RawSpan) throws(DecodingError) {
        var row = try RowReader(bytes)
        while try row.next() != nil {}
    }
}
