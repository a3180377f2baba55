public import Primitives

/// A QUERY: a statement's text and its parameters.
///
/// Hot: holds places in the body and integers only.
public struct QueryRequest: Equatable, Sendable {
    public var query: WireValue
    public var parameters: QueryParameters

    @inlinable
    public init(decoding body: RawSpan, version: ProtocolVersion) throws(ProtocolError) {
        var reader = ByteReader(body)
        self.query = try reader.locateLongString()
        self.parameters = try QueryParameters(reading: &reader, version: version)
    }
}

/// An EXECUTE: the identifier of a prepared statement and its parameters.
///
/// Hot: holds places in the body and integers only.
public struct ExecuteRequest: Equatable, Sendable {
    public var statementID: WireValue
    /// What the client believes the result columns to be; null before v5.
    public var resultMetadataID: WireValue
    public var parameters: QueryParameters

    @inlinable
    public init(decoding body: RawSpan, version: ProtocolVersion) throws(ProtocolError) {
        var reader = ByteReader(body)
        self.statementID = try reader.locateShortBytes()
        self.resultMetadataID = version.hasResultMetadataID ? try reader.locateShortBytes() : .null
        self.parameters = try QueryParameters(reading: &reader, version: version)
    }
}

/// A PREPARE: a statement's text and, from v5 on, the keyspace that it is meant for.
public struct PrepareRequest: Equatable, Sendable {
    public var query: WireValue
    /// Null when the request names none.
    public var keyspace: WireValue

    public init(decoding body: RawSpan, version: ProtocolVersion) throws(ProtocolError) {
        var reader = ByteReader(body)
        self.query = try reader.locateLongString()
        self.keyspace = .null
        guard version.hasKeyspaceAndNow else { return }
        let flags = try reader.readInt("prepare flags")
        if flags & 1 != 0 { self.keyspace = try reader.locateString() }
    }
}

/// How a BATCH is carried out.
public enum BatchType: UInt8, Sendable, CaseIterable {
    case logged = 0
    case unlogged = 1
    case counter = 2
}

/// One statement of a BATCH: text or a prepared identifier, and where its values lie.
public struct BatchEntry: Equatable, Sendable {
    /// Whether `queryOrID` is a prepared identifier instead of a statement's text.
    public var isPrepared: Bool
    public var queryOrID: WireValue
    public var valueCount: Int
    public var valuesOffset: Int

    /// Walks the values of this statement in the body of the batch.
    public var values: ValueCursor {
        ValueCursor(offset: valuesOffset, count: valueCount, hasNames: false)
    }

    /// Reads one entry and checks that every value lies in the body.
    init(reading reader: inout ByteReader, version: ProtocolVersion) throws(ProtocolError) {
        let kind = try reader.readByte("the kind of a query in a BATCH message")
        switch kind {
        case 0: self.queryOrID = try reader.locateLongString()
        case 1: self.queryOrID = try reader.locateShortBytes()
        default:
            throw ProtocolError(
                "Invalid query kind in BATCH messages. Must be 0 or 1 but got \(Int8(bitPattern: kind))")
        }
        self.isPrepared = kind == 1
        self.valueCount = Int(try reader.readShort("the number of values"))
        self.valuesOffset = reader.offset
        for _ in 0..<valueCount { _ = try reader.readValue(version) }
    }
}

/// A BATCH: its type, its parameters, and where its statements lie.
///
/// Hot: the whole message is checked once on decoding; the entries are then walked with `BatchCursor`.
public struct BatchRequest: Equatable, Sendable {
    public var type: BatchType
    public var statementCount: Int
    public var statementsOffset: Int
    public var parameters: QueryParameters

    public init(decoding body: RawSpan, version: ProtocolVersion) throws(ProtocolError) {
        var reader = ByteReader(body)
        let stored = try reader.readByte("the type of a BATCH message")
        guard let type = BatchType(rawValue: stored) else {
            throw ProtocolError("Invalid BATCH message type \(Int8(bitPattern: stored))")
        }
        self.type = type
        self.statementCount = Int(try reader.readShort("the number of queries"))
        self.statementsOffset = reader.offset
        for _ in 0..<statementCount { _ = try BatchEntry(reading: &reader, version: version) }
        self.parameters = try QueryParameters(reading: &reader, version: version)
    }

    /// Walks the statements.
    public func statements(version: ProtocolVersion) -> BatchCursor {
        BatchCursor(offset: statementsOffset, remaining: statementCount, version: version)
    }
}

/// Walks the statements of a BATCH in its body.
public struct BatchCursor: Sendable {
    public private(set) var offset: Int
    public private(set) var remaining: Int
    private let version: ProtocolVersion

    init(offset: Int, remaining: Int, version: ProtocolVersion) {
        self.offset = offset
        self.remaining = remaining
        self.version = version
    }

    /// The next statement; nil after the last, or when `body` is not the batch's own.
    public mutating func next(in body: RawSpan) -> BatchEntry? {
        guard remaining > 0, offset >= 0, offset <= body.byteCount else { return nil }
        var reader = ByteReader(body)
        do {
            _ = try reader.readRun(offset, "the statements before")
            let entry = try BatchEntry(reading: &reader, version: version)
            offset = reader.offset
            remaining -= 1
            return entry
        } catch {
            remaining = 0
            return nil
        }
    }
}
