public import DataModel
public import Primitives

/// A column of a result, or a bind marker of a prepared statement.
public struct ColumnSpecification: Hashable, Sendable {
    public var keyspace: String
    public var table: String
    public var name: String
    public var type: CQLType

    public init(keyspace: String, table: String, name: String, type: CQLType) {
        self.keyspace = keyspace
        self.table = table
        self.name = name
        self.type = type
    }
}

/// The flags of a result's metadata (protocol specification, section 4.2.5.2).
public struct ResultFlags: OptionSet, Hashable, Sendable {
    public let rawValue: Int32

    public init(rawValue: Int32) {
        self.rawValue = rawValue
    }

    /// All columns are of one table, which is named once.
    public static var globalTable: ResultFlags { ResultFlags(rawValue: 0x01) }
    public static var hasMorePages: ResultFlags { ResultFlags(rawValue: 0x02) }
    public static var noMetadata: ResultFlags { ResultFlags(rawValue: 0x04) }
    /// The columns are not those that the client believes in (v5).
    public static var metadataChanged: ResultFlags { ResultFlags(rawValue: 0x08) }
}

/// The columns of a result, encoded once for every version of the protocol and reused for every response.
///
/// Made when a statement is planned. Writing it into a response copies bytes and allocates nothing.
public struct ResultMetadata: Sendable, Equatable {
    public let columns: [ColumnSpecification]
    /// The identifier that v5 clients keep: MD5 over names and types, 16 bytes.
    public let id: [UInt8]
    private let isOneTable: Bool
    private let encodedV3: [UInt8]
    private let encodedV4: [UInt8]
    private let encodedV5: [UInt8]

    /// The metadata of statements that return no rows.
    public static let empty = ResultMetadata(columns: [])

    public init(columns: [ColumnSpecification]) {
        self.columns = columns
        self.id = ResultMetadata.identifier(of: columns)
        self.isOneTable = ResultMetadata.isOneTable(columns)
        self.encodedV3 = ResultMetadata.encode(columns, version: .v3)
        // Most columns look the same in every version; then the versions share one array.
        let v4 = ResultMetadata.encode(columns, version: .v4)
        self.encodedV4 = v4 == encodedV3 ? encodedV3 : v4
        let v5 = ResultMetadata.encode(columns, version: .v5)
        self.encodedV5 = v5 == encodedV4 ? encodedV4 : v5
    }

    /// The column specifications as they stand behind flags, count and paging state, table name included.
    public func encodedColumns(_ version: ProtocolVersion) -> [UInt8] {
        switch version {
        case .v3: encodedV3
        case .v4: encodedV4
        case .v5, .v6: encodedV5
        }
    }

    /// Appends the metadata of a Rows result.
    ///
    /// - Parameters:
    ///   - pagingState: where the next page starts; nil after the last.
    ///   - isSkipped: whether the client asked to leave the columns out.
    ///   - isChanged: whether the client's identifier is not ours, so that it gets the columns and the new identifier
    ///     whatever it asked for; ignored before v5.
    public func write(
        into writer: inout ByteWriter, version: ProtocolVersion, pagingState: [UInt8]? = nil, isSkipped: Bool = false,
        isChanged: Bool = false
    ) {
        var flags: ResultFlags = isOneTable ? .globalTable : []
        if pagingState != nil { flags.insert(.hasMorePages) }
        let tellsChange = isChanged && version.hasResultMetadataID
        if tellsChange { flags.insert(.metadataChanged) } else if isSkipped { flags.insert(.noMetadata) }
        writer.write(flags.rawValue)
        writer.write(Int32(truncatingIfNeeded: columns.count))
        if let pagingState { writer.writeValue(pagingState) }
        if tellsChange { writer.writeShortBytes(id) }
        if !flags.contains(.noMetadata) { writer.write(encodedColumns(version)) }
    }

    /// Appends the result metadata of a Prepared result; a statement without rows has none.
    public func writePrepared(into writer: inout ByteWriter, version: ProtocolVersion) {
        write(into: &writer, version: version, isSkipped: columns.isEmpty)
    }

    static func isOneTable(_ columns: [ColumnSpecification]) -> Bool {
        guard let first = columns.first else { return false }
        return columns.allSatisfy { $0.keyspace == first.keyspace && $0.table == first.table }
    }

