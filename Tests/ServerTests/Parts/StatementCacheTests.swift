import CQL
import Primitives
import SimulatedHost
import Simulation
import Testing

@testable import Query

@Suite struct StatementCacheTests {
    private func statement(_ name: String) -> Query.PreparedStatement {
        PreparedStatement(
            id: StatementID(text: name, keyspace: nil), text: name, keyspace: nil, plan: .use(name),
            markers: PreparedMetadata(columns: [], partitionKeyIndexes: []), epoch: 0)
    }

    private func names(_ statements: [Query.PreparedStatement]) -> [String] { statements.map(\.text) }

    @Test func theStatementThatWasUsedLongestAgoGoesFirst() {
        var cache = StatementCache(byteLimit: 1 << 20, countLimit: 3)
        let all = ["a", "b", "c", "d", "e"].map { statement($0) }
        for one in all[..<3] { #expect(cache.keep(one, [one.id]).isEmpty) }
        _ = cache.find(all[0].id)
        #expect(names(cache.keep(all[3], [all[3].id])) == ["b"])
        #expect(names(cache.keep(all[4], [all[4].id])) == ["c"])
        #expect(cache.find(all[0].id) != nil && cache.find(all[1].id) == nil && cache.count == 3)
    }

    @Test func bytesAreALimitToo() {
        let one = statement("a")
        let size: Int = StatementCache.byteCount(of: one)
        var cache = StatementCache(byteLimit: 2 * size)
        for name in ["a", "b"] { #expect(cache.keep(statement(name), [statement(name).id]).isEmpty) }
        #expect(cache.byteCount == 2 * size)
        #expect(names(cache.keep(statement("c"), [statement("c").id])) == ["a"])
        let large = statement(String(repeating: "x", count: 10_000))
        #expect(cache.keep(large, [large.id]).isEmpty)
        #expect(cache.find(large.id) == nil && cache.count == 2, "what is larger than the cache displaces nothing")
    }

    @Test func aStatementLeavesWithAllOfItsIdentifiers() {
        var cache = StatementCache(byteLimit: 1 << 20, countLimit: 1)
        let (first, second) = (statement("a"), statement("b"))
        let other = StatementID(text: "a", keyspace: "k")
        _ = cache.keep(first, [first.id, other])
        #expect(cache.find(other) === first && cache.count == 1)
        _ = cache.keep(second, [second.id])
        #expect(cache.find(first.id) == nil && cache.find(other) == nil)
    }

    @Test func keepingAStatementAgainReplacesIt() {
        var cache = StatementCache(byteLimit: 1 << 20)
        let (first, again) = (statement("a"), statement("a"))
        _ = cache.keep(first, [first.id])
        #expect(cache.keep(again, [again.id]).isEmpty)
        #expect(cache.find(first.id) === again && cache.count == 1)
        #expect(cache.byteCount == StatementCache.byteCount(of: again))
    }

    @Test(arguments: 1...8 as ClosedRange<UInt64>) func itAgreesWithAListThatIsSortedByUse(seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        var cache = StatementCache(byteLimit: 1 << 20, countLimit: 7)
        var model: [String] = []
        let all = (0..<20).map { statement("s\($0)") }
        for _ in 0..<2_000 {
            let one = all[generator.below(all.count)]
            switch generator.below(10) {
            case 0..<5:
                let found: Bool = cache.find(one.id) != nil
                #expect(found == model.contains(one.text), "seed \(seed)")
                if found {
                    model.removeAll { $0 == one.text }
                    model.append(one.text)
                }
            case 5..<9:
                model.removeAll { $0 == one.text }
                var dropped: [String] = []
                if model.count == 7 { dropped.append(model.removeFirst()) }
                model.append(one.text)
                #expect(names(cache.keep(one, [one.id])) == dropped, "seed \(seed)")
            default:
                let parity: Int = generator.below(2)
                let wanted: (String) -> Bool = { ($0.utf8.last ?? 0) % 2 == parity }
                cache.keepOnly { wanted($0.text) }
                model.removeAll { !wanted($0) }
            }
            #expect(cache.count == model.count, "seed \(seed)")
        }
    }

    @Test func aNodeForgetsWhatWasUsedLongestAgo() throws {
        let cluster = try NodeFixture.started(settings: ["prepared_statements_cache_size": "32KiB"])
        try cluster.run { cluster in
            let client = try await cluster.clients.start(on: cluster.node)
            let used = try await client.prepare(NodeFixture.select)
            let forgotten = try await client.prepare(NodeFixture.insert)
            for limit in 1...40 {
                _ = try await client.prepare("SELECT v FROM k.t WHERE id = ? LIMIT \(limit)")
                client.send(client.executions(used, [[NodeFixture.int(1)]]))
                #expect(try await client.next().error == nil)
            }
            client.send(client.executions(forgotten, [[NodeFixture.int(1), NodeFixture.text("x")]]))
            #expect(try await client.next().error?.code == 0x2500)
            let kept = try await client.query("SELECT query_string FROM system.prepared_statements").rows()
            #expect(kept.count < 32, "what is forgotten is not prepared again after a restart")
            let long = String(repeating: "x", count: 20_000)
            client.send(
                client.message(.prepare, stream: 0) {
                    $0.writePrepare("SELECT v FROM k.t WHERE v = '\(long)'", version: .v5)
                })
            #expect(try await client.next().error?.code == 0x2200)
        }
    }
}
