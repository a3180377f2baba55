import CQL
import DataModel
import Environment
import MartletClient
import SimulatedHost
import Synchronization
import Testing

@Suite struct ClusterSessionTests {
    private func connect(
        _ cluster: FakeCluster, _ host: Host, contacts: [Int] = [0], options: ClusterOptions = ClusterOptions()
    ) async throws -> ClusterSession {
        try await ClusterSession.connect(to: contacts.map { cluster.nodes[$0].address }, options: options, host: host)
    }

    @Test func oneContactIsEnoughToKnowAllNodesAndRequestsTakeTurns() throws {
        let cluster = try FakeCluster(3)
        let known = try cluster.run { host in
            let session = try await connect(cluster, host)
            for _ in 0..<9 { _ = try await session.query("SELECT 1") }
            return session.connectedAddresses
        }
        #expect(known == cluster.nodes.map(\.address))
        let counts: [Int] = (0..<3).map { number in cluster.answerers("SELECT 1").filter { $0 == number }.count }
        #expect(counts == [3, 3, 3])
    }

    @Test func preparedStatementsGoToTheReplicaOfTheirKey() throws {
        let cluster = try FakeCluster(3)
        let expected: [Int] = try cluster.run { host in
            let session = try await connect(cluster, host)
            let statement = try await session.prepare("INSERT")
            var expected: [Int] = []
            for key in 0..<20 {
                let bytes: [UInt8] = int(Int32(key))
                let token = Token(ofKey: bytes.span.bytes)
                expected.append(session.topology.replicas(of: token, keyspace: "ks")[0])
                _ = try await session.execute(statement, values: [Int32(key)])
            }
            return expected
        }
        #expect(cluster.answerers("INSERT") == expected)
    }

    @Test func aContactThatDoesNotAnswerIsPassedOver() throws {
        let cluster = try FakeCluster(2)
        cluster.nodes[0].machine.kill()
        try cluster.run { host in
            let session = try await connect(cluster, host, contacts: [0, 1])
            _ = try await session.query("SELECT 1")
        }
        #expect(cluster.answerers("SELECT 1") == [1])
        cluster.nodes[1].machine.kill()
        #expect(throws: NoNodeAvailable.self) {
            try cluster.run { host in _ = try await connect(cluster, host, contacts: [0, 1]) }
        }
    }

    @Test func aNodeThatStopsIsLeftOutAndOneThatStartsAgainIsUsed() throws {
        let cluster = try FakeCluster(3)
        let session = try cluster.run { host in try await connect(cluster, host) }
        cluster.nodes[1].machine.kill()
        try cluster.run { host in
            try await host.time.sleep(for: .milliseconds(100))
            for _ in 0..<6 { _ = try await session.query("A") }
        }
        #expect(Set(cluster.answerers("A")) == [0, 2])
        cluster.nodes[1].machine.restart()
        try cluster.start(1)
        try cluster.run { host in
            try await host.time.sleep(for: .seconds(5))
            for _ in 0..<6 { _ = try await session.query("B") }
        }
        #expect(Set(cluster.answerers("B")) == [0, 1, 2])
        session.close()
    }

    @Test func theLossOfTheFirstNodeLosesNeitherRequestsNorEvents() throws {
        let cluster = try FakeCluster(4, members: 3)
        let session = try cluster.run { host in try await connect(cluster, host) }
        cluster.nodes[0].machine.kill()
        try cluster.run { host in
            try await host.time.sleep(for: .seconds(3))
            for _ in 0..<4 { _ = try await session.query("A") }
        }
        #expect(Set(cluster.answerers("A")) == [1, 2])
        cluster.state.withLock { $0.members = [1, 2, 3] }
        cluster.push(.topology(.newNode, cluster.endpoint(3)))
        try cluster.run { host in
            try await host.time.sleep(for: .seconds(1))
            for _ in 0..<6 { _ = try await session.query("B") }
        }
        #expect(Set(cluster.answerers("B")) == [1, 2, 3])
        #expect(session.topology.nodes.count == 3)
        session.close()
    }

    @Test func aNodeThatIsRemovedIsForgotten() throws {
        let cluster = try FakeCluster(3)
        let session = try cluster.run { host in try await connect(cluster, host) }
        cluster.state.withLock { $0.members = [0, 1] }
        cluster.push(.topology(.removedNode, cluster.endpoint(2)))
        let known = try cluster.run { host in
            try await host.time.sleep(for: .seconds(1))
            return session.connectedAddresses
        }
        #expect(known == cluster.nodes[..<2].map(\.address))
        session.close()
    }

    @Test func anUnavailableNodeIsFollowedByTheNextOne() throws {
        let cluster = try FakeCluster(2)
        cluster.state.withLock { state in
            state.answer = { number, request in
                guard number == 0, request.text == "SELECT 1" else { return nil }
                return .error(.unavailable(message: "no", consistency: .quorum, required: 2, alive: 1))
            }
        }
        try cluster.run { host in
            let session = try await connect(cluster, host)
            for _ in 0..<4 { _ = try await session.query("SELECT 1") }
        }
        #expect(cluster.answerers("SELECT 1") == [1, 1, 1, 1])
    }

    @Test func aLostAnswerIsAskedForAgainOnlyIfThatDoesNoHarm() throws {
        let cluster = try FakeCluster(1)
        let count = Mutex(0)
        cluster.state.withLock { state in
            state.answer = { _, request in
                guard request.text == "UPDATE" else { return nil }
                count.withLock { $0 += 1 }
                return .hangUp
            }
        }
        try cluster.run { host in
            let session = try await connect(cluster, host)
            await #expect(throws: ClientError.self) { _ = try await session.query("UPDATE") }
            try await host.time.sleep(for: .seconds(5))
            await #expect(throws: NoNodeAvailable.self) { _ = try await session.query("UPDATE", isIdempotent: true) }
        }
        #expect(count.withLock { $0 } == 2)
    }

    @Test func aKeyspaceIsEnteredOnEveryConnection() throws {
        let cluster = try FakeCluster(3)
        cluster.state.withLock { state in
            state.answer = { _, request in request.text == "USE \"ks\"" ? .keyspace("ks") : nil }
        }
        try cluster.run { host in
            var options = ClusterOptions()
            options.keyspace = "ks"
            let session = try await connect(cluster, host, options: options)
            for _ in 0..<3 { _ = try await session.query("SELECT 1") }
            #expect(session.keyspace == "ks")
        }
        #expect(Set(cluster.answerers("SELECT 1")) == [0, 1, 2])
    }

    @Test(arguments: 1...20) func theSameSeedGivesTheSameHistory(seed: UInt64) throws {
        func history() throws -> UInt64 {
            let cluster = try FakeCluster(3, seed: seed)
            let session = try cluster.run { host in try await connect(cluster, host) }
            cluster.nodes[Int(seed % 3)].machine.kill()
            try cluster.run { host in
                for _ in 0..<20 {
                    // Some are lost with the node; what counts is that all of it happens again.
                    _ = try? await session.query("SELECT 1", isIdempotent: true)
                    try await host.time.sleep(for: .milliseconds(50))
                }
            }
            session.close()
            return cluster.world.traceHash
        }
        #expect(try history() == history())
    }
}
