package import DataModel
package import Primitives
import Storage

/// A ballot begins for a partition, and the partition is read with it:
///
///     prepare := ballot (16) · since i64 · placement · table UUID · key (u16 length · bytes) · [page request]
///     placement := epoch u64 · fingerprint u64
package struct PaxosPrepare: Sendable, Hashable {
    package let ballot: Ballot
    /// When the request began that the ballot is for, in microseconds: who has waited longer goes first.
    package let since: Int64
    package let placement: PlacementStamp
    package let table: UUID
    package let key: [UInt8]
    /// What of the partition to read; nil when the replica answers no reads.
    package let read: PageRequest?

    package init(
        ballot: Ballot, since: Int64, placement: PlacementStamp = .none, table: UUID, key: [UInt8], read: PageRequest?
    ) {
        self.ballot = ballot
        self.since = since
        self.placement = placement
        self.table = table
        self.key = key
        self.read = read
    }

    package var token: Token { Token(ofKey: key.span.bytes) }

    package func write(to writer: inout ByteWriter) {
        ballot.write(to: &writer)
        writer.write(since)
        placement.write(to: &writer)
        writer.write(table, key)
        read?.write(to: &writer)
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.ballot = try Ballot(from: &reader)
        self.since = try reader.readInt64()
        self.placement = try PlacementStamp(from: &reader)
        let partition: (table: UUID, key: [UInt8]) = try reader.readPartition()
        self.table = partition.table
        self.key = partition.key
        guard !reader.isAtEnd else {
            self.read = nil
            return
        }
        let wanted = try PageRequest(decoding: reader.rest)
        let token = Token(ofKey: partition.key.span.bytes)
        guard wanted.table == partition.table, wanted.command.partitions == .one(token: token, key: partition.key)
        else { throw .invalid(offset: reader.offset, what: "a read of another partition than the ballot's") }
        self.read = wanted
    }
}

/// The answer:
///
///     answer := 0 (u8) · ballot (16) · is courtesy u8
///             | 1 (u8) · flags u8 (1 accepted, 2 committed, 4 page) · [proposal] · [proposal] · [page]
package struct PrepareAnswer: Sendable, Hashable {
    package let promise: PaxosPromise
    package let page: ReadPage?

    package init(promise: PaxosPromise, page: ReadPage?) {
        self.promise = promise
        self.page = page
    }

    package func write(to writer: inout ByteWriter) {
        switch promise {
        case .refused(let ballot, let isCourtesy):
            writer.write(UInt8(0))
            ballot.write(to: &writer)
            writer.write(UInt8(isCourtesy ? 1 : 0))
        case .promised(let accepted, let committed):
            writer.write(UInt8(1))
            var flags: UInt8 = 0
            if accepted != nil { flags |= 1 }
            if committed != nil { flags |= 2 }
            if page != nil { flags |= 4 }
            writer.write(flags)
            accepted?.write(to: &writer)
            committed?.write(to: &writer)
            page?.write(to: &writer)
        }
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        guard try reader.readUInt8() == 1 else {
            let ballot = try Ballot(from: &reader)
            self.promise = .refused(by: ballot, isCourtesy: try reader.readUInt8() != 0)
            self.page = nil
            return
        }
        let flags: UInt8 = try reader.readUInt8()
        guard flags & ~7 == 0 else { throw .invalid(offset: reader.offset, what: "unknown flags of a promise") }
        let accepted: PaxosProposal? = flags & 1 != 0 ? try PaxosProposal(from: &reader) : nil
        let committed: PaxosProposal? = flags & 2 != 0 ? try PaxosProposal(from: &reader) : nil
        self.promise = .promised(accepted: accepted, committed: committed)
        self.page = flags & 4 != 0 ? try ReadPage(decoding: reader.rest) : nil
    }
}

