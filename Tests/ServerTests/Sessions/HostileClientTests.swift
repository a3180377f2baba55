import CQL
import Primitives
import SimulatedHost
import Simulation
import Testing

/// Clients that send what is no conversation. The node must answer or close, and serve everybody else.
@Suite struct HostileClientTests {
    @Test(arguments: seeds(6)) func damagedBytesHarmNobodyElse(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let dialect: Dialect = Dialect.all[generator.below(Dialect.all.count)]
        let cluster = try NodeFixture.started(seed: seed)
        try cluster.run { cluster in
            var generator = SeededGenerator(seed: seed)
            let good = try await cluster.clients.start(on: cluster.node)
            for _ in 0..<8 {
                let client = try await cluster.clients.start(
                    on: cluster.node, version: dialect.version, compression: dialect.compression)
                let insert = try await client.prepare(NodeFixture.insert)
                var bytes: [UInt8] = Self.conversation(client, insert, &generator)
                Self.damage(&bytes, &generator)
                while !bytes.isEmpty {
                    let count: Int = 1 + generator.below(bytes.count)
                    client.send(Array(bytes[..<count]))
                    bytes.removeFirst(count)
                }
                try await cluster.clients.sleep(for: .milliseconds(20))
                client.close()
                #expect(client.confusion == nil, "seed \(seed), \(dialect.testDescription)")
                #expect(try await good.query("SELECT v FROM k.t WHERE id = 1").error == nil, "seed \(seed)")
            }
        }
    }

    /// Checksums hide damage from what is behind them: here the bodies are wrong and the framing is right.
    @Test(arguments: seeds(6)) func soundFramesWithDamagedBodiesAreAnswered(seed: UInt64) throws {
        let cluster = try NodeFixture.started(seed: seed)
        try cluster.run { cluster in
            var generator = SeededGenerator(seed: seed)
            let version: ProtocolVersion = ProtocolVersion.allCases[generator.below(3)]
            let client = try await cluster.clients.start(on: cluster.node, version: version)
            let insert = try await client.prepare(NodeFixture.insert)
            for round in 0..<60 {
                let opcodes: [Opcode] = [.query, .prepare, .execute, .batch, .register, .options, .authResponse]
                let opcode: Opcode = opcodes[generator.below(opcodes.count)]
                var body: [UInt8] = Self.body(opcode, insert, version, &generator)
                Self.damage(&body, &generator)
                let flags: FrameFlags = generator.oneIn(8) ? [.tracing] : generator.oneIn(8) ? [.customPayload] : []
                let sent: [UInt8] = body
                client.send(client.message(opcode, stream: Int16(round), flags: flags) { $0.write(sent) })
                let answer = try await client.next()
                #expect(answer.stream == Int16(round), "seed \(seed), round \(round)")
                // A server error would be a case that nobody thought of.
                #expect(answer.error?.code != 0, "seed \(seed), round \(round): \(String(describing: answer.error))")
            }
        }
    }

    private static func body(
        _ opcode: Opcode, _ insert: PreparedResult, _ version: ProtocolVersion, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var writer = ByteWriter()
        let values: [BoundValue] = [NodeFixture.int(generator.below(10)), NodeFixture.text("hostile")]
        var options = QueryOptions()
        if generator.oneIn(2) { options.pageSize = 10 }
        if generator.oneIn(3) { options.timestamp = 1 }
        if generator.oneIn(4) { options.pagingState = [1, 2, 3] }
        switch opcode {
        case .query: writer.writeQuery(NodeFixture.insert, options: options, values: values, version: version)
        case .prepare: writer.writePrepare("SELECT v FROM k.t WHERE id = ?", version: version)
        case .execute:
            writer.writeExecute(
                statementID: insert.statementID, resultMetadataID: insert.resultMetadataID, options: options,
                values: values, version: version)
        case .batch:
            writer.writeBatch(
                .logged, statements: [BatchedStatement(.prepared(insert.statementID), values: values)],
                options: QueryOptions(), version: version)
        case .register: writer.writeRegister([.schemaChange])
        case .authResponse: writer.writeAuthResponse([1, 2, 3])
        default: break
        }
        return writer.array()
    }

    private static func conversation(
        _ client: WireClient, _ insert: PreparedResult, _ generator: inout SeededGenerator
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<3 {
            let values = (0..<4).map {
                [NodeFixture.int($0), NodeFixture.text(String(repeating: "z", count: $0 * 100))]
            }
            bytes += client.executions(insert, values)
            bytes += client.message(.query, stream: 9) {
                $0.writeQuery("SELECT * FROM k.t", options: QueryOptions(), version: client.version)
            }
        }
        return bytes
    }

    private static func damage(_ bytes: inout [UInt8], _ generator: inout SeededGenerator) {
        for _ in 0...generator.below(4) where !bytes.isEmpty {
            let place: Int = generator.below(bytes.count)
            switch generator.below(6) {
            case 0: bytes[place] ^= 1 << UInt8(generator.below(8))
            case 1: bytes[place] = UInt8(generator.below(256))
            case 2: bytes.removeSubrange(place..<min(bytes.count, place + 1 + generator.below(8)))
            case 3:
                let count: Int = 1 + generator.below(8)
                bytes.insert(contentsOf: (0..<count).map { _ in UInt8(generator.below(256)) }, at: place)
            case 4: bytes.replaceSubrange(place..<min(bytes.count, place + 4), with: [0xFF, 0xFF, 0xFF, 0xFF])
            default: bytes.removeSubrange(place...)
            }
        }
    }
}