    /// Encodes specifications, with one table name in front when all are of one table.
    static func encode(_ columns: [ColumnSpecification], version: ProtocolVersion) -> [UInt8] {
        var writer = ByteWriter()
        let isOneTable = isOneTable(columns)
        if isOneTable, let first = columns.first {
            writer.writeString(first.keyspace)
            writer.writeString(first.table)
        }
        for column in columns {
            if !isOneTable {
                writer.writeString(column.keyspace)
                writer.writeString(column.table)
            }
            writer.writeString(column.name)
            TypeOption.write(column.type, into: &writer, version: version)
        }
        return writer.array()
    }

    private static func identifier(of columns: [ColumnSpecification]) -> [UInt8] {
        var text: [UInt8] = []
        for column in columns {
            text += Array(column.name.utf8) + [0]
            text += Array(column.type.marshalClassName.utf8) + [0, 0]
        }
        return MD5.digest(text)
    }
}

/// The bind markers of a prepared statement.
public struct PreparedMetadata: Sendable, Equatable {
    public var columns: [ColumnSpecification]
    /// For each column of the partition key, the marker that gives it; empty unless every one has a marker.
    public var partitionKeyIndexes: [UInt16]

    public init(columns: [ColumnSpecification], partitionKeyIndexes: [UInt16] = []) {
        self.columns = columns
        self.partitionKeyIndexes = partitionKeyIndexes
    }

    /// Appends the metadata of the bind markers.
    public func write(into writer: inout ByteWriter, version: ProtocolVersion) {
        let flags: ResultFlags = ResultMetadata.isOneTable(columns) ? .globalTable : []
        writer.write(flags.rawValue)
        writer.write(Int32(truncatingIfNeeded: columns.count))
        if version.hasPartitionKeyIndexes {
            writer.write(Int32(truncatingIfNeeded: partitionKeyIndexes.count))
            for index in partitionKeyIndexes { writer.write(index) }
        }
        writer.write(ResultMetadata.encode(columns, version: version))
    }

    public init(reading reader: inout ByteReader, version: ProtocolVersion) throws(ProtocolError) {
        let flags = ResultFlags(rawValue: try reader.readInt("metadata flags"))
        let count = try reader.readColumnCount()
        var indexes: [UInt16] = []
        if version.hasPartitionKeyIndexes {
            let indexCount = Int(try reader.readInt("the number of partition key indexes"))
            guard indexCount >= 0, indexCount <= Int(UInt16.max) else {
                throw ProtocolError("Invalid number of partition key indexes: \(indexCount)")
            }
            for _ in 0..<indexCount { indexes.append(try reader.readShort("a partition key index")) }
        }
        let hasColumns = !flags.contains(.noMetadata)
        self.columns = hasColumns ? try reader.readColumns(count, isOneTable: flags.contains(.globalTable)) : []
        self.partitionKeyIndexes = indexes
    }
}

/// The metadata of a result, as a client reads it.
public struct ReceivedMetadata: Sendable, Equatable {
    public var flags: ResultFlags
    public var columnCount: Int
    public var pagingState: [UInt8]?
    /// The new identifier when the server says that the columns have changed (v5).
    public var changedID: [UInt8]?
    /// Empty when the server left them out.
    public var columns: [ColumnSpecification]

    public init(reading reader: inout ByteReader) throws(ProtocolError) {
        self.flags = ResultFlags(rawValue: try reader.readInt("metadata flags"))
        self.columnCount = try reader.readColumnCount()
        self.pagingState = flags.contains(.hasMorePages) ? try reader.readOptionalBytes() : nil
        self.changedID = flags.contains(.metadataChanged) ? try reader.readShortBytes() : nil
        let hasColumns = !flags.contains(.noMetadata)
        self.columns = hasColumns ? try reader.readColumns(columnCount, isOneTable: flags.contains(.globalTable)) : []
    }
}

extension ByteReader {
    /// Reads a column count that some server could mean.
    mutating func readColumnCount() throws(ProtocolError) -> Int {
        let count = Int(try readInt("the column count"))
        guard count >= 0, count <= Int(UInt16.max) else { throw ProtocolError("Invalid column count: \(count)") }
        return count
    }

    /// Reads column specifications, and the table's name in front of them when they share one.
    mutating func readColumns(_ count: Int, isOneTable: Bool) throws(ProtocolError) -> [ColumnSpecification] {
        var keyspace = ""
        var table = ""
        if isOneTable {
            keyspace = try readString()
            table = try readString()
        }
        var columns: [ColumnSpecification] = []
        for _ in 0..<count {
            if !isOneTable {
                keyspace = try readString()
                table = try readString()
            }
            let name = try readString()
            let type = try TypeOption.read(&self)
            columns.append(ColumnSpecification(keyspace: keyspace, table: table, name: name, type: type))
        }
        return columns
    }
}
