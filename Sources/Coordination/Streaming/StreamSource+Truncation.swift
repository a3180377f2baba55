import Cluster
import Environment
package import Primitives
import Storage

/// Tables that are emptied while they are streamed. What a node has fetched before must not survive at that node: it may
/// have emptied the table already when the rows came, or may not have been asked to because it was no member yet.
extension StreamSource {
    /// To be called when a table was emptied here, before that is acknowledged: ends what is being streamed of it, and
    /// empties it at those that fetched of it while the truncation may have been under way.
    ///
    /// - Throws: `MessageFailure` of a node that could not be told.
    package func truncated(_ table: UUID) async throws {
        let peers: [NodeID] = await onLoop { [self] in
            truncationCounts[table, default: 0] += 1
            endSessions(of: table)
            forgetFetchers()
            return fetchers[table]?.keys.sorted() ?? []
        }
        guard !peers.isEmpty else { return }
        let body: [UInt8] = table.bytes
        let (messenger, timeout): (any Messenger, Duration) = (messenger, settings.requestTimeout)
        let calls: [LoopWork<Void>] = peers.map { peer in
            LoopWork("empty what was streamed", on: host.loops[0], of: host) {
                _ = try await messenger.request(.streamTruncated, body, to: peer, timeout: timeout)
            }
        }
        var failure: (any Error)?
        for call in calls {
            do {
                try await call.value()
            } catch { failure = failure ?? error }
        }
        if let failure { throw failure }
    }

    /// A node that has given rows of a table to this one has emptied it.
    func truncatedThere(_ message: IncomingMessage) async throws -> [UInt8] {
        let body: [UInt8] = message.body
        guard body.count == 16, let table = UUID(body.span.bytes) else {
            throw Refusal(code: StreamRefusal.malformed, reason: "no id of a table")
        }
        do {
            try await truncate(table)
        } catch { throw Refusal(code: StreamRefusal.failed, reason: "\(error)") }
        return []
    }

    /// Forgets those that fetched so long ago that no truncation of that time can still be under way.
    func forgetFetchers() {
        let now: UInt64 = host.time.monotonicNanoseconds
        let memory = UInt64(max(0, settings.truncationMemory / .nanoseconds(1)))
        for (table, peers) in fetchers {
            let known: [NodeID: UInt64] = peers.filter { now - $0.value <= memory }
            fetchers[table] = known.isEmpty ? nil : known
        }
    }
}
