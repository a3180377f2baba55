import Cluster
import DataModel
import Environment
import Primitives
import Storage

/// Fetches one whole file, a few pieces ahead.
struct FilePull: Sendable {
    let peer: StreamPeer
    let session: UUID
    let offer: OfferedFile
    /// Where requests are made.
    let loop: any Loop

    /// - Throws: `StreamTrouble`, or what storage throws; nothing of the file is left then.
    func run(into ingest: TableIngest) async throws {
        let file: FileIngest = try await ingest.beginFile(offer)
        var waiting: [LoopWork<[UInt8]>] = []
        do {
            try await fetch(into: file, &waiting)
            try await file.finish(checksum: try await checksum())
        } catch {
            for work in waiting { _ = try? await work.value() }
            await file.abort()
            throw error
        }
    }

    private func fetch(into file: FileIngest, _ waiting: inout [LoopWork<[UInt8]>]) async throws {
        var next = 0
        while file.byteCount < offer.byteCount {
            while waiting.count < peer.settings.windowCount, next < offer.byteCount {
                let count: Int = min(peer.settings.chunkByteCount, offer.byteCount - next)
                waiting.append(piece(at: next, count))
                next += count
            }
            let bytes: [UInt8] = try await waiting.removeFirst().value()
            try peer.checkCancellation()
            try await file.add(bytes)
            peer.control.note(peer.node) { $0.byteCount += bytes.count }
        }
    }

    /// Asks for a piece, in several requests when the source gives less at once.
    private func piece(at offset: Int, _ count: Int) -> LoopWork<[UInt8]> {
        LoopWork("fetch a piece of a file", on: loop, of: peer.host) { [self] in
            var bytes: [UInt8] = []
            while bytes.count < count {
                let request = StreamMessages.FilePiece(
                    session: session, number: offer.number, offset: UInt64(offset + bytes.count),
                    byteCount: UInt32(truncatingIfNeeded: count - bytes.count))
                let answer: [UInt8] = try await peer.ask(.streamFile, request.encoded())
                guard !answer.isEmpty, answer.count <= count - bytes.count else {
                    throw peer.damaged("a piece of a file of another length than asked for")
                }
                bytes += answer
            }
            return bytes
        }
    }

    private func checksum() async throws -> UInt32 {
        let request = StreamMessages.FilePiece(
            session: session, number: offer.number, offset: UInt64(offer.byteCount), byteCount: 0)
        let answer: [UInt8] = try await peer.ask(.streamFile, request.encoded())
        guard answer.count == 4 else { throw peer.damaged("no checksum of a file") }
        return answer.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
}
