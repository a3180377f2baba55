import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import SimulatedHost
import Storage
import Testing

/// What a replica remembers, and for how long.
@Suite struct PaxosReplicaTests {
    private static let key: [UInt8] = Array("a".utf8)
    private static let now: Int64 = 1_704_067_200

    private static func ballot(_ seconds: Int64) -> Ballot { Ballot(microseconds: (now + seconds) * 1_000_000, tie: 1) }

    private static func value(_ seconds: Int64, _ text: String) -> PaxosProposal {
        PaxosProposal(
            ballot: ballot(seconds), mutation: ReplicaWorld.mutation("a", text, at: ballot(seconds).microseconds))
    }

    /// Where the partition is when there is one node.
    private static let placement = PlacementStamp(
        epoch: 0,
        fingerprint: ReplicaSet(
            natural: [ReplicaWorld.id(0)], pending: [], datacenters: ["dc1"], localDatacenter: "dc1"
        ).fingerprint)

    private static func prepare(_ seconds: Int64, since: Int64 = 0) -> PaxosPrepare {
        PaxosPrepare(
            ballot: ballot(seconds), since: since, placement: placement, table: ReplicaWorld.table, key: key, read: nil)
    }

    private static func propose(_ seconds: Int64, _ text: String, _ decision: PaxosProposal? = nil) -> PaxosPropose {
        PaxosPropose(
            placement: placement, table: ReplicaWorld.table, key: key, proposal: value(seconds, text),
            decision: decision)
    }

    private static let single: [String: String] = ["class": "SimpleStrategy", "replication_factor": "1"]

    /// Runs on the acceptor of the only node.
    private static func run<Value: Sendable>(
        _ test: PaxosWorld, _ body: @escaping @Sendable (PaxosReplica) async throws -> Value
    ) async throws -> Value {
        let node = try #require(test.node(0))
        let shard: Int = node.shard("a")
        let replica: PaxosReplica = test.acceptors(node)[shard]
        return try await node.replica.run(on: shard) { _ in try await body(replica) }
    }

