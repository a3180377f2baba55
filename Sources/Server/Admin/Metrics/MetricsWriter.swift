package import Primitives

/// Writes numbers in the text form that Prometheus reads (version 0.0.4), straight into bytes.
///
///     # HELP martlet_table_reads_total Reads of single partitions.
///     # TYPE martlet_table_reads_total counter
///     martlet_table_reads_total{keyspace="k",table="t"} 5
///
/// A thousand tables are some forty thousand lines each time: a line is neither a string nor an array of its own, and what
/// is being written stays in the processor's cache until a part of it is full.
package struct MetricsWriter: ~Copyable {
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
            for (place, (name, value)) in pairs.enumerated() {
                if place > 0 { writer.append(",") }
                writer.append(name)
                writer.append("=")
                writer.appendQuoted(value)
            }
            let own: [UInt8] = writer.finish()
            plain = own.isEmpty ? Array(" ".utf8) : Array("{".utf8) + own + Array("} ".utf8)
            bucket = Array("{".utf8) + own + Array((own.isEmpty ? "le=\"" : ",le=\"").utf8)
        }

        package static let none = Labels([:])
    }

    private static let partByteCount = 32 << 10

    /// The parts that are full.
    private var full: [UInt8] = []
    private var part = ByteWriter(capacity: 1_024)
    /// The name of the family that is being written, and that of its buckets.
    private var name: [UInt8] = []
    private var bucketName: [UInt8] = []

    package init(capacity: Int = 0) {
        full.reserveCapacity(capacity)
    }

    /// All that was written.
    package consuming func finish() -> [UInt8] {
        endPart()
        return full
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
        part.write(name)
        part.write(labels.plain)
        append(value)
        endLine()
    }

    package mutating func sample(_ labels: Labels = .none, _ value: UInt64) {
        part.write(name)
        part.write(labels.plain)
        append(value)
        endLine()
    }

    /// One number for each of some labels.
    package mutating func samples(_ labels: [Labels], _ values: ArraySlice<Int>) {
        let name: [UInt8] = name
        let (labels, values) = (labels.span, values.span)
        for place in labels.indices {
            part.write(name.span.bytes)
            part.write(labels[place].plain.span.bytes)
            append(values[place])
            endLine()
        }
    }

    package mutating func sample(_ labels: Labels = .none, seconds nanoseconds: UInt64) {
        part.write(name)
        part.write(labels.plain)
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
        histograms([labels], [histogram], bounds: bounds, isTime: isTime, evenEmpty: true)
    }

    /// One distribution for each of some labels. The elements of the arrays are only looked at where they are: to take one
    /// out counts references each time.
    ///
    /// - Parameter evenEmpty: whether one without values is written too.
    package mutating func histograms(
        _ labels: [Labels], _ histograms: [LogHistogram], bounds: MetricsBounds, isTime: Bool, evenEmpty: Bool = false
    ) {
        let (name, bucketName) = (name, bucketName)
        let (labels, all) = (labels.span, histograms.span)
        let (buckets, texts) = (bounds.buckets.span, bounds.texts.span)
        for entry in labels.indices where evenEmpty || !all[entry].isEmpty {
            var seen: UInt64 = 0
            var next = 0
            for place in buckets.indices {
                seen &+= all[entry].count(inBuckets: next..<buckets[place])
                next = buckets[place]
                part.write(bucketName.span.bytes)
                part.write(labels[entry].bucket.span.bytes)
                part.write(texts[place].span.bytes)
                append(seen)
                endLine()
            }
            part.write(bucketName.span.bytes)
            part.write(labels[entry].bucket.span.bytes)
            part.write(MetricsBounds.infinite)
            append(all[entry].count)
            endLine()
            part.write(name.span.bytes)
            append("_sum")
            part.write(labels[entry].plain.span.bytes)
            if isTime { append(seconds: all[entry].sum) } else { append(all[entry].sum) }
            endLine()
            part.write(name.span.bytes)
            append("_count")
            part.write(labels[entry].plain.span.bytes)
            append(all[entry].count)
            endLine()
        }
    }

    // MARK: Bytes

    private mutating func endLine() {
        part.write(UInt8(ascii: "\n"))
        if part.count >= MetricsWriter.partByteCount { endPart() }
    }

    private mutating func endPart() {
        part.withUnsafeBytes { full.append(contentsOf: $0) }
        part.removeAll()
    }

    private mutating func append(_ text: StaticString) {
        unsafe part.write(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    fileprivate mutating func appendQuoted(_ value: String) {
        append("\"")
        for byte in value.utf8 {
            switch byte {
            case UInt8(ascii: "\""): append("\\\"")
            case UInt8(ascii: "\\"): append("\\\\")
            case 0x0A: append("\\n")
            default: part.write(byte)
            }
        }
        append("\"")
    }

    private mutating func append(_ value: Int) {
        if value < 0 { append("-") }
        append(UInt64(value.magnitude))
    }

    private mutating func append(_ value: UInt64, places: Int = 0) {
        if value < 10, places < 2 { return part.write(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: value)) }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var place = 20
        var rest: UInt64 = value
        repeat {
            place -= 1
            digits[place] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0 || 20 - place < places
        part.write(digits.span.bytes.extracting(place..<20))
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
