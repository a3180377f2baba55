import CQL
import Primitives
import Testing

@Suite struct ParserLimitTests {
    private func repeated(_ text: String, _ count: Int) -> String { String(repeating: text, count: count) }

    /// Statements that nest once per unit of depth.
    private func nested(_ depth: Int) -> [String] {
        [
            "SELECT " + repeated("(", depth) + "a" + repeated(")", depth) + " FROM t",
            "SELECT " + repeated("[", depth) + "a" + repeated("]", depth) + " FROM t",
            "SELECT " + repeated("{", depth) + "a" + repeated("}", depth) + " FROM t",
            "SELECT " + repeated("f(", depth) + "a" + repeated(")", depth) + " FROM t",
            "SELECT " + repeated("- ", depth) + "a FROM t",
            "SELECT " + repeated("(int)", depth) + "a FROM t",
            "SELECT " + repeated("CAST(", depth) + "a" + repeated(" AS int)", depth) + " FROM t",
            "SELECT " + "m[" + repeated("[", depth) + "1" + repeated("]", depth) + "] FROM t",
            "SELECT * FROM t WHERE a = " + repeated("(", depth) + "1" + repeated(")", depth),
            "SELECT * FROM t WHERE a = " + repeated("{1:", depth) + "1" + repeated("}", depth),
            "SELECT * FROM t WHERE a = " + repeated("{u:", depth) + "1" + repeated("}", depth),
            "SELECT * FROM t WHERE a = " + repeated("(int)", depth) + "1",
            "SELECT * FROM t WHERE " + repeated("(", depth) + "a = 1" + repeated(")", depth),
            "CREATE TABLE t (k " + repeated("list<", depth) + "int" + repeated(">", depth) + " PRIMARY KEY)",
            "SELECT (" + repeated("list<", depth) + "int" + repeated(">", depth) + ")a FROM t",
        ]
    }

    @Test func deepNestingIsRefusedAndShallowNestingIsNot() throws {
        for text in nested(40) { _ = try CQLParser.parse(text) }
        for depth in [CQLParser.maximumDepth + 1, 5_000] {
            for text in nested(depth) {
                #expect(throws: CQLSyntaxError.self, "\(text.prefix(40))") { try CQLParser.parse(text) }
            }
        }
        let error = #expect(throws: CQLSyntaxError.self) {
            try CQLParser.parse("CREATE TABLE t (k " + repeated("list<", 200))
        }
        #expect(error?.message.contains("nesting is deeper than 100 levels at input 'list'") == true)
    }

    @Test func typesMayNestUpToTheLimit() throws {
        let limit = CQLParser.maximumDepth
        _ = try CQLParser.parseType(repeated("list<", limit - 1) + "int" + repeated(">", limit - 1))
        #expect(throws: CQLSyntaxError.self) {
            try CQLParser.parseType(repeated("list<", limit) + "int" + repeated(">", limit))
        }
    }

    @Test func longChainsOfOperatorsAreRefusedToo() throws {
        let limit = CQLParser.maximumChainLength
        let chains = "a" + repeated(" + a", limit) + ", b" + repeated(".f", limit)
        let parsed = try CQLParser.parse("SELECT " + chains + " FROM t")
        #expect(parsed.statement.cqlText.utf8.count > limit)
        for link in [" + a", " * a", ".f", "[1]"] {
            #expect(throws: CQLSyntaxError.self) {
                try CQLParser.parse("SELECT a" + repeated(link, limit + 1) + " FROM t")
            }
        }
    }

    @Test func theNumberOfBindMarkersIsBounded() throws {
        let limit = CQLParser.maximumBindMarkerCount
        let most = try CQLParser.parse("SELECT * FROM t WHERE a IN (?" + repeated(", ?", limit - 1) + ")")
        #expect(most.bindMarkers.count == limit)
        #expect(throws: CQLSyntaxError.self) {
            try CQLParser.parse("SELECT * FROM t WHERE a IN (?" + repeated(", ?", limit) + ")")
        }
    }

    @Test func theNumberOfLexemesIsBounded() throws {
        let limit = CQLParser.maximumLexemeCount
        _ = try CQLParser.parse("TRUNCATE t" + repeated(";", limit - 2))
        let error = #expect(throws: CQLSyntaxError.self) {
            try CQLParser.parse("TRUNCATE t" + repeated(";", limit - 1))
        }
        #expect(error?.message == "line 1:\(limit + 8) the statement has more than \(limit) words and signs")
    }

    @Test(arguments: [UInt64(1), 2, 3, 4])
    func mutatedStatementsNeverCrash(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let statements = ValidStatements.all
        let words = statements.joined(separator: " ").split(separator: " ").map { Array($0.utf8) }
        for round in 0..<5_000 {
            var bytes = Array(statements[Int.random(in: 0..<statements.count, using: &generator)].utf8)
            for _ in 0..<Int.random(in: 1...4, using: &generator) { mutate(&bytes, words, &generator) }
            let text = String(decoding: bytes, as: UTF8.self)
            guard let parsed = try? CQLParser.parse(text) else { continue }
            // Whatever parses also prints, and what is printed parses to the same tree.
            let printed = parsed.statement.cqlText
            let again = try? CQLParser.parse(printed)
            #expect(again?.statement == parsed.statement, "seed \(seed), round \(round): \(text) printed as \(printed)")
        }
    }

    private func mutate(_ bytes: inout [UInt8], _ words: [[UInt8]], _ generator: inout SeededGenerator) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: bytes[place] ^= UInt8(1) << UInt8.random(in: 0..<8, using: &generator)
        case 1: bytes.removeSubrange(place...)
        case 2: bytes.removeSubrange(..<place)
        case 3: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
        case 4:
            let word = words[Int.random(in: 0..<words.count, using: &generator)]
            bytes.insert(contentsOf: [0x20] + word + [0x20], at: place)
        case 5:
            var parts = bytes.split(separator: 0x20).map(Array.init)
            guard parts.count > 1 else { return }
            let first = Int.random(in: 0..<parts.count, using: &generator)
            parts.swapAt(first, Int.random(in: 0..<parts.count, using: &generator))
            bytes = Array(parts.joined(separator: [0x20]))
        default:
            var parts = bytes.split(separator: 0x20).map(Array.init)
            guard parts.count > 1 else { return }
            parts.remove(at: Int.random(in: 0..<parts.count, using: &generator))
            bytes = Array(parts.joined(separator: [0x20]))
        }
    }

    @Test func everyPrefixOfEveryStatementIsReadWithoutHarm() {
        for text in ValidStatements.all {
            let bytes = Array(text.utf8)
            for count in bytes.indices { _ = try? CQLParser.parse(String(decoding: bytes[..<count], as: UTF8.self)) }
        }
    }
}
