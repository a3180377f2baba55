public import Primitives

/// A place on the ring: the Murmur3 hash of a partition key, as Cassandra's Murmur3Partitioner computes it.
public struct Token: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: Int64

    @inlinable
    public init(_ value: Int64) {
        self.value = value
    }

    /// The token of a partition key.
    ///
    /// Hot: once per request. `Int64.min` means "before everything", so a hash of that value becomes `Int64.max`.
    @inlinable
    public init(ofKey key: RawSpan) {
        let hash = Int64(bitPattern: Murmur3.hash(key).low)
        self.value = hash == .min ? .max : hash
    }

    /// Before every token of a key; the start of the ring.
    public static let minimum: Token = Token(.min)
    public static let maximum: Token = Token(.max)

    @inlinable
    public static func < (left: Token, right: Token) -> Bool {
        left.value < right.value
    }

    /// The token with its sign flipped: unsigned order is ring order.
    @inlinable public var ordinal: UInt64 { UInt64(bitPattern: value) ^ (1 << 63) }

    @inlinable
    public init(ordinal: UInt64) {
        self.value = Int64(bitPattern: ordinal ^ (1 << 63))
    }

    public var description: String { String(value) }
}

/// How a node's tokens are cut into one slice for each shard: equal runs of the token space, in order.
public struct ShardSlices: Sendable, Equatable {
    public let count: Int

    public init(count: Int) {
        require(count > 0, "a node has at least one shard")
        self.count = count
    }

    /// The shard that owns a token. Hot: once per request.
    @inlinable
    public func shard(of token: Token) -> Int {
        Int(truncatingIfNeeded: token.ordinal.multipliedFullWidth(by: UInt64(count)).high)
    }

    /// The first and the last token of a shard's slice.
    public func tokens(of shard: Int) -> ClosedRange<Token> {
        Token(ordinal: start(of: shard))...Token(ordinal: shard + 1 == count ? .max : start(of: shard + 1) - 1)
    }

    /// The smallest ordinal whose product with `count` reaches `shard` in the high word.
    private func start(of shard: Int) -> UInt64 {
        if shard == 0 { return 0 }
        let (quotient, remainder) = UInt64(count).dividingFullWidth((UInt64(shard), 0))
        return remainder == 0 ? quotient : quotient + 1
    }
}
