public import Primitives

/// The kinds of RESULT (protocol specification, section 4.2.5).
public enum ResultKind: Int32, Sendable {
    case void = 1
    case rows = 2
    case setKeyspace = 3
    case prepared = 4
    case schemaChange = 5
}

/// Where a Rows result keeps its row count, to be filled in when all rows are written.
public struct RowCountPlace: Sendable {
    @usableFromInline let offset: Int

    @usableFromInline
    init(offset: Int) {
        self.offset = offset
    }
}

/// The bodies of responses, appended between `FrameWriter.begin` and `FrameWriter.end`.
extension ByteWriter {
    /// Appends the body of a Void result.
    @inlinable
    public mutating func writeVoidResult() {
        write(ResultKind.void.rawValue)
    }

    /// Appends the head of a Rows result.
    ///
    /// Afterwards each value of each row is appended with `writeValue` or `writeNull`, and `endRows` says how many rows
    /// there are.
    public mutating func beginRows(
        _ metadata: ResultMetadata, version: ProtocolVersion, pagingState: [UInt8]? = nil, isSkipped: Bool = false,
        isChanged: Bool = false
    ) -> RowCountPlace {
        write(ResultKind.rows.rawValue)
        metadata.write(
            into: &self, version: version, pagingState: pagingState, isSkipped: isSkipped, isChanged: isChanged)
        let place = RowCountPlace(offset: count)
        write(UInt32(0))
        return place
    }

    /// Like `beginRows`, for a result whose paging state is known only when its rows are written: the rows are appended
    /// to another writer, `rows`, without any head.
    public mutating func writeRows(
        _ metadata: ResultMetadata, version: ProtocolVersion, pagingState: [UInt8]?, isSkipped: Bool, isChanged: Bool,
        rowCount: Int, rows: borrowing ByteWriter
    ) {
        let place = beginRows(
            metadata, version: version, pagingState: pagingState, isSkipped: isSkipped, isChanged: isChanged)
        rows.withUnsafeBytes { write($0) }
        endRows(place, rowCount: rowCount)
    }

    /// Fills in the row count.
    @inlinable
    public mutating func endRows(_ place: RowCountPlace, rowCount: Int) {
        overwrite(UInt32(truncatingIfNeeded: rowCount), at: place.offset)
    }

    /// Appends the body of a Set_keyspace result.
    public mutating func writeSetKeyspaceResult(_ keyspace: String) {
        write(ResultKind.setKeyspace.rawValue)
        writeString(keyspace)
    }

    /// Appends the body of a Prepared result.
    public mutating func writePreparedResult(
        statementID: [UInt8], markers: PreparedMetadata, result: ResultMetadata, version: ProtocolVersion
    ) {
        write(ResultKind.prepared.rawValue)
        writeShortBytes(statementID)
        if version.hasResultMetadataID { writeShortBytes(result.id) }
        markers.write(into: &self, version: version)
        result.writePrepared(into: &self, version: version)
    }

    /// Appends the body of a Schema_change result.
    public mutating func writeSchemaChangeResult(_ change: SchemaChange, version: ProtocolVersion) {
        write(ResultKind.schemaChange.rawValue)
        change.write(into: &self, version: version)
    }

    /// Appends the body of an AUTHENTICATE.
    public mutating func writeAuthenticate(className: String) {
        writeString(className)
    }

    /// Appends the body of an AUTH_CHALLENGE or AUTH_SUCCESS.
    public mutating func writeAuthToken(_ token: [UInt8]?) {
        writeValue(token)
    }

    /// Appends the body of a SUPPORTED.
    public mutating func writeSupported(_ options: [String: [String]]) {
        writeStringMultimap(options)
    }
}

/// What a server says that it supports.
public enum SupportedOptions {
    /// The options of every server of this protocol; a server adds its own.
    public static func standard(languageVersion: String) -> [String: [String]] {
        [
            "CQL_VERSION": [languageVersion],
            "COMPRESSION": Compression.offeredNames,
            "PROTOCOL_VERSIONS": ProtocolVersion.allCases.map(\.name),
        ]
    }
}
