import DataModel
import Primitives

/// The bodies of the messages by which nodes agree on metadata (docs/formats/metadata.md). Integers are big-endian.
enum MetadataMessages {
    /// The refusal of a message that is about another cluster.
    static let anotherCluster: UInt16 = 1
    /// The refusal of a message that is none.
    static let malformed: UInt16 = 2
    /// The refusal of what the disk could not keep.
    static let diskFailed: UInt16 = 3

    /// The most edits, and about the most bytes of them, in one answer to a fetch.
    static let maximumEditCount = 1_024
    static let editsByteCount = 4 << 20

    struct Prepare: Hashable, Sendable {
        var clusterID: UUID
        var epoch: UInt64
        var ballot: MetadataBallot
    }

    struct Accept: Hashable, Sendable {
        var clusterID: UUID
        var proposal: AcceptedEdit
    }

    struct Commit: Hashable, Sendable {
        var clusterID: UUID
        var edit: MetadataEdit
    }

    struct Fetch: Hashable, Sendable {
        /// All zero for a node that belongs to no cluster yet.
        var clusterID: UUID
        /// What the sender knows; 0 for nothing.
        var after: UInt64
    }

    enum Fetched: Hashable, Sendable {
        /// The node belongs to no cluster.
        case nothing
        /// The next edits, of which there may be none. `epoch` is how far the sender of the answer is.
        case edits([MetadataEdit], epoch: UInt64)
        case snapshot(ClusterMetadata)
    }

    static let noCluster = UUID(high: 0, low: 0)

    static func encode(_ message: Prepare) -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        writer.write(message.clusterID.bytes)
        writer.write(message.epoch)
        message.ballot.write(to: &writer)
        return writer.array()
    }

    static func decodePrepare(_ bytes: [UInt8]) throws(DecodingError) -> Prepare {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let cluster: UUID = try reader.readUUID()
        let epoch: UInt64 = try reader.readUInt64()
        let ballot = try MetadataBallot.read(&reader)
        try reader.end()
        return Prepare(clusterID: cluster, epoch: epoch, ballot: ballot)
    }

    static func encode(_ message: Accept) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(message.clusterID.bytes)
        write(message.proposal, to: &writer)
        return writer.array()
    }

    static func decodeAccept(_ bytes: [UInt8]) throws(DecodingError) -> Accept {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let cluster: UUID = try reader.readUUID()
        let proposal: AcceptedEdit = try readProposal(&reader)
        try reader.end()
        return Accept(clusterID: cluster, proposal: proposal)
    }

    static func encode(_ message: Commit) -> [UInt8] {
        var writer = ByteWriter()
        writer.write(message.clusterID.bytes)
        write(message.edit, to: &writer)
        return writer.array()
    }

    static func decodeCommit(_ bytes: [UInt8]) throws(DecodingError) -> Commit {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let cluster: UUID = try reader.readUUID()
        let edit: MetadataEdit = try readEdit(&reader)
        try reader.end()
        return Commit(clusterID: cluster, edit: edit)
    }

    static func encode(_ message: Fetch) -> [UInt8] {
        var writer = ByteWriter(capacity: 24)
        writer.write(message.clusterID.bytes)
        writer.write(message.after)
        return writer.array()
    }

    static func decodeFetch(_ bytes: [UInt8]) throws(DecodingError) -> Fetch {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let cluster: UUID = try reader.readUUID()
        let after: UInt64 = try reader.readUInt64()
        try reader.end()
        return Fetch(clusterID: cluster, after: after)
    }

    static func encode(_ fetched: Fetched) -> [UInt8] {
        var writer = ByteWriter()
        switch fetched {
        case .nothing: writer.write(0 as UInt8)
        case .edits(let edits, let epoch):
            writer.write(1 as UInt8)
            writer.write(epoch)
            writer.writeLength(edits.count)
            for edit in edits { write(edit, to: &writer) }
        case .snapshot(let metadata):
            writer.write(2 as UInt8)
            writer.write(MetadataCodec.encode(metadata))
        }
        return writer.array()
    }

    static func decodeFetched(_ bytes: [UInt8]) throws(DecodingError) -> Fetched {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        switch try reader.readUInt8() {
        case 0:
            try reader.end()
            return .nothing
        case 1:
            let epoch: UInt64 = try reader.readUInt64()
            let count: Int = try reader.readCount(ofAtLeast: 1, limit: maximumEditCount)
            var edits: [MetadataEdit] = []
            for _ in 0..<count { edits.append(try readEdit(&reader)) }
            try reader.end()
            return .edits(edits, epoch: epoch)
        case 2: return .snapshot(try MetadataCodec.decodeMetadata(Array(bytes.dropFirst())))
        default: throw .invalid(offset: 0, what: "an unknown answer to a fetch")
        }
    }

    static func encode(_ answer: EpochAcceptor.Answer) -> [UInt8] {
        var writer = ByteWriter(capacity: 64)
        switch answer {
        case .promised(nil): writer.write(1 as UInt8)
        case .promised(let accepted?):
            writer.write(2 as UInt8)
            write(accepted, to: &writer)
        case .accepted: writer.write(3 as UInt8)
        case .refused(let ballot):
            writer.write(4 as UInt8)
            ballot.write(to: &writer)
        case .decided(let epoch):
            writer.write(5 as UInt8)
            writer.write(epoch)
        case .behind(let epoch):
            writer.write(6 as UInt8)
            writer.write(epoch)
        case .notVoter: writer.write(7 as UInt8)
        }
        return writer.array()
    }

    static func decodeAnswer(_ bytes: [UInt8]) throws(DecodingError) -> EpochAcceptor.Answer {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let answer: EpochAcceptor.Answer
        switch try reader.readUInt8() {
        case 1: answer = .promised(nil)
        case 2: answer = .promised(try readProposal(&reader))
        case 3: answer = .accepted
        case 4: answer = .refused(try MetadataBallot.read(&reader))
        case 5: answer = .decided(epoch: try reader.readUInt64())
        case 6: answer = .behind(epoch: try reader.readUInt64())
        case 7: answer = .notVoter
        default: throw .invalid(offset: 0, what: "an unknown answer of a voter")
        }
        try reader.end()
        return answer
    }

    static func write(_ proposal: AcceptedEdit, to writer: inout ByteWriter) {
        proposal.ballot.write(to: &writer)
        write(proposal.edit, to: &writer)
    }

    static func readProposal(_ reader: inout ByteReader) throws(DecodingError) -> AcceptedEdit {
        let ballot = try MetadataBallot.read(&reader)
        return AcceptedEdit(ballot: ballot, edit: try readEdit(&reader))
    }

    private static func write(_ edit: MetadataEdit, to writer: inout ByteWriter) {
        let bytes: [UInt8] = MetadataCodec.encode(edit)
        writer.writeLength(bytes.count)
        writer.write(bytes)
    }

    private static func readEdit(_ reader: inout ByteReader) throws(DecodingError) -> MetadataEdit {
        let byteCount: Int = try reader.readLength()
        let bytes: [UInt8] = try reader.readArray(byteCount)
        return try MetadataCodec.decodeEdit(bytes)
    }
}
