import Primitives

/// The number of an attempt to decide an epoch. Attempts with larger numbers overrule those with smaller ones.
package struct MetadataBallot: Hashable, Comparable, Sendable {
    package let round: UInt64
    package let node: NodeID
    /// Random. A node that was restarted does not remember which rounds it used, and one number for two attempts would
    /// let a late message of the first pass for one of the second.
    package let nonce: UInt64

    package init(round: UInt64, node: NodeID, nonce: UInt64) {
        self.round = round
        self.node = node
        self.nonce = nonce
    }

    /// Before all attempts.
    package static let none = MetadataBallot(round: 0, node: .none, nonce: 0)

    package static func < (left: MetadataBallot, right: MetadataBallot) -> Bool {
        (left.round, left.node, left.nonce) < (right.round, right.node, right.nonce)
    }

    func write(to writer: inout ByteWriter) {
        writer.write(round)
        writer.write(node.uuid.bytes)
        writer.write(nonce)
    }

    static func read(_ reader: inout ByteReader) throws(DecodingError) -> MetadataBallot {
        let round: UInt64 = try reader.readUInt64()
        // Rounds count attempts; one that leaves no room above it could only be there to end all voting.
        guard round < 1 << 62 else { throw .invalid(offset: reader.offset, what: "a ballot beyond all attempts") }
        let node = NodeID(try reader.readUUID())
        return MetadataBallot(round: round, node: node, nonce: try reader.readUInt64())
    }
}

/// An edit that a voter has accepted, and in which attempt.
package struct AcceptedEdit: Hashable, Sendable {
    package let ballot: MetadataBallot
    package let edit: MetadataEdit

    package init(ballot: MetadataBallot, edit: MetadataEdit) {
        self.ballot = ballot
        self.edit = edit
    }
}
