import CQL
import DataModel
import Primitives
import Testing

@Suite struct RequestTests {
    private static func body(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        write(&writer)
        return writer.array()
    }

    private static let hello: [UInt8] = Array("hello".utf8)

    @Test func anExecuteOfVersion3HasItsKnownBytes() throws {
        let bytes: [UInt8] =
            [0, 4, 1, 2, 3, 4, 0, 0, 0x01, 0, 2, 0, 0, 0, 5] + Self.hello + [0xFF, 0xFF, 0xFF, 0xFF]
        let request = try ExecuteRequest(decoding: bytes.span.bytes, version: .v3)
        let identifier = bytes.span.bytes.array(of: request.statementID)
        #expect(identifier == [1, 2, 3, 4])
        #expect(request.parameters.consistency == .any)
        #expect(request.parameters.valueCount == 2)
        let values = request.parameters.values.all(in: bytes.span.bytes).map { bytes.span.bytes.array(of: $0) }
        #expect(values == [Self.hello, nil])
        let encoded = Self.body {
            $0.writeExecute(
                statementID: [1, 2, 3, 4], options: QueryOptions(consistency: .any),
                values: [.bytes(Self.hello), .null], version: .v3)
        }
        #expect(encoded == bytes)
    }

    @Test func theOptionsOfAnExecuteHaveTheirKnownBytes() throws {
        let bytes: [UInt8] = [
            0, 4, 1, 2, 3, 4, 0, 6, 0b0011_1110, 0, 0, 0, 100, 0, 0, 0, 4, 0xCA, 0xFE, 0xBA, 0xBE, 0, 9, 0, 0, 0, 0,
            0, 0, 0, 123,
        ]
        let parameters = try ExecuteRequest(decoding: bytes.span.bytes, version: .v4).parameters
        #expect(parameters.consistency == .localQuorum)
        #expect(parameters.skipsMetadata)
        #expect(parameters.pageSize == 100)
        let state = bytes.span.bytes.array(of: parameters.pagingState)
        #expect(state == [0xCA, 0xFE, 0xBA, 0xBE])
        #expect(parameters.serialConsistency == .localSerial)
        #expect(parameters.timestamp == 123)
        #expect(parameters.nowInSeconds == QueryParameters.noNow)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func aQueryWithEverythingComesBack(version: ProtocolVersion) throws {
        var options = QueryOptions(consistency: .eachQuorum)
        options.serialConsistency = .localSerial
        options.skipsMetadata = true
        options.pageSize = 5_000
        options.pagingState = [9, 8, 7]
        options.timestamp = 1_700_000_000_000_000
        options.keyspace = "shop"
        options.nowInSeconds = 1_700_000_000
        let bytes = Self.body {
            $0.writeQuery(
                "SELECT é", options: options, values: [.bytes([1, 2]), .null, .unset, .bytes([])],
                names: ["a", "b", "c", "d"], version: version)
        }
        let span = bytes.span.bytes
        let request = try QueryRequest(decoding: span, version: version)
        let text = try span.text(of: request.query)
        #expect(text == "SELECT é")
        let parameters = request.parameters
        #expect(parameters.consistency == .eachQuorum)
        #expect(parameters.serialConsistency == .localSerial)
        #expect(parameters.skipsMetadata)
        #expect(parameters.pageSize == 5_000)
        #expect(parameters.timestamp == 1_700_000_000_000_000)
        let state = span.array(of: parameters.pagingState)
        #expect(state == [9, 8, 7])
        let keyspace = try parameters.keyspace.hasBytes ? span.text(of: parameters.keyspace) : nil
        #expect(keyspace == (version >= .v5 ? "shop" : nil))
        #expect(parameters.nowInSeconds == (version >= .v5 ? 1_700_000_000 : QueryParameters.noNow))
        let names = try parameters.values.names(in: span)
        #expect(names == ["a", "b", "c", "d"])
        let values = parameters.values.all(in: span)
        #expect(values.map(\.byteCount) == [2, -1, version == .v3 ? -1 : -2, 0])
    }

    @Test(arguments: ProtocolVersion.allCases)
    func aPlainQueryHasNothingButItsLevel(version: ProtocolVersion) throws {
        let bytes = Self.body { $0.writeQuery("x", options: QueryOptions(), version: version) }
        #expect(bytes.count == 5 + 2 + (version >= .v5 ? 4 : 1))
        let parameters = try QueryRequest(decoding: bytes.span.bytes, version: version).parameters
        #expect(parameters == QueryParameters(consistency: .one))
        var cursor = parameters.values
        let first = cursor.next(in: bytes.span.bytes)
        #expect(first == nil)
    }

