import CQL
import DataModel
import Primitives
import Testing

/// Valid streams with bytes changed, cut out, doubled and put in, fed to everything that reads a peer's bytes.
@Suite struct FrameFuzzTests {
    private static func requests(_ version: ProtocolVersion) -> [Message] {
        var options = QueryOptions(consistency: .quorum)
        options.pageSize = 100
        options.pagingState = [1, 2, 3, 4]
        options.timestamp = 1_000
        options.keyspace = "k"
        func message(_ opcode: Opcode, _ stream: Int16, _ write: (inout ByteWriter) -> Void) -> Message {
            var writer = ByteWriter()
            write(&writer)
            return Message(opcode, stream: stream, body: writer.array(), version: version)
        }
        let values: [BoundValue] = [.bytes([1, 2, 3]), .null, .bytes([UInt8](repeating: 0, count: 200))]
        return [
            message(.startup, 0) { $0.writeStartup(compression: .lz4, options: ["DRIVER_NAME": "x"]) },
            message(.query, 1) {
                $0.writeQuery("SELECT", options: options, values: values, names: ["a", "b", "c"], version: version)
            },
            message(.execute, 2) {
                $0.writeExecute(statementID: [1, 2], options: options, values: values, version: version)
            },
            message(.batch, 3) {
                let statements = [BatchedStatement(.text("a"), values: values), BatchedStatement(.prepared([7]))]
                $0.writeBatch(.logged, statements: statements, options: options, version: version)
            },
            message(.prepare, 4) { $0.writePrepare("SELECT", keyspace: "k", version: version) },
            message(.register, 5) { $0.writeRegister([.schemaChange, .statusChange]) },
            message(.authResponse, 6) { $0.writeAuthResponse([0, 65, 0, 66]) },
        ]
    }

    private static func responses(_ version: ProtocolVersion) -> [Message] {
        let type = UserDefinedType(keyspace: "k", name: "u", fieldNames: ["f"], fieldTypes: [.int])
        let tuple = CQLType.tuple([.int, .vector(.float, dimension: 3)])
        let columns: [ColumnSpecification] = [
            ColumnSpecification(keyspace: "k", table: "t", name: "a", type: .map(.text, .int, isMultiCell: true)),
            ColumnSpecification(keyspace: "k", table: "t", name: "b", type: tuple),
            ColumnSpecification(keyspace: "k", table: "t", name: "c", type: .userDefined(type, isMultiCell: false)),
        ]
        let metadata = ResultMetadata(columns: columns)
        let failures = [ReplicaFailure(address: .loopback, reason: .timeout)]
        func message(_ opcode: Opcode, _ stream: Int16, _ write: (inout ByteWriter) -> Void) -> Message {
            var writer = ByteWriter()
            write(&writer)
            return Message(opcode, stream: stream, body: writer.array(), version: version)
        }
        return [
            message(.result, 1) { writer in
                let place = writer.beginRows(metadata, version: version, pagingState: [1, 2])
                for _ in 0..<12 { writer.writeValue([1, 2, 3]) }
                writer.endRows(place, rowCount: 4)
            },
            message(.result, 2) {
                let markers = PreparedMetadata(columns: columns, partitionKeyIndexes: [0])
                $0.writePreparedResult(statementID: [1], markers: markers, result: metadata, version: version)
            },
            message(.error, 3) {
                let error = CQLError.readFailure(
                    .quorum, received: 1, required: 2, failures: failures, isDataPresent: true)
                error.write(into: &$0, version: version)
            },
            message(.event, -1) {
                let change = SchemaChange(.created, keyspace: "k", target: .function("f", argumentTypes: ["int"]))
                Event.schema(change).write(into: &$0, version: version)
            },
            message(.supported, 4) { $0.writeSupported(SupportedOptions.standard(languageVersion: "3.4.7")) },
        ]
    }

