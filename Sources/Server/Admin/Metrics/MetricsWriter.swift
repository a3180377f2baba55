package import Primitives

/// Writes numbers in the text form that Prometheus reads (version 0.0.4), straight into bytes.
///
///     # HELP martlet_table_reads_total Reads of single partitions.
///     # TYPE martlet_table_reads_total counter
///     martlet_table_reads_total{keyspace="k",table="t"} 5
///
/// A thousand tables are some ten thousand lines each time, so no line is a string of its own.
package struct MetricsWriter {
    package enum Kind {
        case counter, gauge, histogram

        fileprivate var name: StaticString {
            switch self {
            case .counter: "counter"
            case .gauge: "gauge"
            case .histogram: "histogram"
            }
        }
    }

    /// Labels that are written often: `keyspace="k",table="t"`.
    package struct Labels: Sendable {
        fileprivate let bytes: [UInt8]

        package init(_ pairs: KeyValuePairs<StaticString, String>) {
            var writer = MetricsWriter()
            var isFirst = true
            for (name, value) in pairs {
                if !isFirst { writer.bytes.append(UInt8(ascii: ",")) }
                isFirst = false
                writer.append(name)
                writer.bytes.append(UInt8(ascii: "="))
                writer.appendQuoted(value)
            }
            bytes = writer.bytes
        }

        package static let none = Labels([:])
    }

    package private(set) var bytes: [UInt8] = []
    /// The name of the family that is being written.
    private var name: StaticString = ""

    package init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Begins the numbers of one name.
    package mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
        self.name = name
        append("# HELP ")
        append(name)
        append(" ")
        append(help)
        append("\n# TYPE ")
        append(name)
        append(" ")
        append(kind.name)
        append("\n")
    }

    /// One number of the family.
    package mutating func sample(_ labels: Labels = .none, _ value: Int) {
        append(name)
        append(labels)
        append(" ")
        append(UInt64(magnitudeOf: value), isNegative: value < 0)
        append("\n")
    }

    package mutating func sample(_ labels: Labels = .none, _ value: UInt64) {
        append(name)
        append(labels)
        append(" ")
        append(value)
        append("\n")
    }

    package mutating func sample(_ labels: Labels = .none, seconds nanoseconds: UInt64) {
        append(name)
        append(labels)
        append(" ")
        append(seconds: nanoseconds)
        append("\n")
    }

    /// How values are distributed; a value counts in every bucket whose bound it does not exceed.
    ///
    /// - Parameters:
    ///   - bounds: of the buckets, ascending.
    ///   - isTime: whether the values are nanoseconds, to be shown as seconds.
    package mutating func histogram(
        _ labels: Labels, _ histogram: LogHistogram, bounds: MetricsBounds, isTime: Bool
    ) {
        var seen: UInt64 = 0
        var place = 0
        let filled: [(bucket: Int, count: UInt64)] = histogram.filledBuckets
        for (bound, text) in zip(bounds.values, bounds.texts) {
            while place < filled.count, LogHistogram.upperBound(of: filled[place].bucket) <= bound {
                seen &+= filled[place].count
                place += 1
            }
            appendBucket(labels, text)
            append(seen)
            append("\n")
        }
        appendBucket(labels, MetricsBounds.infinite)
        append(histogram.count)
        append("\n")
        append(name)
        append("_sum")
        append(labels)
        append(" ")
        if isTime { append(seconds: histogram.sum) } else { append(histogram.sum) }
        append("\n")
        append(name)
        append("_count")
        append(labels)
        append(" ")
        append(histogram.count)
        append("\n")
    }

    // MARK: Bytes

    private mutating func appendBucket(_ labels: Labels, _ bound: [UInt8]) {
        append(name)
        append("_bucket{")
        if !labels.bytes.isEmpty {
            bytes += labels.bytes
            append(",")
        }
        append("le=\"")
        bytes += bound
        append("\"} ")
    }

    private mutating func append(_ labels: Labels) {
        if labels.bytes.isEmpty { return }
        append("{")
        bytes += labels.bytes
        append("}")
    }

    private mutating func append(_ text: StaticString) {
        unsafe bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func appendQuoted(_ value: String) {
        append("\"")
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0A: append("\\n")
            default: bytes.append(byte)
            }
        }
        append("\"")
    }

    private mutating func append(_ value: UInt64, isNegative: Bool = false, places: Int = 0) {
        if isNegative { append("-") }
        let start: Int = bytes.count
        var rest: UInt64 = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0 || bytes.count - start < places
        bytes[start...].reverse()
    }

    private mutating func append(seconds nanoseconds: UInt64) {
        append(nanoseconds / 1_000_000_000)
        append(".")
        append(nanoseconds % 1_000_000_000, places: 9)
    }
}

extension UInt64 {
    fileprivate init(magnitudeOf value: Int) {
        self = UInt64(value.magnitude)
    }
}

/// The bounds of the buckets of a histogram, and how they are written.
package struct MetricsBounds: Sendable {
    let values: [UInt64]
    let texts: [[UInt8]]

    static let infinite: [UInt8] = Array("+Inf".utf8)

    private init(_ values: [UInt64], _ text: (UInt64) -> String) {
        self.values = values
        self.texts = values.map { Array(text($0).utf8) }
    }

    /// Bounds at powers of two less one, where `LogHistogram` has the bounds of its own buckets.
    ///
    /// - Parameter exponents: of two, in nanoseconds.
    private static func times(_ exponents: some Sequence<Int>) -> MetricsBounds {
        MetricsBounds(exponents.map { (UInt64(1) << UInt64($0)) - 1 }) { nanoseconds in
            let digits = String(nanoseconds % 1_000_000_000)
            return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - digits.count) + digits
        }
    }

    /// From 1 microsecond to 34 seconds, each twice the one before.
    package static let fineTimes: MetricsBounds = .times(10...35)
    /// From 16 microseconds to 17 seconds, each four times the one before.
    package static let coarseTimes: MetricsBounds = .times(stride(from: 14, through: 34, by: 2))
    package static let counts = MetricsBounds([0, 1, 2, 3, 4, 5, 7, 15, 31, 63]) { String($0) }
}
