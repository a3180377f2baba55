public import DataModel

/// A place between two partitions on the ring. Partitions are in order of token, then of key bytes.
///
/// A position never equals a partition: it is right before or right after a key, or before or after all keys of a
/// token.
public struct PartitionPosition: Sendable, Hashable {
    public var token: Token
    /// Nil for all keys of the token.
    public var key: [UInt8]?
    /// Whether the place is after the key (or after all keys of the token), not before.
    public var isAfter: Bool

    public init(token: Token, key: [UInt8]? = nil, isAfter: Bool = false) {
        self.token = token
        self.key = key
        self.isAfter = isAfter
    }

    /// Before every partition.
    public static let beforeEverything = PartitionPosition(token: .minimum)
    /// After every partition.
    public static let afterEverything = PartitionPosition(token: .maximum, isAfter: true)

    public static func before(_ token: Token) -> PartitionPosition { PartitionPosition(token: token) }
    public static func after(_ token: Token) -> PartitionPosition { PartitionPosition(token: token, isAfter: true) }

    public static func before(_ token: Token, _ key: [UInt8]) -> PartitionPosition {
        PartitionPosition(token: token, key: key)
    }

    public static func after(_ token: Token, _ key: [UInt8]) -> PartitionPosition {
        PartitionPosition(token: token, key: key, isAfter: true)
    }

    /// Whether the place is before a partition.
    ///
    /// Hot: once per partition that is scanned.
    @inlinable
    public func isBefore(_ token: Token, _ key: UnsafeRawBufferPointer) -> Bool {
        if self.token != token { return self.token < token }
        guard let own = self.key else { return !isAfter }
        let order: Int = own.withUnsafeBytes { ByteOrder.compare($0, key) }
        return order == 0 ? !isAfter : order < 0
    }
}

extension PartitionPosition: Comparable {
    public static func < (left: PartitionPosition, right: PartitionPosition) -> Bool {
        if left.token != right.token { return left.token < right.token }
        switch (left.key, right.key) {
        case (nil, nil): return !left.isAfter && right.isAfter
        case (nil, _): return !left.isAfter
        case (_, nil): return right.isAfter
        case (let a?, let b?):
            let order: Int = ByteOrder.compare(a, b)
            return order == 0 ? !left.isAfter && right.isAfter : order < 0
        }
    }
}

/// Which partitions a read wants.
public enum PartitionRange: Sendable, Hashable {
    case one(token: Token, key: [UInt8])
    /// The partitions after `start` and before `end`.
    case range(start: PartitionPosition, end: PartitionPosition)

    /// Everything.
    public static let all = PartitionRange.range(start: .beforeEverything, end: .afterEverything)

    /// The place before the first wanted partition.
    public var start: PartitionPosition {
        switch self {
        case .one(let token, let key): .before(token, key)
        case .range(let start, _): start
        }
    }

    /// The place after the last wanted partition.
    public var end: PartitionPosition {
        switch self {
        case .one(let token, let key): .after(token, key)
        case .range(_, let end): end
        }
    }

    public func contains(_ token: Token, _ key: UnsafeRawBufferPointer) -> Bool {
        switch self {
        case .one(let wanted, let wantedKey):
            wanted == token && wantedKey.withUnsafeBytes { ByteOrder.compare($0, key) } == 0
        case .range(let start, let end): start.isBefore(token, key) && !end.isBefore(token, key)
        }
    }

    /// Whether a run of tokens, both ends included, can hold a wanted partition.
    public func intersects(_ tokens: ClosedRange<Token>) -> Bool {
        start.token <= tokens.upperBound && end.token >= tokens.lowerBound
    }
}

extension PartitionRange {
    /// The shards that can hold a wanted partition, ascending.
    package func shards(_ slices: ShardSlices) -> ClosedRange<Int> {
        switch self {
        case .one(let token, _): slices.shard(of: token)...slices.shard(of: token)
        case .range(let start, let end):
            slices.shard(of: start.token)...max(slices.shard(of: start.token), slices.shard(of: end.token))
        }
    }
}
