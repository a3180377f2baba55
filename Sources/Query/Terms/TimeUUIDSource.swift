package import Environment
package import Primitives

/// Makes time-based identifiers that are unique on this node and ascend on one shard.
///
/// Confined to its shard's loop: the shard's index is part of what makes its identifiers differ from those of others.
package final class TimeUUIDSource: @unchecked Sendable {
    // Unchecked: only its shard's loop touches it.
    private let time: any TimeSource
    private let entropy: any Entropy
    private let nodeBits: UInt64
    private var last: UInt64 = 0

    package init(time: any TimeSource, entropy: any Entropy) {
        self.time = time
        self.entropy = entropy
        // The multicast bit marks a node that is not a hardware address (RFC 9562, section 6.10).
        self.nodeBits = entropy.next() | 0x0000_0100_0000_0000
    }

    package func next() -> UUID {
        let micros: Int64 = time.wallMicroseconds
        let now = UInt64(bitPattern: micros &* 10 &+ UUID.unixEpoch)
        last = now > last ? now : last &+ 1
        return UUID.timeBased(timestamp: last, low: nodeBits)
    }

    /// A random identifier, which has nothing to do with time.
    package func random() -> UUID {
        UUID.random(high: entropy.next(), low: entropy.next())
    }
}
