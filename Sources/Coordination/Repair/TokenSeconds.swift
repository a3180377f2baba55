package import DataModel
import Primitives

/// A second for every token of the ring: runs of tokens with the same one, ascending. Tokens of which nothing is known
/// have `never`.
///
/// A pure value.
package struct TokenSeconds: Hashable, Sendable {
    package struct Run: Hashable, Sendable {
        package let first: Token
        package let seconds: Int64
    }

    package static let never: Int64 = .min

    /// Each reaches to the next one's first token; the first starts at the smallest token.
    package private(set) var runs: [Run] = [Run(first: .minimum, seconds: TokenSeconds.never)]

    package init() {}

    package var isEmpty: Bool { runs.count == 1 && runs[0].seconds == TokenSeconds.never }

    /// Hot while a compaction runs: once per partition.
    package func seconds(of token: Token) -> Int64 { runs[place(of: token)].seconds }

    /// The smallest of some tokens.
    package func smallest(in tokens: ClosedRange<Token>) -> Int64 {
        var index: Int = place(of: tokens.lowerBound)
        var smallest: Int64 = runs[index].seconds
        while index + 1 < runs.count, runs[index + 1].first <= tokens.upperBound {
            index += 1
            smallest = min(smallest, runs[index].seconds)
        }
        return smallest
    }

    /// The largest of some tokens.
    package func largest(in tokens: ClosedRange<Token>) -> Int64 {
        var index: Int = place(of: tokens.lowerBound)
        var largest: Int64 = runs[index].seconds
        while index + 1 < runs.count, runs[index + 1].first <= tokens.upperBound {
            index += 1
            largest = max(largest, runs[index].seconds)
        }
        return largest
    }

    /// Some tokens with their seconds: ascending, without gaps, neighbours with the same second joined.
    package func seconds(in tokens: ClosedRange<Token>) -> [(tokens: ClosedRange<Token>, seconds: Int64)] {
        var found: [(tokens: ClosedRange<Token>, seconds: Int64)] = []
        var index: Int = place(of: tokens.lowerBound)
        while index < runs.count, runs[index].first <= tokens.upperBound {
            let last: Token = index + 1 < runs.count ? Token(ordinal: runs[index + 1].first.ordinal - 1) : .maximum
            found.append(((runs[index].first...last).clamped(to: tokens), runs[index].seconds))
            index += 1
        }
        return found
    }

    /// Changes the second of some tokens.
    package mutating func change(_ tokens: ClosedRange<Token>, _ body: (Int64) -> Int64) {
        cut(at: tokens.lowerBound)
        if tokens.upperBound < .maximum { cut(at: Token(ordinal: tokens.upperBound.ordinal + 1)) }
        var changed: [Run] = []
        for run in runs {
            let seconds: Int64 = tokens.contains(run.first) ? body(run.seconds) : run.seconds
            if changed.last?.seconds != seconds { changed.append(Run(first: run.first, seconds: seconds)) }
        }
        runs = changed
    }

    /// Sets the second of some tokens where it is not later already.
    package mutating func raise(_ tokens: ClosedRange<Token>, to seconds: Int64) {
        change(tokens) { max($0, seconds) }
    }

    package mutating func set(_ tokens: ClosedRange<Token>, to seconds: Int64) {
        change(tokens) { _ in seconds }
    }

    private mutating func cut(at token: Token) {
        let index: Int = place(of: token)
        if runs[index].first == token { return }
        runs.insert(Run(first: token, seconds: runs[index].seconds), at: index + 1)
    }

    /// The index of the run that a token is in.
    private func place(of token: Token) -> Int {
        var low = 0
        var high: Int = runs.count
        while low < high {
            let middle: Int = (low + high) / 2
            if runs[middle].first <= token { low = middle + 1 } else { high = middle }
        }
        return max(0, low - 1)
    }
}

/// seconds := count u32 · (first token i64 · seconds i64)*
extension TokenSeconds {
    func write(to writer: inout ByteWriter) {
        writer.write(UInt32(clamping: runs.count))
        for run in runs {
            writer.write(run.first.value)
            writer.write(run.seconds)
        }
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        let count = Int(try reader.readUInt32())
        try reader.need(count * 16)
        var read: [Run] = []
        for _ in 0..<count {
            let first = Token(try reader.readInt64())
            guard read.last.map({ $0.first < first }) ?? (first == .minimum) else {
                throw .invalid(offset: reader.offset, what: "runs of tokens that do not ascend")
            }
            read.append(Run(first: first, seconds: try reader.readInt64()))
        }
        guard !read.isEmpty else { throw .invalid(offset: reader.offset, what: "no run of tokens") }
        runs = read
    }
}
