import DataModel
import Environment
import Primitives
import SimulatedHost
import Testing

@testable import Storage

/// Reads of ranges that begin and end with keys, of tables whose rows have no clustering key.
@Suite struct RangeStartTests {
    private static func key(_ number: Int) -> [UInt8] { [0, 0, UInt8(number >> 8), UInt8(number & 0xFF)] }

    private static func mutation(_ number: Int, byteCount: Int) -> (token: Token, bytes: [UInt8]) {
        let key: [UInt8] = key(number)
        let token = Token(ofKey: key.span.bytes)
        let clustering: [UInt8] = []
        let value = [UInt8](repeating: UInt8(number & 0xFF), count: byteCount)
        var writer = ByteWriter()
        var mutation = MutationWriter(table: EngineChange.table, token: token, key: key.span.bytes, to: &writer)
        mutation.beginRows(&writer)
        let start: Int = mutation.beginRow(clustering: clustering.span.bytes, to: &writer)
        var row = RowWriter(marker: RowMarker(timestamp: 5), baseTimestamp: 5, deletion: .none, to: &writer)
        row.live(column: EngineChange.a, timestamp: 5, value: value.span.bytes, to: &writer)
        row.finish(&writer)
        mutation.endBody(start, &writer)
        mutation.beginRanges(&writer)
        mutation.finish(&writer)
        return (token, writer.array())
    }

    /// The keys and the number of rows that a read finds.
    private static func read(_ table: TableStore, _ command: ReadCommand) async throws -> (keys: [[UInt8]], rows: Int) {
        let cursor: ReadCursor = table.cursor(command)
        var keys: [[UInt8]] = []
        var rows = 0
        while true {
            switch try cursor.step() {
            case .partition: keys.append([UInt8](cursor.key))
            case .row: rows += 1
            case .blocked: try await cursor.load()
            case .end: return (keys, rows)
            }
        }
    }

    /// Blocks end wherever they are full, also between the head of a partition and its only row.
    @Test(arguments: [1, 4, 17, 60, 300]) func everyPartitionIsFoundByItsKey(_ byteCount: Int) throws {
        let world = SimulatedWorld(seed: UInt64(byteCount))
        let machine = world.makeHost(name: "a", loopCount: 1)
        try world.run(on: machine.host.loops[0]) {
            var options = StorageOptions(dataDirectory: "/var/data", commitLogDirectory: "/var/log")
            options.isCompactionEnabled = false
            let engine = try await StorageEngine.open(
                options, host: machine.host, tables: [EngineChange.definition])
            let table = try #require(engine.shards[0].table(EngineChange.table))
            var written: [(token: Token, number: Int)] = []
            for number in 0..<1_500 {
                let (token, bytes) = RangeStartTests.mutation(number, byteCount: byteCount + number % 3)
                _ = try engine.shards[0].apply(bytes.span.bytes, to: table)
                written.append((token, number))
            }
            try await engine.flush()
            written.sort { $0.token < $1.token }
            for (place, (token, number)) in written.enumerated() {
                let key: [UInt8] = RangeStartTests.key(number)
                let range = PartitionRange.range(start: .before(token, key), end: .after(token, key))
                for slices in [[.everything], [ClusteringSlice.row([])]] as [[ClusteringSlice]] {
                    let found = try await RangeStartTests.read(
                        table, ReadCommand(partitions: range, slices: slices))
                    #expect(found.keys == [key] && found.rows == 1, "\(number)")
                }
                let two = PartitionRange.range(
                    start: .before(token, key), end: .after(written[min(place + 1, 1_499)].token))
                let found = try await RangeStartTests.read(table, ReadCommand(partitions: two))
                #expect(found.rows == min(2, 1_500 - place), "\(number)")
                let nothing = PartitionRange.range(start: .after(token, key), end: .after(token))
                #expect(try await RangeStartTests.read(table, ReadCommand(partitions: nothing)).rows == 0, "\(number)")
            }
        }
    }
}