    @Test func whatWasAnsweredSurvivesTheLossOfPower() throws {
        let test = PaxosWorld(seed: 1, nodes: 1)
        try test.run { test in
            try await PaxosReplicaTests.run(test) { replica in
                _ = try await replica.prepare(PaxosReplicaTests.prepare(1))
                #expect(try await replica.propose(PaxosReplicaTests.propose(1, "x")) == nil)
                _ = try await replica.prepare(PaxosReplicaTests.prepare(5))
            }
            test.replicas.crash(0)
            try await test.replicas.restart(0)
            try await PaxosReplicaTests.run(test) { replica in
                let refused = try await replica.prepare(PaxosReplicaTests.prepare(4))
                #expect(refused.promise == .refused(by: PaxosReplicaTests.ballot(5), isCourtesy: false))
                let promised = try await replica.prepare(PaxosReplicaTests.prepare(6))
                #expect(
                    promised.promise == .promised(accepted: PaxosReplicaTests.value(1, "x"), committed: nil))
                #expect(
                    try await replica.propose(PaxosReplicaTests.propose(2, "y")) == PaxosReplicaTests.ballot(6))
            }
        }
    }

    @Test func aDecisionIsAppliedBeforeTheProposalThatBringsItAlongIsAccepted() throws {
        let test = PaxosWorld(seed: 2, nodes: 1)
        try test.run { test in
            try await PaxosReplicaTests.run(test) { replica in
                let decision = PaxosReplicaTests.value(1, "x")
                #expect(try await replica.propose(PaxosReplicaTests.propose(3, "y", decision)) == nil)
                let answer = try await replica.prepare(PaxosReplicaTests.prepare(4))
                #expect(
                    answer.promise
                        == .promised(accepted: PaxosReplicaTests.value(3, "y"), committed: decision))
            }
            #expect(try await test.node(0)?.own("a") == "x")
            test.replicas.crash(0)
            try await test.replicas.restart(0)
            #expect(try await test.node(0)?.own("a") == "x")
        }
    }

    @Test func whatIsFromBeforeATruncationDoesNotComeBack() throws {
        let test = PaxosWorld(seed: 5, nodes: 1)
        try test.run { test in
            let node = try #require(test.node(0))
            let shard: Int = node.shard("a")
            let table = try #require(PaxosTable(PaxosWorld.definition))
            let truncated: Int64 = PaxosReplicaTests.ballot(5).microseconds
            try await node.replica.run(on: shard) { own in
                let before = PaxosReplica(shard: own, table: table)
                _ = try await before.propose(PaxosReplicaTests.propose(3, "y"))
                let replica = PaxosReplica(shard: own, table: table, truncatedAt: { _ in truncated })
                let late = PaxosCommitMessage(
                    table: ReplicaWorld.table, key: PaxosReplicaTests.key, decision: PaxosReplicaTests.value(4, "x"))
                try await replica.commit(late)
                let refused = try await replica.prepare(PaxosReplicaTests.prepare(4))
                let floor = Ballot(microseconds: truncated, tie: .max)
                #expect(refused.promise == .refused(by: floor, isCourtesy: false))
                let promised = try await replica.prepare(PaxosReplicaTests.prepare(6))
                #expect(promised.promise == .promised(accepted: nil, committed: nil))
                #expect(try await replica.propose(PaxosReplicaTests.propose(6, "z")) == nil)
                let next = PaxosCommitMessage(
                    table: ReplicaWorld.table, key: PaxosReplicaTests.key, decision: PaxosReplicaTests.value(6, "z"))
                #expect(try await node.own("a") == nil)
                try await replica.commit(next)
            }
            #expect(try await node.own("a") == "z")
        }
    }

    @Test func theOnlyReplicaFinishesWhatItHasAcceptedBeforeItDecides() throws {
        let test = PaxosWorld(seed: 6, nodes: 1, replication: PaxosReplicaTests.single)
        try test.run { test in
            let node = try #require(test.node(0))
            _ = try await PaxosReplicaTests.run(test) { try await $0.propose(PaxosReplicaTests.propose(-5, "y")) }
            #expect(try await test.look("a", through: node) == "y")
            let change = try await test.change("a", through: node) { seen, _ in seen == "y" ? "z" : nil }
            #expect(change.written == "z")
            #expect(try await node.own("a") == "z")
        }
    }

    @Test func whatTheOnlyReplicaDecidesIsNotUndoneByWhoWasPromisedSomethingBefore() throws {
        let test = PaxosWorld(seed: 7, nodes: 1, replication: PaxosReplicaTests.single)
        try test.run { test in
            let node = try #require(test.node(0))
            _ = try await PaxosReplicaTests.run(test) { try await $0.prepare(PaxosReplicaTests.prepare(-5)) }
            let start: UInt64 = test.now
            let change = try await test.change("a", through: node) { _, _ in "z" }
            #expect(change.written == "z")
            // The other one had its time.
            #expect(test.now - start >= 190_000_000)
            let refusedBy = try await PaxosReplicaTests.run(test) {
                try await $0.propose(PaxosReplicaTests.propose(-5, "y"))
            }
            #expect(refusedBy != nil)
            let next = try await test.change("a", through: node) { seen, _ in seen == "z" ? "x" : nil }
            #expect(next.written == "x")
        }
    }

    @Test func aRefusedProposalStillBringsItsDecision() throws {
        let test = PaxosWorld(seed: 3, nodes: 1)
        try test.run { test in
            try await PaxosReplicaTests.run(test) { replica in
                _ = try await replica.prepare(PaxosReplicaTests.prepare(9))
                let refusal = try await replica.propose(
                    PaxosReplicaTests.propose(3, "y", PaxosReplicaTests.value(1, "x")))
                #expect(refusal == PaxosReplicaTests.ballot(9))
            }
            #expect(try await test.node(0)?.own("a") == "x")
        }
    }

    @Test func whoBeganLaterWaitsAWhileForWhoHasAPromise() throws {
        let test = PaxosWorld(seed: 4, nodes: 1)
        try test.run { test in
            try await PaxosReplicaTests.run(test) { replica in
                _ = try await replica.prepare(PaxosReplicaTests.prepare(1, since: 50))
                let younger = try await replica.prepare(PaxosReplicaTests.prepare(2, since: 60))
                #expect(younger.promise == .refused(by: PaxosReplicaTests.ballot(1), isCourtesy: true))
                let again = try await replica.prepare(PaxosReplicaTests.prepare(3, since: 50))
                #expect(again.promise == .promised(accepted: nil, committed: nil))
                let older = try await replica.prepare(PaxosReplicaTests.prepare(4, since: 40))
                #expect(older.promise == .promised(accepted: nil, committed: nil))
            }
            await test.replicas.pause(.milliseconds(201))
            try await PaxosReplicaTests.run(test) { replica in
                let late = try await replica.prepare(PaxosReplicaTests.prepare(5, since: 60))
                #expect(late.promise == .promised(accepted: nil, committed: nil))
                replica.release(
                    PaxosCommitMessage(
                        table: ReplicaWorld.table, key: PaxosReplicaTests.key,
                        decision: PaxosProposal(ballot: PaxosReplicaTests.ballot(5), mutation: [])))
                let next = try await replica.prepare(PaxosReplicaTests.prepare(6, since: 70))
                #expect(next.promise == .promised(accepted: nil, committed: nil))
            }
        }
    }

    // MARK: The row

    @Test func everyStateIsReadBackFromWhatIsWrittenOneChangeAfterTheOther() throws {
        let table = try #require(PaxosTable(PaxosWorld.definition))
        var random = SeededGenerator(seed: 3)
        let acceptor = PaxosAcceptor()
        for _ in 0..<200 {
            var stored = PaxosTable.Stored()
            var rows: [UInt8] = []
            for _ in 0..<8 {
                let value = PaxosReplicaTests.value(Int64(1 + random.below(50)), "\(random.below(9))")
                let next: PaxosState =
                    switch random.below(3) {
                    case 0: acceptor.prepare(value.ballot, stored.state).0
                    case 1: acceptor.propose(value, stored.state).0
                    default: acceptor.commit(value, stored.state).0
                    }
                if next == stored.state { continue }
                rows = try PaxosReplicaTests.merge(
                    rows, try PaxosReplicaTests.row(table, from: stored, to: next, graceSeconds: 864_000))
                let read = try table.read(rows.span.bytes, now: PaxosReplicaTests.now)
                #expect(read.state == next)
                #expect(read.timestamp > stored.timestamp)
                stored = read
            }
        }
    }

    @Test func statesExpireAndADecisionCountsFromItsOrigin() throws {
        let table = try #require(PaxosTable(PaxosWorld.definition))
        let grace = 20_000
        let state = PaxosState(
            promised: PaxosReplicaTests.ballot(1), accepted: PaxosReplicaTests.value(1, "y"),
            committed: PaxosReplicaTests.value(-5_000, "x"))
        let row = try PaxosReplicaTests.row(table, from: PaxosTable.Stored(), to: state, graceSeconds: grace)
        func read(_ seconds: Int) throws -> PaxosState {
            try table.read(row.span.bytes, now: PaxosReplicaTests.now + Int64(seconds)).state
        }
        #expect(try read(14_999) == state)
        #expect(try read(15_000).committed == nil)
        #expect(try read(15_000).accepted == state.accepted)
        #expect(try read(19_999).promised == state.promised)
        #expect(try read(20_000) == PaxosState())
        // Never so soon that a message could still be on its way.
        let brief = try PaxosReplicaTests.row(table, from: PaxosTable.Stored(), to: state, graceSeconds: 0)
        let kept = try table.read(brief.span.bytes, now: PaxosReplicaTests.now + 10_799).state
        #expect(kept.promised == state.promised)
    }

    private static func row(
        _ table: PaxosTable, from stored: PaxosTable.Stored, to state: PaxosState, graceSeconds: Int
    ) throws -> [UInt8] {
        let mutation: [UInt8] = try table.mutation(
            for: ReplicaWorld.table, key: key, from: stored, to: state,
            PaxosTable.Lifetime(now: now, graceSeconds: graceSeconds))
        var reader = try MutationReader(mutation.span.bytes)
        guard let row = try reader.nextRow() else { return [] }
        return [UInt8](copying: row.body)
    }

    private static func merge(_ left: [UInt8], _ right: [UInt8]) throws -> [UInt8] {
        if left.isEmpty { return right }
        var writer = ByteWriter()
        try RowMerge.merge(left.span.bytes, right.span.bytes, to: &writer)
        return writer.array()
    }
}
