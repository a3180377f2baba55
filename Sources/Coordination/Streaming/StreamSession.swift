import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// What this node holds for one node that fetches ranges of one table from it.
///
/// Confined to loop 0; `Sendable` is unchecked for that reason.
final class StreamSession: @unchecked Sendable {
    let request: StreamMessages.Open
    let peer: NodeID
    let capture: StreamCapture
    /// What the request for it was answered with.
    let answer: [UInt8]
    /// When it was last asked for something.
    var usedAtNanoseconds: UInt64
    private var lanes: [UInt32: StreamLane] = [:]
    private var checksums: [UInt32: FileChecksum] = [:]
    var progress: StreamProgress

    /// Lanes of one session: a shard of the other node has one.
    private static let laneCountLimit = 4_096

    init(
        _ request: StreamMessages.Open, of peer: NodeID, _ capture: StreamCapture, _ past: StreamedPast, now: UInt64
    ) {
        self.request = request
        self.peer = peer
        self.capture = capture
        self.usedAtNanoseconds = now
        let rest: (byteCount: Int, partitionCount: Int) = capture.estimatedRest(in: request.ranges)
        var files: [OfferedFile] = []
        for (number, file) in capture.files.enumerated() {
            files.append(
                OfferedFile(
                    number: UInt32(truncatingIfNeeded: number), byteCount: file.byteCount, rowCount: file.rowCount,
                    tokens: file.tokens, fingerprint: file.fingerprint))
        }
        self.answer =
            StreamMessages.Opened(
                restByteCount: rest.byteCount, restPartitionCount: rest.partitionCount, files: files,
                truncation: past.truncation, watermarks: past.watermarks
            ).encoded()
        self.progress = StreamProgress(id: request.pull, title: request.title, peer: peer, isIncoming: false)
        progress.fileTotal = files.count
        progress.byteTotal = rest.byteCount + files.reduce(0) { $0 + $1.byteCount }
    }

    // MARK: Files

    /// Bytes of a file; behind its last byte its checksum.
    func piece(_ request: StreamMessages.FilePiece, byteCountLimit: Int) async throws -> [UInt8] {
        guard request.number < capture.files.count else {
            throw Refusal(code: StreamRefusal.malformed, reason: "no file with this number")
        }
        let table: SSTable = capture.files[Int(request.number)].table
        let checksum: FileChecksum
        if let known = checksums[request.number] {
            checksum = known
        } else {
            checksum = FileChecksum(table)
            checksums[request.number] = checksum
        }
        guard request.offset < UInt64(table.byteCount) else {
            guard request.offset == UInt64(table.byteCount) else {
                throw Refusal(code: StreamRefusal.malformed, reason: "a place behind the end of a file")
            }
            let sum: UInt32 = try await checksum.finish()
            progress.fileCount += 1
            var writer = ByteWriter(capacity: 4)
            writer.write(sum)
            return writer.array()
        }
        let offset = Int(request.offset)
        let count: Int = min(Int(request.byteCount), byteCountLimit, table.byteCount - offset)
        guard count > 0 else { throw Refusal(code: StreamRefusal.malformed, reason: "a request for nothing") }
        let bytes: [UInt8] = try await table.readBytes(count, at: offset)
        guard bytes.count == count else {
            throw Refusal(code: StreamRefusal.failed, reason: "\(table.path) is shorter than it was")
        }
        checksum.note(bytes, at: offset)
        progress.byteCount += count
        return bytes
    }

    // MARK: Rows

    func lane(_ request: StreamMessages.Rows) throws(Refusal) -> StreamLane {
        if let known = lanes[request.lane], request.start == nil || request.start == known.start { return known }
        guard request.sequence == 0, let start = request.start else {
            throw Refusal(code: StreamRefusal.gone, reason: "no such lane")
        }
        guard lanes[request.lane] == nil, lanes.count < StreamSession.laneCountLimit else {
            throw Refusal(code: StreamRefusal.malformed, reason: "a lane that is another one already")
        }
        let lane = StreamLane(start, capture)
        lanes[request.lane] = lane
        return lane
    }

    func forget(_ lane: UInt32) {
        lanes[lane] = nil
    }
}

/// Rows of a session in one row of chunks. Chunks that may still be asked for again are kept.
///
/// Confined to loop 0; `Sendable` is unchecked for that reason.
final class StreamLane: @unchecked Sendable {
    let start: StreamMessages.LaneStart
    private let rows: CapturedRows
    private let gate = HintGate()
    /// Ascending.
    private var kept: [(sequence: UInt32, bytes: [UInt8])] = []
    private var next: UInt32 = 0

    /// Chunks between the last that is known to have come and the one that is asked for.
    private static let windowCountLimit: UInt32 = 8

    init(_ start: StreamMessages.LaneStart, _ capture: StreamCapture) {
        self.start = start
        self.rows = capture.rows(in: start.ranges, from: start.position)
    }

    /// How many rows were read.
    var rowCount: Int { rows.rowCount }

    /// A chunk; empty behind the last one.
    func chunk(_ request: StreamMessages.Rows, byteCount: Int) async throws -> [UInt8] {
        await gate.enter()
        defer { gate.leave() }
        kept.removeAll { $0.sequence < request.confirmed }
        if let known = kept.first(where: { $0.sequence == request.sequence }) { return known.bytes }
        guard request.sequence >= next else {
            throw Refusal(code: StreamRefusal.gone, reason: "the chunk was taken as confirmed")
        }
        guard request.confirmed <= next, request.sequence - request.confirmed < StreamLane.windowCountLimit else {
            throw Refusal(code: StreamRefusal.malformed, reason: "a chunk too far ahead")
        }
        while next <= request.sequence {
            if rows.isAtEnd, next > 0 { return [] }
            let bytes: [UInt8] = try await rows.next(byteCount: byteCount)
            kept.append((next, bytes))
            next += 1
        }
        return kept.last?.bytes ?? []
    }
}

/// The CRC-32C of a file, made of the pieces as they are read, whatever their order.
///
/// Confined to loop 0; `Sendable` is unchecked for that reason.
final class FileChecksum: @unchecked Sendable {
    private let table: SSTable
    private var sum: UInt32 = 0
    private var offset = 0
    /// Pieces that came before those in front of them.
    private var early: [Int: [UInt8]] = [:]
    private let gate = HintGate()

    private static let earlyCountLimit = 8
    private static let pieceByteCount = 1 << 20

    init(_ table: SSTable) {
        self.table = table
    }

    func note(_ bytes: [UInt8], at place: Int) {
        guard place >= offset else { return }
        if early.count < FileChecksum.earlyCountLimit { early[place] = bytes }
        while let next = early.removeValue(forKey: offset) {
            sum = Checksum.crc32c(next.span.bytes, seed: sum)
            offset += next.count
        }
    }

    /// Reads what is missing.
    func finish() async throws -> UInt32 {
        await gate.enter()
        defer { gate.leave() }
        early = [:]
        while offset < table.byteCount {
            let place: Int = offset
            let bytes: [UInt8] = try await table.readBytes(
                min(FileChecksum.pieceByteCount, table.byteCount - place), at: place)
            guard !bytes.isEmpty else {
                throw Refusal(code: StreamRefusal.failed, reason: "\(table.path) is shorter than it was")
            }
            guard place == offset else { continue }
            sum = Checksum.crc32c(bytes.span.bytes, seed: sum)
            offset += bytes.count
        }
        return sum
    }
}