/// A value is proposed for a partition, with the last decision for a replica that may have missed it:
///
///     propose := placement · table UUID · key (u16 length · bytes) · has decision u8 · proposal · [proposal]
package struct PaxosPropose: Sendable, Hashable {
    package let placement: PlacementStamp
    package let table: UUID
    package let key: [UInt8]
    package let proposal: PaxosProposal
    /// Applied before the proposal is accepted.
    package let decision: PaxosProposal?

    package init(
        placement: PlacementStamp = .none, table: UUID, key: [UInt8], proposal: PaxosProposal, decision: PaxosProposal?
    ) {
        self.placement = placement
        self.table = table
        self.key = key
        self.proposal = proposal
        self.decision = decision
    }

    package var token: Token { Token(ofKey: key.span.bytes) }

    package func write(to writer: inout ByteWriter) {
        placement.write(to: &writer)
        writer.write(table, key)
        writer.write(UInt8(decision == nil ? 0 : 1))
        proposal.write(to: &writer)
        decision?.write(to: &writer)
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        self.placement = try PlacementStamp(from: &reader)
        (self.table, self.key) = try reader.readPartition()
        let hasDecision: Bool = try reader.readUInt8() != 0
        self.proposal = try PaxosProposal(from: &reader)
        self.decision = hasDecision ? try PaxosProposal(from: &reader) : nil
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after a proposal") }
        for value in [proposal, decision] {
            guard let value, !value.isEmpty else { continue }
            try value.check(isFor: table, key)
        }
    }
}

/// The answer: 1 (u8) when it was accepted, else 0 (u8) and the ballot that stands against it (16).
package enum ProposeAnswer {
    package static func write(refusedBy ballot: Ballot?, to writer: inout ByteWriter) {
        writer.write(UInt8(ballot == nil ? 1 : 0))
        ballot?.write(to: &writer)
    }

    package static func decode(_ bytes: RawSpan) throws(DecodingError) -> Ballot? {
        var reader = ByteReader(bytes)
        return try reader.readUInt8() == 1 ? nil : try Ballot(from: &reader)
    }
}

/// A value has been decided, or, when it is empty, whoever began its ballot has no more to do with it:
///
///     commit := table UUID · key (u16 length · bytes) · proposal
///
/// The answer is empty.
package struct PaxosCommitMessage: Sendable, Hashable {
    package let table: UUID
    package let key: [UInt8]
    package let decision: PaxosProposal

    package init(table: UUID, key: [UInt8], decision: PaxosProposal) {
        self.table = table
        self.key = key
        self.decision = decision
    }

    package var token: Token { Token(ofKey: key.span.bytes) }

    package func write(to writer: inout ByteWriter) {
        writer.write(table, key)
        decision.write(to: &writer)
    }

    package init(decoding bytes: RawSpan) throws(DecodingError) {
        var reader = ByteReader(bytes)
        (self.table, self.key) = try reader.readPartition()
        self.decision = try PaxosProposal(from: &reader)
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after a decision") }
        if !decision.isEmpty { try decision.check(isFor: table, key) }
    }
}

extension PaxosProposal {
    /// Makes sure that the mutation is whole and about one partition.
    package func check(isFor table: UUID, _ key: [UInt8]) throws(DecodingError) {
        let bytes: RawSpan = mutation.span.bytes
        try MutationReader.validate(bytes)
        let reader = try MutationReader(bytes)
        guard reader.table == table, reader.token == Token(ofKey: key.span.bytes), [UInt8](copying: reader.key) == key
        else { throw .invalid(offset: 0, what: "a value for another partition than its ballot's") }
    }
}

extension ByteWriter {
    fileprivate mutating func write(_ table: UUID, _ key: [UInt8]) {
        write(table.high)
        write(table.low)
        write(UInt16(truncatingIfNeeded: key.count))
        write(key)
    }
}

extension ByteReader {
    fileprivate mutating func readPartition() throws(DecodingError) -> (UUID, [UInt8]) {
        let high: UInt64 = try readUInt64()
        let table = UUID(high: high, low: try readUInt64())
        return (table, try readArray(Int(try readUInt16())))
    }
}
