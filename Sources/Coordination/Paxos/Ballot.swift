package import Primitives

/// The number of one attempt to decide something about a partition: the time at which it was made, and random bits, so
/// that no two attempts of a cluster have the same.
///
/// The microseconds are also the timestamp of what the attempt writes, so a later decision always wins over an earlier
/// one. In tables and texts a ballot is a version 1 UUID.
package struct Ballot: Hashable, Comparable, Sendable {
    /// Since 1970.
    package let microseconds: Int64
    /// 62 random bits: as many as a version 1 UUID has room for.
    package let tie: UInt64

    /// Less than every ballot of an attempt.
    package static let none = Ballot(microseconds: 0, tie: 0)
    /// The latest time that fits a version 1 UUID, with room above: a ballot can always be made greater.
    package static let maximumMicroseconds: Int64 = 1 << 56
    package static let byteCount = 16
    private static let tieMask: UInt64 = 1 << 62 - 1

    package init(microseconds: Int64, tie: UInt64) {
        self.microseconds = min(max(0, microseconds), Ballot.maximumMicroseconds)
        self.tie = tie & Ballot.tieMask
    }

    package var isNone: Bool { self == .none }

    package static func < (left: Ballot, right: Ballot) -> Bool {
        left.microseconds != right.microseconds ? left.microseconds < right.microseconds : left.tie < right.tie
    }

    /// As a version 1 UUID.
    package var uuid: UUID {
        UUID.timeBased(timestamp: UInt64(bitPattern: microseconds &* 10 &+ UUID.unixEpoch), low: tie)
    }

    /// The ballot that a UUID stands for; nil when it stands for none.
    package init?(_ uuid: UUID) {
        let microseconds: Int64 = (Int64(bitPattern: uuid.timestamp) &- UUID.unixEpoch) / 10
        guard uuid.version == 1, microseconds >= 0, microseconds <= Ballot.maximumMicroseconds else { return nil }
        self.init(microseconds: microseconds, tie: uuid.low)
    }

    // Sixteen bytes: microseconds i64 · tie u64.

    package func write(to writer: inout ByteWriter) {
        writer.write(microseconds)
        writer.write(tie)
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        let microseconds: Int64 = try reader.readInt64()
        let tie: UInt64 = try reader.readUInt64()
        guard microseconds >= 0, microseconds <= Ballot.maximumMicroseconds, tie <= Ballot.tieMask else {
            throw .invalid(offset: reader.offset, what: "a ballot out of range")
        }
        self.init(microseconds: microseconds, tie: tie)
    }
}
