import Primitives
import Testing

@testable import Server

@Suite struct MetricsWriterTests {
    private func text(_ body: (inout MetricsWriter) -> Void) -> String {
        var writer = MetricsWriter()
        body(&writer)
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    @Test func writesAFamilyOnceAndThenItsNumbers() {
        let written: String = text { writer in
            writer.family("martlet_things", .gauge, "Things.")
            writer.sample(.none, -12)
            writer.sample(MetricsWriter.Labels(["kind": "a", "other": "b"]), 0)
            writer.sample(.none, seconds: 1_000_000_005)
        }
        #expect(
            written == """
                # HELP martlet_things Things.
                # TYPE martlet_things gauge
                martlet_things -12
                martlet_things{kind="a",other="b"} 0
                martlet_things 1.000000005

                """)
    }

    @Test func whatWouldEndALabelIsEscaped() {
        let written: String = text { writer in
            writer.family("m", .counter, "M.")
            writer.sample(MetricsWriter.Labels(["name": "a\"b\\c\nd"]), UInt64.max)
        }
        #expect(written.hasSuffix("m{name=\"a\\\"b\\\\c\\nd\"} 18446744073709551615\n"))
    }

    @Test func bucketsOfHistogramsAddUp() {
        var histogram = LogHistogram()
        for value in [0, 1, 1, 5, 100] as [UInt64] { histogram.record(value) }
        let written: String = text { writer in
            writer.family("h", .histogram, "H.")
            writer.histogram(MetricsWriter.Labels(["t": "x"]), histogram, bounds: .counts, isTime: false)
        }
        let lines: [Substring] = written.split(separator: "\n").dropFirst(2).map { $0 }
        #expect(lines.first == "h_bucket{t=\"x\",le=\"0\"} 1")
        #expect(lines[1] == "h_bucket{t=\"x\",le=\"1\"} 3")
        #expect(lines.contains("h_bucket{t=\"x\",le=\"8\"} 4"))
        #expect(lines.suffix(3) == ["h_bucket{t=\"x\",le=\"+Inf\"} 5", "h_sum{t=\"x\"} 107", "h_count{t=\"x\"} 5"])
    }

    @Test(arguments: [MetricsBounds.fineTimes, .coarseTimes, .counts])
    func boundsAreThoseOfTheHistogramsBuckets(bounds: MetricsBounds) {
        for bound in bounds.values { #expect(LogHistogram.upperBound(of: LogHistogram.bucket(of: bound)) == bound) }
        #expect(bounds.values == bounds.values.sorted())
    }

    @Test func nothingIsLostBetweenTheParts() {
        let labels: [MetricsWriter.Labels] = (0..<1_000).map {
            MetricsWriter.Labels(["keyspace": "k", "table": "t\($0)"])
        }
        let written: String = text { writer in
            writer.family("martlet_table_reads_total", .counter, "Reads.")
            for (place, label) in labels.enumerated() { writer.sample(label, place * 1_001) }
        }
        let lines: [Substring] = written.split(separator: "\n").dropFirst(2).map { $0 }
        #expect(lines.count == labels.count)
        for (place, line) in lines.enumerated() {
            #expect(line == "martlet_table_reads_total{keyspace=\"k\",table=\"t\(place)\"} \(place * 1_001)")
        }
    }
}