    private static func mutated(_ sound: [UInt8], _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes = sound
        for _ in 0..<(1 + generator.below(6)) where !bytes.isEmpty {
            let place = generator.below(bytes.count)
            switch generator.below(6) {
            case 0: bytes[place] = UInt8(truncatingIfNeeded: generator.next())
            case 1: bytes[place] ^= 1 << UInt8(generator.below(8))
            case 2: bytes[place] = [0, 1, 0x7F, 0x80, 0xFE, 0xFF][generator.below(6)]
            case 3: bytes.removeSubrange(place..<min(bytes.count, place + 1 + generator.below(9)))
            case 4: bytes.insert(contentsOf: generator.bytes(1 + generator.below(9)), at: place)
            default: bytes.insert(contentsOf: bytes[place..<min(bytes.count, place + 30)], at: place)
            }
        }
        return bytes
    }

    /// Decodes a request in full; only refusals may come out.
    private static func readRequest(_ message: Message) {
        let body = message.body.span.bytes
        do throws(ProtocolError) {
            switch message.opcode {
            case .query:
                let request = try QueryRequest(decoding: body, version: message.version)
                _ = try body.text(of: request.query)
                _ = request.parameters.values.all(in: body).map { body.array(of: $0) }
                _ = try request.parameters.values.names(in: body)
                _ = try PagingState(decoding: body.bytes(of: request.parameters.pagingState))
            case .execute:
                let request = try ExecuteRequest(decoding: body, version: message.version)
                _ = request.parameters.values.all(in: body).map { body.array(of: $0) }
            case .batch:
                let request = try BatchRequest(decoding: body, version: message.version)
                var cursor = request.statements(version: message.version)
                while let entry = cursor.next(in: body) { _ = entry.values.all(in: body) }
            case .prepare: _ = try PrepareRequest(decoding: body, version: message.version)
            case .startup: _ = try StartupRequest(decoding: body).validated(version: message.version)
            case .register: _ = try RegisterRequest(decoding: body, version: message.version)
            case .authResponse: _ = try AuthResponseRequest(decoding: body).plainCredentials
            default: break
            }
        } catch {
            // A refusal is what damaged bytes deserve.
        }
    }

    private static func readResponse(_ message: Message) {
        let header = FrameHeader(
            version: message.version, flags: message.flags, stream: message.stream, opcode: message.opcode,
            bodyByteCount: message.body.count)
        guard let (_, response) = try? Response.decode(header, message.body.span.bytes) else { return }
        if case .rows(let rows) = response { _ = rows.rows(in: message.body.span.bytes) }
    }

    @Test(arguments: Framing.all)
    func malformedFramesNeverCrashAndNeverTakeMuchMemory(framing: Framing) {
        let seed = UInt64(framing.version.rawValue) << 8 | UInt64(framing.compression.rawValue)
        var generator = SeededGenerator(seed: seed)
        let limits = FrameLimits(frameByteCount: 8_192, keptScratchByteCount: 1_024)
        let toServer = framing.bytes(of: Self.requests(framing.version))
        let toClient = framing.bytes(of: Self.responses(framing.version))
        for round in 0..<2_500 {
            let isServer = round % 2 == 0
            let stream = Self.mutated(isServer ? toServer : toClient, &generator)
            var buffer = framing.readBuffer(isServer ? .server : .client, limits: limits)
            var position = 0
            while position < stream.count, !buffer.isClosed {
                let end = min(stream.count, position + 1 + generator.below(600))
                for outcome in buffer.receive(stream[position..<end]) {
                    guard case .message(let message) = outcome else { continue }
                    if isServer { Self.readRequest(message) } else { Self.readResponse(message) }
                }
                position = end
            }
            let held = buffer.splitter.heldByteCount
            #expect(held <= 4 * 131_072 + 2 * 8_192, "seed \(seed), round \(round)")
        }
    }

    /// Checksums stop nearly every damage to segments, so the messages inside are damaged on their own here.
    @Test(arguments: ProtocolVersion.allCases)
    func malformedMessagesNeverCrash(version: ProtocolVersion) {
        var generator = SeededGenerator(seed: UInt64(version.rawValue))
        let requests = Self.requests(version)
        let responses = Self.responses(version)
        for _ in 0..<7_000 {
            var request = requests[generator.below(requests.count)]
            request.body = Self.mutated(request.body, &generator)
            Self.readRequest(request)
            var response = responses[generator.below(responses.count)]
            response.body = Self.mutated(response.body, &generator)
            response.flags = FrameFlags(rawValue: generator.oneIn(3) ? UInt8(generator.below(16)) : 0)
            Self.readResponse(response)
        }
    }
}
