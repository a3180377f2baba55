public import Primitives

/// What stands in front of a response's message when the header's flags say so.
public struct ResponsePrefix: Equatable, Sendable {
    public var tracingID: UUID?
    public var warnings: [String]
    public var customPayload: [String: [UInt8]?]

    public init(tracingID: UUID? = nil, warnings: [String] = [], customPayload: [String: [UInt8]?] = [:]) {
        self.tracingID = tracingID
        self.warnings = warnings
        self.customPayload = customPayload
    }

    public static let none = ResponsePrefix()

    /// The flags that announce this prefix on a connection of `version`.
    public func flags(_ version: ProtocolVersion) -> FrameFlags {
        var flags: FrameFlags = []
        if tracingID != nil { flags.insert(.tracing) }
        guard version.hasWarnings else { return flags }
        if !warnings.isEmpty { flags.insert(.warnings) }
        if !customPayload.isEmpty { flags.insert(.customPayload) }
        return flags
    }

    /// Appends the parts that `flags` names.
    public func write(into writer: inout ByteWriter, flags: FrameFlags) {
        if flags.contains(.tracing), let tracingID { writer.write(tracingID) }
        if flags.contains(.warnings) { writer.writeStringList(warnings) }
        if flags.contains(.customPayload) { writer.writeBytesMap(customPayload) }
    }

    public init(reading reader: inout ByteReader, flags: FrameFlags) throws(ProtocolError) {
        self.tracingID = flags.contains(.tracing) ? try reader.readUUID() : nil
        self.warnings = flags.contains(.warnings) ? try reader.readStringList() : []
        self.customPayload = flags.contains(.customPayload) ? try reader.readBytesMap() : [:]
    }
}

extension Envelope {
    /// The body of a request without the custom payload that may stand in front of its message.
    ///
    /// A request's tracing flag announces nothing in the body. Hot: one test of a flag for nearly every request.
    @inlinable
    public func requestBody() throws(ProtocolError) -> UnsafeRawBufferPointer {
        guard header.flags.contains(.customPayload) else { return body }
        return try bodyBehindPayload()
    }

    @usableFromInline
    func bodyBehindPayload() throws(ProtocolError) -> UnsafeRawBufferPointer {
        guard header.version.hasWarnings else {
            throw ProtocolError("Received frame with CUSTOM_PAYLOAD flag for native protocol version < 4")
        }
        var reader = ByteReader(body.bytes)
        let count = Int(try reader.readShort("a map of bytes"))
        for _ in 0..<count {
            _ = try reader.locateString()
            _ = try reader.locateBytes()
        }
        return UnsafeRawBufferPointer(rebasing: body[reader.offset...])
    }
}

/// A Prepared result, as a client reads it.
public struct PreparedResult: Equatable, Sendable {
    public var statementID: [UInt8]
    /// Empty before v5.
    public var resultMetadataID: [UInt8]
    public var markers: PreparedMetadata
    public var result: ReceivedMetadata
}

/// A Rows result, as a client reads it: the metadata, and where the rows lie in the body.
public struct RowsResult: Equatable, Sendable {
    public var metadata: ReceivedMetadata
    public var rowCount: Int
    /// Where the first value of the first row starts in the body of the response.
    public var rowsOffset: Int

    /// Walks all values of all rows, row by row; the response's whole body must be handed to it.
    public var values: ValueCursor {
        ValueCursor(offset: rowsOffset, count: rowCount &* metadata.columnCount, hasNames: false)
    }

    /// Copies all rows; nil is null.
    public func rows(in body: RawSpan) -> [[[UInt8]?]] {
        var cursor = values
        var rows: [[[UInt8]?]] = []
        for _ in 0..<rowCount {
            var row: [[UInt8]?] = []
            for _ in 0..<metadata.columnCount {
                guard let value = cursor.next(in: body) else { return rows }
                row.append(body.array(of: value))
            }
            rows.append(row)
        }
        return rows
    }
}

/// A message from a server, as a client reads it.
public enum Response: Equatable, Sendable {
    case error(CQLError)
    case ready
    case authenticate(className: String)
    case supported([String: [String]])
    case void
    case rows(RowsResult)
    case setKeyspace(String)
    case prepared(PreparedResult)
    case schemaChange(SchemaChange)
    case event(Event)
    case authChallenge([UInt8]?)
    case authSuccess([UInt8]?)

    /// Decodes a response's body; offsets in the result count from the body's start.
    public static func decode(
        _ header: FrameHeader, _ body: RawSpan
    ) throws(ProtocolError) -> (prefix: ResponsePrefix, response: Response) {
        var reader = ByteReader(body)
        let prefix = try ResponsePrefix(reading: &reader, flags: header.flags)
        return (prefix, try decodeMessage(header, &reader))
    }

    private static func decodeMessage(
        _ header: FrameHeader, _ reader: inout ByteReader
    ) throws(ProtocolError) -> Response {
        switch header.opcode {
        case .error: return .error(try CQLError(reading: &reader, version: header.version))
        case .ready: return .ready
        case .authenticate: return .authenticate(className: try reader.readString())
        case .supported: return .supported(try reader.readStringMultimap())
        case .result: return try decodeResult(&reader, header.version)
        case .event: return .event(try Event(reading: &reader))
        case .authChallenge: return .authChallenge(try reader.readOptionalBytes())
        case .authSuccess: return .authSuccess(try reader.readOptionalBytes())
        default: throw FrameFault.wrongDirection(header.opcode).error
        }
    }

    private static func decodeResult(
        _ reader: inout ByteReader, _ version: ProtocolVersion
    ) throws(ProtocolError) -> Response {
        let kind = try reader.readInt("the kind of a result")
        switch ResultKind(rawValue: kind) {
        case .void: return .void
        case .rows: return .rows(try decodeRows(&reader))
        case .setKeyspace: return .setKeyspace(try reader.readString())
        case .prepared:
            let statementID = try reader.readShortBytes()
            let resultMetadataID: [UInt8] = version.hasResultMetadataID ? try reader.readShortBytes() : []
            let markers = try PreparedMetadata(reading: &reader, version: version)
            let result = try ReceivedMetadata(reading: &reader)
            return .prepared(
                PreparedResult(
                    statementID: statementID, resultMetadataID: resultMetadataID, markers: markers, result: result))
        case .schemaChange: return .schemaChange(try SchemaChange(reading: &reader))
        case nil: throw ProtocolError("Unknown result kind \(kind)")
        }
    }

    private static func decodeRows(_ reader: inout ByteReader) throws(ProtocolError) -> RowsResult {
        let metadata = try ReceivedMetadata(reading: &reader)
        let rowCount = Int(try reader.readInt("the row count"))
        // Every value takes at least the four bytes of its length, which bounds the rows that a body can hold.
        guard rowCount >= 0, metadata.columnCount == 0 || rowCount <= reader.remaining / (4 * metadata.columnCount)
        else { throw ProtocolError("Invalid row count: \(rowCount)") }
        let isEmpty = metadata.columnCount == 0
        return RowsResult(metadata: metadata, rowCount: isEmpty ? 0 : rowCount, rowsOffset: reader.offset)
    }
}
