import DataModel
import Primitives

/// A batch on its way to the nodes that keep it.
///
///     store  := format u8 (1) · batch (16) · count u32 · (length u32 · mutation)*       answered by nothing
///     remove := format u8 (1) · batch (16)                                              not answered
enum BatchMessage {
    private static let format: UInt8 = 1
    /// The most mutations of a batch: as many as a statement can have.
    static let maximumCount = 65_535

    static func write(_ batch: StoredBatch, to writer: inout ByteWriter) {
        write(removing: batch.id, to: &writer)
        writer.write(UInt32(truncatingIfNeeded: batch.mutations.count))
        for mutation in batch.mutations {
            writer.write(UInt32(truncatingIfNeeded: mutation.count))
            writer.write(mutation)
        }
    }

    static func write(removing batch: UUID, to writer: inout ByteWriter) {
        writer.write(format)
        writer.write(batch.high)
        writer.write(batch.low)
    }

    static func readBatch(_ body: RawSpan) throws(DecodingError) -> StoredBatch {
        var reader = ByteReader(body)
        let id: UUID = try readID(&reader)
        let count = Int(try reader.readUInt32())
        guard count <= maximumCount else {
            throw .invalid(offset: reader.offset, what: "a batch of more mutations than there can be")
        }
        var mutations: [[UInt8]] = []
        for _ in 0..<count {
            let mutation: [UInt8] = try reader.readArray(Int(try reader.readUInt32()))
            try MutationReader.validate(mutation.span.bytes)
            mutations.append(mutation)
        }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes follow its end") }
        return StoredBatch(id: id, mutations: mutations)
    }

    static func readID(_ body: RawSpan) throws(DecodingError) -> UUID {
        var reader = ByteReader(body)
        return try readID(&reader)
    }

    private static func readID(_ reader: inout ByteReader) throws(DecodingError) -> UUID {
        guard try reader.readUInt8() == format else { throw .invalid(offset: 0, what: "its format is unknown") }
        let high: UInt64 = try reader.readUInt64()
        return UUID(high: high, low: try reader.readUInt64())
    }
}
