import CQL
import DataModel
import SimulatedHost
import Testing

@testable import Query

/// Timestamps that nobody could write over.
@Suite struct TimestampLimitTests {
    private static let now: Int64 = 1_700_000_000_000_000

    private func isRefused(_ timestamp: Int64, ahead: Int64) throws -> Bool {
        var limits = QueryLimits()
        limits.maximumTimestampAheadMicroseconds = ahead
        let node = try NodeUnderTest("CREATE TABLE ks.t (k int PRIMARY KEY)")
        let table = try node.world.run { [group = node.group] in
            try await group.run(on: 0) { try $0.catalog.table(keyspace: "ks", name: "t", session: nil) }
        }
        do {
            try TimestampLimit(limits).check(timestamp, now: Self.now, table)
            return false
        } catch {
            #expect(error.message.contains("maximum_timestamp"))
            return true
        }
    }

    @Test func whatIsFurtherAheadThanTheLimitIsRefused() throws {
        #expect(try !isRefused(Self.now + 10, ahead: 10))
        #expect(try isRefused(Self.now + 11, ahead: 10))
        #expect(try isRefused(.max, ahead: 10))
        #expect(try !isRefused(.min + 1, ahead: 10))
    }

    @Test func withoutALimitNothingIsRefused() throws {
        #expect(try !isRefused(.max, ahead: .max))
    }
}
