import DataModel
import Primitives

/// Merges the versions of one row, one after another, under a deletion that covers them all.
///
/// Hot: used for every row that is in more than one source, or under a deletion. Two buffers take turns, so that a warm
/// fold allocates nothing. A single version that nothing covers is handed through without a copy.
struct RowFold: ~Copyable {
    private var first = ByteWriter(capacity: 16)
    private var second = ByteWriter(capacity: 16)
    private var isFirstNext = true
    private var shadow: Deletion = .none
    private var isShadowed = false
    private var current = UnsafeRawBufferPointer(start: nil, count: 0)

    init() {}

    /// Starts with no version.
    mutating func begin(shadow: Deletion) {
        self.shadow = shadow
        isShadowed = false
        current = UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// Merges another version in; an empty one is none. What it points to must stay until the end of the fold.
    mutating func add(_ version: UnsafeRawBufferPointer) throws(StorageError) {
        if version.isEmpty { return }
        if current.isEmpty {
            current = version
            isShadowed = shadow.isNone
            return
        }
        let left = unsafe RawSpan(_unsafeBytes: current)
        let right = unsafe RawSpan(_unsafeBytes: version)
        do throws(DecodingError) {
            if isFirstNext {
                first.removeAll()
                _ = try RowMerge.merge(left, right, shadow: shadow, to: &first)
            } else {
                second.removeAll()
                _ = try RowMerge.merge(left, right, shadow: shadow, to: &second)
            }
        } catch {
            throw .decoding(error)
        }
        takeOutput()
    }

    /// What is left; empty when nothing is. Valid until the next fold, and as long as the versions are.
    mutating func finish() throws(StorageError) -> UnsafeRawBufferPointer {
        if current.isEmpty || isShadowed { return current }
        let row = unsafe RawSpan(_unsafeBytes: current)
        do throws(DecodingError) {
            if isFirstNext {
                first.removeAll()
                _ = try RowMerge.apply(shadow, to: row, writer: &first)
            } else {
                second.removeAll()
                _ = try RowMerge.apply(shadow, to: row, writer: &second)
            }
        } catch {
            throw .decoding(error)
        }
        takeOutput()
        return current
    }

    /// Makes what was just written the current version. The next merge writes into the other buffer.
    private mutating func takeOutput() {
        if isFirstNext {
            current = first.withUnsafeBytes { $0 }
        } else {
            current = second.withUnsafeBytes { $0 }
        }
        isFirstNext.toggle()
        isShadowed = true
    }
}
