package import Primitives

/// The binary form of a schema: the same schema has the same bytes on every node.
///
/// Strings are a length and UTF-8, maps are sorted by key, everything else has a fixed order. A user-defined type is
/// written once, with its keyspace; wherever else it is used, its name stands for it.
///
///     version 1 byte │ epoch 8 │ schema version 16 │ keyspaces: count, then each
package enum SchemaCodec {
    /// The version of the format that is written.
    package static let version: UInt8 = 1

    /// How deep types may be nested in what is read.
    package static let maximumTypeDepth = 64

    package static func encode(_ schema: Schema) -> [UInt8] {
        var encoder = SchemaEncoder()
        encoder.write(version)
        encoder.write(schema.epoch)
        encoder.write(schema.version)
        encoder.write(schema.sortedKeyspaces)
        return encoder.bytes
    }

    /// Reads what `encode` wrote.
    ///
    /// - Throws: whatever the bytes are, an error and not a trap: `.truncated` when they end early, `.invalid` when
    ///   they say what no schema says, or when bytes follow.
    package static func decode(_ bytes: RawSpan) throws(DecodingError) -> Schema {
        var decoder = SchemaDecoder(bytes)
        return try decoder.readSchema()
    }

    /// The identifier that drivers compare: an MD5 of the keyspaces that nodes share.
    ///
    /// Keyspaces of the node alone are left out, so that nodes of different releases, whose system tables may differ,
    /// agree. The epoch is left out too: it counts changes and says nothing about the content.
    package static func contentVersion(of schema: Schema) -> UUID {
        var encoder = SchemaEncoder()
        encoder.write(schema.sortedKeyspaces.filter { !$0.isLocal })
        return .named(digest: MD5.digest(encoder.bytes))
    }
}

extension KeyspaceDefinition {
    /// Whether every node has a keyspace of its own of this name: virtual, or stored by `LocalStrategy`.
    package var isLocal: Bool {
        isVirtual || replication["class"] == "org.apache.cassandra.locator.LocalStrategy"
    }
}

/// Appends the parts of a schema to a run of bytes.
struct SchemaEncoder: ~Copyable {
    private var writer = ByteWriter(capacity: 16 << 10)

    var bytes: [UInt8] { writer.array() }

    mutating func write(_ value: UInt8) { writer.write(value) }
    mutating func write(_ value: UInt64) { writer.write(value) }
    mutating func write(_ value: UUID) { writer.write(value.bytes) }
    mutating func write(_ value: Bool) { writer.write(value ? 1 as UInt8 : 0) }

    mutating func write(_ text: String) {
        writer.writeLength(text.utf8.count)
        writer.writeUTF8(text)
    }

    mutating func write(_ map: [String: String]) {
        writer.writeLength(map.count)
        for (key, value) in map.sorted(by: { precedes($0.key, $1.key) }) {
            write(key)
            write(value)
        }
    }

    mutating func write(_ keyspaces: [KeyspaceDefinition]) {
        writer.writeLength(keyspaces.count)
        for keyspace in keyspaces { write(keyspace) }
    }

    private mutating func write(_ keyspace: KeyspaceDefinition) {
        writeDefinition(of: keyspace)
        writer.writeLength(keyspace.types.count)
        for type in keyspace.typesInDependencyOrder { write(type) }
        writer.writeLength(keyspace.tables.count)
        for table in keyspace.sortedTables { write(table) }
    }

    /// A keyspace without its types and tables.
    mutating func writeDefinition(of keyspace: KeyspaceDefinition) {
        write(keyspace.name)
        write(keyspace.replication)
        write(keyspace.durableWrites)
        write(keyspace.isVirtual)
    }

    mutating func write(_ type: UserDefinedType) {
        write(type.name)
        writer.writeLength(type.fieldNames.count)
        for (fieldName, fieldType) in zip(type.fieldNames, type.fieldTypes) {
            write(fieldName)
            write(fieldType)
        }
    }

    mutating func write(_ table: TableDefinition) {
        write(table.name)
        write(table.id)
        writer.write(table.nextColumnID)
        let columns: [ColumnDefinition] = table.columns
        writer.writeLength(columns.count)
        for column in columns {
            write(column.name)
            writer.write(column.id)
            write(SchemaEncoder.tag(of: column.kind))
            writer.writeLength(column.position)
            write(column.isDescending)
            write(column.type)
        }
        writer.writeLength(table.droppedColumns.count)
        for column in table.droppedColumns {
            write(column.name)
            writer.write(column.id)
            write(SchemaEncoder.tag(of: column.kind))
            writer.write(column.droppedAt)
            write(column.type)
        }
        write(table.options)
    }

    private mutating func write(_ options: TableOptions) {
        write(options.additionalWritePolicy)
        write(options.allowAutoSnapshot)
        write(options.bloomFilterFalsePositiveChance.bitPattern)
        write(options.caching)
        write(options.cdc)
        write(options.comment)
        write(options.compaction)
        write(options.compression)
        write(options.crcCheckChance.bitPattern)
        writer.write(options.defaultTimeToLive)
        writer.writeLength(options.extensions.count)
        for (key, value) in options.extensions.sorted(by: { precedes($0.key, $1.key) }) {
            write(key)
            writer.writeLength(value.count)
            writer.write(value)
        }
        writer.write(options.gcGraceSeconds)
        write(options.incrementalBackups)
        writer.write(options.maxIndexInterval)
        write(options.memtable)
        writer.write(options.memtableFlushPeriodMilliseconds)
        writer.write(options.minIndexInterval)
        write(options.readRepair)
        write(options.speculativeRetry)
    }

    private mutating func write(_ type: CQLType) {
        write(type.kind.rawValue)
        switch type {
        case .list(let element, let isMultiCell), .set(let element, let isMultiCell):
            write(isMultiCell)
            write(element)
        case .map(let key, let value, let isMultiCell):
            write(isMultiCell)
            write(key)
            write(value)
        case .tuple(let fields):
            writer.writeLength(fields.count)
            for field in fields { write(field) }
        case .userDefined(let userType, let isMultiCell):
            write(isMultiCell)
            write(userType.name)
        case .vector(let element, let dimension):
            writer.writeLength(dimension)
            write(element)
        case .custom(let className): write(className)
        default: break
        }
    }

    private static func tag(of kind: ColumnKind) -> UInt8 {
        switch kind {
        case .partitionKey: 0
        case .clustering: 1
        case .static: 2
        case .regular: 3
        }
    }
}

/// The order of names: byte by byte, which does not depend on Unicode tables.
func precedes(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}
