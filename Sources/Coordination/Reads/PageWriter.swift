import DataModel
import Primitives
package import Storage

/// Makes a page out of what a replica's cursors have, until one of the page's limits is reached.
///
///     cursor of shard 0 ─▶ fill ─▶ cursor of shard 1 ─▶ fill ─▶ … ─▶ page
///
/// It counts rows that are alive, and takes along everything that is not, because the other replicas may not know that
/// it is dead.
///
/// `Sendable` is unchecked because the one task that reads a page hands it from shard to shard.
package final class PageWriter: @unchecked Sendable {
    private let request: PageRequest
    private var bytes = ByteWriter(capacity: 4_096)
    private var hashed = ByteWriter(capacity: 1_024)
    private var digest = PageDigest()
    private var liveRowCount = 0
    private var tombstoneCount = 0
    private var covered: ReadMark?
    package private(set) var isFull = false
    /// Whether the page was given up, because of all that is dead in it.
    package var hasTooManyTombstones: Bool { request.tombstoneLimit.map { tombstoneCount > $0 } ?? false }

    // The partition that is being written.
    private var fragment: (start: Int, mutation: MutationWriter, token: Token, key: [UInt8])?
    private var ranges: [RangeDeletion] = []
    private var hasLiveRow = false
    private var hasLiveStatic = false
    /// How much of `hashed` only says which partition it is.
    private var hashedHeadByteCount = 0

    /// Larger pages are not made, whoever asks for them.
    private static let maximumByteLimit = 16 << 20
    private let byteLimit: Int

    package init(_ request: PageRequest) {
        self.request = request
        self.byteLimit = min(request.byteLimit, PageWriter.maximumByteLimit)
    }

    /// Takes what the cursor has, waiting for the disk where that is needed; ends early when the page is full.
    package func fill(from cursor: ReadCursor) async throws(StorageError) {
        while !isFull, !hasTooManyTombstones {
            let step: ReadCursor.Step
            step = try cursor.step()
            switch step {
            case .blocked: try await cursor.load()
            case .end: return endPartition()
            case .partition:
                endPartition()
                if isFull { return }
                try beginPartition(cursor)
            case .row: try add(cursor)
            }
        }
        endPartition()
    }

    package func page() -> ReadPage {
        ReadPage(
            covered: covered, liveRowCount: liveRowCount, tombstoneCount: tombstoneCount, digest: digest,
            fragments: request.isDigest ? [] : bytes.array(), isDigest: request.isDigest)
    }

    /// What has been taken so far.
    package var counts: (rows: Int, tombstones: Int) { (liveRowCount, tombstoneCount) }

    private var isAtLimit: Bool { liveRowCount >= request.rowLimit || bytes.count >= byteLimit }

    private func beginPartition(_ cursor: ReadCursor) throws(StorageError) {
        let start: Int = bytes.count
        bytes.write(UInt32(0))
        let key = [UInt8](cursor.key)
        var mutation = MutationWriter(table: request.table, token: cursor.token, key: key.span.bytes, to: &bytes)
        hashed.write(cursor.token.value)
        hashed.write(key)
        hashedHeadByteCount = hashed.count
        let deletion: Deletion = cursor.partitionDeletion
        if !deletion.isNone {
            mutation.partitionDeletion(deletion, to: &bytes)
            hash(deletion)
        }
        hasLiveStatic = false
        if !cursor.staticRow.isEmpty {
            let row = unsafe RawSpan(_unsafeBytes: cursor.staticRow)
            let body: Int = mutation.beginStaticRow(&bytes)
            bytes.write(row)
            mutation.endBody(body, &bytes)
            hasLiveStatic = try take(row)
        }
        mutation.beginRows(&bytes)
        // What the partition's deletion covers says nothing, and not every replica still has it.
        ranges = cursor.rangeDeletions.filter { !deletion.covers($0.deletion.timestamp) }
        hasLiveRow = false
        fragment = (start, mutation, cursor.token, key)
    }

    private func add(_ cursor: ReadCursor) throws(StorageError) {
        guard var open = fragment else { return }
        let clustering = unsafe RawSpan(_unsafeBytes: cursor.clustering)
        let row = unsafe RawSpan(_unsafeBytes: cursor.row)
        let body: Int = open.mutation.beginRow(clustering: clustering, to: &bytes)
        bytes.write(row)
        open.mutation.endBody(body, &bytes)
        fragment = open
        if try take(row, clustering: clustering) {
            hasLiveRow = true
            liveRowCount += 1
        }
        if isAtLimit {
            covered = ReadMark(token: open.token, key: open.key, clustering: [UInt8](cursor.clustering))
            isFull = true
        }
    }

    /// Ends the partition that is open, and the page when that has filled it.
    private func endPartition() {
        guard var open = fragment else { return }
        fragment = nil
        open.mutation.beginRanges(&bytes)
        for range in ranges {
            open.mutation.range(
                start: range.start.span.bytes, end: range.end.span.bytes, range.deletion, to: &bytes)
            guard range.deletion.localSeconds >= request.graceStart else { continue }
            hashed.write(range.start)
            hashed.write(range.end)
            hash(range.deletion)
        }
        tombstoneCount += ranges.count
        open.mutation.finish(&bytes)
        bytes.overwrite(UInt32(truncatingIfNeeded: bytes.count - open.start - 4), at: open.start)
        if hasLiveStatic, !hasLiveRow { liveRowCount += 1 }
        foldDigest()
        // Where the partition ended by itself, what follows starts with the next one.
        if !isFull, isAtLimit {
            covered = ReadMark(token: open.token, key: open.key, clustering: nil)
            isFull = true
        }
    }

    /// Hashes a row, counts its tombstones, and says whether anything of it is alive.
    private func take(_ row: RawSpan, clustering: RawSpan? = nil) throws(StorageError) -> Bool {
        do throws(DecodingError) {
            var reader = try RowReader(row)
            var isLive: Bool = reader.marker?.isLive(at: request.nowSeconds) ?? false
            if !reader.deletion.isNone { tombstoneCount += 1 }
            while let cell = try reader.next() {
                if cell.isLive(at: request.nowSeconds) { isLive = true } else { tombstoneCount += 1 }
            }
            let start: Int = hashed.count
            if let clustering {
                hashed.write(UInt32(truncatingIfNeeded: clustering.byteCount))
                hashed.write(clustering)
            }
            // Purged, because this replica may have compacted away what another still has, and because that writes
            // equal rows with equal bytes.
            let isAnythingLeft: Bool = try RowPurge.purge(
                row, now: request.nowSeconds, graceStart: request.graceStart, purgeableBefore: .max, to: &hashed)
            if !isAnythingLeft { hashed.truncate(to: start) }
            return isLive
        } catch {
            throw .decoding(error)
        }
    }

    private func hash(_ deletion: Deletion) {
        guard deletion.localSeconds >= request.graceStart else { return }
        deletion.write(to: &hashed)
    }

    private func foldDigest() {
        // A replica without the partition says nothing of it either.
        guard hashed.count > hashedHeadByteCount else { return hashed.removeAll() }
        hashed.write(digest.low)
        hashed.write(digest.high)
        let hash: (low: UInt64, high: UInt64) = Murmur3.hash(hashed.span)
        digest = PageDigest(low: hash.low, high: hash.high)
        hashed.removeAll(keepingAtMost: 1 << 20)
    }
}
