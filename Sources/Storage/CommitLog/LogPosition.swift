/// The place of a mutation in what one shard wrote to the commit log: later mutations of the shard have greater ones.
///
/// The upper 24 bits count the times the log was opened, the lower 40 the mutations since then, so that positions grow
/// across restarts. Positions of different shards have nothing to do with each other.
public struct LogPosition: Hashable, Comparable, Sendable, CustomStringConvertible {
    public let value: UInt64

    @inlinable
    public init(_ value: UInt64) {
        self.value = value
    }

    /// Before every mutation.
    public static let start: LogPosition = LogPosition(0)

    static let sequenceBitCount: UInt64 = 40

    /// The position before the first mutation of the run after the one that `self` is of.
    var startOfNextRun: LogPosition {
        LogPosition(((value >> LogPosition.sequenceBitCount) &+ 1) << LogPosition.sequenceBitCount)
    }

    @inlinable
    public static func < (left: LogPosition, right: LogPosition) -> Bool {
        left.value < right.value
    }

    public var description: String {
        "\(value >> LogPosition.sequenceBitCount):\(value & (1 << LogPosition.sequenceBitCount - 1))"
    }
}
