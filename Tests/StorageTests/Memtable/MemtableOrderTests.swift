import DataModel
import Primitives
import Testing

@testable import Storage

/// Trees of several levels, which take thousands of partitions.
@Suite struct MemtableOrderTests {
    @Test(arguments: [UInt64(1), 2, 3, 4])
    func partitionsStandInOrderWhateverTheOrderInWhichTheyCame(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let memtable = Memtable(table: EngineChange.table)
        var tokens: Set<Token> = []
        for number in 0..<12_000 {
            // Half of them come from the upper end downwards, so that first children keep getting smaller keys.
            let high = number % 2 == 0 ? random.next() : UInt64.max - UInt64(number) &* 0x0001_0000_0000_0000 / 12
            let key: [UInt8] = withUnsafeBytes(of: high.bigEndian) { Array($0) }
            let change = EngineChange(
                key: key, kind: .insert(row: 1, value: 1, ttl: 0), timestamp: Int64(number), nowSeconds: 1)
            tokens.insert(change.token)
            let bytes: [UInt8] = change.encoded()
            try memtable.apply(bytes.span.bytes)
            let found: Bool = key.withUnsafeBytes { memtable.find(change.token, $0) != nil }
            #expect(found, "seed \(seed), partition \(number)")
        }
        let cursor = memtable.makeCursor(ReadCommand(partitions: .all))
        var seen: [Token] = []
        while case .ready = try cursor.nextPartition() { seen.append(cursor.token) }
        #expect(seen == tokens.sorted(), "seed \(seed)")
    }
}
