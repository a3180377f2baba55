public import Primitives

/// When something was deleted: everything written at or before `timestamp` is gone.
public struct Deletion: Equatable, Sendable {
    /// The client's or the coordinator's time of the delete, in microseconds.
    public var timestamp: Int64
    /// When the delete was made, in seconds since 1970: the start of its grace.
    public var localSeconds: Int64

    @inlinable
    public init(timestamp: Int64, localSeconds: Int64) {
        self.timestamp = timestamp
        self.localSeconds = localSeconds
    }

    /// Deletes nothing.
    public static let none: Deletion = Deletion(timestamp: .min, localSeconds: .max)

    @inlinable public var isNone: Bool { timestamp == .min }

    /// Whether something written at `timestamp` is gone.
    @inlinable public func covers(_ writtenAt: Int64) -> Bool { writtenAt <= timestamp && timestamp != .min }

    /// The stronger of two deletions: the later one, then the one made later.
    @inlinable
    public func merged(with other: Deletion) -> Deletion {
        if timestamp != other.timestamp { return timestamp > other.timestamp ? self : other }
        return localSeconds >= other.localSeconds ? self : other
    }

    public static let byteCount: Int = 16

    @inlinable
    public func write(to writer: inout ByteWriter) {
        writer.write(timestamp)
        writer.write(localSeconds)
    }

    @inlinable
    public init(from reader: inout ByteReader) throws(DecodingError) {
        self.timestamp = try reader.readInt64()
        self.localSeconds = try reader.readInt64()
    }
}
