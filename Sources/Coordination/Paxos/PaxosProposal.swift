package import Primitives

/// A value that was proposed for a partition: a mutation, or nothing, under the ballot with which it was proposed last.
///
/// A value that is found unfinished is proposed again with a greater ballot; its bytes stay as they are, so that it is
/// the same write however often it is applied. `origin` says which value it is. `ancestors` says which values were
/// decided before it, so that whoever lost sight of a proposal can find out what became of it.
package struct PaxosProposal: Hashable, Sendable {
    package var ballot: Ballot
    /// The ballot with which the value was proposed first.
    package let origin: Ballot
    /// The origins of the values that were decided before, the last one first; `.none` stands for the beginning.
    package let ancestors: [Ballot]
    /// Empty when nothing is written: reads, and conditions that do not hold.
    package let mutation: [UInt8]

    /// How many ancestors are remembered.
    package static let ancestorLimit = 16

    package init(ballot: Ballot, origin: Ballot? = nil, ancestors: [Ballot] = [.none], mutation: [UInt8]) {
        self.ballot = ballot
        self.origin = origin ?? ballot
        self.ancestors = Array(ancestors.prefix(PaxosProposal.ancestorLimit))
        self.mutation = mutation
    }

    package var isEmpty: Bool { mutation.isEmpty }

    /// The same value, proposed anew.
    package func proposed(with ballot: Ballot) -> PaxosProposal {
        var again: PaxosProposal = self
        again.ballot = ballot
        return again
    }

    /// What a value that follows this one has for ancestors.
    package var lineage: [Ballot] { Array(([origin] + ancestors).prefix(PaxosProposal.ancestorLimit)) }

    //     proposal := ballot (16) · origin (16) · u8 count · ancestor (16) * · u32 length · mutation

    package func write(to writer: inout ByteWriter) {
        ballot.write(to: &writer)
        origin.write(to: &writer)
        writer.write(UInt8(truncatingIfNeeded: ancestors.count))
        for ancestor in ancestors { ancestor.write(to: &writer) }
        writer.write(UInt32(truncatingIfNeeded: mutation.count))
        writer.write(mutation)
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        self.ballot = try Ballot(from: &reader)
        self.origin = try Ballot(from: &reader)
        let count = Int(try reader.readUInt8())
        guard count <= PaxosProposal.ancestorLimit, origin <= ballot else {
            throw .invalid(offset: reader.offset, what: "a proposal that nobody makes")
        }
        var ancestors: [Ballot] = []
        for _ in 0..<count { ancestors.append(try Ballot(from: &reader)) }
        self.ancestors = ancestors
        self.mutation = try reader.readArray(Int(try reader.readUInt32()))
    }

    package var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 64 + mutation.count)
        write(to: &writer)
        return writer.array()
    }

    package init(decoding bytes: [UInt8]) throws(DecodingError) {
        var reader = ByteReader(bytes.span.bytes)
        try self.init(from: &reader)
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes after a proposal") }
    }
}

/// What became of a value that was proposed and whose acceptance was not seen.
package enum ProposalFate: Sendable, Equatable {
    /// It was decided.
    case decided
    /// It has not been decided before the present ballot, and is not once something else is decided with it.
    case undecided
    /// So much has been decided since that nobody knows any more.
    case unknown
}

extension PaxosProposal? {
    /// What became of the value that was first proposed with `origin`, when this is the last one known to be decided.
    ///
    /// Values are decided in the order of their origins, so one that is not among those around it was passed over.
    package func fate(of origin: Ballot) -> ProposalFate {
        guard let last = self, last.origin >= origin else { return .undecided }
        if last.origin == origin || last.ancestors.contains(origin) { return .decided }
        return last.ancestors.contains { $0 < origin } ? .undecided : .unknown
    }
}
