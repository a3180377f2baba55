import Primitives

/// The identifier of a prepared statement: MD5 over the keyspace it was prepared in and its text, as Cassandra makes it,
/// so that every node gives a statement the same one.
public struct StatementID: Hashable, Sendable {
    public let high: UInt64
    public let low: UInt64

    /// Nil unless there are 16 bytes.
    @inlinable
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount == 16 else { return nil }
        self.high = UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(as: UInt64.self))
        self.low = UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// No statement's.
    static let zero = StatementID(UUID(high: 0, low: 0))

    private init(_ plain: UUID) {
        self.high = plain.high
        self.low = plain.low
    }

    package init(text: String, keyspace: String?) {
        let digest: [UInt8] = MD5.digest(Array((keyspace ?? "").utf8) + Array(text.utf8))
        let plain = UUID(digest.span.bytes) ?? UUID(high: 0, low: 0)
        self.high = plain.high
        self.low = plain.low
    }

    package var bytes: [UInt8] { UUID(high: high, low: low).bytes }

    /// The digest is as good as a hash, so its lower half is one.
    @inlinable
    public func hash(into hasher: inout Hasher) {
        hasher.combine(low)
    }
}
