package import Environment

/// How long a contender stays away after it was overtaken: random, and longer each time, so that contenders find gaps
/// between each other.
package struct ContentionPause: Sendable {
    private var count = 0

    /// The longest that the first pause can be, and that any can.
    private static let firstMicroseconds: UInt64 = 2_000
    private static let longestMicroseconds: UInt64 = 50_000

    package init() {}

    /// The next pause: between nothing and a bound that doubles.
    ///
    /// - Parameter isShort: for who has to know what became of a proposal before others have decided too much.
    package mutating func next(_ entropy: any Entropy, isShort: Bool = false) -> Duration {
        var bound: UInt64 = min(
            ContentionPause.longestMicroseconds, ContentionPause.firstMicroseconds << UInt64(min(count, 16)))
        if isShort { bound = ContentionPause.firstMicroseconds }
        count += 1
        return .microseconds(Int64(entropy.next() % bound))
    }
}
