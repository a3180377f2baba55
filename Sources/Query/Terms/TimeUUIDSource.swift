package import Environment
package import Primitives
import Synchronization

/// Makes time-based identifiers that are unique on this node and ascend on one shard.
///
/// Each shard has one of its own, whose random part makes its identifiers differ from those of others. A request takes
/// its shard's source along to the shards that work for it, at times to several at once.
package final class TimeUUIDSource: Sendable {
    private let time: any TimeSource
    private let entropy: any Entropy
    private let nodeBits: UInt64
    private let last = Atomic<UInt64>(0)

    package init(time: any TimeSource, entropy: any Entropy) {
        self.time = time
        self.entropy = entropy
        // The multicast bit marks a node that is not a hardware address (RFC 9562, section 6.10).
        self.nodeBits = entropy.next() | 0x0000_0100_0000_0000
    }

    package func next() -> UUID {
        let micros: Int64 = time.wallMicroseconds
        let now = UInt64(bitPattern: micros &* 10 &+ UUID.unixEpoch)
        var known: UInt64 = last.load(ordering: .relaxed)
        while true {
            let wanted: UInt64 = max(now, known &+ 1)
            let (isExchanged, original) = last.compareExchange(
                expected: known, desired: wanted, ordering: .relaxed)
            if isExchanged { return UUID.timeBased(timestamp: wanted, low: nodeBits) }
            known = original
        }
    }

    /// A random identifier, which has nothing to do with time.
    package func random() -> UUID {
        UUID.random(high: entropy.next(), low: entropy.next())
    }
}
