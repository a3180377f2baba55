package import DataModel

/// A set of tokens, as runs that are in order, joined, and apart from each other.
package struct TokenRanges: Sendable, Hashable {
    /// Ascending; between two of them is at least one token of neither.
    package private(set) var runs: [ClosedRange<Token>]

    package static let all = TokenRanges([Token.minimum...Token.maximum])
    package static let none = TokenRanges([])

    /// - Parameter runs: in any order; they may overlap.
    package init(_ runs: [ClosedRange<Token>]) {
        var joined: [ClosedRange<Token>] = []
        for run in runs.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            guard let last = joined.last else {
                joined.append(run)
                continue
            }
            let isApart: Bool = run.lowerBound > last.upperBound && run.lowerBound.ordinal - last.upperBound.ordinal > 1
            if isApart {
                joined.append(run)
            } else {
                joined[joined.count - 1] = last.lowerBound...max(last.upperBound, run.upperBound)
            }
        }
        self.runs = joined
    }

    package var isEmpty: Bool { runs.isEmpty }

    /// The share of all tokens, from 0 to 1.
    package var share: Double {
        runs.reduce(0) { $0 + TokenRanges.width($1) } * 0x1p-64
    }

    private static func width(_ run: ClosedRange<Token>) -> Double {
        Double(run.upperBound.ordinal - run.lowerBound.ordinal) + 1
    }

    package func contains(_ token: Token) -> Bool {
        guard let run = run(from: token) else { return false }
        return run.lowerBound <= token
    }

    /// Whether all tokens of a run are in the set.
    package func contains(_ tokens: ClosedRange<Token>) -> Bool {
        guard let run = run(from: tokens.lowerBound) else { return false }
        return run.lowerBound <= tokens.lowerBound && tokens.upperBound <= run.upperBound
    }

    /// Whether any token of a run is in the set.
    package func intersects(_ tokens: ClosedRange<Token>) -> Bool {
        guard let run = run(from: tokens.lowerBound) else { return false }
        return run.lowerBound <= tokens.upperBound
    }

    /// The first run that ends at the token or after it.
    private func run(from token: Token) -> ClosedRange<Token>? {
        let index: Int = firstIndex(endingAtOrAfter: token)
        return index < runs.count ? runs[index] : nil
    }

    private func firstIndex(endingAtOrAfter token: Token) -> Int {
        var low = 0
        var high: Int = runs.count
        while low < high {
            let middle: Int = (low + high) / 2
            if runs[middle].upperBound < token { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The tokens that are in a run too.
    package func clamped(to tokens: ClosedRange<Token>) -> TokenRanges {
        var result: [ClosedRange<Token>] = []
        for run in runs[firstIndex(endingAtOrAfter: tokens.lowerBound)...] {
            guard run.lowerBound <= tokens.upperBound else { break }
            result.append(run.clamped(to: tokens))
        }
        return TokenRanges(result)
    }

    package func union(_ other: TokenRanges) -> TokenRanges { TokenRanges(runs + other.runs) }

    /// The tokens of a run that are not in the set.
    package func missing(in tokens: ClosedRange<Token>) -> [ClosedRange<Token>] {
        var result: [ClosedRange<Token>] = []
        var next: UInt64 = tokens.lowerBound.ordinal
        for run in clamped(to: tokens).runs {
            if run.lowerBound.ordinal > next {
                result.append(Token(ordinal: next)...Token(ordinal: run.lowerBound.ordinal - 1))
            }
            if run.upperBound == tokens.upperBound { return result }
            next = run.upperBound.ordinal + 1
        }
        result.append(Token(ordinal: next)...tokens.upperBound)
        return result
    }

    /// The part of a run's tokens that are in the set, from 0 to 1.
    package func share(of tokens: ClosedRange<Token>) -> Double {
        let covered: Double = clamped(to: tokens).runs.reduce(0) { $0 + TokenRanges.width($1) }
        return covered / TokenRanges.width(tokens)
    }
}
