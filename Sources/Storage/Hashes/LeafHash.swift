package import Primitives

/// What one unit of data says, in 16 bytes: the head of a partition, or one row. Equal on replicas that have the same.
package struct UnitHash: Hashable, Sendable {
    package var low: UInt64
    package var high: UInt64

    package init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        self.low = try reader.readUInt64()
        self.high = try reader.readUInt64()
    }

    package func write(to writer: inout ByteWriter) {
        writer.write(low)
        writer.write(high)
    }
}

/// What all units of a leaf say: the sum of their hashes, and how many they are.
///
/// A sum does not ask for an order, so the parts of a leaf that several shards have are hashed apart and added.
package struct LeafHash: Hashable, Sendable {
    package var low: UInt64
    package var high: UInt64
    package var unitCount: UInt64

    package init(low: UInt64 = 0, high: UInt64 = 0, unitCount: UInt64 = 0) {
        self.low = low
        self.high = high
        self.unitCount = unitCount
    }

    package static let empty = LeafHash()

    package mutating func add(_ unit: UnitHash) {
        add(LeafHash(low: unit.low, high: unit.high, unitCount: 1))
    }

    package mutating func add(_ other: LeafHash) {
        let sum: (partialValue: UInt64, overflow: Bool) = low.addingReportingOverflow(other.low)
        low = sum.partialValue
        high = high &+ other.high &+ (sum.overflow ? 1 : 0)
        unitCount &+= other.unitCount
    }
}

/// By which clock data is hashed: all replicas of a comparison judge alike what is alive and what may be gone.
package struct HashFrame: Hashable, Sendable {
    /// Seconds since 1970.
    package var nowSeconds: Int64
    /// Tombstones that were made before this second are left out: one replica may have dropped them already, another not
    /// yet. What they cover is not left out where it is still there, so nothing that differs to a reader is missed.
    package var purgeSeconds: Int64

    package static let hashesAll: Int64 = .min + 1

    package init(nowSeconds: Int64, purgeSeconds: Int64) {
        self.nowSeconds = nowSeconds
        self.purgeSeconds = max(purgeSeconds, HashFrame.hashesAll)
    }
}

/// For which frames a hash of a leaf is right, though it was made in another.
package struct LeafLife: Hashable, Sendable {
    /// The latest expiry that was taken for past.
    package var expiredUntil: Int64 = .min
    /// The earliest expiry that was taken for still to come.
    package var aliveUntil: Int64 = .max
    /// The youngest tombstone that was left out.
    package var leftOutUntil: Int64 = .min
    /// The oldest tombstone that was hashed.
    package var oldestTombstone: Int64 = .max

    package init() {}

    package func holds(for frame: HashFrame) -> Bool {
        expiredUntil <= frame.nowSeconds && frame.nowSeconds < aliveUntil
            && leftOutUntil < frame.purgeSeconds && frame.purgeSeconds <= oldestTombstone
    }

    /// Takes a tombstone into account that was made in a second.
    mutating func note(tombstone seconds: Int64, _ frame: HashFrame) {
        if seconds < frame.purgeSeconds {
            leftOutUntil = max(leftOutUntil, seconds)
        } else {
            oldestTombstone = min(oldestTombstone, seconds)
        }
    }

    /// Takes a value into account whose time ends with a second.
    mutating func note(expiry seconds: Int64, _ frame: HashFrame) {
        if seconds > frame.nowSeconds {
            aliveUntil = min(aliveUntil, seconds)
        } else {
            expiredUntil = max(expiredUntil, seconds)
            note(tombstone: seconds, frame)
        }
    }
}
