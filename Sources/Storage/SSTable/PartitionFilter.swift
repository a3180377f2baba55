internal import DataModel
internal import Primitives

/// Answers "this file has no such partition" from memory, nearly always and at most one cache line away.
///
/// A blocked Bloom filter (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters"): a token picks a
/// line of 512 bits, and all its bits are in that line. The token is a hash of the key already; it is mixed again
/// because the tokens of one file come from a part of the ring.
///
/// `Sendable` is unchecked because nothing is written after the filter was built or read.
final class PartitionFilter: @unchecked Sendable {
    private static let lineByteCount: Int = 64

    private let lines: UnsafeMutableRawPointer
    private let lineCount: Int
    private let probeCount: Int

    /// An empty filter for about `partitionCount` partitions; nil when `chance` asks for none.
    init?(partitionCount: Int, falsePositiveChance chance: Double) {
        guard chance > 0, chance < 1 else { return nil }
        let size: FilterSize = FilterSize(chance: chance)
        // Larger than any file can need: 32 GiB of filter.
        let bits: Double = min(Double(max(1, partitionCount)) * size.bitsPerKey, 0x1p38)
        self.lineCount = max(1, Int((bits / 512).rounded(.up)))
        self.probeCount = size.probeCount
        self.lines = UnsafeMutableRawPointer.allocate(
            byteCount: lineCount * PartitionFilter.lineByteCount, alignment: PartitionFilter.lineByteCount)
        lines.initializeMemory(as: UInt8.self, repeating: 0, count: lineCount * PartitionFilter.lineByteCount)
    }

    /// Reads what `write` wrote; nil when the bytes are no filter.
    init?(_ stored: UnsafeRawBufferPointer) {
        guard stored.count >= 5, let start = stored.baseAddress else { return nil }
        let count: Int = (stored.count - 1) / PartitionFilter.lineByteCount
        let probes = Int(stored[0])
        guard count > 0, count * PartitionFilter.lineByteCount == stored.count - 1, probes >= 1, probes <= 32 else {
            return nil
        }
        self.lineCount = count
        self.probeCount = probes
        self.lines = UnsafeMutableRawPointer.allocate(
            byteCount: count * PartitionFilter.lineByteCount, alignment: PartitionFilter.lineByteCount)
        lines.copyMemory(from: start + 1, byteCount: count * PartitionFilter.lineByteCount)
    }

    deinit {
        lines.deallocate()
    }

    var byteCount: Int { lineCount * PartitionFilter.lineByteCount }

    /// Hot: once per partition that is flushed or compacted.
    func insert(_ ordinal: UInt64) {
        var bits: UInt64 = PartitionFilter.mixed(ordinal)
        let line: UnsafeMutableRawPointer = lines + lineOffset(bits)
        for _ in 0..<probeCount {
            bits = bits &* PartitionFilter.step
            let word = Int(truncatingIfNeeded: bits >> 61) &* 8
            let mask: UInt64 = 1 << (bits >> 55 & 63)
            let old: UInt64 = line.load(fromByteOffset: word, as: UInt64.self)
            line.storeBytes(of: old | UInt64(littleEndian: mask), toByteOffset: word, as: UInt64.self)
        }
    }

    /// False only when no partition with this token was inserted.
    ///
    /// Hot: once per file per point read.
    @inline(__always)
    func mayContain(_ ordinal: UInt64) -> Bool {
        var bits: UInt64 = PartitionFilter.mixed(ordinal)
        let line = UnsafeRawPointer(lines + lineOffset(bits))
        for _ in 0..<probeCount {
            bits = bits &* PartitionFilter.step
            let word = UInt64(
                littleEndian: line.load(fromByteOffset: Int(truncatingIfNeeded: bits >> 61) &* 8, as: UInt64.self))
            if word >> (bits >> 55 & 63) & 1 == 0 { return false }
        }
        return true
    }

    /// Appends the stored form: how many bits a partition sets, then the lines.
    func write(to writer: inout ByteWriter) {
        writer.write(UInt8(truncatingIfNeeded: probeCount))
        writer.write(UnsafeRawBufferPointer(start: lines, count: byteCount))
    }

    private static let step: UInt64 = 0x9E37_79B9_7F4A_7C15

    @inline(__always)
    private static func mixed(_ ordinal: UInt64) -> UInt64 {
        var bits: UInt64 = ordinal ^ ordinal >> 32
        bits = bits &* 0xD6E8_FEB8_6659_FD93
        bits ^= bits >> 32
        bits = bits &* 0xD6E8_FEB8_6659_FD93
        return (bits ^ bits >> 32) | 1
    }

    @inline(__always)
    private func lineOffset(_ bits: UInt64) -> Int {
        Int(truncatingIfNeeded: bits.multipliedFullWidth(by: UInt64(lineCount)).high) &* PartitionFilter.lineByteCount
    }
}

/// How many bits a filter spends on a partition to be wrong with a given chance.
struct FilterSize {
    var bitsPerKey: Double
    var probeCount: Int

    /// The smallest size, in steps of half a bit, whose expected chance is not above `chance`.
    ///
    /// Lines fill unevenly: with `b` bits a key a line holds a Poisson-distributed number of keys around 512 / b, and
    /// the full lines answer wrongly more often. The expectation over that distribution is what is compared.
    init(chance: Double) {
        let wanted: Double = max(chance, 0.000_01)
        var bits: Double = 2
        while bits < 64 {
            let best: Int = max(1, min(24, Int(bits * 0.69)))
            for probes in max(1, best - 1)...best
            where FilterSize.expectedChance(bits: bits, probes: probes) <= wanted {
                self.bitsPerKey = bits
                self.probeCount = probes
                return
            }
            bits += 0.5
        }
        self.bitsPerKey = bits
        self.probeCount = 24
    }

    static func expectedChance(bits: Double, probes: Int) -> Double {
        let mean: Double = 512 / bits
        // e^-mean, as a power of a number close to one.
        var weight: Double = 1 - mean / 1_048_576
        for _ in 0..<20 { weight *= weight }
        var clearChance: Double = 1
        var expected: Double = 0
        var perKey: Double = 1
        for _ in 0..<probes { perKey *= 1 - 1.0 / 512 }
        for keys in 0..<Int(mean * 3 + 60) {
            var hit: Double = 1
            for _ in 0..<probes { hit *= 1 - clearChance }
            expected += weight * hit
            weight *= mean / Double(keys + 1)
            clearChance *= perKey
        }
        return expected
    }
}
