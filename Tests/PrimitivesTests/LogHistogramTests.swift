import Primitives
import Testing

@Suite struct LogHistogramTests {
    @Test func everyValueLiesInItsBucketAndBucketsFollowEachOther() {
        var generator = SeededGenerator(seed: 4)
        var values: [UInt64] = Array(0...4_096)
        for _ in 0..<2_000 { values.append(generator.next() >> UInt64(16 + generator.below(47))) }
        for value in values {
            let bucket: Int = LogHistogram.bucket(of: value)
            #expect(LogHistogram.lowerBound(of: bucket) <= value && value <= LogHistogram.upperBound(of: bucket))
        }
        for bucket in 0..<(LogHistogram.bucketCount - 1) {
            #expect(LogHistogram.upperBound(of: bucket) + 1 == LogHistogram.lowerBound(of: bucket + 1))
        }
    }

    @Test func aBucketIsNoWiderThanAnEighthOfItsStart() {
        for bucket in 8..<LogHistogram.bucketCount {
            let low: UInt64 = LogHistogram.lowerBound(of: bucket)
            #expect(LogHistogram.upperBound(of: bucket) - low < low / 8 + 1)
        }
    }

    @Test(arguments: [UInt64.max, LogHistogram.largestValue, LogHistogram.largestValue + 1])
    func theLargestValuesAreInTheLastBucket(value: UInt64) {
        #expect(LogHistogram.bucket(of: value) == LogHistogram.bucketCount - 1)
    }

    @Test func nothingHasNoPercentiles() {
        let empty = LogHistogram()
        #expect(empty.percentile(0.5) == 0 && empty.mean == 0 && empty.maximum == 0 && empty.isEmpty)
    }

    @Test func percentilesAreNearTheTruthAndNeverBeyondTheMaximum() {
        var histogram = LogHistogram()
        for value in 1...1_000 as ClosedRange<UInt64> { histogram.record(value) }
        #expect(histogram.count == 1_000 && histogram.minimum == 1 && histogram.maximum == 1_000)
        #expect(histogram.mean == 500.5)
        for share in [0.01, 0.5, 0.75, 0.95, 0.99] {
            let truth = share * 1_000
            #expect(abs(Double(histogram.percentile(share)) - truth) <= truth / 7 + 1)
        }
        #expect(histogram.percentile(1) == 1_000)
        #expect(histogram.percentile(0) == 1)
    }

    @Test func weightsCountAsOften() {
        var weighted = LogHistogram()
        weighted.record(7, times: 3)
        var single = LogHistogram()
        for _ in 0..<3 { single.record(7) }
        #expect(weighted == single)
    }

    @Test func sumsAreExactInEveryOrder() {
        var generator = SeededGenerator(seed: 9)
        var parts = [LogHistogram](repeating: LogHistogram(), count: 3)
        var whole = LogHistogram()
        for _ in 0..<500 {
            let value: UInt64 = generator.next() >> 30
            parts[generator.below(3)].record(value)
            whole.record(value)
        }
        var sum = LogHistogram()
        for part in parts.reversed() { sum.add(part) }
        sum.add(LogHistogram())
        #expect(sum == whole)
    }

    @Test func comesBackFromItsBytes() throws {
        var histogram = LogHistogram()
        for value in [0, 1, 9, 1 << 20, UInt64.max] { histogram.record(value) }
        for kept in [histogram, LogHistogram()] {
            var writer = ByteWriter()
            kept.write(to: &writer)
            let bytes: [UInt8] = writer.array()
            var reader = ByteReader(bytes.span.bytes)
            let read = try LogHistogram(from: &reader)
            #expect(read.count == kept.count && read.percentile(0.5) == kept.percentile(0.5))
            #expect(read.maximum == kept.maximum && read.sum == kept.sum)
        }
    }

    @Test func refusesBucketsThatThereAreNot() {
        var writer = ByteWriter()
        writer.write(UInt16(1))
        writer.write(UInt16(LogHistogram.bucketCount))
        writer.write(UInt64(1))
        let bytes: [UInt8] = writer.array()
        #expect(throws: DecodingError.self) {
            var reader = ByteReader(bytes.span.bytes)
            _ = try LogHistogram(from: &reader)
        }
    }
}
