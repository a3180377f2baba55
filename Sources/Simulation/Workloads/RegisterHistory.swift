/// What clients know of registers that only grow: one writer each, every value larger than the last.
///
/// A register may hold the value acknowledged last, or one that was sent later and never answered; nothing else. It is a
/// pure value, and `Register` in it is what a checker would need of a single row.
package struct RegisterHistory: Sendable {
    private struct Register {
        var begun: Int64 = 0
        var acknowledged: Int64 = 0
    }

    private var registers: [Int32: Register] = [:]
    package private(set) var acknowledgedCount = 0

    package init() {}

    /// The value to write next; it may be in the register from now on.
    package mutating func begin(_ key: Int32) -> Int64 {
        registers[key, default: Register()].begun += 1
        return registers[key]?.begun ?? 0
    }

    /// The write of `value` was acknowledged: from now on no smaller one may be seen.
    package mutating func acknowledge(_ key: Int32, _ value: Int64) {
        let known: Int64 = registers[key]?.acknowledged ?? 0
        registers[key, default: Register()].acknowledged = max(known, value)
        acknowledgedCount += 1
    }

    /// The smallest value that may be read from now on.
    package func floor(_ key: Int32) -> Int64 { registers[key]?.acknowledged ?? 0 }

    /// What is wrong about a value that was read, nil standing for no row; nil when nothing is.
    ///
    /// - Parameter floor: what `floor` was when the read began.
    package func fault(_ key: Int32, found: Int64?, floor: Int64) -> String? {
        let value: Int64 = found ?? 0
        let begun: Int64 = registers[key]?.begun ?? 0
        if value < floor { return "register \(key) holds \(value), and \(floor) was acknowledged" }
        if value > begun { return "register \(key) holds \(value), which nobody wrote" }
        return nil
    }

    /// The keys that were written, ascending.
    package var keys: [Int32] { registers.keys.sorted() }
}
