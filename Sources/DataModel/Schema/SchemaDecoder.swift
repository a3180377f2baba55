import Primitives

/// Reads a schema back. Nothing that the bytes say is trusted: counts are held against what is left, names must be
/// known, and nesting is bounded.
struct SchemaDecoder: ~Escapable {
    private var reader: ByteReader
    /// The types of the keyspace that is being read, by name.
    private var types: [String: UserDefinedType] = [:]
    /// How many types may still be written out; types that hold each other many times would otherwise explode.
    private static let maximumPartCount = 100_000

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) {
        self.reader = ByteReader(bytes)
    }

    /// Reads a part of a keyspace that has these types already.
    @_lifetime(copy bytes)
    init(_ bytes: RawSpan, types: [String: UserDefinedType]) {
        self.reader = ByteReader(bytes)
        self.types = types
    }

    func end() throws(DecodingError) {
        guard reader.isAtEnd else { throw invalid("bytes after the end") }
    }

    mutating func readSchema() throws(DecodingError) -> Schema {
        let version = try reader.readUInt8()
        guard version == SchemaCodec.version else {
            throw .invalid(offset: 0, what: "an unknown version of the schema")
        }
        var schema = Schema()
        schema.epoch = try reader.readUInt64()
        schema.version = try readUUID()
        for _ in 0..<(try readCount()) {
            let keyspace = try readKeyspace()
            guard schema.keyspaces.updateValue(keyspace, forKey: keyspace.name) == nil else {
                throw invalid("a keyspace that is there twice")
            }
        }
        guard reader.isAtEnd else { throw invalid("bytes after the schema") }
        return schema
    }

    private mutating func readKeyspace() throws(DecodingError) -> KeyspaceDefinition {
        var keyspace = try readDefinition()
        let name: String = keyspace.name
        types = [:]
        for _ in 0..<(try readCount()) {
            let type = try readUserType(keyspace: name)
            guard types.updateValue(type, forKey: type.name) == nil else { throw invalid("a type that is there twice") }
        }
        keyspace.types = types
        for _ in 0..<(try readCount()) {
            let table = try readTable(keyspace: name)
            guard keyspace.tables.updateValue(table, forKey: table.name) == nil else {
                throw invalid("a table that is there twice")
            }
        }
        return keyspace
    }

    /// A keyspace without its types and tables.
    mutating func readDefinition() throws(DecodingError) -> KeyspaceDefinition {
        let name = try readString()
        let replication = try readMap()
        let durableWrites = try readBool()
        var keyspace = KeyspaceDefinition(name: name, replication: replication, durableWrites: durableWrites)
        keyspace.isVirtual = try readBool()
        return keyspace
    }

    mutating func readUserType(keyspace: String) throws(DecodingError) -> UserDefinedType {
        let name = try readString()
        var fieldNames: [String] = []
        var fieldTypes: [CQLType] = []
        for _ in 0..<(try readCount()) {
            fieldNames.append(try readString())
            fieldTypes.append(try readType())
        }
        return UserDefinedType(keyspace: keyspace, name: name, fieldNames: fieldNames, fieldTypes: fieldTypes)
    }

    mutating func readTable(keyspace: String) throws(DecodingError) -> TableDefinition {
        let name = try readString()
        let id = try readUUID()
        let nextColumnID = try reader.readUInt16()
        var columns: [ColumnDefinition] = []
        var names: Set<String> = []
        for _ in 0..<(try readCount()) {
            let column = try readColumn()
            guard names.insert(column.name).inserted else { throw invalid("a column that is there twice") }
            columns.append(column)
        }
        guard columns.contains(where: { $0.kind == .partitionKey }) else {
            throw invalid("a table without a partition key")
        }
        var dropped: [DroppedColumn] = []
        for _ in 0..<(try readCount()) {
            let columnName = try readString()
            let columnID = try reader.readUInt16()
            let kind = try readKind()
            let droppedAt = try reader.readInt64()
            dropped.append(
                DroppedColumn(name: columnName, id: columnID, kind: kind, type: try readType(), droppedAt: droppedAt))
        }
        return TableDefinition(
            keyspace: keyspace, name: name, id: id, columns: columns, droppedColumns: dropped,
            options: try readOptions(), nextColumnID: nextColumnID)
    }

    private mutating func readColumn() throws(DecodingError) -> ColumnDefinition {
        let name = try readString()
        let id = try reader.readUInt16()
        let kind = try readKind()
        let position = try reader.readLength()
        let isDescending = try readBool()
        return ColumnDefinition(
            name: name, id: id, kind: kind, position: position, type: try readType(), isDescending: isDescending)
    }

    private mutating func readOptions() throws(DecodingError) -> TableOptions {
        var options = TableOptions()
        options.additionalWritePolicy = try readString()
        options.allowAutoSnapshot = try readBool()
        options.bloomFilterFalsePositiveChance = Double(bitPattern: try reader.readUInt64())
        options.caching = try readMap()
        options.cdc = try readBool()
        options.comment = try readString()
        options.compaction = try readMap()
        options.compression = try readMap()
        options.crcCheckChance = Double(bitPattern: try reader.readUInt64())
        options.defaultTimeToLive = try reader.readInt32()
        for _ in 0..<(try readCount()) {
            let key = try readString()
            let byteCount = try reader.readLength()
            options.extensions[key] = try reader.readArray(byteCount)
        }
        options.gcGraceSeconds = try reader.readInt32()
        options.incrementalBackups = try readBool()
        options.maxIndexInterval = try reader.readInt32()
        options.memtable = try readString()
        options.memtableFlushPeriodMilliseconds = try reader.readInt32()
        options.minIndexInterval = try reader.readInt32()
        options.readRepair = try readString()
        options.speculativeRetry = try readString()
        return options
    }

    private mutating func readType() throws(DecodingError) -> CQLType {
        let type = try readType(depth: 0)
        guard type.partCount(upTo: SchemaDecoder.maximumPartCount) < SchemaDecoder.maximumPartCount else {
            throw invalid("a type of too many parts")
        }
        return type
    }

    private mutating func readType(depth: Int) throws(DecodingError) -> CQLType {
        guard depth < SchemaCodec.maximumTypeDepth else { throw invalid("types that are nested too deeply") }
        let tag = try reader.readUInt8()
        guard let kind = ValueKind(rawValue: tag) else { throw invalid("an unknown type") }
        switch kind {
        case .list:
            let isMultiCell = try readBool()
            return .list(try readType(depth: depth + 1), isMultiCell: isMultiCell)
        case .set:
            let isMultiCell = try readBool()
            return .set(try readType(depth: depth + 1), isMultiCell: isMultiCell)
        case .map:
            let isMultiCell = try readBool()
            let key = try readType(depth: depth + 1)
            return .map(key, try readType(depth: depth + 1), isMultiCell: isMultiCell)
        case .tuple:
            var fields: [CQLType] = []
            for _ in 0..<(try readCount()) { fields.append(try readType(depth: depth + 1)) }
            return .tuple(fields)
        case .userDefined:
            let isMultiCell = try readBool()
            guard let type = types[try readString()] else { throw invalid("a type that the keyspace does not have") }
            return .userDefined(type, isMultiCell: isMultiCell)
        case .vector:
            let dimension = try reader.readLength()
            guard dimension > 0 else { throw invalid("a vector without elements") }
            return .vector(try readType(depth: depth + 1), dimension: dimension)
        case .custom: return .custom(className: try readString())
        default:
            guard let type = CQLType.scalars.first(where: { $0.kind == kind }) else { throw invalid("an unknown type") }
            return type
        }
    }

    private mutating func readKind() throws(DecodingError) -> ColumnKind {
        switch try reader.readUInt8() {
        case 0: .partitionKey
        case 1: .clustering
        case 2: .static
        case 3: .regular
        default: throw invalid("an unknown kind of column")
        }
    }

    private mutating func readMap() throws(DecodingError) -> [String: String] {
        var map: [String: String] = [:]
        for _ in 0..<(try readCount()) {
            let key = try readString()
            map[key] = try readString()
        }
        return map
    }

    /// A number of things, each of at least one byte.
    private mutating func readCount() throws(DecodingError) -> Int {
        let count = try reader.readLength()
        guard count <= reader.remaining else { throw invalid("more things than bytes") }
        return count
    }

    private mutating func readString() throws(DecodingError) -> String {
        let byteCount = try reader.readLength()
        let bytes = try reader.readArray(byteCount)
        guard let text = String(validating: bytes, as: UTF8.self) else { throw invalid("text that is not UTF-8") }
        return text
    }

    private mutating func readBool() throws(DecodingError) -> Bool {
        switch try reader.readUInt8() {
        case 0: false
        case 1: true
        default: throw invalid("a truth value that is neither")
        }
    }

    private mutating func readUUID() throws(DecodingError) -> UUID {
        let high = try reader.readUInt64()
        return UUID(high: high, low: try reader.readUInt64())
    }

    private func invalid(_ what: StaticString) -> DecodingError {
        .invalid(offset: reader.offset, what: what)
    }
}
