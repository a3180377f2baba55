import Primitives

/// Which row the next request is for, and whether it reads.
///
/// Hot: once for every request.
package struct RequestSequence: Sendable {
    package struct Choice: Equatable, Sendable {
        package let row: UInt64
        package let isRead: Bool
        /// Random bits for the values of a write.
        package let noise: UInt64
    }

    private enum Order: Sendable {
        case random
        /// Every `step`th row, so that connections share the rows among them.
        case inTurn(step: UInt64)
    }

    private var generator: SplitMix64
    private let rows: UInt64
    /// Reads in 2^32 requests.
    private let readShare: UInt64
    private let order: Order
    private var nextRow: UInt64

    /// Random rows of `rows`, of which `readPercent` in 100 are read.
    package init(rows: Int, readPercent: Int, seed: UInt64) {
        self.generator = SplitMix64(state: seed)
        self.rows = UInt64(max(1, rows))
        self.readShare = UInt64(max(0, min(100, readPercent))) << 32 / 100
        self.order = .random
        self.nextRow = 0
    }

    /// Writes of `first`, `first + step`, and so on.
    package init(writingFrom first: Int, step: Int, seed: UInt64) {
        self.generator = SplitMix64(state: seed)
        self.rows = .max
        self.readShare = 0
        self.order = .inTurn(step: UInt64(max(1, step)))
        self.nextRow = UInt64(max(0, first))
    }

    package mutating func next() -> Choice {
        let bits: UInt64 = generator.next()
        switch order {
        case .random:
            let noise: UInt64 = generator.next()
            let row: UInt64 = bits.multipliedFullWidth(by: rows).high
            return Choice(row: row, isRead: noise >> 32 < readShare, noise: noise)
        case .inTurn(let step):
            let row: UInt64 = nextRow
            nextRow &+= step
            return Choice(row: row, isRead: false, noise: bits)
        }
    }
}
