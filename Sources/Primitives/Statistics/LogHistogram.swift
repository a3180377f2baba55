/// How often values of which size were seen: buckets that grow with the values, each at most an eighth wide of where it
/// starts.
///
///     0 1 2 3 4 5 6 7 │ 8 9 … 15 │ 16 18 … 30 │ 32 36 … 60 │ …        eight buckets for each power of two
///
/// A value. Adding to one costs a few instructions, and memory only up to the largest value that was seen; sums of
/// histograms are exact. Who records and who reads are on one loop; others get a copy.
public struct LogHistogram: Sendable, Hashable {
    /// Values from here on count as this one.
    public static let largestValue: UInt64 = (1 << 48) - 1
    public static let bucketCount = (48 - 2) * 8

    /// By bucket; as long as the largest value so far needs.
    private var counts: [UInt64] = []
    /// How many values there are.
    public private(set) var count: UInt64 = 0
    public private(set) var sum: UInt64 = 0
    /// The least and the greatest value; 0 when there is none.
    public private(set) var minimum: UInt64 = 0
    public private(set) var maximum: UInt64 = 0

    public init() {}

    public var isEmpty: Bool { count == 0 }

    /// The bucket of a value.
    public static func bucket(of value: UInt64) -> Int {
        let value: UInt64 = Swift.min(value, largestValue)
        if value < 8 { return Int(truncatingIfNeeded: value) }
        let exponent: Int = 63 &- value.leadingZeroBitCount
        return (exponent &- 2) &* 8 &+ Int(truncatingIfNeeded: (value >> UInt64(exponent &- 3)) & 7)
    }

    /// The least value of a bucket.
    public static func lowerBound(of bucket: Int) -> UInt64 {
        if bucket < 8 { return UInt64(bucket) }
        let exponent: Int = bucket / 8 + 2
        return UInt64(8 + bucket % 8) << UInt64(exponent - 3)
    }

    /// The greatest value of a bucket.
    public static func upperBound(of bucket: Int) -> UInt64 { lowerBound(of: bucket + 1) - 1 }

    /// Counts a value. Hot: once per request or per sample.
    public mutating func record(_ value: UInt64, times: UInt64 = 1) {
        let bucket: Int = LogHistogram.bucket(of: value)
        if bucket >= counts.count { grow(to: bucket) }
        counts[bucket] &+= times
        if count == 0 || value < minimum { minimum = value }
        if value > maximum { maximum = value }
        count &+= times
        sum &+= value &* times
    }

    private mutating func grow(to bucket: Int) {
        counts += [UInt64](repeating: 0, count: bucket + 1 - counts.count)
    }

    /// Adds what another one has seen.
    public mutating func add(_ other: LogHistogram) {
        guard other.count > 0 else { return }
        if count == 0 {
            self = other
            return
        }
        if other.counts.count > counts.count { grow(to: other.counts.count - 1) }
        for bucket in other.counts.indices { counts[bucket] &+= other.counts[bucket] }
        minimum = count == 0 ? other.minimum : Swift.min(minimum, other.minimum)
        maximum = Swift.max(maximum, other.maximum)
        count &+= other.count
        sum &+= other.sum
    }

    /// The buckets that have anything, ascending.
    public var filledBuckets: [(bucket: Int, count: UInt64)] {
        counts.indices.filter { counts[$0] > 0 }.map { ($0, counts[$0]) }
    }

    public var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) }

    /// A value that at least this share of the values does not exceed; 0 when there are none.
    ///
    /// - Parameter share: 0 to 1.
    public func percentile(_ share: Double) -> UInt64 {
        guard count > 0 else { return 0 }
        let wanted = UInt64((Double(count) * Swift.min(Swift.max(share, 0), 1)).rounded(.up))
        var seen: UInt64 = 0
        for bucket in counts.indices {
            seen &+= counts[bucket]
            if seen >= Swift.max(1, wanted) { return Swift.min(LogHistogram.upperBound(of: bucket), maximum) }
        }
        return maximum
    }

    /// How many values there are in some buckets that follow each other.
    public func count(inBuckets range: Range<Int>) -> UInt64 {
        var seen: UInt64 = 0
        for bucket in range.clamped(to: 0..<counts.count) { seen &+= counts[bucket] }
        return seen
    }

    // MARK: Encoding

    /// Writes the histogram: u16 how many buckets have anything, then for each u16 bucket · u64 count; sum, least and
    /// greatest value u64.
    public func write(to writer: inout ByteWriter) {
        let filled: [(bucket: Int, count: UInt64)] = filledBuckets
        writer.write(UInt16(truncatingIfNeeded: filled.count))
        for (bucket, count) in filled {
            writer.write(UInt16(truncatingIfNeeded: bucket))
            writer.write(count)
        }
        writer.write(sum)
        writer.write(minimum)
        writer.write(maximum)
    }

    public init(from reader: inout ByteReader) throws(DecodingError) {
        let filled: Int = Int(try reader.readUInt16())
        for _ in 0..<filled {
            let bucket: Int = Int(try reader.readUInt16())
            let number: UInt64 = try reader.readUInt64()
            guard bucket < LogHistogram.bucketCount, number <= 1 << 56 else {
                throw .invalid(offset: reader.offset, what: "an impossible bucket of a histogram")
            }
            if bucket >= counts.count { grow(to: bucket) }
            counts[bucket] &+= number
            count &+= number
        }
        sum = try reader.readUInt64()
        minimum = try reader.readUInt64()
        maximum = try reader.readUInt64()
    }
}
