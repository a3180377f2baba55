import DataModel
import Primitives
import Testing

@testable import Storage

@Suite struct TokenRangesTests {
    private static func run(_ first: Int64, _ last: Int64) -> ClosedRange<Token> { Token(first)...Token(last) }

    @Test func runsThatTouchOrOverlapAreJoined() {
        let ranges = TokenRanges([
            TokenRangesTests.run(20, 30), TokenRangesTests.run(0, 5), TokenRangesTests.run(6, 8),
            TokenRangesTests.run(25, 40), TokenRangesTests.run(10, 10),
        ])
        #expect(
            ranges.runs == [
                TokenRangesTests.run(0, 8), TokenRangesTests.run(10, 10), TokenRangesTests.run(20, 40),
            ])
        #expect(TokenRanges([]).isEmpty)
        #expect(TokenRanges.all.union(ranges) == .all)
    }

    @Test func theEndsOfTheTokenSpaceAreTokensLikeOthers() {
        let all: ClosedRange<Token> = Token.minimum...Token.maximum
        let ends = TokenRanges([TokenRangesTests.run(.min, .min), TokenRangesTests.run(.max, .max)])
        #expect(ends.contains(.minimum))
        #expect(ends.contains(.maximum))
        #expect(!ends.contains(Token(0)))
        #expect(ends.missing(in: all) == [TokenRangesTests.run(.min + 1, .max - 1)])
        #expect(TokenRanges.all.missing(in: all).isEmpty)
        #expect(TokenRanges.none.missing(in: all) == [all])
        #expect(TokenRanges.all.share == 1)
    }

    @Test func everyQuestionAgreesWithASetOfTokens() {
        for seed in 0..<UInt64(200) {
            var generator = SeededGenerator(seed: seed)
            func run() -> ClosedRange<Token> {
                let first = Int64(generator.below(40))
                return TokenRangesTests.run(first, first + Int64(generator.below(8)))
            }
            let runs: [ClosedRange<Token>] = (0..<generator.below(6)).map { _ in run() }
            let ranges = TokenRanges(runs)
            func holds(_ token: Int64) -> Bool { runs.contains { $0.contains(Token(token)) } }
            for token in Int64(-1)...50 {
                #expect(ranges.contains(Token(token)) == holds(token), "seed \(seed), token \(token)")
            }
            let other: ClosedRange<Token> = run()
            let tokens: ClosedRange<Int64> = other.lowerBound.value...other.upperBound.value
            #expect(ranges.contains(other) == tokens.allSatisfy(holds), "seed \(seed)")
            #expect(ranges.intersects(other) == tokens.contains(where: holds), "seed \(seed)")
            let clamped: TokenRanges = ranges.clamped(to: other)
            let missing = TokenRanges(ranges.missing(in: other))
            for token in Int64(-1)...50 {
                let isInside: Bool = tokens.contains(token)
                #expect(clamped.contains(Token(token)) == (isInside && holds(token)), "seed \(seed), token \(token)")
                #expect(missing.contains(Token(token)) == (isInside && !holds(token)), "seed \(seed), token \(token)")
            }
        }
    }
}
