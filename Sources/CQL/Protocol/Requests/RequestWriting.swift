public import DataModel
public import Primitives

/// A value that a client binds to a marker.
public enum BoundValue: Equatable, Sendable {
    case null
    /// Leaves the column as it is; sent as null before v4, which has no such value.
    case unset
    case bytes([UInt8])
}

/// What a client asks for besides the statement; the mirror of `QueryParameters`.
public struct QueryOptions: Equatable, Sendable {
    public var consistency: Consistency
    public var serialConsistency: Consistency?
    public var skipsMetadata = false
    /// Rows a page; nil for everything at once.
    public var pageSize: Int32?
    public var pagingState: [UInt8]?
    /// Microseconds since 1970.
    public var timestamp: Int64?
    /// The keyspace of unqualified names; v5 only, ignored before.
    public var keyspace: String?
    /// Seconds since 1970; v5 only, ignored before.
    public var nowInSeconds: Int32?

    public init(consistency: Consistency = .one) {
        self.consistency = consistency
    }

    /// Appends the parameters with values that `writeValues` appends, one [value] for each of `valueCount`.
    ///
    /// Hot in load generators: nothing is allocated.
    @inlinable
    public func write(
        into writer: inout ByteWriter, version: ProtocolVersion, valueCount: Int, hasNames: Bool = false,
        writeValues: (inout ByteWriter) -> Void
    ) {
        var present = flags(version)
        if valueCount > 0 { present.insert(.values) }
        if hasNames && valueCount > 0 { present.insert(.namesForValues) }
        writer.write(consistency)
        QueryOptions.write(present, into: &writer, version: version)
        if valueCount > 0 {
            writer.write(UInt16(truncatingIfNeeded: valueCount))
            writeValues(&writer)
        }
        if present.rawValue & ~0x43 != 0 { writeRareParts(into: &writer, present: present) }
    }

    /// Appends the parameters with values, and with their names when there are any.
    public func write(
        into writer: inout ByteWriter, version: ProtocolVersion, values: [BoundValue], names: [String]? = nil
    ) {
        write(into: &writer, version: version, valueCount: values.count, hasNames: names != nil) { writer in
            for (index, value) in values.enumerated() {
                if let names, index < names.count { writer.writeString(names[index]) }
                writer.write(value, version: version)
            }
        }
    }

    /// Appends what follows the statements of a BATCH.
    public func writeBatchPart(into writer: inout ByteWriter, version: ProtocolVersion) {
        let allowed: QueryFlags = [.serialConsistency, .defaultTimestamp, .keyspace, .nowInSeconds]
        let present = flags(version).intersection(allowed)
        writer.write(consistency)
        QueryOptions.write(present, into: &writer, version: version)
        writeRareParts(into: &writer, present: present)
    }

    @usableFromInline
    func flags(_ version: ProtocolVersion) -> QueryFlags {
        var flags: QueryFlags = []
        if skipsMetadata { flags.insert(.skipMetadata) }
        if pageSize != nil { flags.insert(.pageSize) }
        if pagingState != nil { flags.insert(.pagingState) }
        if serialConsistency != nil { flags.insert(.serialConsistency) }
        if timestamp != nil { flags.insert(.defaultTimestamp) }
        if keyspace != nil { flags.insert(.keyspace) }
        if nowInSeconds != nil { flags.insert(.nowInSeconds) }
        return flags.intersection(.known(version))
    }

    @usableFromInline
    static func write(_ flags: QueryFlags, into writer: inout ByteWriter, version: ProtocolVersion) {
        if version.hasWideQueryFlags {
            writer.write(flags.rawValue)
        } else {
            writer.write(UInt8(truncatingIfNeeded: flags.rawValue))
        }
    }

