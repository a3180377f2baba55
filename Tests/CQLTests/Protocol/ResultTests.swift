import CQL
import DataModel
import Primitives
import Testing

@Suite struct ResultTests {
    private static let address = UserDefinedType(
        keyspace: "shop", name: "address", fieldNames: ["street", "since"], fieldTypes: [.text, .date])

    private static let types: [CQLType] = [
        .ascii, .bigint, .blob, .boolean, .counter, .date, .decimal, .double, .duration, .float, .inet, .int,
        .smallint, .text, .time, .timestamp, .timeuuid, .tinyint, .uuid, .varint,
        .list(.int, isMultiCell: true), .set(.duration, isMultiCell: false),
        .map(.text, .list(.tinyint, isMultiCell: false), isMultiCell: true), .tuple([.int, .time, .text]),
        .userDefined(address, isMultiCell: true), .vector(.float, dimension: 3),
        .list(.vector(.smallint, dimension: 2), isMultiCell: true), .custom(className: "com.example.Thing"),
    ]

    private static let columns: [ColumnSpecification] = types.enumerated().map { index, type in
        ColumnSpecification(keyspace: "shop", table: "items", name: "c\(index)", type: type)
    }

    private static func option(_ type: CQLType, _ version: ProtocolVersion) -> [UInt8] {
        var writer = ByteWriter()
        TypeOption.write(type, into: &writer, version: version)
        return writer.array()
    }

    private static func decode(
        _ opcode: Opcode, _ version: ProtocolVersion, flags: FrameFlags = [], _ body: [UInt8]
    ) throws -> (prefix: ResponsePrefix, response: Response) {
        let header = FrameHeader(version: version, flags: flags, stream: 1, opcode: opcode, bodyByteCount: body.count)
        return try Response.decode(header, body.span.bytes)
    }

    private static func body(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        write(&writer)
        return writer.array()
    }

    @Test(arguments: ProtocolVersion.allCases)
    func everyTypeComesBack(version: ProtocolVersion) throws {
        for type in Self.types {
            let bytes = Self.option(type, version)
            var reader = ByteReader(bytes.span.bytes)
            let read = try TypeOption.read(&reader)
            #expect(read == type.frozen, "\(type)")
        }
    }

    @Test func aTypeThatIsTooNewIsSentByItsClass() {
        func named(_ name: String) -> [UInt8] {
            let text = Array("org.apache.cassandra.db.marshal.\(name)".utf8)
            return [0, 0, 0, UInt8(text.count)] + text
        }
        #expect(Self.option(.date, .v3) == named("SimpleDateType"))
        #expect(Self.option(.date, .v4) == [0, 0x11])
        #expect(Self.option(.time, .v3) == named("TimeType"))
        #expect(Self.option(.smallint, .v3) == named("ShortType"))
        #expect(Self.option(.tinyint, .v3) == named("ByteType"))
        #expect(Self.option(.duration, .v4) == named("DurationType"))
        #expect(Self.option(.duration, .v5) == [0, 0x15])
        let vector = "VectorType(org.apache.cassandra.db.marshal.FloatType , 3)"
        for version in ProtocolVersion.allCases {
            #expect(Self.option(.vector(.float, dimension: 3), version) == named(vector))
        }
        #expect(Self.option(.list(.text, isMultiCell: true), .v3) == [0, 0x20, 0, 0x0D])
        #expect(Self.option(.list(.text, isMultiCell: false), .v3) == [0, 0x20, 0, 0x0D])
    }

