import Primitives

/// Where a query goes on after a page: opaque to clients, understood by every node.
///
///     format version (1) · key length (vint) · key · mark length (vint) · mark · remaining (vint)
///     · remaining in partition (vint) · CRC-32C of everything before (4)
///
/// It does not depend on the protocol version, so that a client may go on with another one.
public struct PagingState: Equatable, Sendable {
    /// The key of the partition of the last row; empty when the query is about one partition.
    public var partitionKey: [UInt8]
    /// What marks the last row inside its partition, usually its clustering columns; empty for none.
    public var rowMark: [UInt8]
    /// Rows that the query may still return.
    public var remaining: Int
    /// Rows that the query may still return from this partition.
    public var remainingInPartition: Int

    public init(partitionKey: [UInt8], rowMark: [UInt8], remaining: Int, remainingInPartition: Int) {
        self.partitionKey = partitionKey
        self.rowMark = rowMark
        self.remaining = remaining
        self.remainingInPartition = remainingInPartition
    }

    private static let formatVersion: UInt8 = 1
    /// What every state that is damaged, of another format or made up is answered with.
    public static let invalid = ProtocolError("Invalid value for the paging state")

    public var encoded: [UInt8] {
        var writer = ByteWriter(capacity: 64 + partitionKey.count + rowMark.count)
        writer.write(PagingState.formatVersion)
        writer.writeLength(partitionKey.count)
        writer.write(partitionKey)
        writer.writeLength(rowMark.count)
        writer.write(rowMark)
        writer.writeLength(max(0, remaining))
        writer.writeLength(max(0, remainingInPartition))
        let checksum = Checksum.crc32c(writer.span)
        writer.write(checksum)
        return writer.array()
    }

    /// Reads the state that a client sent back.
    ///
    /// - Throws: a protocol error when it is not one of ours.
    public init(decoding bytes: RawSpan) throws(ProtocolError) {
        guard bytes.byteCount >= 5 else { throw PagingState.invalid }
        let end = bytes.byteCount - 4
        let stored = UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: end, as: UInt32.self))
        let content = bytes.extracting(0..<end)
        guard Checksum.crc32c(content) == stored else { throw PagingState.invalid }
        do throws(DecodingError) {
            var reader = ByteReader(content)
            guard try reader.readUInt8() == PagingState.formatVersion else {
                throw DecodingError.invalid(offset: 0, what: "a format version")
            }
            let keyByteCount = try reader.readLength()
            self.partitionKey = try reader.readArray(keyByteCount)
            let markByteCount = try reader.readLength()
            self.rowMark = try reader.readArray(markByteCount)
            self.remaining = try reader.readLength()
            self.remainingInPartition = try reader.readLength()
        } catch {
            throw PagingState.invalid
        }
    }
}
