import Primitives
import Testing

@testable import DataModel

/// The binary form of the schema.
@Suite struct SchemaCodecTests {
    private var sample: Schema {
        let inner = UserDefinedType(
            keyspace: "ks", name: "z", fieldNames: ["a", "b"], fieldTypes: [.int, .list(.text, isMultiCell: true)])
        let outer = UserDefinedType(
            keyspace: "ks", name: "a", fieldNames: ["z"], fieldTypes: [.userDefined(inner, isMultiCell: false)])
        var keyspace = KeyspaceDefinition(
            name: "ks", replication: ["class": "SimpleStrategy", "replication_factor": "3"], durableWrites: false)
        keyspace.types = ["z": inner, "a": outer]
        var options = TableOptions()
        options.comment = "naïve ☃"
        options.extensions = ["x": [0, 255]]
        options.bloomFilterFalsePositiveChance = 0.25
        let columns: [ColumnDefinition] = [
            ColumnDefinition(name: "k", kind: .partitionKey, type: .frozenTuple),
            ColumnDefinition(name: "c", kind: .clustering, type: .timeuuid, isDescending: true),
            ColumnDefinition(name: "s", id: 1, kind: .static, type: .userDefined(outer, isMultiCell: true)),
            ColumnDefinition(name: "v", id: 2, kind: .regular, type: .vector(.float, dimension: 3)),
            ColumnDefinition(name: "m", id: 4, kind: .regular, type: .map(.text, .blob, isMultiCell: true)),
            ColumnDefinition(name: "x", id: 5, kind: .regular, type: .custom(className: "org.x.Y")),
        ]
        keyspace.tables["t"] = TableDefinition(
            keyspace: "ks", name: "t", id: UUID(high: 1, low: 2), columns: columns,
            droppedColumns: [DroppedColumn(name: "d", id: 3, kind: .regular, type: .counter, droppedAt: -1)],
            options: options, nextColumnID: 6)
        var schema = Schema()
        schema.keyspaces = ["ks": keyspace, "empty": KeyspaceDefinition(name: "empty", replication: [:])]
        schema.epoch = 77
        schema.version = SchemaCodec.contentVersion(of: schema)
        return schema
    }

    @Test func whatIsWrittenIsReadBack() throws {
        let bytes = SchemaCodec.encode(sample)
        let decoded = try SchemaCodec.decode(bytes.span.bytes)
        #expect(decoded == sample)
        #expect(SchemaCodec.encode(decoded) == bytes)
        let empty = try SchemaCodec.decode(SchemaCodec.encode(Schema()).span.bytes)
        #expect(empty == Schema())
    }

    @Test func everyScalarTypeSurvives() throws {
        var schema = Schema()
        var keyspace = KeyspaceDefinition(name: "ks", replication: [:])
        var columns: [ColumnDefinition] = [ColumnDefinition(name: "k", kind: .partitionKey, type: .int)]
        for (index, type) in CQLType.scalars.enumerated() {
            columns.append(
                ColumnDefinition(name: "c\(index)", id: UInt16(index + 1), kind: .regular, type: type))
        }
        keyspace.tables["t"] = TableDefinition(
            keyspace: "ks", name: "t", id: UUID(high: 0, low: 0), columns: columns, nextColumnID: 99)
        schema.keyspaces["ks"] = keyspace
        let decoded = try SchemaCodec.decode(SchemaCodec.encode(schema).span.bytes)
        #expect(decoded == schema)
    }

    @Test func bytesThatEndEarlyAreAnError() {
        let bytes = SchemaCodec.encode(sample)
        for count in 0..<bytes.count {
            let cut = Array(bytes.prefix(count))
            #expect(throws: DecodingError.self) { try SchemaCodec.decode(cut.span.bytes) }
        }
        let longer = bytes + [0]
        #expect(throws: DecodingError.self) { try SchemaCodec.decode(longer.span.bytes) }
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func damagedBytesNeverTrap(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bytes = SchemaCodec.encode(sample)
        for _ in 0..<2000 {
            var damaged = bytes
            for _ in 0...random.below(4) {
                damaged[random.below(damaged.count)] = UInt8(truncatingIfNeeded: random.next())
            }
            _ = try? SchemaCodec.decode(damaged.span.bytes)
        }
    }

    @Test func theVersionFollowsFromSharedContentAlone() {
        var other = sample
        other.epoch = 1
        var local = KeyspaceDefinition(
            name: "local", replication: ["class": "org.apache.cassandra.locator.LocalStrategy"])
        other.keyspaces["local"] = local
        #expect(SchemaCodec.contentVersion(of: other) == SchemaCodec.contentVersion(of: sample))
        local.replication = ["class": "SimpleStrategy"]
        other.keyspaces["local"] = local
        #expect(SchemaCodec.contentVersion(of: other) != SchemaCodec.contentVersion(of: sample))
    }
}

extension CQLType {
    fileprivate static var frozenTuple: CQLType { .tuple([.int, .text]) }
}
