public import DataModel
public import Primitives

/// The flags of query parameters (protocol specification, section 4.1.4).
public struct QueryFlags: OptionSet, Hashable, Sendable {
    public let rawValue: UInt32

    @inlinable
    public init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    @inlinable public static var values: QueryFlags { QueryFlags(rawValue: 0x01) }
    @inlinable public static var skipMetadata: QueryFlags { QueryFlags(rawValue: 0x02) }
    @inlinable public static var pageSize: QueryFlags { QueryFlags(rawValue: 0x04) }
    @inlinable public static var pagingState: QueryFlags { QueryFlags(rawValue: 0x08) }
    @inlinable public static var serialConsistency: QueryFlags { QueryFlags(rawValue: 0x10) }
    @inlinable public static var defaultTimestamp: QueryFlags { QueryFlags(rawValue: 0x20) }
    @inlinable public static var namesForValues: QueryFlags { QueryFlags(rawValue: 0x40) }
    @inlinable public static var keyspace: QueryFlags { QueryFlags(rawValue: 0x80) }
    @inlinable public static var nowInSeconds: QueryFlags { QueryFlags(rawValue: 0x100) }

    /// What a version of the protocol knows; other bits are ignored, as Cassandra does.
    @inlinable
    static func known(_ version: ProtocolVersion) -> QueryFlags {
        QueryFlags(rawValue: version.hasKeyspaceAndNow ? 0x1FF : 0x7F)
    }
}

/// What goes with a QUERY, an EXECUTE or a BATCH: levels, options, and where the bound values lie.
///
/// Hot: one for every request. It holds no array and no text; values, paging state and keyspace stay in the body.
public struct QueryParameters: Equatable, Sendable {
    public var consistency: Consistency
    public var flags: QueryFlags
    /// SERIAL unless the request says otherwise.
    public var serialConsistency: Consistency
    public var valueCount: Int
    /// Where the first value (or, with names, the first name) starts in the body.
    public var valuesOffset: Int
    /// Rows a page; −1 when the request does not ask for pages.
    public var pageSize: Int32
    public var pagingState: WireValue
    /// Microseconds since 1970; `QueryParameters.noTimestamp` when the request leaves it to the coordinator.
    public var timestamp: Int64
    public var keyspace: WireValue
    /// Seconds since 1970; `QueryParameters.noNow` when the request leaves it to the coordinator.
    public var nowInSeconds: Int32

    @inlinable public static var noTimestamp: Int64 { .min }
    @inlinable public static var noNow: Int32 { .min }

    @inlinable
    public init(consistency: Consistency, flags: QueryFlags = []) {
        self.consistency = consistency
        self.flags = flags
        self.serialConsistency = .serial
        self.valueCount = 0
        self.valuesOffset = 0
        self.pageSize = -1
        self.pagingState = .null
        self.timestamp = QueryParameters.noTimestamp
        self.keyspace = .null
        self.nowInSeconds = QueryParameters.noNow
    }

    @inlinable public var skipsMetadata: Bool { flags.contains(.skipMetadata) }
    @inlinable public var hasNames: Bool { flags.contains(.namesForValues) }

    /// Walks the values; the parameters' own body must be handed to it.
    @inlinable
    public var values: ValueCursor {
        ValueCursor(offset: valuesOffset, count: valueCount, hasNames: hasNames)
    }

    /// Reads the parameters at the reader's place and checks that every value lies in the body.
    @inlinable
    public init(reading reader: inout ByteReader, version: ProtocolVersion) throws(ProtocolError) {
        let consistency = try reader.readConsistency()
        let flags = try QueryParameters.readFlags(&reader, version)
        self.init(consistency: consistency, flags: flags)
        if flags.contains(.values) {
            valueCount = Int(try reader.readShort("the number of values"))
            valuesOffset = reader.offset
            let byteCount = try QueryParameters.byteCountOfValues(
                reader.rest, count: valueCount, hasNames: flags.contains(.namesForValues), version: version)
            _ = try reader.readRun(byteCount, "values")
        }
        // Values and skipped metadata are all that most requests carry.
        guard flags.rawValue & ~0x43 != 0 else { return }
        try readRareParts(&reader)
    }

    /// How many bytes the values at the front of `body` take, when all of them lie inside it.
    ///
    /// Loads straight from the span, because this loop is most of the cost of a request.
    @inlinable
    static func byteCountOfValues(
        _ body: RawSpan, count: Int, hasNames: Bool, version: ProtocolVersion
    ) throws(ProtocolError) -> Int {
        let end: Int = body.byteCount
        var offset = 0
        for _ in 0..<count {
            if hasNames {
                guard end &- offset >= 2 else { throw .truncated("the name of a value") }
                let stored = unsafe body.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
                offset = offset &+ 2 &+ Int(UInt16(bigEndian: stored))
            }
            guard end &- offset >= 4 else { throw .truncated("a value preceded by its 4 bytes length") }
            let stored = unsafe body.unsafeLoadUnaligned(fromByteOffset: offset, as: Int32.self)
            let length = Int(Int32(bigEndian: stored))
            offset = offset &+ 4
            if length >= 0 {
                guard end &- offset >= length else { throw .truncated("a value preceded by its 4 bytes length") }
                offset = offset &+ length
            } else if length < -2, version.hasUnsetValues {
                throw ByteReader.invalidLength(length)
            }
        }
        return offset
    }

    @inlinable
    static func readFlags(_ reader: inout ByteReader, _ version: ProtocolVersion) throws(ProtocolError) -> QueryFlags {
        let stored: UInt32 =
            version.hasWideQueryFlags
            ? UInt32(bitPattern: try reader.readInt("query flags")) : UInt32(try reader.readByte("query flags"))
        return QueryFlags(rawValue: stored).intersection(.known(version))
    }

    @usableFromInline
    mutating func readRareParts(_ reader: inout ByteReader) throws(ProtocolError) {
        if flags.contains(.pageSize) {
            pageSize = try reader.readInt("the page size")
            guard pageSize >= 0 else { throw ProtocolError("Invalid page size: \(pageSize)") }
        }
        if flags.contains(.pagingState) { pagingState = try reader.locateBytes() }
        if flags.contains(.serialConsistency) {
            // Whether it is a serial level matters to conditional statements only, so they check it.
            serialConsistency = try reader.readConsistency()
        }
        if flags.contains(.defaultTimestamp) {
            timestamp = try reader.readLong("the default timestamp")
            guard timestamp >= 0 else {
                throw ProtocolError("Out of bound timestamp, must be in [0, \(Int64.max)] (got \(timestamp))")
            }
        }
        if flags.contains(.keyspace) { keyspace = try reader.locateString() }
        if flags.contains(.nowInSeconds) { nowInSeconds = try reader.readInt("now in seconds") }
    }
}
