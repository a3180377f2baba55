import Coordination
import DataModel
import Primitives
import Storage
import Testing

/// Ballots, proposals and messages as bytes.
@Suite struct PaxosCodingTests {
    private static let key: [UInt8] = Array("a".utf8)
    private static let mutation: [UInt8] = ReplicaWorld.mutation("a", "x", at: 7)

    private static func ballot(_ number: Int64, _ tie: UInt64 = 3) -> Ballot {
        Ballot(microseconds: 1_700_000_000_000_000 + number, tie: tie)
    }

    private static let proposal = PaxosProposal(
        ballot: ballot(9), origin: ballot(5), ancestors: [ballot(3), ballot(1), .none], mutation: mutation)

    private static let page = ReadPage(
        covered: nil, liveRowCount: 1, tombstoneCount: 0, digest: PageDigest(low: 1, high: 2), fragments: [1, 2, 3])

    private static func bytes(_ body: (inout ByteWriter) -> Void) -> [UInt8] {
        var writer = ByteWriter()
        body(&writer)
        return writer.array()
    }

    @Test func ballotsAreOrderedByTimeAndThenByChance() {
        let ballots: [Ballot] = [
            .none, Ballot(microseconds: 0, tie: 1), Ballot(microseconds: 1, tie: 0), Ballot(microseconds: 1, tie: 5),
            Ballot(microseconds: Ballot.maximumMicroseconds, tie: .max),
        ]
        #expect(ballots == ballots.sorted())
        for (index, ballot) in ballots.enumerated() {
            for other in ballots[(index + 1)...] { #expect(ballot < other && !(other < ballot)) }
        }
    }

    @Test func aBallotIsATimeUUIDAndBack() {
        var random = SeededGenerator(seed: 2)
        for _ in 0..<500 {
            let micros = Int64(random.next(upperBound: UInt64(Ballot.maximumMicroseconds)))
            let ballot = Ballot(microseconds: micros, tie: random.next())
            #expect(ballot.uuid.version == 1)
            #expect(Ballot(ballot.uuid) == ballot)
            #expect(ballot.uuid.unixMilliseconds == micros / 1_000)
        }
        #expect(Ballot(UUID(high: 1, low: 2)) == nil)
    }

    @Test func messagesReadBackAsTheyWereWritten() throws {
        let command = ReadCommand(
            partitions: .one(token: Token(ofKey: PaxosCodingTests.key.span.bytes), key: PaxosCodingTests.key))
        let read = PageRequest(
            table: ReplicaWorld.table, command: command, nowSeconds: 1, graceStart: 0, rowLimit: 10)
        for wanted in [nil, read] {
            let prepare = PaxosPrepare(
                ballot: PaxosCodingTests.ballot(1), since: 4, table: ReplicaWorld.table, key: PaxosCodingTests.key,
                read: wanted)
            let written = PaxosCodingTests.bytes { prepare.write(to: &$0) }
            let decoded = try PaxosPrepare(decoding: written.span.bytes)
            #expect(decoded == prepare)
        }
        let promises: [PaxosPromise] = [
            .refused(by: PaxosCodingTests.ballot(1), isCourtesy: true),
            .promised(accepted: nil, committed: PaxosCodingTests.proposal),
            .promised(accepted: PaxosCodingTests.proposal, committed: nil),
        ]
        for promise in promises {
            let answer = PrepareAnswer(promise: promise, page: nil)
            let written = PaxosCodingTests.bytes { answer.write(to: &$0) }
            let decoded = try PrepareAnswer(decoding: written.span.bytes)
            #expect(decoded == answer)
        }
        let full = PrepareAnswer(promise: promises[1], page: PaxosCodingTests.page)
        let fullBytes = PaxosCodingTests.bytes { full.write(to: &$0) }
        let decodedFull = try PrepareAnswer(decoding: fullBytes.span.bytes)
        #expect(decodedFull == full)
        for decision in [nil, PaxosCodingTests.proposal] {
            let propose = PaxosPropose(
                table: ReplicaWorld.table, key: PaxosCodingTests.key, proposal: PaxosCodingTests.proposal,
                decision: decision)
            let written = PaxosCodingTests.bytes { propose.write(to: &$0) }
            let decoded = try PaxosPropose(decoding: written.span.bytes)
            #expect(decoded == propose)
        }
        for other in [nil, PaxosCodingTests.ballot(2)] {
            let written = PaxosCodingTests.bytes { ProposeAnswer.write(refusedBy: other, to: &$0) }
            let decoded = try ProposeAnswer.decode(written.span.bytes)
            #expect(decoded == other)
        }
    }

    @Test func whatIsForAnotherPartitionIsRefused() {
        let other: [UInt8] = Array("b".utf8)
        let message = PaxosPropose(
            table: ReplicaWorld.table, key: other, proposal: PaxosCodingTests.proposal, decision: nil)
        let written = PaxosCodingTests.bytes { message.write(to: &$0) }
        #expect(throws: DecodingError.self) { _ = try PaxosPropose(decoding: written.span.bytes) }
        let command = ReadCommand(
            partitions: .one(token: Token(ofKey: PaxosCodingTests.key.span.bytes), key: PaxosCodingTests.key))
        let prepare = PaxosPrepare(
            ballot: PaxosCodingTests.ballot(1), since: 0, table: ReplicaWorld.table, key: other,
            read: PageRequest(
                table: ReplicaWorld.table, command: command, nowSeconds: 1, graceStart: 0, rowLimit: 10))
        let prepared = PaxosCodingTests.bytes { prepare.write(to: &$0) }
        #expect(throws: DecodingError.self) { _ = try PaxosPrepare(decoding: prepared.span.bytes) }
    }

    @Test func cutAndDamagedMessagesNeverCrash() {
        var random = SeededGenerator(seed: 5)
        let whole: [[UInt8]] = [
            PaxosCodingTests.bytes {
                PaxosPropose(
                    table: ReplicaWorld.table, key: PaxosCodingTests.key, proposal: PaxosCodingTests.proposal,
                    decision: PaxosCodingTests.proposal
                ).write(to: &$0)
            },
            PaxosCodingTests.bytes {
                PrepareAnswer(
                    promise: .promised(accepted: PaxosCodingTests.proposal, committed: PaxosCodingTests.proposal),
                    page: PaxosCodingTests.page
                ).write(to: &$0)
            },
        ]
        for bytes in whole {
            for _ in 0..<2_000 {
                var damaged: [UInt8] = Array(bytes.prefix(random.below(bytes.count + 1)))
                if !damaged.isEmpty { damaged[random.below(damaged.count)] ^= UInt8(1 + random.below(255)) }
                _ = try? PaxosPropose(decoding: damaged.span.bytes)
                _ = try? PaxosPrepare(decoding: damaged.span.bytes)
                _ = try? PrepareAnswer(decoding: damaged.span.bytes)
                _ = try? PaxosCommitMessage(decoding: damaged.span.bytes)
            }
        }
    }
}
