internal import DataModel
internal import Primitives

/// Builds one block, segment by segment, row by row. Kept and reused by the tree that it builds for.
///
/// Hot: once per row that is flushed or compacted. Warm, it allocates nothing.
final class BlockBuilder {
    private var segments = ByteWriter(capacity: 4_096)
    private var rows = ByteWriter(capacity: 4_096)
    private var ordinals: [UInt64] = []
    private var offsets: [UInt32] = []
    private var restarts: [UInt32] = []
    private var lastClustering = ByteWriter(capacity: 64)
    private var openFlags: SegmentFlags = []
    private var openStart = 0
    private var isOpen = false
    /// Rows of the open segment.
    private(set) var openRowCount = 0

    var isEmpty: Bool { ordinals.isEmpty }

    /// About how large the block would be if it ended now.
    var byteCount: Int {
        segments.count &+ rows.count &+ ordinals.count &* 12 &+ restarts.count &* 4 &+ 8
    }

    /// Starts a segment; the one before it was ended. `staticRow` is empty when it has none.
    func beginSegment(
        _ ordinal: UInt64, _ key: UnsafeRawBufferPointer, flags: SegmentFlags, deletion: Deletion,
        staticRow: UnsafeRawBufferPointer
    ) {
        var flags: SegmentFlags = flags
        if !deletion.isNone { flags.formUnion(.deletion) }
        if !staticRow.isEmpty { flags.formUnion(.staticRow) }
        openFlags = flags
        openStart = segments.count
        openRowCount = 0
        isOpen = true
        ordinals.append(ordinal)
        offsets.append(UInt32(truncatingIfNeeded: openStart))
        segments.write(flags.rawValue)
        segments.write(UInt16(truncatingIfNeeded: key.count))
        segments.write(key)
        if !deletion.isNone { deletion.write(to: &segments) }
        if !staticRow.isEmpty {
            segments.writeLength(staticRow.count)
            segments.write(staticRow)
        }
        rows.removeAll()
        restarts.removeAll(keepingCapacity: true)
        lastClustering.removeAll()
    }

    func addRow(_ clustering: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) {
        var shared = 0
        if openRowCount % BlockSegment.restartInterval == 0 {
            restarts.append(UInt32(truncatingIfNeeded: rows.count))
        } else if let start = clustering.baseAddress {
            let limit: Int = min(clustering.count, lastClustering.count)
            shared = lastClustering.withUnsafeBytes { last in
                last.baseAddress.map { commonPrefix($0, start, limit) } ?? 0
            }
        }
        let suffix = UnsafeRawBufferPointer(rebasing: clustering[shared...])
        rows.writeLength(shared)
        rows.writeLength(suffix.count)
        rows.writeLength(body.count)
        rows.write(suffix)
        rows.write(body)
        lastClustering.truncate(to: shared)
        lastClustering.write(suffix)
        openRowCount &+= 1
    }

    /// Ends the open segment.
    func endSegment(continuesAfter: Bool) {
        guard isOpen else { return }
        isOpen = false
        if continuesAfter {
            openFlags.formUnion(.continuesAfter)
            segments.overwrite(openFlags.rawValue, at: openStart)
        }
        segments.writeLength(openRowCount)
        if openRowCount > BlockSegment.restartInterval {
            for restart in restarts { segments.write(restart) }
        }
        rows.withUnsafeBytes { segments.write($0) }
        rows.removeAll()
        restarts.removeAll(keepingCapacity: true)
    }

    /// Ends the block, hands its bytes to `body`, and is empty again.
    func finish<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        endSegment(continuesAfter: false)
        for ordinal in ordinals { segments.write(ordinal) }
        for offset in offsets { segments.write(offset) }
        segments.write(UInt32(truncatingIfNeeded: ordinals.count))
        let result: Result = segments.withUnsafeBytes { body($0) }
        // One huge row must not keep its memory for the rest of the file.
        segments.removeAll(keepingAtMost: 1 << 20)
        rows.removeAll(keepingAtMost: 1 << 20)
        ordinals.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        return result
    }
}
