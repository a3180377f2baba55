package import DataModel
import Primitives
package import Storage

/// Walks the fragments of a page as a source of a read, so that the pages of several replicas are merged by the same
/// code as memtables and SSTables.
///
/// The bytes come from a peer, so nothing in them is trusted: what is not a sequence of mutations in ascending order
/// throws `.decoding`.
package final class FragmentCursor: SourceCursor {
    package private(set) var token: Token = .minimum
    package private(set) var key = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var partitionDeletion: Deletion = .none
    package private(set) var staticRow = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var rangeDeletions: [RangeDeletion] = []
    package private(set) var clustering = UnsafeRawBufferPointer(start: nil, count: 0)
    package private(set) var row = UnsafeRawBufferPointer(start: nil, count: 0)

    private struct RowPlace {
        var clustering: UnsafeRawBufferPointer
        var body: UnsafeRawBufferPointer
    }

    private let memory: UnsafeMutableRawBufferPointer
    private let limit: ReadMark?
    private let isReversed: Bool
    private var offset = 0
    private var rows: [RowPlace] = []
    private var nextRowIndex = 0
    private var isStarted = false

    /// - Parameter limit: what is behind it is not shown: other replicas' pages do not reach so far.
    package init(_ fragments: [UInt8], limit: ReadMark?, isReversed: Bool) {
        memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, fragments.count), alignment: 8)
        memory.copyBytes(from: fragments)
        self.end = fragments.count
        self.limit = limit
        self.isReversed = isReversed
    }

    private let end: Int

    deinit {
        memory.deallocate()
    }

    package func load() async throws(StorageError) {}

    package func nextPartition() throws(StorageError) -> SourceStep {
        guard offset < end else { return .end }
        do throws(DecodingError) {
            let (last, lastKey): (Token, UnsafeRawBufferPointer) = (token, key)
            try readFragment()
            if isStarted, token < last || token == last && ByteOrder.compare(lastKey, key) >= 0 {
                throw .invalid(offset: offset, what: "partitions of a page that do not ascend")
            }
            isStarted = true
        } catch {
            throw .decoding(error)
        }
        guard let limit else { return .ready }
        let order: Int = limit.key.withUnsafeBytes { ByteOrder.compare(key, $0) }
        if token > limit.token || token == limit.token && order > 0 {
            offset = end
            return .end
        }
        if token == limit.token, order == 0, let mark = limit.clustering { dropRows(after: mark) }
        return .ready
    }

    private func dropRows(after mark: [UInt8]) {
        let kept: Int =
            rows.firstIndex { place in
                let order: Int = mark.withUnsafeBytes { ByteOrder.compare(place.clustering, $0) }
                return isReversed ? order < 0 : order > 0
            } ?? rows.count
        rows.removeLast(rows.count - kept)
    }

    /// Reads the head of the next fragment and finds its rows.
    private func readFragment() throws(DecodingError) {
        let whole = UnsafeRawBufferPointer(rebasing: memory[offset..<end])
        var outer = ByteReader(unsafe RawSpan(_unsafeBytes: whole))
        let byteCount = Int(try outer.readUInt32())
        try outer.need(byteCount)
        let inside = UnsafeRawBufferPointer(rebasing: whole[4..<(4 + byteCount)])
        offset += 4 + byteCount
        var mutation = try MutationReader(unsafe RawSpan(_unsafeBytes: inside))
        token = mutation.token
        partitionDeletion = mutation.partitionDeletion
        key = FragmentCursor.pointer(mutation.key)
        staticRow = FragmentCursor.pointer(mutation.staticRow)
        rows.removeAll(keepingCapacity: true)
        nextRowIndex = 0
        while let next = try mutation.nextRow() {
            let place = RowPlace(
                clustering: FragmentCursor.pointer(next.clustering), body: FragmentCursor.pointer(next.body))
            if let last = rows.last {
                let order: Int = ByteOrder.compare(last.clustering, place.clustering)
                guard isReversed ? order > 0 : order < 0 else {
                    throw .invalid(offset: offset, what: "rows of a page that are not in order")
                }
            }
            rows.append(place)
        }
        var ranges = RangeDeletions()
        while let range = try mutation.nextRange() {
            let start = [UInt8](copying: range.start)
            ranges.insert(RangeDeletion(start: start, end: [UInt8](copying: range.end), deletion: range.deletion))
        }
        rangeDeletions = ranges.ranges
    }

    /// What a span of `memory` points to, which lives as long as the cursor.
    private static func pointer(_ span: RawSpan) -> UnsafeRawBufferPointer {
        span.withUnsafeBytes { $0 }
    }

    package func nextRow() throws(StorageError) -> SourceStep {
        guard nextRowIndex < rows.count else { return .end }
        clustering = rows[nextRowIndex].clustering
        row = rows[nextRowIndex].body
        nextRowIndex += 1
        return .ready
    }
}