    @Test func aTypeNestedWithoutEndIsRefused() {
        var bytes: [UInt8] = []
        for _ in 0..<100_000 { bytes += [0, 0x20] }
        #expect(throws: ProtocolError.self) {
            var reader = ByteReader(bytes.span.bytes)
            _ = try TypeOption.read(&reader)
        }
        let name = Array(String(repeating: "ListType(", count: 5_000).utf8)
        let custom: [UInt8] = [0, 0, UInt8(name.count >> 8), UInt8(name.count & 255)] + name
        var reader = ByteReader(custom.span.bytes)
        let read = try? TypeOption.read(&reader)
        #expect(read == .custom(className: String(repeating: "ListType(", count: 5_000)))
    }

    @Test(arguments: ProtocolVersion.allCases)
    func rowsComeBackWithTheirColumnsAndPages(version: ProtocolVersion) throws {
        let metadata = ResultMetadata(columns: Array(Self.columns.prefix(2)))
        let body = Self.body { writer in
            let place = writer.beginRows(metadata, version: version, pagingState: [5, 6])
            for row in 0..<3 {
                writer.writeValue([UInt8(row)])
                writer.writeNull()
            }
            writer.endRows(place, rowCount: 3)
        }
        guard case .rows(let rows) = try Self.decode(.result, version, body).response else {
            Issue.record("no rows")
            return
        }
        #expect(rows.rowCount == 3)
        #expect(rows.metadata.pagingState == [5, 6])
        #expect(rows.metadata.columns == metadata.columns)
        #expect(rows.metadata.flags == [.globalTable, .hasMorePages])
        let values = rows.rows(in: body.span.bytes)
        #expect(values == [[[0], nil], [[1], nil], [[2], nil]])
    }

    @Test func aSmallRowsResultHasItsKnownBytes() {
        let column = ColumnSpecification(keyspace: "k", table: "t", name: "c", type: .int)
        let body = Self.body { writer in
            let place = writer.beginRows(ResultMetadata(columns: [column]), version: .v4)
            writer.writeValue([0, 0, 0, 9])
            writer.endRows(place, rowCount: 1)
        }
        let known: [UInt8] = [
            0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0x6B, 0, 1, 0x74, 0, 1, 0x63, 0, 9, 0, 0, 0, 1, 0, 0, 0, 4, 0, 0,
            0, 9,
        ]
        #expect(body == known)
    }

    @Test func columnsOfSeveralTablesNameTheirOwn() throws {
        var columns = Array(Self.columns.prefix(3))
        columns[1].table = "others"
        let metadata = ResultMetadata(columns: columns)
        let body = Self.body { writer in
            let place = writer.beginRows(metadata, version: .v4)
            writer.endRows(place, rowCount: 0)
        }
        guard case .rows(let rows) = try Self.decode(.result, .v4, body).response else { return }
        #expect(rows.metadata.columns == columns)
        #expect(rows.metadata.flags == [])
    }

    @Test func columnsAreLeftOutOnRequestUnlessTheyHaveChanged() throws {
        let metadata = ResultMetadata(columns: Array(Self.columns.prefix(2)))
        for version in ProtocolVersion.allCases {
            let body = Self.body { writer in
                let place = writer.beginRows(metadata, version: version, isSkipped: true)
                writer.endRows(place, rowCount: 0)
            }
            guard case .rows(let rows) = try Self.decode(.result, version, body).response else { return }
            #expect(rows.metadata.columns.isEmpty)
            #expect(rows.metadata.columnCount == 2)
        }
        let changed = Self.body { writer in
            let place = writer.beginRows(metadata, version: .v5, isSkipped: true, isChanged: true)
            writer.endRows(place, rowCount: 0)
        }
        guard case .rows(let rows) = try Self.decode(.result, .v5, changed).response else { return }
        #expect(rows.metadata.changedID == metadata.id)
        #expect(rows.metadata.columns == metadata.columns)
    }

    @Test func theIdentifierFollowsNamesAndTypes() {
        let first = ResultMetadata(columns: Array(Self.columns.prefix(2)))
        var renamed = Array(Self.columns.prefix(2))
        renamed[0].name = "other"
        var retyped = Array(Self.columns.prefix(2))
        retyped[0].type = .text
        let identifiers = [first.id, ResultMetadata(columns: renamed).id, ResultMetadata(columns: retyped).id]
        #expect(Set(identifiers).count == 3)
        #expect(first.id.count == 16)
        #expect(ResultMetadata(columns: Array(Self.columns.prefix(2))).id == first.id)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func preparedStatementsComeBack(version: ProtocolVersion) throws {
        let markers = PreparedMetadata(columns: Array(Self.columns.prefix(3)), partitionKeyIndexes: [2, 0])
        let result = ResultMetadata(columns: Self.columns)
        let body = Self.body {
            $0.writePreparedResult(statementID: [1, 2, 3], markers: markers, result: result, version: version)
        }
        guard case .prepared(let prepared) = try Self.decode(.result, version, body).response else {
            Issue.record("not prepared")
            return
        }
        #expect(prepared.statementID == [1, 2, 3])
        #expect(prepared.resultMetadataID == (version >= .v5 ? result.id : []))
        let frozen = markers.columns.map(\.type.frozen)
        #expect(prepared.markers.columns.map(\.type) == frozen)
        #expect(prepared.markers.partitionKeyIndexes == (version == .v3 ? [] : [2, 0]))
        #expect(prepared.result.columns.map(\.name) == Self.columns.map(\.name))
        let void = Self.body {
            $0.writePreparedResult(
                statementID: [1], markers: PreparedMetadata(columns: []), result: .empty, version: version)
        }
        guard case .prepared(let empty) = try Self.decode(.result, version, void).response else { return }
        #expect(empty.result.flags == .noMetadata)
        #expect(empty.result.columnCount == 0)
    }

    @Test func aRowCountThatTheBodyCannotHoldIsRefused() {
        let metadata = ResultMetadata(columns: Array(Self.columns.prefix(1)))
        let body = Self.body { writer in
            let place = writer.beginRows(metadata, version: .v4)
            writer.endRows(place, rowCount: 2_000_000_000)
        }
        #expect(throws: ProtocolError.self) { _ = try Self.decode(.result, .v4, body) }
    }

    @Test(arguments: ProtocolVersion.allCases)
    func theOtherMessagesComeBack(version: ProtocolVersion) throws {
        let supported = SupportedOptions.standard(languageVersion: "3.4.7")
        #expect(supported["PROTOCOL_VERSIONS"] == ["3/v3", "4/v4", "5/v5", "6/v6-beta"])
        let cases: [(Opcode, [UInt8], Response)] = [
            (.ready, [], .ready),
            (.authenticate, Self.body { $0.writeAuthenticate(className: "a.B") }, .authenticate(className: "a.B")),
            (.supported, Self.body { $0.writeSupported(supported) }, .supported(supported)),
            (.authChallenge, Self.body { $0.writeAuthToken([1]) }, .authChallenge([1])),
            (.authSuccess, Self.body { $0.writeAuthToken(nil) }, .authSuccess(nil)),
            (.result, Self.body { $0.writeVoidResult() }, .void),
            (.result, Self.body { $0.writeSetKeyspaceResult("k") }, .setKeyspace("k")),
            (
                .error, Self.body { CQLError.invalid(message: "m").write(into: &$0, version: version) },
                .error(.invalid(message: "m"))
            ),
        ]
        for (opcode, body, expected) in cases {
            let read = try Self.decode(opcode, version, body).response
            #expect(read == expected)
        }
    }

    @Test func schemaChangesAndEventsComeBack() throws {
        let endpoint = InetEndpoint(address: try #require(InetAddress(text: "2001:db8::1")), port: 9042)
        let changes: [SchemaChange] = [
            SchemaChange(.created, keyspace: "k"), SchemaChange(.updated, keyspace: "k", target: .table("t")),
            SchemaChange(.dropped, keyspace: "k", target: .type("y")),
            SchemaChange(.created, keyspace: "k", target: .function("f", argumentTypes: ["int"])),
            SchemaChange(.created, keyspace: "k", target: .aggregate("g", argumentTypes: [])),
        ]
        var events: [Event] = changes.map { .schema($0) }
        events += [.topology(.newNode, endpoint), .topology(.movedNode, endpoint), .status(.down, endpoint)]
        for event in events {
            let body = Self.body { event.write(into: &$0, version: .v4) }
            let read = try Self.decode(.event, .v4, body).response
            #expect(read == .event(event))
        }
        for change in changes {
            let body = Self.body { $0.writeSchemaChangeResult(change, version: .v5) }
            let read = try Self.decode(.result, .v5, body).response
            #expect(read == .schemaChange(change))
        }
        let old = Self.body { Event.schema(changes[3]).write(into: &$0, version: .v3) }
        let read = try Self.decode(.event, .v3, old).response
        #expect(read == .event(.schema(SchemaChange(.updated, keyspace: "k"))))
    }

    @Test func tracingWarningsAndPayloadStandInFrontInTheirOrder() throws {
        let prefix = ResponsePrefix(
            tracingID: UUID(high: 1, low: 2), warnings: ["careful"], customPayload: ["k": [1], "n": nil])
        let body = Self.body { writer in
            prefix.write(into: &writer, flags: prefix.flags(.v4))
            writer.writeVoidResult()
        }
        let (read, response) = try Self.decode(.result, .v4, flags: prefix.flags(.v4), body)
        #expect(read == prefix)
        #expect(response == .void)
        #expect(Array(body.prefix(16)) == UUID(high: 1, low: 2).bytes)
        #expect(prefix.flags(.v3) == .tracing)
    }
}
