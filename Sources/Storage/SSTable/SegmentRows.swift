internal import DataModel
internal import Primitives

/// Walks the rows of one segment, in either direction, putting their clustering keys together.
///
/// Hot: once per row that is scanned. Warm, it allocates nothing. What it points to is valid until it moves, and as
/// long as the block of its segment is.
struct SegmentRows: ~Copyable {
    private var segment: BlockSegment?
    /// Forwards: the row after the current one. Backwards: unused.
    private var nextIndex = 0
    private var nextPointer = UnsafeRawPointer(bitPattern: 1)
    /// Forwards: the current clustering. Backwards: those of the current sixteen rows, end to end.
    private var bytes = ByteWriter(capacity: 64)
    private(set) var body = UnsafeRawBufferPointer(start: nil, count: 0)
    private var currentStart = 0
    private var currentEnd = 0
    // Backwards: the rows between two restarts.
    private var restart = 0
    private var ends: [Int] = []
    private var bodies: [UnsafeRawBufferPointer] = []
    private var place = 0

    init() {}

    /// The clustering key of the current row.
    var clustering: UnsafeRawBufferPointer {
        bytes.withUnsafeBytes { UnsafeRawBufferPointer(rebasing: $0[currentStart..<currentEnd]) }
    }

    // MARK: Forwards

    /// Stands before the first row.
    mutating func begin(_ segment: BlockSegment) {
        begin(segment, restart: 0)
    }

    private mutating func begin(_ segment: BlockSegment, restart: Int) {
        self.segment = segment
        nextIndex = restart &* BlockSegment.restartInterval
        nextPointer = segment.restartPointer(restart)
        bytes.removeAll(keepingAtMost: 4_096)
        currentStart = 0
        currentEnd = 0
    }

    /// Moves to the next row; false at the end.
    mutating func next() -> Bool {
        guard let segment, nextIndex < segment.rowCount, let pointer = nextPointer else { return false }
        let row = BlockRow(at: pointer)
        bytes.truncate(to: min(row.shared, bytes.count))
        bytes.write(row.suffix)
        currentEnd = bytes.count
        body = row.body
        nextPointer = row.next
        nextIndex &+= 1
        return true
    }

    /// Moves to the first row that is not before `target`; false when all are.
    mutating func seek(_ segment: BlockSegment, _ target: [UInt8]) -> Bool {
        if target.isEmpty {
            begin(segment)
            return next()
        }
        begin(segment, restart: target.withUnsafeBytes { segment.restart(notAfter: $0) })
        while next() {
            let current: UnsafeRawBufferPointer = clustering
            if target.withUnsafeBytes({ ByteOrder.compare(current, $0) }) >= 0 { return true }
        }
        return false
    }

    /// Moves to the last row that is not after `target`, or, when all are, stands before the first.
    mutating func seek(_ segment: BlockSegment, floorOf target: [UInt8]) -> Bool {
        let found: Int? = target.withUnsafeBytes { segment.floor($0)?.index }
        guard let found else {
            begin(segment)
            return false
        }
        begin(segment, restart: found / BlockSegment.restartInterval)
        while nextIndex <= found, next() {}
        return true
    }

    // MARK: Backwards

    /// Stands after the last row that is before `target`.
    mutating func beginBackwards(_ segment: BlockSegment, before target: [UInt8]) {
        self.segment = segment
        guard segment.rowCount > 0 else {
            place = 0
            restart = 0
            return
        }
        gather(target.withUnsafeBytes { segment.restart(notAfter: $0) })
        while place > 0 {
            select(place &- 1)
            let current: UnsafeRawBufferPointer = clustering
            if target.withUnsafeBytes({ ByteOrder.compare(current, $0) }) < 0 { return }
            place &-= 1
        }
    }

    /// Stands after the last row.
    mutating func beginBackwards(_ segment: BlockSegment) {
        self.segment = segment
        guard segment.rowCount > 0 else {
            place = 0
            restart = 0
            return
        }
        gather(BlockSegment.restartCount(segment.rowCount) &- 1)
    }

    /// Moves to the row before; false at the start.
    mutating func previous() -> Bool {
        if place == 0 {
            guard restart > 0 else { return false }
            gather(restart &- 1)
        }
        guard place > 0 else { return false }
        place &-= 1
        select(place)
        return true
    }

    private mutating func select(_ index: Int) {
        currentStart = index == 0 ? 0 : ends[index &- 1]
        currentEnd = ends[index]
        body = bodies[index]
    }

    /// Puts the rows of one restart side by side, and stands after them.
    private mutating func gather(_ restart: Int) {
        self.restart = restart
        bytes.removeAll(keepingAtMost: 64 * 1_024)
        ends.removeAll(keepingCapacity: true)
        bodies.removeAll(keepingCapacity: true)
        place = 0
        guard let segment else { return }
        let first: Int = restart &* BlockSegment.restartInterval
        let count: Int = min(BlockSegment.restartInterval, segment.rowCount &- first)
        var pointer: UnsafeRawPointer = segment.restartPointer(restart)
        var previousStart = 0
        for _ in 0..<count {
            let row = BlockRow(at: pointer)
            let start: Int = bytes.count
            bytes.reserve(row.shared &+ row.suffix.count)
            if row.shared > 0 {
                let shared = UnsafeRawBufferPointer(
                    rebasing: bytes.withUnsafeBytes { $0 }[previousStart..<(previousStart &+ row.shared)])
                bytes.write(shared)
            }
            bytes.write(row.suffix)
            previousStart = start
            ends.append(bytes.count)
            bodies.append(row.body)
            pointer = row.next
        }
        place = count
    }
}
