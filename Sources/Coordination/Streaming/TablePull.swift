import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// Fetches some ranges of one table from one node and makes them live here.
///
///     open ─▶ whole files ─▶ rows, for each shard at once ─▶ close ─▶ live
///       ▲            │ session gone │
///       └────────────┴──────────────┘  what is complete stays
///
/// Whole files come first: once they are here, everything before the position of the rows is, whatever another session
/// finds in which file.
struct TablePull: Sendable {
    let engine: StorageEngine
    let peer: StreamPeer
    let pull: UUID
    let title: String
    let table: UUID
    let ranges: TokenRanges
    let epoch: UInt64
    let loop: any Loop

    /// Sessions in a row that ended before anything came.
    private static let idleSessionLimit = 10

    /// Does all of it, again from the beginning when the table is emptied here meanwhile. A table that is dropped here
    /// needs nothing any more.
    ///
    /// - Returns: what the source knew before; nil when the table is gone.
    /// - Throws: `StreamFailure`.
    func run() async throws -> StreamedPast? {
        while true {
            guard let ingest = try await begin() else { return nil }
            do {
                guard let past = try await fill(ingest) else {
                    await ingest.abort()
                    return nil
                }
                switch try await ingest.commit() {
                case .live: return past
                case .gone: return nil
                case .truncated: continue
                }
            } catch {
                await ingest.abort()
                throw failure(error)
            }
        }
    }

    private func begin() async throws -> TableIngest? {
        do {
            return try await TableIngest.begin(table, in: engine)
        } catch { throw failure(error) }
    }

    private func failure(_ error: any Error) -> any Error {
        switch error {
        case StreamTrouble.failure(.cancelled): return StreamFailure.cancelled
        case StreamTrouble.failure(let failure): return failure
        case StreamTrouble.gone, StreamTrouble.unknownTable:
            return StreamFailure.unreachable(peer: peer.name, table: peer.table, reason: "its session ended")
        case StorageError.decoding(let reason):
            return StreamFailure.damaged(peer: peer.name, table: peer.table, reason: "\(reason)")
        case StorageError.damaged(_, let offset, let reason):
            return StreamFailure.damaged(peer: peer.name, table: peer.table, reason: "at byte \(offset), \(reason)")
        case StorageError.tooLarge(let byteCount, _):
            return StreamFailure.damaged(peer: peer.name, table: peer.table, reason: "it has \(byteCount) bytes")
        case let error as StorageError: return StreamFailure.storage(error)
        default: return error
        }
    }

    /// Gets everything into files; nil when nobody has the table any more.
    private func fill(_ ingest: TableIngest) async throws -> StreamedPast? {
        var past: StreamedPast?
        let lanes: [LanePull] = engine.shards.indices.compactMap { shard in
            let slice: TokenRanges = ranges.clamped(to: engine.slices.tokens(of: shard))
            return slice.isEmpty ? nil : LanePull(shard: shard, ranges: slice, peer: peer)
        }
        var finished: Set<UUID> = []
        var idleCount = 0
        while true {
            let missing: TokenRanges = lanes.reduce(TokenRanges.none) { $0.union($1.remaining) }
            if missing.isEmpty { return past ?? StreamedPast() }
            let session: UUID = newID()
            do {
                idleCount += 1
                guard let opened = try await open(session, missing, isFirst: finished.isEmpty) else { return nil }
                let told = StreamedPast(truncation: opened.truncation, watermarks: opened.watermarks)
                if past == nil { past = told } else { past?.add(told, missing) }
                try await takeFiles(opened, session, missing, into: ingest, &finished) { idleCount = 0 }
                try await takeRows(lanes, session, opened, into: ingest)
                await close(session)
                return past
            } catch StreamTrouble.gone {
                await close(session)
                for lane in lanes { try await ingest.endRows(on: lane.shard) }
                let left: TokenRanges = lanes.reduce(TokenRanges.none) { $0.union($1.remaining) }
                if left != missing { idleCount = 0 }
                guard idleCount < TablePull.idleSessionLimit else {
                    throw peer.fail { .unreachable(peer: $0, table: $1, reason: "its sessions end at once") }
                }
                try await peer.sleep(peer.settings.pause)
            } catch {
                await close(session)
                throw error
            }
        }
    }

