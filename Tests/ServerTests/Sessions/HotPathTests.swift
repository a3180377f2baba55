import CQL
import Primitives
import SimulatedHost
import Simulation
import Testing

/// Prepared statements of single rows, which most requests of most clients are.
@Suite struct HotPathTests {
    @Test(arguments: Dialect.all) func manyRequestsInOnePieceAreAllAnswered(dialect: Dialect) throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(
                on: cluster.node, version: dialect.version, compression: dialect.compression)
            let insert = try await client.prepare(NodeFixture.insert)
            let select = try await client.prepare(NodeFixture.select)
            let keys = Array(0..<200)
            client.send(client.executions(insert, keys.map { [NodeFixture.int($0), NodeFixture.text("value \($0)")] }))
            let written = try await client.next(keys.count)
            #expect(written.map(\.stream).sorted() == keys.map { Int16($0) })
            for answer in written { #expect(try answer.decoded() == .void) }

            client.send(client.executions(select, keys.map { [NodeFixture.int($0)] }))
            let read = try await client.next(keys.count)
            for answer in read {
                let rows = try answer.rows()
                #expect(rows == [[Array("value \(answer.stream)".utf8)]])
            }
            // Half of the keys are another shard's, so that their answers come later than those of this one.
            #expect(read.map(\.stream) != read.map(\.stream).sorted())
        }
    }

    @Test(arguments: ["batch", "group", "periodic"]) func everyModeOfTheLogAcknowledges(mode: String) throws {
        let cluster = try NodeFixture.started(settings: ["commitlog_sync": mode])
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let insert = try await client.prepare(NodeFixture.insert)
            for round in 0..<20 {
                let keys = (0..<(round + 1)).map { [NodeFixture.int($0), NodeFixture.text("\(round)")] }
                client.send(client.executions(insert, keys))
                for answer in try await client.next(keys.count) { #expect(try answer.decoded() == .void) }
            }
            let rows = try await client.query("SELECT id FROM k.t").rows()
            #expect(rows.count == 20)
        }
    }

    @Test(arguments: Dialect.all) func messagesMayBeCutAtEveryByte(dialect: Dialect) throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(
                on: cluster.node, version: dialect.version, compression: dialect.compression)
            let insert = try await client.prepare(NodeFixture.insert)
            let values = [0, 1].map { [NodeFixture.int($0), NodeFixture.text("cut")] }
            let bytes: [UInt8] = client.executions(insert, values)
            for cut in 1..<bytes.count {
                client.send(Array(bytes[..<cut]))
                try await cluster.clients.sleep(for: .milliseconds(2))
                client.send(Array(bytes[cut...]))
                let answers = try await client.next(2)
                #expect(answers.map(\.stream).sorted() == [0, 1], "cut behind byte \(cut)")
                for answer in answers { #expect(answer.error == nil, "cut behind byte \(cut)") }
            }
            for byte in bytes {
                client.send([byte])
                try await cluster.clients.sleep(for: .milliseconds(1))
            }
            #expect(try await client.next(2).allSatisfy { $0.error == nil })
        }
    }

    @Test func aRowThatIsNotThereHasNoRows() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let select = try await client.prepare(NodeFixture.select)
            client.send(client.executions(select, (0..<8).map { [NodeFixture.int($0)] }))
            for answer in try await client.next(8) { #expect(try answer.rows().isEmpty) }
        }
    }

    @Test func nullAndUnsetValuesAreWhatTheyAre() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let insert = try await client.prepare(NodeFixture.insert)
            for key in 0..<4 {
                client.send(client.executions(insert, [[NodeFixture.int(key), NodeFixture.text("old")]]))
                _ = try await client.next()
            }
            client.send(
                client.executions(
                    insert, (0..<4).map { [NodeFixture.int($0), $0 % 2 == 0 ? .null : .unset] }))
            for answer in try await client.next(4) { #expect(answer.error == nil) }
            for key in 0..<4 {
                let rows = try await client.query("SELECT v FROM k.t WHERE id = \(key)").rows()
                #expect(rows == [[key % 2 == 0 ? nil : Array("old".utf8)]])
            }
        }
    }

    @Test func aWrongRequestFailsAloneAmongOthers() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let insert = try await client.prepare(NodeFixture.insert)
            let good: [BoundValue] = [NodeFixture.int(1), NodeFixture.text("good")]
            client.send(
                client.executions(
                    insert, [good, [.null, NodeFixture.text("x")], good, [.bytes([1]), NodeFixture.text("x")], good]))
            let failed = try await client.next(5).filter { $0.error != nil }.map(\.stream)
            #expect(failed.sorted() == [1, 3])
        }
    }

    @Test func aStatementThatNobodyPreparedIsAskedFor() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            var stranger = try await client.prepare(NodeFixture.select)
            stranger.statementID = Array(0..<16)
            client.send(client.executions(stranger, [[NodeFixture.int(1)]]))
            guard case .unprepared(_, let id)? = try await client.next().error else {
                Issue.record("an unknown statement was executed")
                return
            }
            #expect(id == Array(0..<16))
        }
    }

    @Test func statementsSurviveARestart() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let first = try await cluster.clients.start(on: cluster.node)
            let select = try await first.prepare(NodeFixture.select)
            try await cluster.node.restart()
            let second = try await cluster.clients.start(on: cluster.node)
            second.send(second.executions(select, (0..<8).map { [NodeFixture.int($0)] }))
            for answer in try await second.next(8) { #expect(answer.error == nil) }
        }
    }
}
