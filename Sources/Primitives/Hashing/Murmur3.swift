/// The 128-bit x64 variant of MurmurHash3 with seed 0, as Cassandra's partitioner computes it.
///
/// Cassandra sign-extends the bytes of the tail before shifting them, which the reference does not; tokens must agree
/// with it to the bit, so this does the same (SURFACE D026).
public enum Murmur3 {
    @usableFromInline static let c1: UInt64 = 0x87c3_7b91_1142_53d5
    @usableFromInline static let c2: UInt64 = 0x4cf5_ad43_2745_937f

    /// Hashes a byte run; `low` is the half that tokens are made of.
    ///
    /// Hot: once per partition key of a request, and per key of a filter.
    @inlinable
    public static func hash(_ bytes: RawSpan) -> (low: UInt64, high: UInt64) {
        let count: Int = bytes.byteCount
        var h1: UInt64 = 0
        var h2: UInt64 = 0
        var offset = 0
        while offset &+ 16 <= count {
            let k1 = UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
            let k2 = UInt64(
                littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset &+ 8, as: UInt64.self))
            h1 ^= mix1(k1)
            h1 = (rotate(h1, 27) &+ h2) &* 5 &+ 0x52dc_e729
            h2 ^= mix2(k2)
            h2 = (rotate(h2, 31) &+ h1) &* 5 &+ 0x3849_5ab5
            offset &+= 16
        }
        let tail: Int = count &- offset
        if tail > 8 {
            var k2: UInt64 = 0
            for index in 8..<tail {
                k2 ^= signExtended(bytes, offset &+ index) << UInt64((index &- 8) &* 8)
            }
            h2 ^= mix2(k2)
        }
        if tail > 0 {
            var k1: UInt64 = 0
            for index in 0..<min(tail, 8) {
                k1 ^= signExtended(bytes, offset &+ index) << UInt64(index &* 8)
            }
            h1 ^= mix1(k1)
        }
        h1 ^= UInt64(count)
        h2 ^= UInt64(count)
        h1 &+= h2
        h2 &+= h1
        h1 = finish(h1)
        h2 = finish(h2)
        h1 &+= h2
        h2 &+= h1
        return (h1, h2)
    }

    @inlinable
    static func signExtended(_ bytes: RawSpan, _ offset: Int) -> UInt64 {
        let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: Int8.self)
        return UInt64(bitPattern: Int64(byte))
    }

    @inlinable static func rotate(_ value: UInt64, _ by: UInt64) -> UInt64 { value << by | value >> (64 &- by) }
    @inlinable static func mix1(_ k: UInt64) -> UInt64 { rotate(k &* c1, 31) &* c2 }
    @inlinable static func mix2(_ k: UInt64) -> UInt64 { rotate(k &* c2, 33) &* c1 }

    @inlinable
    static func finish(_ value: UInt64) -> UInt64 {
        var h = value
        h ^= h >> 33
        h &*= 0xff51_afd7_ed55_8ccd
        h ^= h >> 33
        h &*= 0xc4ce_b9fe_1a85_ec53
        h ^= h >> 33
        return h
    }
}