    private func newID() -> UUID {
        UUID.version4(high: peer.host.entropy.next(), low: peer.host.entropy.next())
    }

    // MARK: Sessions

    /// Nil when the table is gone here too.
    private func open(
        _ session: UUID, _ missing: TokenRanges, isFirst: Bool
    ) async throws -> StreamMessages.Opened? {
        let request = StreamMessages.Open(
            session: session, epoch: epoch, table: table, pull: pull, title: title, ranges: missing)
        let start: UInt64 = peer.host.time.monotonicNanoseconds
        while true {
            do {
                let answer: [UInt8] = try await peer.ask(.streamOpen, request.encoded())
                let opened: StreamMessages.Opened = try decode(answer)
                peer.control.note(peer.node) { progress in
                    progress.table = peer.table
                    guard isFirst else { return }
                    progress.fileTotal += opened.files.count
                    progress.byteTotal &+= opened.restByteCount
                    for file in opened.files { progress.byteTotal &+= file.byteCount }
                }
                return opened
            } catch StreamTrouble.unknownTable {
                // One of the two is behind: it has not made the table yet, or this node has not dropped it yet.
                guard try await TableIngest.begin(table, in: engine) != nil else { return nil }
                let waited = Int64(clamping: peer.host.time.monotonicNanoseconds &- start)
                guard Duration.nanoseconds(waited) < peer.settings.patience else {
                    throw peer.fail { .refused(peer: $0, table: $1, reason: "it has no such table") }
                }
                try await peer.sleep(peer.settings.pause * 4)
            }
        }
    }

    private func decode(_ answer: [UInt8]) throws -> StreamMessages.Opened {
        do {
            return try StreamMessages.Opened(answer)
        } catch { throw peer.damaged("\(error)") }
    }

    /// Lets the source forget the session; where that does not arrive its lease ends it.
    private func close(_ session: UUID) async {
        let body: [UInt8] = session.bytes
        peer.messenger.send(.streamClose, body, to: peer.node)
    }

    // MARK: Data

    private func takeFiles(
        _ opened: StreamMessages.Opened, _ session: UUID, _ missing: TokenRanges, into ingest: TableIngest,
        _ finished: inout Set<UUID>, tookOne: () -> Void
    ) async throws {
        for offer in opened.files where !finished.contains(offer.fingerprint) {
            guard missing.contains(offer.tokens) else { throw peer.damaged("a file of tokens that were not asked for") }
            try await FilePull(peer: peer, session: session, offer: offer, loop: loop).run(into: ingest)
            finished.insert(offer.fingerprint)
            tookOne()
            peer.control.note(peer.node) {
                $0.fileCount += 1
                $0.rowCount &+= offer.rowCount
            }
        }
    }

    private func takeRows(
        _ lanes: [LanePull], _ session: UUID, _ opened: StreamMessages.Opened, into ingest: TableIngest
    ) async throws {
        let laneCount: Int = max(1, lanes.count { !$0.isDone })
        // The filter of a lane whose share is larger than the others' grows with a second file.
        let expected: Int = opened.restPartitionCount / laneCount + opened.restPartitionCount / 8 + 64
        let works: [LoopWork<Void>] = lanes.map { lane in
            LoopWork("fetch the rows of a shard", on: engine.shards[lane.shard].loop, of: peer.host) {
                try await lane.run(session, into: ingest, expectedPartitionCount: expected)
            }
        }
        var failure: (any Error)?
        for work in works {
            do {
                try await work.value()
            } catch {
                // What cannot be mended counts more than a session that another one follows.
                if failure == nil || TablePull.isGone(failure) { failure = error }
            }
        }
        if let failure { throw failure }
    }

    private static func isGone(_ error: (any Error)?) -> Bool {
        if case StreamTrouble.gone? = error as? StreamTrouble { return true }
        return false
    }
}
