import CQL
import DataModel
import Environment
import Primitives
import Server
import SimulatedHost
import Simulation
import Testing

/// Requests that a slow disk keeps waiting.
@Suite struct TimeoutTests {
    private func slow(_ cluster: SimulatedCluster) {
        let duration: Duration = .seconds(30)
        cluster.node.machine.disk.faults.latency = SimulatedLatency(minimum: duration, maximum: duration)
        cluster.node.machine.disk.faults.cacheMissProbability = 1
    }

    /// What an answer is and after how many milliseconds it came.
    private func timed(
        _ cluster: SimulatedCluster, _ body: () async throws -> WireAnswer
    ) async throws -> (error: CQLError?, milliseconds: UInt64) {
        let start: UInt64 = cluster.world.nowNanoseconds
        let answer = try await body()
        return (answer.error, (cluster.world.nowNanoseconds - start) / 1_000_000)
    }

    @Test func aWriteThatDoesNotGetToTheDiskTimesOut() throws {
        let cluster = try NodeFixture.started(settings: ["write_request_timeout": "1s"])
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let insert = try await client.prepare(NodeFixture.insert)
            slow(cluster)
            for key in 0..<4 {
                let hot = try await timed(cluster) {
                    client.send(client.executions(insert, [[NodeFixture.int(key), NodeFixture.text("x")]]))
                    return try await client.next()
                }
                guard case .writeTimeout(_, .one, 0, 1, .simple, nil)? = hot.error else {
                    Issue.record("\(String(describing: hot.error))")
                    continue
                }
                #expect(hot.milliseconds >= 1_000 && hot.milliseconds < 1_600)
            }
            let cold = try await timed(cluster) {
                try await client.query(
                    "BEGIN BATCH INSERT INTO k.t (id, v) VALUES (1, 'a'); INSERT INTO k.t (id, v) VALUES (2, 'a'); APPLY BATCH"
                )
            }
            // A node alone keeps its batches itself, before it writes them.
            guard case .writeTimeout(_, .one, 0, 1, .batchLog, nil)? = cold.error else {
                Issue.record("\(String(describing: cold.error))")
                return
            }
        }
    }

    @Test func aConditionalWriteThatDoesNotGetToTheDiskIsUncertain() throws {
        let cluster = try NodeFixture.started()
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            slow(cluster)
            let answer = try await client.query("INSERT INTO k.t (id, v) VALUES (1, 'a') IF NOT EXISTS")
            #expect(answer.error?.code == 0x1700)
            // Older versions do not know that error.
            let older = try await cluster.clients.start(on: cluster.node, version: .v4)
            let told = try await older.query("INSERT INTO k.t (id, v) VALUES (2, 'a') IF NOT EXISTS")
            #expect(told.error?.code == 0x1100)
        }
    }

    @Test func aReadThatWaitsForTheDiskTimesOut() throws {
        let cluster = try NodeFixture.started(
            settings: ["read_request_timeout": "1s", "range_request_timeout": "2s"])
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            for key in 0..<50 {
                _ = try await client.query("INSERT INTO k.t (id, v) VALUES (\(key), 'v')")
            }
            // What is in memory goes into files, of which nothing is cached afterwards.
            await cluster.node.stop()
            try await cluster.node.restart()
            let again = try await cluster.clients.start(on: cluster.node)
            slow(cluster)
            let read = try await timed(cluster) { try await again.query("SELECT v FROM k.t WHERE id = 1") }
            #expect(read.error?.code == 0x1200)
            #expect(read.milliseconds >= 1_000 && read.milliseconds < 1_200, "\(read.milliseconds)")
            let range = try await timed(cluster) { try await again.query("SELECT v FROM k.t") }
            #expect(range.error?.code == 0x1200)
            #expect(range.milliseconds >= 2_000 && range.milliseconds < 2_200, "\(range.milliseconds)")
        }
    }

    @Test func othersHaveTheirTurnDuringALongScan() throws {
        let cluster = try NodeFixture.started(shardCount: 1)
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let insert = try await client.prepare("INSERT INTO k.r (p, c, v) VALUES (?, ?, ?)")
            for start in stride(from: 0, to: 10_000, by: 500) {
                let values = (start..<(start + 500)).map {
                    [NodeFixture.int($0 % 7), NodeFixture.int($0), NodeFixture.text("v")]
                }
                client.send(client.executions(insert, values))
                _ = try await client.next(values.count)
            }
            client.send(
                client.messages { write in
                    write(.query, 1, []) {
                        $0.writeQuery("SELECT count(*) FROM k.r", options: QueryOptions(), version: .v5)
                    }
                    write(.query, 2, []) {
                        $0.writeQuery("SELECT v FROM k.r WHERE p = 1 AND c = 1", options: QueryOptions(), version: .v5)
                    }
                })
            let answers = try await client.next(2)
            #expect(answers.map(\.stream) == [2, 1])
            #expect(try answers[1].rows() == [[[0, 0, 0, 0, 0, 0, 0x27, 0x10]]])
        }
    }
}
