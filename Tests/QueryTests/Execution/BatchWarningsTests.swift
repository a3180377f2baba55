import CQL
import Testing

@testable import Query

@Suite struct BatchWarningsTests {
    private func texts(
        _ kind: BatchStatement.Kind, _ names: [String], byteCount: Int
    ) throws -> [String] {
        let sandbox = try PlanSandbox("CREATE TABLE a (k int PRIMARY KEY)", "CREATE TABLE b (k int PRIMARY KEY)")
        let tables = names.compactMap { sandbox.catalog.table("ks", $0) }
        return BatchWarnings(kind: kind, tables: tables, byteCount: byteCount).texts
    }

    @Test func aLargeBatchOfSeveralPartitionsIsTold() throws {
        #expect(
            try texts(.logged, ["a", "b", "a"], byteCount: 5121) == [
                "Batch for [ks.a, ks.b] is of size 5.001KiB, exceeding specified threshold of 5.000KiB by 1B."
            ])
        #expect(try texts(.logged, ["a", "b"], byteCount: 5120).isEmpty)
        #expect(try texts(.logged, ["a"], byteCount: 1 << 30).isEmpty)
    }

    @Test func anUnloggedBatchOverManyPartitionsIsTold() throws {
        #expect(try texts(.unlogged, Array(repeating: "a", count: 10), byteCount: 1).isEmpty)
        #expect(try texts(.logged, Array(repeating: "a", count: 11), byteCount: 1).isEmpty)
        let words = "You should use a logged batch for atomicity, or asynchronous writes for performance."
        #expect(
            try texts(.unlogged, Array(repeating: "a", count: 11), byteCount: 1) == [
                "Unlogged batch covering 11 partitions detected against table [ks.a]. \(words)"
            ])
        #expect(
            try texts(.unlogged, Array(repeating: "a", count: 10) + ["b"], byteCount: 6000) == [
                "Batch for [ks.a, ks.b] is of size 5.859KiB, exceeding specified threshold of 5.000KiB by 880B.",
                "Unlogged batch covering 11 partitions detected against tables [ks.a, ks.b]. \(words)",
            ])
    }

    @Test(arguments: [
        (0, "0B"), (1023, "1023B"), (1024, "1.000KiB"), (1025, "1.001KiB"), (1536, "1.500KiB"), (1 << 20, "1.000MiB"),
        (3 << 29, "1.500GiB"),
    ])
    func sizesHaveThreeDigits(byteCount: Int, text: String) {
        #expect(BatchWarnings.size(byteCount) == text)
    }
}
