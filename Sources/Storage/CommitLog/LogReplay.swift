package import Environment
import Primitives

/// Reads what earlier processes left in the log, in the order in which each shard wrote it.
///
/// Whatever is readable is delivered. What is not is judged at the end, when all that the log says of its own durability
/// is known: it is damage if it was once durable, and otherwise what a crash has left of a write that nobody was told of.
package struct LogReplay: ~Copyable {
    /// Mutations of one chunk.
    package struct Batch: Sendable {
        package struct Record: Sendable {
            package let position: LogPosition
            package let offset: Int
            package let byteCount: Int
        }

        /// The shard that wrote them, of the process that did.
        package let shard: Int
        package let bytes: [UInt8]
        /// Where the mutations are in `bytes`, in ascending order of position.
        package internal(set) var records: [Record]

        /// Hands over each mutation.
        package func visit<Failure: Error>(
            _ body: (LogPosition, RawSpan) throws(Failure) -> Void
        ) throws(Failure) {
            for record in records {
                let end: Int = record.offset + record.byteCount
                try body(record.position, bytes.span.bytes.extracting(record.offset..<end))
            }
        }
    }

    /// What was found.
    package struct Outcome: Sendable {
        package internal(set) var mutationCount: Int = 0
        /// The greatest position found.
        package internal(set) var lastPosition: LogPosition = .start
        /// The greatest number of a segment; 0 when there is none.
        package internal(set) var lastSegment: UInt64 = 0
        /// The files read, to be removed once their mutations are in SSTables.
        package internal(set) var paths: [String] = []
        /// Damage that was passed over because the policy says so.
        package internal(set) var damages: [StorageError] = []
        /// The damage, in words.
        package var warnings: [String] {
            damages.map { damage in
                guard case .damaged(let file, let offset, let reason) = damage else { return "\(damage)" }
                return "\(file) is damaged at offset \(offset): \(reason)"
            }
        }
        /// Places where a write ended unfinished.
        package internal(set) var tornCount: Int = 0

        package init() {}
    }

    private let disk: any Disk
    private let directory: String
    private var outcome = Outcome()
    private var evidence = DurabilityEvidence()
    private var suspicions: [Suspicion] = []
    /// The last position of each shard that was delivered.
    private var delivered: [Int: LogPosition] = [:]

    /// Something unreadable.
    struct Suspicion {
        var place: LogPlace
        /// Nil when not even the head of a chunk could be read.
        var openChunkShard: Int?
        var reason: String
    }

    private init(_ disk: any Disk, _ directory: String) {
        self.disk = disk
        self.directory = directory
    }

    /// Reads all segments of the log's folder; an absent folder is an empty one.
    ///
    /// - Parameter deliver: gets the mutations, chunk by chunk; each shard's in ascending order of position.
    /// - Throws: `.damaged` when something that was durable cannot be read and the failure policy is to stop; what
    ///   `deliver` throws.
    package static func run(
        _ options: CommitLogOptions, host: Host, deliver: (Batch) async throws(StorageError) -> Void
    ) async throws(StorageError) -> Outcome {
        var replay = LogReplay(host.disk, options.directory)
        for id in try await replay.segmentIDs() { try await replay.read(id, deliver) }
        try replay.judge(options.failurePolicy)
        return replay.outcome
    }

    /// As `run`, for whoever takes one mutation at a time: the shard that wrote it, its position, its bytes.
    package static func run(
        _ options: CommitLogOptions, host: Host,
        each: (Int, LogPosition, RawSpan) throws(StorageError) -> Void
    ) async throws(StorageError) -> Outcome {
        try await run(options, host: host) { (batch: Batch) async throws(StorageError) in
            try batch.visit { (position, mutation) throws(StorageError) in
                try each(batch.shard, position, mutation)
            }
        }
    }

    private func segmentIDs() async throws(StorageError) -> [UInt64] {
        do throws(DiskError) {
            guard try await disk.kind(of: directory) != nil else { return [] }
            return try await disk.list(directory).compactMap { LogFormat.segmentID($0) }.sorted()
        } catch {
            throw StorageError(error)
        }
    }

    private mutating func read(
        _ id: UInt64, _ deliver: (Batch) async throws(StorageError) -> Void
    ) async throws(StorageError) {
        let path: String = directory + "/" + LogFormat.segmentName(id)
        outcome.lastSegment = max(outcome.lastSegment, id)
        outcome.paths.append(path)
        var window: SegmentWindow
        do throws(DiskError) {
            window = SegmentWindow(try await disk.open(path, .read))
        } catch {
            throw StorageError(error)
        }
        do throws(StorageError) {
            try await readMarks(id, &window)
            try await readChunks(id, &window, deliver)
        } catch {
            await window.close()
            throw error
        }
        await window.close()
    }

    private mutating func readMarks(_ id: UInt64, _ window: inout SegmentWindow) async throws(StorageError) {
        for offset in [0, SyncMark.slotByteCount] {
            let slot: [UInt8] = try await window.copy(SyncMark.slotByteCount, at: offset)
            // A slot without a mark of this segment is empty, torn or of the file's former life: nothing follows from it.
            guard let mark = try? SyncMark(slot.span.bytes, segment: id) else { continue }
            evidence.add(mark)
        }
    }

    private mutating func readChunks(
        _ id: UInt64, _ window: inout SegmentWindow, _ deliver: (Batch) async throws(StorageError) -> Void
    ) async throws(StorageError) {
        var offset: Int = LogFormat.firstChunkOffset
        var isLost = false
        while offset + ChunkHead.byteCount <= window.byteCount {
            try await window.show(ChunkHead.byteCount, at: offset)
            guard let head = window.head(at: offset, segment: id) else {
                if !isLost { suspect(LogPlace(segment: id, offset: offset), "there is no chunk where one was") }
                isLost = true
                offset += LogFormat.chunkAlignment
                continue
            }
            isLost = false
            evidence.add(head)
            try await window.show(head.byteCount, at: offset)
            var batch: Batch = readRecords(head, at: offset, window)
            // What could not be written is written again, and may be there twice.
            let known: LogPosition = delivered[head.shard] ?? .start
            if let first = batch.records.first, first.position <= known {
                batch.records.removeAll { $0.position <= known }
            }
            if let last = batch.records.last {
                delivered[head.shard] = last.position
                outcome.mutationCount += batch.records.count
                outcome.lastPosition = max(outcome.lastPosition, last.position)
                try await deliver(batch)
            }
            offset += head.extent
        }
    }

    /// Reads the records of a chunk that the window shows, up to the first that is not whole.
    private mutating func readRecords(_ head: ChunkHead, at start: Int, _ window: borrowing SegmentWindow) -> Batch {
        var batch = Batch(shard: head.shard, bytes: window.bytes, records: [])
        let bytes: RawSpan = window.bytes.span.bytes
        let base: Int = start - window.offset
        let end: Int = min(base + head.byteCount, bytes.byteCount)
        var offset: Int = base + ChunkHead.byteCount
        var position: LogPosition = head.firstPosition
        var ending: RecordEnding = .missing
        reading: while offset + LogFormat.recordHeadByteCount <= end {
            switch LogReplay.record(bytes, at: offset, end: end, position, shard: head.shard) {
            case .record(let byteCount):
                let place: Int = offset + LogFormat.recordHeadByteCount
                batch.records.append(Batch.Record(position: position, offset: place, byteCount: byteCount))
                offset = place + byteCount
                position = LogPosition(position.value &+ 1)
            case let other:
                ending = other
                break reading
            }
        }
        let place = LogPlace(segment: head.segment, offset: start + offset - base)
        switch head.kind {
        case .exact:
            if batch.records.count != head.recordCount { suspect(place, "a record does not match its checksum") }
        case .open:
            if case .endOfChunk = ending { break }
            let isEmpty: Bool = if case .empty = ending { true } else { false }
            let reason: String = isEmpty ? "records are missing" : "a record does not match its checksum"
            suspicions.append(Suspicion(place: place, openChunkShard: head.shard, reason: reason))
            if !isEmpty { outcome.tornCount += 1 }
        }
        return batch
    }

    private enum RecordEnding {
        case record(byteCount: Int)
        /// Zeros: nothing has been written here yet.
        case empty
        case endOfChunk
        case broken
        case missing
    }

    private static func record(
        _ bytes: RawSpan, at offset: Int, end: Int, _ position: LogPosition, shard: Int
    ) -> RecordEnding {
        let length = UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
        let stored = UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset + 4, as: UInt32.self))
        if length == 0 { return stored == 0 ? .empty : .broken }
        if length == LogFormat.endOfChunk {
            return stored == LogFormat.seed(position, shard: shard, length: length) ? .endOfChunk : .broken
        }
        let start: Int = offset + LogFormat.recordHeadByteCount
        guard Int(length) <= end - start else { return .broken }
        let computed: UInt32 = bytes.extracting(start..<(start + Int(length))).withUnsafeBytes {
            LogFormat.checksum($0, position, shard: shard)
        }
        return stored == computed ? .record(byteCount: Int(length)) : .broken
    }

    private mutating func suspect(_ place: LogPlace, _ reason: String) {
        suspicions.append(Suspicion(place: place, openChunkShard: nil, reason: reason))
    }

    private mutating func judge(_ policy: CommitLogOptions.FailurePolicy) throws(StorageError) {
        for suspicion in suspicions where evidence.refutes(suspicion) {
            let path: String = directory + "/" + LogFormat.segmentName(suspicion.place.segment)
            let damage: StorageError = .damaged(
                file: path, offset: suspicion.place.offset, reason: suspicion.reason)
            if policy == .stop { throw damage }
            outcome.damages.append(damage)
        }
    }
}

