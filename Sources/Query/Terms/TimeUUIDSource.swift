package import Environment
package import Primitives
import Synchronization

/// Makes time-based identifiers that are unique on this node and ascend on one shard.
///
/// Each shard has one of its own, whose random part makes its identifiers differ from those of others. A request takes
/// its shard's source along to the shards that work for it, at times to several at once.
package final class TimeUUIDSource: Sendable {
    /// Nil when identifiers only follow each other.
    private let time: (any TimeSource)?
    private let entropy: any Entropy
    private let nodeBits: UInt64
    private let last = Atomic<UInt64>(0)

    package init(time: any TimeSource, entropy: any Entropy) {
        self.time = time
        self.entropy = entropy
        // The multicast bit marks a node that is not a hardware address (RFC 9562, section 6.10).
        self.nodeBits = entropy.next() | 0x0000_0100_0000_0000
    }

    /// Makes identifiers that follow each other from one moment on, whatever the clock says.
    package init(from microseconds: Int64, tie: UInt64, entropy: any Entropy) {
        self.time = nil
        self.entropy = entropy
        self.nodeBits = tie
        last.store(UInt64(bitPattern: microseconds &* 10 &+ UUID.unixEpoch) &- 1, ordering: .relaxed)
    }

    package func next() -> UUID {
        let now: UInt64 = time.map { UInt64(bitPattern: $0.wallMicroseconds &* 10 &+ UUID.unixEpoch) } ?? 0
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
        UUID.version4(high: entropy.next(), low: entropy.next())
    }
}
