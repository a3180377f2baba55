package import Environment
import Synchronization

/// The clock that timestamps come from: close to the wall clock, never back, never behind what this node has seen.
///
/// A message from another node brings that node's clock; a write that happens after it then gets a later timestamp,
/// whatever the two wall clocks say (Kulkarni et al., "Logical Physical Clocks", 2014, with the counter in the low bits
/// of the microseconds). Shared by all shards of a node.
public final class HybridClock: Sendable {
    private let time: any TimeSource
    /// The last timestamp that was given or seen, in microseconds since 1970.
    private let last: Atomic<Int64>
    /// How far in the future another node's clock may be before it is not believed.
    private let maximumDrift: Int64

    package init(time: any TimeSource, maximumDriftMicroseconds: Int64 = 60_000_000) {
        self.time = time
        self.last = Atomic(0)
        self.maximumDrift = maximumDriftMicroseconds
    }

    /// A timestamp after all that were given or seen before, in microseconds since 1970.
    ///
    /// Hot: once per write that brings no timestamp.
    public func next() -> Int64 {
        let now: Int64 = time.wallMicroseconds
        var known: Int64 = last.load(ordering: .relaxed)
        while true {
            let wanted: Int64 = max(now, known &+ 1)
            let (exchanged, original): (Bool, Int64) = last.weakCompareExchange(
                expected: known, desired: wanted, ordering: .relaxed)
            if exchanged { return wanted }
            known = original
        }
    }

    /// What the clock shows, without moving it.
    public var current: Int64 { max(time.wallMicroseconds, last.load(ordering: .relaxed)) }

    /// Takes note of another node's clock. One that is too far ahead is passed over, so that a broken clock does not
    /// move all others.
    ///
    /// Hot: once per frame between nodes.
    ///
    /// - Returns: false when it was passed over.
    @discardableResult
    public func observe(_ timestamp: Int64) -> Bool {
        var known: Int64 = last.load(ordering: .relaxed)
        if timestamp <= known { return true }
        guard timestamp &- time.wallMicroseconds <= maximumDrift else { return false }
        while timestamp > known {
            let (exchanged, original): (Bool, Int64) = last.weakCompareExchange(
                expected: known, desired: timestamp, ordering: .relaxed)
            if exchanged { return true }
            known = original
        }
        return true
    }
}