/// What the log says of its own durability, gathered from all segments.
struct DurabilityEvidence {
    /// For each segment: all chunks that start before this offset were durable, and the exact ones with all records.
    private var chunksBefore: [UInt64: Int] = [:]
    /// For each segment: where its chunks end, if the next one says so.
    private var ends: [UInt64: Int] = [:]
    /// For each first trusted segment: the last one before which all chunks were durable, in every trusted segment.
    private var wholeBefore: [UInt64: UInt64] = [:]
    /// For each first trusted segment and shard: all its records before this place were durable.
    private var recordsBefore: [[UInt64]: LogPlace] = [:]

    mutating func add(_ head: ChunkHead) {
        addEnd(beforeSegment: head.segment, head.previousEnd)
        // An open chunk is written before anything is durable, so it says nothing more.
        guard head.kind == .exact else { return }
        addChunks(head.segment, before: head.durableBefore)
        addWhole(from: head.trustedFrom, before: head.segment)
    }

    mutating func add(_ mark: SyncMark) {
        addEnd(beforeSegment: mark.segment, mark.previousEnd)
        addChunks(mark.segment, before: mark.headsBefore)
        addWhole(from: mark.trustedFrom, before: mark.segment)
        for (shard, end) in mark.ends.enumerated() {
            let key: [UInt64] = [mark.trustedFrom, UInt64(shard)]
            recordsBefore[key] = max(recordsBefore[key] ?? end, end)
        }
    }

