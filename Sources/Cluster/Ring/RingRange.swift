public import DataModel

/// The tokens after `start`, up to and with `end`.
///
/// A range whose start is not before its end goes on past the largest token and starts again at the smallest, so
/// equal ends mean the whole ring. `Token.minimum` is no key's token: as an end it means "through the last token".
public struct RingRange: Hashable, Sendable, CustomStringConvertible {
    public let start: Token
    public let end: Token

    @inlinable
    public init(after start: Token, through end: Token) {
        self.start = start
        self.end = end
    }

    public static let wholeRing = RingRange(after: .minimum, through: .minimum)

    @inlinable
    public func contains(_ token: Token) -> Bool {
        start < end ? token > start && token <= end : token > start || token <= end
    }

    /// Whether it has tokens on both sides of the smallest one.
    @inlinable public var wraps: Bool { start >= end && end != .minimum }

    /// The same tokens as ranges that do not wrap, ascending.
    public var unwrapped: [RingRange] {
        guard wraps else { return [self] }
        let first = RingRange(after: .minimum, through: end)
        return start == .maximum ? [first] : [first, RingRange(after: start, through: .minimum)]
    }

    /// The part of the ring that it covers, from 0 to 1.
    public var share: Double {
        start == end ? 1 : Double(end.ordinal &- start.ordinal) * 0x1p-64
    }

    public var description: String { "(\(start),\(end)]" }
}

/// A range and who holds it.
public struct PlacedRange: Sendable {
    public let range: RingRange
    public let replicas: ReplicaSet

    package init(range: RingRange, replicas: ReplicaSet) {
        self.range = range
        self.replicas = replicas
    }
}
