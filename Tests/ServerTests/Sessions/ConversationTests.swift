import CQL
import MartletClient
import Primitives
import SimulatedHost
import Simulation
import Testing

/// What a connection goes through besides the hot path: its start, pages, events, tracing, errors.
@Suite struct ConversationTests {
    @Test func nothingButOptionsIsAnsweredBeforeTheStart() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.open(to: cluster.node)
            client.send(client.message(.options, stream: 7))
            let supported = try await client.next()
            #expect(supported.header.opcode == .supported && supported.stream == 7)
            client.send(
                client.message(.query, stream: 8) {
                    $0.writeQuery("SELECT now()", options: QueryOptions(), version: .v5)
                })
            let refused = try await client.next()
            #expect(refused.error?.code == 0x000A && refused.stream == 8)
            try await client.start()
            client.send(client.message(.startup, stream: 9) { $0.writeStartup() })
            #expect(try await client.next().error?.code == 0x000A)
        }
    }

    @Test func aVersionThatIsNotSpokenIsNamedWithThoseThatAre() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            for number in [UInt8(1), 2, 6, 65, 66] {
                let client = try await cluster.clients.open(to: cluster.node, version: .v5)
                client.send([number, 0, 0, 0, 5, 0, 0, 0, 0])
                try await cluster.clients.sleep(for: .milliseconds(50))
                // The others are answered in versions that this client cannot read.
                if number > 6 {
                    let message: String = client.answers.first?.error?.message ?? ""
                    #expect(message.contains("5/v5"))
                }
                client.close()
            }
            // The node goes on.
            _ = try await cluster.clients.start(on: cluster.node)
        }
    }

    @Test func snappyIsNotPossibleInTheNewestVersion() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.open(to: cluster.node)
            client.send(client.message(.startup, stream: 0) { $0.writeStartup(compression: .snappy) })
            #expect(try await client.next().error?.code == 0x000A)
        }
    }

    @Test(arguments: ProtocolVersion.allCases) func pagesHaveEveryRowOnce(version: ProtocolVersion) throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            var options = ConnectionOptions()
            options.version = version
            let connection = try await cluster.clients.connect(to: cluster.node, options: options)
            let insert = try await connection.prepare("INSERT INTO k.r (p, c, v) VALUES (?, ?, ?)")
            for row in 0..<300 {
                _ = try await connection.execute(insert, values: [Int32(row % 3), Int32(row), "row \(row)"])
            }
            let select = try await connection.prepare("SELECT c FROM k.r")
            for pageSize in [Int32(1), 7, 100, 299, 300, 301] {
                var found: [Int32] = []
                var query = QueryOptions()
                query.pageSize = pageSize
                repeat {
                    let page = try await connection.execute(select, options: query)
                    #expect(page.rows.count <= Int(pageSize))
                    found += try page.rows.compactMap { try $0["c", as: Int32.self] }
                    query.pagingState = page.pagingState
                } while query.pagingState != nil
                #expect(found.sorted() == (0..<300).map { Int32($0) }, "pages of \(pageSize)")
            }
        }
    }

    @Test func thoseWhoRegisteredHearOfChangesOfTheSchema() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            var listeners: [WireClient] = []
            for _ in 0..<4 {
                let client = try await cluster.clients.start(on: cluster.node)
                client.send(client.message(.register, stream: 1) { $0.writeRegister([.schemaChange]) })
                #expect(try await client.next().header.opcode == .ready)
                listeners.append(client)
            }
            let deaf = try await cluster.clients.start(on: cluster.node)
            let changer = try await cluster.clients.start(on: cluster.node)
            _ = try await changer.query("CREATE TABLE k.news (id int PRIMARY KEY)")
            let expected = SchemaChange(.created, keyspace: "k", target: .table("news"))
            for client in listeners {
                let event = try await client.next()
                #expect(event.stream == -1)
                #expect(try event.decoded() == .event(.schema(expected)))
            }
            #expect(deaf.answers.count == 1, "READY and nothing else")
        }
    }

    @Test func aTraceIsToldOfAndKept() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            let result = try await connection.query("SELECT v FROM k.t WHERE id = 1", isTraced: true)
            let id = try #require(result.tracingID)
            let text = "SELECT * FROM system_traces.sessions WHERE session_id = \(id)"
            // It is kept when the request has been answered.
            for _ in 0..<50 where try await connection.query(text).rows.count == 0 {}
            let rows = try await connection.query(text).rows
            #expect(rows.count == 1)
            let events = try await connection.query("SELECT * FROM system_traces.events WHERE session_id = \(id)").rows
            let activities: [String] = try events.compactMap { try $0["activity", as: String.self] }
            #expect(activities.contains("Parsing SELECT v FROM k.t WHERE id = 1"))
            #expect(activities.contains("Executing single-partition query on t"))
        }
    }

    @Test func clientsAreNotToldOfTracesThatTheyHaveNotAskedFor() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let connection = try await cluster.clients.connect(to: cluster.node)
            cluster.node.traceRequests(withProbability: 1)
            let statement = try await connection.prepare(NodeFixture.insert)
            let result = try await connection.execute(statement, values: [Int32(1), "x"])
            #expect(result.tracingID == nil)
            cluster.node.traceRequests(withProbability: 0)
            let text = "SELECT request FROM system_traces.sessions"
            for _ in 0..<100 where try await connection.query(text).rows.count < 2 {}
            let requests: [String] = try await connection.query(text).rows.compactMap {
                try $0["request", as: String.self]
            }
            #expect(requests.contains("Execute CQL3 prepared query"))
        }
    }

    @Test func preparingInAKeyspaceWarnsThatItIsTheSessions() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node, version: .v4)
            _ = try await client.query("USE k")
            client.send(client.message(.prepare, stream: 0) { $0.writePrepare("SELECT v FROM t", version: .v4) })
            #expect(try await client.next().prefix().warnings.count == 1)
            client.send(client.message(.prepare, stream: 0) { $0.writePrepare("SELECT v FROM k.t", version: .v4) })
            #expect(try await client.next().prefix().warnings.isEmpty)
        }
    }

    @Test func surplusBytesAtTheEndOfABodyAreIgnored() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            client.send(
                client.message(.query, stream: 0) { body in
                    body.writeQuery("SELECT v FROM k.t", options: QueryOptions(), version: .v5)
                    body.write([1, 2, 3] as [UInt8])
                })
            #expect(try await client.next().error == nil)
            client.send(client.message(.options, stream: 1) { $0.write([0] as [UInt8]) })
            #expect(try await client.next().header.opcode == .supported)
        }
    }
}
