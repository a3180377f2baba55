import DataModel
import Environment
import Primitives

/// Reads rows of a capture in the order of their tokens, a chunk at a time: merged, and with nothing purged.
///
///     chunk     := flags u8 · partition*
///     partition := token i64 · key · deletion 16 · static row · range count u32 · range* · row* · 0 u8
///     range     := start · end · deletion 16
///     row       := 1 u8 · clustering · body
///
/// Byte runs are a u32 length and the bytes. With flag 1 the chunk begins with rows of the partition that the one before
/// it ended in; with flag 2 it ends inside its last partition, whose 0 is then missing; with flag 4 it is the last one.
///
/// `Sendable` is unchecked because one caller uses it at a time, and each cursor only on the loop of its shard.
package final class CapturedRows: @unchecked Sendable {
    private let capture: StreamCapture
    /// What is still to be read: runs of tokens, each of one shard, ascending.
    private var pieces: ArraySlice<Piece>
    private var position: StreamPosition?
    /// Reads the first of the pieces.
    private var cursor: ReadCursor?
    private var isInPartition = false
    private var output = ByteWriter(capacity: 1 << 12)
    package private(set) var isAtEnd = false
    package private(set) var rowCount = 0

    private struct Piece {
        let part: ShardCapture
        let run: ClosedRange<Token>
    }

    /// Rows between two looks at what else the loop has to do.
    private static let rowsPerTurn: Int = 128

    init(_ capture: StreamCapture, _ wanted: TokenRanges, from position: StreamPosition?) {
        self.capture = capture
        self.position = position
        var pieces: [Piece] = []
        for part in capture.parts where !part.rest.isEmpty {
            for run in wanted.clamped(to: part.shard.tokens).runs where capture.ranges.contains(run) {
                pieces.append(Piece(part: part, run: run))
            }
        }
        self.pieces = pieces[...]
    }

    /// The next chunk, of about `byteCount` bytes; a row is never cut, so one with a large row is larger. After the last
    /// chunk none may be asked for.
    package func next(byteCount: Int) async throws(StorageError) -> [UInt8] {
        let continues: Bool = isInPartition
        output.removeAll(keepingAtMost: 4 << 20)
        output.write(UInt8(0))
        while output.count < byteCount, let piece = pieces.first {
            let call = LoopCall<Bool>("read rows for a stream", on: piece.part.shard.loop, of: capture.host) {
                [self] () throws(StorageError) in try await fill(piece, byteCount)
            }
            if try await call.value() {
                pieces.removeFirst()
                cursor = nil
            }
        }
        isAtEnd = pieces.isEmpty
        var flags: ChunkFlags = continues ? .continues : []
        if isInPartition { flags.formUnion(.isCut) }
        if isAtEnd { flags.formUnion(.isLast) }
        output.overwrite(flags.rawValue, at: 0)
        return output.array()
    }

    /// Adds what a piece has until the chunk is full; true when the piece is read to its end. On the loop of its shard.
    private func fill(_ piece: Piece, _ byteCount: Int) async throws(StorageError) -> Bool {
        if self.cursor == nil { self.cursor = try makeCursor(piece) }
        guard let cursor = self.cursor else { return true }
        var untilTurn: Int = CapturedRows.rowsPerTurn
        while true {
            switch try cursor.step() {
            case .blocked: try await cursor.load()
            case .end:
                endPartition()
                return true
            case .partition:
                endPartition()
                beginPartition(cursor)
                if output.count >= byteCount { return false }
            case .row:
                addRow(cursor)
                if output.count >= byteCount { return false }
            }
            untilTurn -= 1
            if untilTurn == 0 {
                untilTurn = CapturedRows.rowsPerTurn
                await Task.yield()
            }
        }
    }

    /// Nil when nothing of the piece is wanted any more.
    private func makeCursor(_ piece: Piece) throws(StorageError) -> ReadCursor? {
        let command: ReadCommand
        if let position {
            guard let rest = position.command(in: piece.run) else { return nil }
            command = rest
        } else {
            let (first, last): (Token, Token) = (piece.run.lowerBound, piece.run.upperBound)
            command = ReadCommand(partitions: .range(start: .before(first), end: .after(last)))
        }
        let sources: [any SourceCursor] = piece.part.rest.compactMap { file in
            guard let tokens = file.tokens, tokens.overlaps(piece.run) else { return nil }
            return file.makeCursor(command, cache: nil)
        }
        return sources.isEmpty ? nil : ReadCursor(sources: sources, isReversed: false)
    }

    private func beginPartition(_ cursor: ReadCursor) {
        isInPartition = true
        output.write(cursor.token.value)
        write(cursor.key)
        cursor.partitionDeletion.write(to: &output)
        write(cursor.staticRow)
        let ranges: [RangeDeletion] = cursor.rangeDeletions
        output.write(UInt32(truncatingIfNeeded: ranges.count))
        for range in ranges {
            range.start.withUnsafeBytes { write($0) }
            range.end.withUnsafeBytes { write($0) }
            range.deletion.write(to: &output)
        }
    }

    private func addRow(_ cursor: ReadCursor) {
        output.write(UInt8(1))
        write(cursor.clustering)
        write(cursor.row)
        rowCount += 1
    }

    private func endPartition() {
        if isInPartition { output.write(UInt8(0)) }
        isInPartition = false
    }

    private func write(_ bytes: UnsafeRawBufferPointer) {
        output.write(UInt32(truncatingIfNeeded: bytes.count))
        output.write(bytes)
    }
}

/// What the first byte of a chunk says.
struct ChunkFlags: OptionSet {
    let rawValue: UInt8

    static let continues = ChunkFlags(rawValue: 1)
    static let isCut = ChunkFlags(rawValue: 2)
    static let isLast = ChunkFlags(rawValue: 4)
}
