package import Cluster
import DataModel
package import Storage

extension TokenRanges {
    /// The tokens of ranges of the ring, wrapping ones too.
    package init(_ ranges: [RingRange]) {
        var runs: [ClosedRange<Token>] = []
        for range in ranges.flatMap(\.unwrapped) {
            // No key has the smallest token: as an end it stands for the one after the largest.
            guard range.start != .maximum else { continue }
            let first = Token(ordinal: range.start.ordinal + 1)
            let last: Token = range.end == .minimum ? .maximum : range.end
            if first <= last { runs.append(first...last) }
        }
        self.init(runs)
    }
}