    private mutating func addChunks(_ segment: UInt64, before offset: Int) {
        chunksBefore[segment] = max(chunksBefore[segment] ?? 0, offset)
    }

    private mutating func addEnd(beforeSegment segment: UInt64, _ offset: Int) {
        if offset > 0, segment > 0 { ends[segment - 1] = max(ends[segment - 1] ?? 0, offset) }
    }

    private mutating func addWhole(from first: UInt64, before segment: UInt64) {
        wholeBefore[first] = max(wholeBefore[first] ?? 0, segment)
    }

    /// Whether what cannot be read was durable once.
    func refutes(_ suspicion: LogReplay.Suspicion) -> Bool {
        let place: LogPlace = suspicion.place
        guard let shard = suspicion.openChunkShard else {
            if place.offset < chunksBefore[place.segment] ?? 0 { return true }
            let isWhole: Bool = wholeBefore.contains { $0.key <= place.segment && place.segment < $0.value }
            return isWhole && place.offset < ends[place.segment] ?? 0
        }
        return recordsBefore.contains { entry in
            entry.key[1] == UInt64(shard) && entry.key[0] <= place.segment && place < entry.value
        }
    }
}

/// A part of a segment's file in memory, which moves forward through it.
struct SegmentWindow: ~Copyable {
    private static let smallestByteCount: Int = 256 << 10

    let byteCount: Int
    private let file: any DiskFile
    /// Where `bytes` are in the file.
    private(set) var offset: Int = 0
    private(set) var bytes: [UInt8] = []

    init(_ file: any DiskFile) {
        self.file = file
        self.byteCount = file.byteCount
    }

    /// Moves so that `count` bytes from `start` can be seen, or as many as the file has.
    mutating func show(_ count: Int, at start: Int) async throws(StorageError) {
        let end: Int = min(start + count, byteCount)
        if start >= offset, end <= offset + bytes.count { return }
        do throws(DiskError) {
            bytes = try await file.read(min(max(count, SegmentWindow.smallestByteCount), byteCount - start), at: start)
            offset = start
        } catch {
            throw StorageError(error)
        }
    }

    mutating func copy(_ count: Int, at start: Int) async throws(StorageError) -> [UInt8] {
        try await show(count, at: min(start, byteCount))
        let first: Int = min(max(0, start - offset), bytes.count)
        return Array(bytes[first..<min(first + count, bytes.count)])
    }

    /// The head of the chunk at a place that is shown.
    func head(at start: Int, segment: UInt64) -> ChunkHead? {
        let first: Int = start - offset
        guard first >= 0, first + ChunkHead.byteCount <= bytes.count else { return nil }
        let span: RawSpan = bytes.span.bytes.extracting(first..<(first + ChunkHead.byteCount))
        return ChunkHead(span, segment: segment, at: start, segmentByteCount: byteCount)
    }

    func close() async {
        await file.close()
    }
}
