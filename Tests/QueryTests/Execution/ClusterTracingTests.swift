import CQL
import Cluster
import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Query

/// Traces of requests in which several nodes take part: who has told what, and where it can be read.
@Suite struct ClusterTracingTests {
    /// Four nodes with three replicas each, so that a coordinator need not be one.
    private func cluster(_ seed: UInt64 = 1, datacenters: [String] = []) throws -> ClusterUnderTest {
        try ClusterUnderTest(
            nodes: 4, seed: seed, datacenters: datacenters,
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int)",
            "CREATE TABLE ks.c (k int PRIMARY KEY, n counter)")
    }

    /// What was told of a statement, from its begin until all messages had ended.
    private func trace(
        _ text: String, of cluster: ClusterUnderTest, on index: Int = 0, _ level: Consistency = .quorum,
        shard: Int = 0
    ) throws -> [TraceEvent] {
        let node = try #require(cluster.nodes[index])
        return try cluster.world.run {
            try await node.group.run(on: shard) { executor in
                let trace: RequestTrace = executor.makeTrace()
                let context = RequestContext(consistency: level, keyspace: "ks", trace: trace)
                _ = try await executor.execute(try executor.parse(text, keyspace: "ks"), [], context)
                await trace.settle(within: .seconds(30), on: executor.loop)
                return trace.takeEvents()
            }
        }
    }

    private func sources(_ events: [TraceEvent]) -> Set<SocketAddress> { Set(events.map(\.source)) }

    private func has(_ events: [TraceEvent], _ start: String, at source: SocketAddress? = nil) -> Bool {
        events.contains { $0.activity.hasPrefix(start) && (source == nil || $0.source == source) }
    }

    /// A key of which a node is no replica.
    private func foreignKey(_ cluster: ClusterUnderTest, _ index: Int = 0) throws -> Int {
        for key in 0..<100 {
            try cluster.run("INSERT INTO t (k, v) VALUES (\(key), 1)", .all)
            if try cluster.own("SELECT v FROM t WHERE k = \(key)", index).isEmpty { return key }
        }
        throw CQLError.serverError(message: "the node has everything")
    }

    @Test(arguments: [0, 1]) func everyReplicaTellsOfAWrite(_ shard: Int) throws {
        let cluster = try cluster()
        let key: Int = try foreignKey(cluster)
        let events = try trace("UPDATE t SET v = 2 WHERE k = \(key)", of: cluster, shard: shard)
        #expect(sources(events).count == 4)
        let own: SocketAddress = cluster.machines[0].address(port: 7_000)
        #expect(events.first?.activity == "Determining replicas for mutation")
        for index in 1...3 {
            let other: SocketAddress = cluster.machines[index].address(port: 7_000)
            #expect(has(events, "Sending MUTATION_REQ message to /\(other)", at: own))
            #expect(has(events, "MUTATION_REQ message received from /\(own)", at: other))
            #expect(has(events, "Appending to commitlog", at: other))
            #expect(has(events, "Adding to t memtable", at: other))
            #expect(has(events, "Enqueuing response to /\(own)", at: other))
            #expect(has(events, "MUTATION_RSP message received from /\(other)", at: own))
        }
    }

    @Test func thoseThatAreAskedTellOfARead() throws {
        let cluster = try cluster()
        let key: Int = try foreignKey(cluster)
        let events = try trace("SELECT v FROM t WHERE k = \(key)", of: cluster)
        #expect(sources(events).count == 3)
        let own: SocketAddress = cluster.machines[0].address(port: 7_000)
        #expect(has(events, "reading data from /", at: own) && has(events, "reading digest from /", at: own))
        for other in sources(events) where other != own {
            #expect(has(events, "READ_REQ message received from /\(own)", at: other))
            #expect(has(events, "Executing single-partition query on t", at: other))
            #expect(has(events, "Merged data from memtables and 0 sstables", at: other))
            #expect(has(events, "Read 1 live rows and 0 tombstone cells", at: other))
        }
    }

    @Test func aScanTellsOfAllItsRanges() throws {
        let cluster = try cluster()
        for key in 0..<20 { try cluster.run("INSERT INTO t (k, v) VALUES (\(key), 1)", .all) }
        let events = try trace("SELECT v FROM t", of: cluster, .all)
        #expect(sources(events).count == 4)
        #expect(has(events, "Computing ranges to query"))
        #expect(has(events, "Executing seq scan across 0 sstables for t"))
    }

    @Test func aDifferenceAndItsRepairAreTold() throws {
        let cluster = try cluster()
        let key: Int = try foreignKey(cluster, 3)
        try cluster.alone(1) { try $0.run("UPDATE t SET v = 7 WHERE k = \(key)", on: 1, .one) }
        let events = try trace("SELECT v FROM t WHERE k = \(key)", of: cluster, .all)
        #expect(has(events, "Digest mismatch"))
        #expect(has(events, "READ_REPAIR_REQ message received", at: cluster.machines[2].address(port: 7_000)))
    }

    @Test func aHintIsTold() throws {
        let cluster = try cluster()
        let key: Int = try foreignKey(cluster, 3)
        cluster.kill(2)
        let events = try trace("UPDATE t SET v = 7 WHERE k = \(key)", of: cluster)
        #expect(has(events, "Writing hint for /\(cluster.machines[2].address(port: 7_000))"))
    }

    @Test func aTransactionTellsOfItsRounds() throws {
        let cluster = try cluster()
        let key: Int = try foreignKey(cluster)
        let events = try trace("UPDATE t SET v = 2 WHERE k = \(key) IF v = 1", of: cluster)
        #expect(sources(events).count == 4)
        for verb in ["PAXOS2_PREPARE", "PAXOS2_PROPOSE", "PAXOS_COMMIT"] {
            #expect(has(events, "Sending \(verb)_REQ message to /"), "\(verb)")
            #expect(has(events, "\(verb)_RSP message received from /"), "\(verb)")
        }
        #expect(has(events, "Promising ballot") && has(events, "Accepting proposal"))
        #expect(has(events, "CAS precondition holds"))
        let late = try trace("UPDATE t SET v = 2 WHERE k = \(key) IF v = 1", of: cluster)
        #expect(has(late, "CAS precondition does not match current values"))
        let read = try trace("SELECT v FROM t WHERE k = \(key)", of: cluster, .serial)
        #expect(has(read, "Sending PAXOS2_PREPARE_REQ message to /"))
    }

    @Test func theLeaderOfACounterTellsOfTheOthers() throws {
        let cluster = try cluster()
        let key: Int = try foreignKey(cluster)
        let events = try trace("UPDATE c SET n = n + 1 WHERE k = \(key)", of: cluster, .all)
        #expect(sources(events).count == 4, "those that the leader asks come back with its answer")
        #expect(has(events, "Sending COUNTER_MUTATION_REQ message to /"))
        #expect(has(events, "Adding to c memtable"))
    }

    @Test func aBatchTellsOfThoseThatKeepIt() throws {
        let cluster = try cluster()
        let events = try trace(
            "BEGIN BATCH INSERT INTO t (k, v) VALUES (1, 1); INSERT INTO t (k, v) VALUES (2, 1); APPLY BATCH",
            of: cluster)
        #expect(has(events, "Sending BATCH_STORE_REQ message to /") && has(events, "Keeping the batch"))
        #expect(has(events, "Sending BATCH_REMOVE_REQ message to /"))
        #expect(sources(events).count >= 3)
    }

    @Test func everyNodeHasTheTraceOfARequest() throws {
        let cluster = try cluster()
        let node = try #require(cluster.nodes[0])
        let key: Int = try foreignKey(cluster)
        let id: UUID = try cluster.world.run {
            try await node.group.run(on: 1) { executor in
                let trace: RequestTrace = executor.makeTrace()
                let context = RequestContext(consistency: .quorum, keyspace: "ks", trace: trace)
                _ = try await executor.execute(
                    try executor.parse("UPDATE t SET v = 2 WHERE k = \(key)", keyspace: "ks"), [], context)
                executor.keep(
                    trace,
                    of: TracedRequest(
                        request: "Execute CQL3 query", client: [127, 0, 0, 1], parameters: [("query", "…")]))
                return trace.id
            }
        }
        try cluster.world.run(for: .seconds(2))
        for index in 0..<4 {
            let sessions = try cluster.rows(
                "SELECT request, command, coordinator_port FROM system_traces.sessions WHERE session_id = \(id)",
                on: index, .one)
            #expect(sessions == ["'Execute CQL3 query' | 'QUERY' | 7000"])
            let text = "SELECT source FROM system_traces.events WHERE session_id = \(id)"
            #expect(Set(try cluster.rows(text, on: index, .one)).count == 4)
        }
        let parts = try cluster.rows("SELECT activity FROM system_traces.events WHERE session_id = \(id)", .one)
        #expect(parts.first == "'Determining replicas for mutation'", "events are in the order of time")
    }

    @Test func theChanceOfATraceCanBeSet() throws {
        let cluster = try cluster()
        let group: ShardGroup = try #require(cluster.nodes[0]).group
        func drawn() throws -> Int {
            try cluster.world.run(for: .milliseconds(1))
            return try cluster.world.run {
                try await group.run(on: 1) { executor in
                    (0..<1_000).count { _ in executor.traceThreshold != 0 && executor.drawsTrace() }
                }
            }
        }
        #expect(group.traceProbability == 0)
        #expect(try drawn() == 0)
        group.traceProbability = 1.5
        #expect(group.traceProbability == 1)
        #expect(try drawn() == 1_000)
        group.traceProbability = 0.25
        #expect((150...350).contains(try drawn()))
        group.traceProbability = -1
        #expect(try drawn() == 0)
    }
}
