internal import DataModel
internal import Primitives

/// What the two trees of a file write into: one run of bytes, in the order in which blocks fill.
final class BlockOutput {
    /// Not yet written to the disk.
    var pending = ByteWriter(capacity: 64 * 1_024)
    /// Where `pending` begins in the file.
    private(set) var pendingOffset = 0
    private let compressor: BlockCompressor

    init(compression: BlockCompression) {
        self.compressor = BlockCompressor(compression)
    }

    var offset: Int { pendingOffset + pending.count }

    func append(_ raw: UnsafeRawBufferPointer) -> BlockLocation {
        BlockEnvelope.append(raw, at: offset, compressor: compressor, to: &pending)
    }

    /// Appends a part that is not compressed.
    func appendPlain(_ raw: UnsafeRawBufferPointer) -> BlockLocation {
        BlockEnvelope.append(raw, at: offset, compressor: BlockCompressor(.none), to: &pending)
    }

    /// The bytes to write next, and where; then they count as written.
    func takePending() -> (bytes: [UInt8], offset: Int) {
        let taken: (bytes: [UInt8], offset: Int) = (pending.array(), pendingOffset)
        pendingOffset += pending.count
        pending.removeAll(keepingAtMost: 1 << 20)
        return taken
    }
}

/// Writes one sorted tree of a file: data blocks, index blocks over them, and a root over these.
///
///     data block ─▶ index block: first place of each data block ─▶ root: first place of each index block
///
/// Memory is bounded by one block of each level, and the root.
final class BlockTreeWriter {
    private let output: BlockOutput
    private let blockByteCount: Int
    private let data = BlockBuilder()
    private let index = IndexBuilder()
    private let root = IndexBuilder()
    private var hasIndexBlocks = false
    /// The first place of the data block that is being filled.
    private var separator = Separator()
    /// The token of the last partition; nil before the first.
    private var lastOrdinal: UInt64?
    private var ordinal: UInt64 = 0
    private var key: [UInt8] = []
    private var deletion: Deletion = .none
    private var flags: SegmentFlags = []
    /// Bytes of all data blocks before compression.
    private(set) var rawByteCount = 0
    private(set) var blockCount = 0

    init(output: BlockOutput, blockByteCount: Int) {
        self.output = output
        self.blockByteCount = blockByteCount
    }

    var isEmpty: Bool { lastOrdinal == nil }

    func beginPartition(
        _ ordinal: UInt64, _ key: [UInt8], flags: SegmentFlags, deletion: Deletion, staticRow: UnsafeRawBufferPointer
    ) {
        if data.byteCount >= blockByteCount { cut(continues: false) }
        let isTokenNew: Bool = lastOrdinal != ordinal
        self.ordinal = ordinal
        self.key = key
        self.flags = flags
        self.deletion = deletion
        lastOrdinal = ordinal
        if data.isEmpty { separator = Separator(ordinal: ordinal, key: isTokenNew ? [] : key, clustering: []) }
        key.withUnsafeBytes {
            data.beginSegment(ordinal, $0, flags: flags, deletion: deletion, staticRow: staticRow)
        }
    }

    func addRow(_ clustering: UnsafeRawBufferPointer, _ body: UnsafeRawBufferPointer) {
        if data.byteCount >= blockByteCount {
            cut(continues: true)
            separator = Separator(ordinal: ordinal, key: key, clustering: [UInt8](clustering))
            key.withUnsafeBytes {
                data.beginSegment(
                    ordinal, $0, flags: flags.union(.continuesBefore), deletion: deletion,
                    staticRow: UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }
        data.addRow(clustering, body)
    }

    func endPartition() {
        data.endSegment(continuesAfter: false)
    }

    /// Writes what is left. Returns where the root is, and how many index levels it stands over data: 1 when it points
    /// to data blocks itself.
    func finish() -> (root: BlockLocation, height: UInt8) {
        if !data.isEmpty { cut(continues: false) }
        if !hasIndexBlocks { return (index.finish(into: output), 1) }
        if !index.isEmpty { cutIndex() }
        return (root.finish(into: output), 2)
    }

    private func cut(continues: Bool) {
        data.endSegment(continuesAfter: continues)
        let location: BlockLocation = data.finish { bytes in
            rawByteCount += bytes.count
            return output.append(bytes)
        }
        blockCount += 1
        if index.byteCount >= blockByteCount { cutIndex() }
        index.add(separator, location)
    }

    private func cutIndex() {
        guard let first = index.first else { return }
        hasIndexBlocks = true
        root.add(first, index.finish(into: output))
    }
}

/// A place in the order of a tree that is not after the first row of a block, and after everything before the block.
struct Separator {
    var ordinal: UInt64 = 0
    /// Empty when the block is the first with its token.
    var key: [UInt8] = []
    /// Empty when the block starts with a partition's beginning.
    var clustering: [UInt8] = []
}

/// Fills index blocks: separators as partitions and rows, locations as their bodies.
private final class IndexBuilder {
    private let builder = BlockBuilder()
    private(set) var first: Separator?
    private var last: Separator?
    private var body = ByteWriter(capacity: 16)

    var isEmpty: Bool { builder.isEmpty }
    var byteCount: Int { builder.byteCount }

    func add(_ separator: Separator, _ location: BlockLocation) {
        if first == nil { first = separator }
        let isSamePartition: Bool = last.map { $0.ordinal == separator.ordinal && $0.key == separator.key } ?? false
        if !isSamePartition {
            builder.endSegment(continuesAfter: false)
            separator.key.withUnsafeBytes {
                builder.beginSegment(
                    separator.ordinal, $0, flags: [], deletion: .none,
                    staticRow: UnsafeRawBufferPointer(start: nil, count: 0))
            }
        }
        body.removeAll()
        location.write(to: &body)
        separator.clustering.withUnsafeBytes { clustering in
            body.withUnsafeBytes { builder.addRow(clustering, $0) }
        }
        last = separator
    }

    func finish(into output: BlockOutput) -> BlockLocation {
        first = nil
        last = nil
        return builder.finish { output.append($0) }
    }
}