    @Test func surplusBytesAtTheEndAreIgnored() throws {
        let bytes = Self.body { $0.writeQuery("x", options: QueryOptions(), version: .v4) } + [1, 2, 3]
        _ = try QueryRequest(decoding: bytes.span.bytes, version: .v4)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func everyShorterBodyIsAProtocolError(version: ProtocolVersion) {
        var options = QueryOptions()
        options.pageSize = 10
        options.timestamp = 5
        let query = Self.body {
            $0.writeQuery("abc", options: options, values: [.bytes([1]), .null], version: version)
        }
        for count in 0..<query.count {
            let cut = Array(query[..<count])
            #expect(throws: ProtocolError.self) {
                _ = try QueryRequest(decoding: cut.span.bytes, version: version)
            }
        }
        let statements = [BatchedStatement(.text("a"), values: [.bytes([1])]), BatchedStatement(.prepared([2]))]
        let batch = Self.body {
            $0.writeBatch(.logged, statements: statements, options: QueryOptions(), version: version)
        }
        for count in 0..<batch.count {
            let cut = Array(batch[..<count])
            #expect(throws: ProtocolError.self) {
                _ = try BatchRequest(decoding: cut.span.bytes, version: version)
            }
        }
    }

    @Test func wrongFieldsAreRefusedWithTheirReason() {
        func refusal(_ bytes: [UInt8], _ version: ProtocolVersion = .v4) -> String? {
            do {
                _ = try QueryRequest(decoding: bytes.span.bytes, version: version)
                return nil
            } catch {
                return error.message
            }
        }
        let text: [UInt8] = [0, 0, 0, 1, 0x78]
        #expect(refusal(text + [0, 99, 0]) == "Unknown code 99 for a consistency level")
        #expect(refusal(text + [0, 1, 4, 0xFF, 0xFF, 0xFF, 0xFF]) == "Invalid page size: -1")
        let value: [UInt8] = [0, 1, 1, 0, 1, 0xFF, 0xFF, 0xFF, 0xFD]
        #expect(refusal(text + value) == "Invalid ByteBuf length -3")
        #expect(refusal(text + value, .v3) == nil)
        let timestamp: [UInt8] = [0, 1, 0x20, 0x80, 0, 0, 0, 0, 0, 0, 0]
        #expect(refusal(text + timestamp)?.hasPrefix("Out of bound timestamp, must be in") == true)
        #expect(refusal([0xFF, 0xFF, 0xFF, 0xFF]) != nil)
    }

    @Test(arguments: ProtocolVersion.allCases)
    func aBatchComesBackStatementByStatement(version: ProtocolVersion) throws {
        var options = QueryOptions(consistency: .quorum)
        options.timestamp = 77
        options.serialConsistency = .serial
        options.pageSize = 3
        let bytes = Self.body {
            $0.writeBatch(
                .counter,
                statements: [
                    BatchedStatement(.text("one"), values: [.bytes([1]), .unset]),
                    BatchedStatement(.prepared([1, 2, 3])),
                    BatchedStatement(.text("three"), values: [.null]),
                ], options: options, version: version)
        }
        let span = bytes.span.bytes
        let request = try BatchRequest(decoding: span, version: version)
        #expect(request.type == .counter)
        #expect(request.parameters.consistency == .quorum)
        #expect(request.parameters.timestamp == 77)
        #expect(request.parameters.pageSize == -1)
        var cursor = request.statements(version: version)
        let firstFound = cursor.next(in: span)
        let first = try #require(firstFound)
        let text = try span.text(of: first.queryOrID)
        #expect(text == "one")
        #expect(!first.isPrepared)
        let counts = first.values.all(in: span).map(\.byteCount)
        #expect(counts == [1, version == .v3 ? -1 : -2])
        let secondFound = cursor.next(in: span)
        let second = try #require(secondFound)
        #expect(second.isPrepared)
        let identifier = span.array(of: second.queryOrID)
        #expect(identifier == [1, 2, 3])
        let thirdFound = cursor.next(in: span)
        let third = try #require(thirdFound)
        #expect(third.valueCount == 1)
        let end = cursor.next(in: span)
        #expect(end == nil)
    }

    @Test func wrongKindsInABatchAreRefused() {
        let wrongType: [UInt8] = [3, 0, 0, 0, 1, 0]
        let wrongKind: [UInt8] = [0, 0, 1, 7]
        func refusal(_ bytes: [UInt8]) -> String? {
            do {
                _ = try BatchRequest(decoding: bytes.span.bytes, version: .v4)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(refusal(wrongType) == "Invalid BATCH message type 3")
        #expect(refusal(wrongKind) == "Invalid query kind in BATCH messages. Must be 0 or 1 but got 7")
    }

    @Test(arguments: ProtocolVersion.allCases)
    func aPrepareNamesItsKeyspaceFromVersion5(version: ProtocolVersion) throws {
        for keyspace in [nil, "shop"] {
            let bytes = Self.body { $0.writePrepare("SELECT", keyspace: keyspace, version: version) }
            let request = try PrepareRequest(decoding: bytes.span.bytes, version: version)
            let text = try bytes.span.bytes.text(of: request.query)
            #expect(text == "SELECT")
            let hasKeyspace = request.keyspace.hasBytes
            #expect(hasKeyspace == (version >= .v5 && keyspace != nil))
        }
    }

    @Test func aStartupIsCheckedInCassandrasWords() throws {
        func refusal(_ options: [String: String], _ version: ProtocolVersion) -> String? {
            do {
                _ = try StartupRequest(options: options).validated(version: version)
                return nil
            } catch {
                return error.message
            }
        }
        #expect(refusal([:], .v4) == "Missing value CQL_VERSION in STARTUP message")
        #expect(
            refusal(["CQL_VERSION": "2.0.0"], .v4)
                == "CQL version 2.0.0 is not supported by the binary protocol (supported version are >= 3.0.0)")
        #expect(refusal(["CQL_VERSION": "x"], .v4) == "Invalid version value: x")
        #expect(
            refusal(["CQL_VERSION": "3.0.0", "COMPRESSION": "snappy"], .v5)
                == "Snappy compression is not supported in protocol V5")
        #expect(
            refusal(["CQL_VERSION": "3.0.0", "COMPRESSION": "Zip"], .v4) == "Unknown compression algorithm: zip")
        let bytes = Self.body {
            $0.writeStartup(compression: .lz4, options: ["driver_name": "d", "THROW_ON_OVERLOAD": "1"])
        }
        let startup = try StartupRequest(decoding: bytes.span.bytes)
        let compression = try startup.validated(version: .v5)
        #expect(compression == .lz4)
        #expect(startup.driverName == "d")
        #expect(startup.throwsOnOverload)
    }

    @Test func registrationsAndCredentialsComeBack() throws {
        let register = Self.body { $0.writeRegister([.schemaChange, .statusChange]) }
        let types = try RegisterRequest(decoding: register.span.bytes, version: .v3).types
        #expect(types == [.schemaChange, .statusChange])
        let unknown = Self.body { $0.writeStringList(["NOPE"]) }
        #expect(throws: ProtocolError("Invalid value 'NOPE' for Type")) {
            _ = try RegisterRequest(decoding: unknown.span.bytes, version: .v4)
        }
        let response = AuthResponseRequest.plain(user: "ann", password: "sécret")
        let body = Self.body { $0.writeAuthResponse(response.token) }
        let read = try AuthResponseRequest(decoding: body.span.bytes)
        let credentials = try #require(read.plainCredentials)
        #expect(credentials.user == "ann")
        #expect(credentials.password == "sécret")
        let noNuls = AuthResponseRequest(token: [1, 2, 3]).plainCredentials == nil
        #expect(noNuls)
    }

    @Test func aCustomPayloadInFrontOfARequestIsPassed() throws {
        let message = Self.body { $0.writeQuery("x", options: QueryOptions(), version: .v4) }
        let body = Self.body {
            $0.writeBytesMap(["k": [1, 2], "n": nil])
            $0.write(message)
        }
        func rest(_ version: ProtocolVersion) throws -> [UInt8] {
            try body.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) throws -> [UInt8] in
                let header = FrameHeader(
                    version: version, flags: .customPayload, stream: 0, opcode: .query, bodyByteCount: bytes.count)
                return [UInt8](try Envelope(header: header, body: bytes).requestBody())
            }
        }
        let behind = try rest(.v4)
        #expect(behind == message)
        #expect(throws: ProtocolError.self) { _ = try rest(.v3) }
    }
}
