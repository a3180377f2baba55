import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// Fetches the rows of one table that go to one shard of this node, chunk after chunk, a few requests ahead.
///
/// Used by one task at a time; `Sendable` is unchecked for that reason. What it knows outlives the sessions at the source.
final class LanePull: @unchecked Sendable {
    let shard: Int
    private let peer: StreamPeer
    private let ranges: TokenRanges
    /// How far the rows have come; everything before it is here.
    private(set) var position: StreamPosition?
    private(set) var isDone = false

    init(shard: Int, ranges: TokenRanges, peer: StreamPeer) {
        self.shard = shard
        self.ranges = ranges
        self.peer = peer
    }

    /// The tokens of which something may still be missing.
    var remaining: TokenRanges {
        if isDone { return .none }
        return position.map { $0.remaining(of: ranges) } ?? ranges
    }

    /// Fetches all that is missing in one session.
    ///
    /// - Throws: `StreamTrouble`, or what storage throws; `position` then says how far it came.
    func run(
        _ session: UUID, into ingest: TableIngest, expectedPartitionCount: Int
    ) async throws {
        if isDone { return }
        let start = StreamMessages.LaneStart(ranges: remaining, position: position)
        try await ingest.beginRows(on: shard, in: start.ranges, expectedPartitionCount: expectedPartitionCount)
        var waiting: [LoopWork<[UInt8]>] = []
        do {
            try await run(session, start, into: ingest, &waiting)
        } catch {
            await LanePull.end(waiting)
            throw error
        }
        await LanePull.end(waiting)
    }

    private func run(
        _ session: UUID, _ start: StreamMessages.LaneStart, into ingest: TableIngest,
        _ waiting: inout [LoopWork<[UInt8]>]
    ) async throws {
        var next: UInt32 = 0
        var confirmed: UInt32 = 0
        while true {
            // The first request makes the lane: none may come before it.
            let windowCount: Int = confirmed == 0 ? 1 : peer.settings.windowCount
            while waiting.count < windowCount {
                let request = StreamMessages.Rows(
                    session: session, lane: UInt32(truncatingIfNeeded: shard), sequence: next, confirmed: confirmed,
                    offset: 0, start: next == 0 ? start : nil)
                waiting.append(fetch(request))
                next += 1
            }
            let chunk: [UInt8] = try await waiting.removeFirst().value()
            try peer.checkCancellation()
            guard !chunk.isEmpty else { throw peer.damaged("rows end without a last chunk") }
            let (reached, isLast, rowCount): (StreamPosition?, Bool, Int) = try await ingest.addRows(chunk, on: shard)
            confirmed += 1
            position = reached ?? position
            peer.control.note(peer.node) {
                $0.byteCount += chunk.count
                $0.rowCount += rowCount
            }
            if isLast {
                isDone = true
                return
            }
        }
    }

    /// Requests that nobody needs any more.
    private static func end(_ waiting: [LoopWork<[UInt8]>]) async {
        for work in waiting { _ = try? await work.value() }
    }

    /// Asks for one chunk, in several pieces when it is very large.
    private func fetch(_ request: StreamMessages.Rows) -> LoopWork<[UInt8]> {
        let peer: StreamPeer = peer
        return LoopWork("fetch rows", on: peer.host.loops[shard % peer.host.loops.count], of: peer.host) {
            var request: StreamMessages.Rows = request
            var chunk: [UInt8] = []
            while true {
                let answer: [UInt8] = try await peer.ask(.streamRows, request.encoded())
                guard answer.count >= 4 else { throw peer.damaged("an answer without a length") }
                let total = Int(answer[..<4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) })
                guard total <= StreamMessages.chunkByteCountLimit, answer.count - 4 <= total - chunk.count else {
                    throw peer.damaged("a chunk of an impossible length")
                }
                chunk += answer[4...]
                if chunk.count == total { return chunk }
                guard answer.count > 4 else { throw peer.damaged("a chunk that does not grow") }
                request.offset = UInt32(truncatingIfNeeded: chunk.count)
            }
        }
    }
}
