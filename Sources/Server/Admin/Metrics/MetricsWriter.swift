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
        /// As they stand behind a name, with a blank at the end.
        fileprivate let plain: [UInt8]
        /// As they stand behind the name of a bucket, up to its bound.
        fileprivate let bucket: [UInt8]

        package init(_ pairs: KeyValuePairs<StaticString, String>) {
            var writer = MetricsWriter()
            for (name, value) in pairs {
                if !writer.bytes.isEmpty { writer.append(",") }
                writer.append(name)
                writer.append("=")
                writer.appendQuoted(value)
            }
            let own: [UInt8] = writer.bytes
            plain = own.isEmpty ? Array(" ".utf8) : Array("{".utf8) + own + Array("} ".utf8)
            bucket = Array("{".utf8) + own + Array((own.isEmpty ? "le=\"" : ",le=\"").utf8)
        }

        package static let none = Labels([:])
    }

    package private(set) var bytes: [UInt8] = []
    /// The name of the family that is being written, and that of its buckets.
    private var name: [UInt8] = []
    private var bucketName: [UInt8] = []
    /// What the lines of all buckets of a histogram begin with.
    private var prefix: [UInt8] = []

    package init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    /// Begins the numbers of one name.
    package mutating func family(_ name: StaticString, _ kind: Kind, _ help: StaticString) {
        self.name = name.withUTF8Buffer { Array($0) }
        bucketName = self.name + Array("_bucket".utf8)
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
        bytes += name
        bytes += labels.plain
        if value < 0 { append("-") }
        append(UInt64(value.magnitude))
        endLine()
    }

    package mutating func sample(_ labels: Labels = .none, _ value: UInt64) {
        bytes += name
        bytes += labels.plain
        append(value)
        endLine()
    }

    package mutating func sample(_ labels: Labels = .none, seconds nanoseconds: UInt64) {
        bytes += name
        bytes += labels.plain
        append(seconds: nanoseconds)
        endLine()
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
        var next = 0
        prefix.removeAll(keepingCapacity: true)
        prefix += bucketName
        prefix += labels.bucket
        for (end, text) in zip(bounds.buckets, bounds.texts) {
            seen &+= histogram.count(inBuckets: next..<end)
            next = end
            bytes += prefix
            bytes += text
            append(seen)
            endLine()
        }
        bytes += prefix
        bytes += MetricsBounds.infinite
        append(histogram.count)
        endLine()
        bytes += name
        append("_sum")
        bytes += labels.plain
        if isTime { append(seconds: histogram.sum) } else { append(histogram.sum) }
        endLine()
        bytes += name
        append("_count")
        bytes += labels.plain
        append(histogram.count)
        endLine()
    }

    // MARK: Bytes

    private mutating func endLine() {
        bytes.append(0x0A)
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

    private mutating func append(_ value: UInt64, places: Int = 0) {
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var place = 20
        var rest: UInt64 = value
        repeat {
            place -= 1
            digits[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0 || 20 - place < places
        while place < 20 {
            bytes.append(digits[place])
            place += 1
        }
    }

    private mutating func append(seconds nanoseconds: UInt64) {
        append(nanoseconds / 1_000_000_000)
        append(".")
        append(nanoseconds % 1_000_000_000, places: 9)
    }
}

/// The bounds of the buckets of a histogram, and how they are written.
package struct MetricsBounds: Sendable {
    let values: [UInt64]
    /// Behind the last bucket of a `LogHistogram` that each bound takes in.
    let buckets: [Int]
    /// How they are written, with what stands behind them.
    let texts: [[UInt8]]

    static let infinite: [UInt8] = Array("+Inf\"} ".utf8)

    private init(_ values: [UInt64], _ text: (UInt64) -> String) {
        self.values = values
        self.buckets = values.map { LogHistogram.bucket(of: $0) + 1 }
        self.texts = values.map { Array((text($0) + "\"} ").utf8) }
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
    /// From 65 microseconds to 4 seconds, each four times the one before.
    package static let coarseTimes: MetricsBounds = .times(stride(from: 16, through: 32, by: 2))
    package static let counts = MetricsBounds([0, 1, 2, 4, 8]) { String($0) }
}
