/// How many parts of a read are asked for at once: as many as, by what the first ones gave, make the page full.
///
/// A pure value, after Cassandra's scans.
struct ReadWindow {
    /// The most parts that are under way.
    static let maximumCount = 32
    /// Bytes that the pages of all parts under way may have together.
    private static let byteLimit = 4 << 20
    private static let smallestByteLimit = 64 << 10

    private(set) var count: Int
    private var askedCount = 0
    private var rowCount = 0

    /// - Parameter isOpen: whether all parts will be needed, however many rows they have.
    init(isOpen: Bool) {
        count = isOpen ? ReadWindow.maximumCount : 1
    }

    /// A window for partitions that are named: each has a row most likely.
    init(rows wanted: Int) {
        count = min(max(1, wanted), ReadWindow.maximumCount)
    }

    /// Takes note of what some parts gave.
    ///
    /// - Parameters:
    ///   - rows: all rows that were found so far.
    ///   - missing: how many rows the page still has room for.
    mutating func note(parts: Int, rows: Int, missing: Int) {
        askedCount += parts
        rowCount = rows
        guard rowCount > 0 else {
            count = ReadWindow.maximumCount
            return
        }
        let needed: Double = Double(max(1, missing)) * Double(askedCount) / Double(rowCount)
        count = needed >= Double(ReadWindow.maximumCount) ? ReadWindow.maximumCount : max(1, Int(needed.rounded(.up)))
    }

    /// How large each page may be when so many are under way.
    static func byteLimit(of count: Int) -> Int {
        max(smallestByteLimit, byteLimit / max(4, count))
    }
}
