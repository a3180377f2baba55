package import Primitives

/// The parts of a schema each by itself, for a log that names what changes. The forms are those inside a whole schema;
/// user-defined types are named where they are used, so types and tables are read with the types of their keyspace.
extension SchemaCodec {
    /// A keyspace without its types and tables.
    package static func encodeDefinition(of keyspace: KeyspaceDefinition) -> [UInt8] {
        var encoder = SchemaEncoder()
        encoder.writeDefinition(of: keyspace)
        return encoder.bytes
    }

    package static func encode(_ type: UserDefinedType) -> [UInt8] {
        var encoder = SchemaEncoder()
        encoder.write(type)
        return encoder.bytes
    }

    package static func encode(_ table: TableDefinition) -> [UInt8] {
        var encoder = SchemaEncoder()
        encoder.write(table)
        return encoder.bytes
    }

    package static func decodeDefinition(_ bytes: RawSpan) throws(DecodingError) -> KeyspaceDefinition {
        var decoder = SchemaDecoder(bytes)
        let keyspace: KeyspaceDefinition = try decoder.readDefinition()
        try decoder.end()
        return keyspace
    }

    package static func decodeType(
        _ bytes: RawSpan, keyspace: String, types: [String: UserDefinedType]
    ) throws(DecodingError) -> UserDefinedType {
        var decoder = SchemaDecoder(bytes, types: types)
        let type: UserDefinedType = try decoder.readUserType(keyspace: keyspace)
        try decoder.end()
        return type
    }

    package static func decodeTable(
        _ bytes: RawSpan, keyspace: String, types: [String: UserDefinedType]
    ) throws(DecodingError) -> TableDefinition {
        var decoder = SchemaDecoder(bytes, types: types)
        let table: TableDefinition = try decoder.readTable(keyspace: keyspace)
        try decoder.end()
        return table
    }
}
