/// Timestamps for writes, each greater than the one before it, whatever the clock does.
///
/// With them the order in which a client writes is the order that counts, even where servers carry the writes out at the
/// same time or have clocks that differ.
public struct WriteTimestamps: Sendable {
    private var last: Int64 = 0

    public init() {}

    /// - Parameter wallMicroseconds: microseconds since 1970, as the clock has them.
    public mutating func next(wallMicroseconds: Int64) -> Int64 {
        last = max(last &+ 1, wallMicroseconds)
        return last
    }
}
