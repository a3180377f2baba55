internal import Primitives

/// When the tombstones of a file may be dropped, coarsely: points in time, and how many were made about then.
///
/// At most 100 points; the two that are closest become one (Ben-Haim and Tom-Tov, "A Streaming Parallel Decision Tree
/// Algorithm"), as in Cassandra's statistics.
package struct TombstoneHistogram: Sendable, Equatable {
    static let pointLimit: Int = 100
    /// Times are rounded up to this many seconds first, which makes most inserts find their point.
    static let roundingSeconds: Int64 = 60

    package struct Point: Sendable, Equatable {
        package var seconds: Int64
        package var count: Int
    }

    /// Ascending.
    package private(set) var points: [Point] = []

    package init() {}

    package mutating func insert(seconds: Int64, count: Int = 1) {
        let capped: Int64 = min(max(0, seconds), .max / 4)
        let remainder: Int64 = capped % TombstoneHistogram.roundingSeconds
        let rounded: Int64 = remainder == 0 ? capped : capped + TombstoneHistogram.roundingSeconds - remainder
        var low = 0
        var high: Int = points.count
        while low < high {
            let middle: Int = (low + high) / 2
            if points[middle].seconds < rounded { low = middle + 1 } else { high = middle }
        }
        if low < points.count, points[low].seconds == rounded {
            points[low].count += count
            return
        }
        points.insert(Point(seconds: rounded, count: count), at: low)
        if points.count > TombstoneHistogram.pointLimit { mergeClosest() }
    }

    /// How many tombstones were made before `seconds`, about.
    package func count(before seconds: Int64) -> Int {
        var sum = 0
        for point in points where point.seconds < seconds { sum += point.count }
        return sum
    }

    package var total: Int { points.reduce(0) { $0 + $1.count } }

    private mutating func mergeClosest() {
        var closest = 0
        var distance: Int64 = .max
        for index in 0..<(points.count - 1) {
            let gap: Int64 = points[index + 1].seconds - points[index].seconds
            if gap < distance {
                distance = gap
                closest = index
            }
        }
        let left: Point = points[closest]
        let right: Point = points[closest + 1]
        let sum: Int = left.count + right.count
        let share: Double = Double(right.count) / Double(max(1, sum))
        points[closest] = Point(seconds: left.seconds + Int64(Double(distance) * share), count: sum)
        points.remove(at: closest + 1)
    }

    func write(to writer: inout ByteWriter) {
        writer.writeLength(points.count)
        for point in points {
            writer.write(point.seconds)
            writer.write(UInt64(point.count))
        }
    }

    init(from reader: inout ByteReader) throws(DecodingError) {
        let count: Int = try reader.readLength()
        guard count <= TombstoneHistogram.pointLimit else {
            throw .invalid(offset: reader.offset, what: "a histogram with too many points")
        }
        for _ in 0..<count {
            let seconds: Int64 = try reader.readInt64()
            let number: UInt64 = try reader.readUInt64()
            points.append(Point(seconds: seconds, count: Int(truncatingIfNeeded: number & 0xFFFF_FFFF_FFFF)))
        }
    }
}