    @usableFromInline
    func writeRareParts(into writer: inout ByteWriter, present: QueryFlags) {
        if present.contains(.pageSize), let pageSize { writer.write(pageSize) }
        if present.contains(.pagingState), let pagingState { writer.writeValue(pagingState) }
        if present.contains(.serialConsistency), let serialConsistency { writer.write(serialConsistency) }
        if present.contains(.defaultTimestamp), let timestamp { writer.write(timestamp) }
        if present.contains(.keyspace), let keyspace { writer.writeString(keyspace) }
        if present.contains(.nowInSeconds), let nowInSeconds { writer.write(nowInSeconds) }
    }
}

/// A statement of a BATCH on its way to a server.
public struct BatchedStatement: Equatable, Sendable {
    public enum Statement: Equatable, Sendable {
        case text(String)
        case prepared([UInt8])
    }

    public var statement: Statement
    public var values: [BoundValue]

    public init(_ statement: Statement, values: [BoundValue] = []) {
        self.statement = statement
        self.values = values
    }
}

/// The bodies of requests, appended between `FrameWriter.begin` and `FrameWriter.end`.
extension ByteWriter {
    /// Appends a bound [value].
    public mutating func write(_ value: BoundValue, version: ProtocolVersion) {
        switch value {
        case .null: writeNull()
        case .unset: if version.hasUnsetValues { writeUnset() } else { writeNull() }
        case .bytes(let bytes): writeValue(bytes)
        }
    }

    /// Appends the body of a STARTUP.
    public mutating func writeStartup(
        compression: Compression = .none, options: [String: String] = [:], language: String = "3.0.0"
    ) {
        var all = options
        all["CQL_VERSION"] = language
        if let name = compression.optionName { all["COMPRESSION"] = name }
        writeStringMap(all)
    }

    /// Appends the body of a QUERY.
    public mutating func writeQuery(
        _ query: String, options: QueryOptions, values: [BoundValue] = [], names: [String]? = nil,
        version: ProtocolVersion
    ) {
        writeLongString(query)
        options.write(into: &self, version: version, values: values, names: names)
    }

    /// Appends the body of a PREPARE.
    public mutating func writePrepare(_ query: String, keyspace: String? = nil, version: ProtocolVersion) {
        writeLongString(query)
        guard version.hasKeyspaceAndNow else { return }
        write(Int32(keyspace == nil ? 0 : 1))
        if let keyspace { writeString(keyspace) }
    }

    /// Appends the body of an EXECUTE.
    public mutating func writeExecute(
        statementID: [UInt8], resultMetadataID: [UInt8] = [], options: QueryOptions, values: [BoundValue] = [],
        version: ProtocolVersion
    ) {
        writeExecuteStart(statementID: statementID, resultMetadataID: resultMetadataID, version: version)
        options.write(into: &self, version: version, values: values)
    }

    /// Appends what comes before the parameters of an EXECUTE.
    public mutating func writeExecuteStart(
        statementID: [UInt8], resultMetadataID: [UInt8] = [], version: ProtocolVersion
    ) {
        writeShortBytes(statementID)
        if version.hasResultMetadataID { writeShortBytes(resultMetadataID) }
    }

    /// Appends the body of a BATCH of at most 65,535 statements.
    public mutating func writeBatch(
        _ type: BatchType, statements: [BatchedStatement], options: QueryOptions, version: ProtocolVersion
    ) {
        write(type.rawValue)
        let count = min(statements.count, Int(UInt16.max))
        write(UInt16(truncatingIfNeeded: count))
        for entry in statements.prefix(count) {
            switch entry.statement {
            case .text(let text):
                write(UInt8(0))
                writeLongString(text)
            case .prepared(let identifier):
                write(UInt8(1))
                writeShortBytes(identifier)
            }
            write(UInt16(truncatingIfNeeded: entry.values.count))
            for value in entry.values { write(value, version: version) }
        }
        options.writeBatchPart(into: &self, version: version)
    }

    /// Appends the body of a REGISTER.
    public mutating func writeRegister(_ types: [EventType]) {
        writeStringList(types.map(\.rawValue))
    }

    /// Appends the body of an AUTH_RESPONSE.
    public mutating func writeAuthResponse(_ token: [UInt8]?) {
        writeValue(token)
    }
}
