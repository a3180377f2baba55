import DataModel
import Primitives
import Testing

@testable import Storage

@Suite struct SizeTieredStrategyTests {
    /// Files with the given sizes in MiB, of generations 1, 2, 3 and so on.
    private func files(_ sizes: [Int]) -> [CompactionCandidate] {
        sizes.enumerated().map { index, size in
            var statistics = SSTableStatistics(tableID: UUID(high: 0, low: 0), generation: UInt64(index + 1))
            statistics.firstToken = Token(0)
            statistics.lastToken = Token(100)
            return CompactionCandidate(
                SSTableDescription(path: "", byteCount: size * 1_048_576, statistics: statistics))
        }
    }

    private static let cases: [(sizes: [Int], picked: [UInt64]?)] = [
        ([], nil),
        ([1], nil),
        ([1, 1, 1], nil),
        ([1, 1, 1, 1], [1, 2, 3, 4]),
        // Everything below 50 MiB is of one size.
        ([1, 10, 30, 49], [1, 2, 3, 4]),
        ([1, 10, 30, 51], nil),
        // 100 MiB files are similar to each other and not to the small ones.
        ([100, 1, 110, 90, 1, 120], [1, 3, 4, 6]),
        // The fullest bucket goes first; of two that are as full, the one with the smaller files.
        ([100, 100, 100, 100, 1, 1, 1, 1, 1], [5, 6, 7, 8, 9]),
        ([100, 100, 100, 100, 1, 1, 1, 1], [5, 6, 7, 8]),
        // Sizes that grow by a factor of two never meet.
        ([64, 128, 256, 512, 1_024], nil),
    ]

    @Test(arguments: cases.indices)
    func picksTheBucketThatIsWorthMost(index: Int) {
        let example = SizeTieredStrategyTests.cases[index]
        let plan: CompactionPlan? = SizeTieredStrategy().plan(files(example.sizes), nowSeconds: 0, graceSeconds: 0)
        #expect(plan?.generations == example.picked)
        if plan != nil { #expect(plan?.reason == .similarSizes) }
    }

    @Test func takesNoMoreThanTheMaximum() throws {
        let strategy = try SizeTieredStrategy(options: ["max_threshold": "5"])
        let plan: CompactionPlan? = strategy.plan(
            files([3, 1, 1, 2, 1, 1, 2, 1]), nowSeconds: 0, graceSeconds: 0)
        #expect(plan?.generations == [2, 3, 5, 6, 8])
        #expect(strategy.pendingCount(files([3, 1, 1, 2, 1, 1, 2, 1])) == 2)
    }

    @Test func picksOneFileForItsTombstones() {
        var candidates: [CompactionCandidate] = files([100, 1_000])
        for index in candidates.indices {
            candidates[index].statistics.cellCount = 100
            candidates[index].statistics.minTimestamp = 10 - Int64(index) * 5
            candidates[index].statistics.maxTimestamp = 12 - Int64(index) * 5
        }
        candidates[1].statistics.tombstoneDropTimes.insert(seconds: 60, count: 30)
        let strategy = SizeTieredStrategy()
        // Too young, then in its grace, then ripe.
        #expect(strategy.plan(candidates, nowSeconds: 86_399, graceSeconds: 10) == nil)
        #expect(strategy.plan(candidates, nowSeconds: 90_000, graceSeconds: 89_950) == nil)
        let plan: CompactionPlan? = strategy.plan(candidates, nowSeconds: 90_000, graceSeconds: 10)
        #expect(plan == CompactionPlan(generations: [2], reason: .tombstones))
        // Another file with older data over the same tokens: the tombstones would have to stay.
        candidates[0].statistics.minTimestamp = 1
        #expect(strategy.plan(candidates, nowSeconds: 90_000, graceSeconds: 10) == nil)
    }

    @Test func aDisabledStrategyPlansNothing() throws {
        let strategy = try SizeTieredStrategy(options: ["enabled": "false"])
        #expect(strategy.plan(files([1, 1, 1, 1]), nowSeconds: 0, graceSeconds: 0) == nil)
    }

    @Test func theDefaultsOfATableAreUnderstood() throws {
        let strategy = try SizeTieredStrategy(options: TableOptions().compaction)
        #expect(strategy.minimumThreshold == 4)
        #expect(strategy.maximumThreshold == 32)
    }

    @Test(arguments: [
        ["min_threshold": "1"], ["min_threshold": "x"], ["max_threshold": "3"], ["bucket_low": "2"], ["nonsense": "1"],
        ["bucket_high": "nan"], ["tombstone_threshold": "0"], ["enabled": "maybe"], ["min_sstable_size": "-1"],
    ])
    func badOptionsAreRefused(options: [String: String]) {
        #expect(throws: CompactionOptionsError.self) { try SizeTieredStrategy(options: options) }
    }
}
