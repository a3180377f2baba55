package import Cluster
package import Environment
package import Primitives
package import Storage
import Synchronization

/// Why a table was not truncated on all nodes. What it was on stays so; truncating again is harmless.
package enum TruncationFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// Nothing was done: every member must be up.
    case unavailable(required: Int, alive: Int)
    case timedOut(received: Int)
    case failed(at: SocketAddress, reason: String)
    /// This node's own storage could not.
    case storage(StorageError)

    /// In Cassandra's words.
    package var description: String {
        switch self {
        case .unavailable: "Cannot achieve consistency level ALL"
        case .timedOut(let received): "Truncate timed out - received only \(received) responses"
        case .failed(let address, _): "Truncate failed on replica \(address)"
        case .storage(let failure): "\(failure)"
        }
    }
}

/// Empties a table on all nodes.
///
///     every member up? ─▶ each: note the time, durably ─▶ empty the table ─▶ answer ─▶ all have answered
///
/// The time is noted first: a node that stops in between has its rows still, and the operator an error; but no hint that is
/// older can come back to a node that is empty already.
///
///     request := table (16)        answered by nothing
package final class TruncationCoordinator: Sendable {
    package static let refusesMalformed: UInt16 = 1
    package static let refusesFailure: UInt16 = 2

    private let local: NodeID
    private let engine: StorageEngine
    private let times: TruncationTimes
    private let clock: HybridClock
    private let messenger: any Messenger
    private let liveness: Liveness
    private let host: Host
    private let emptied = Mutex<(@Sendable (UUID) async throws -> Void)?>(nil)

    package init(
        local: NodeID, engine: StorageEngine, times: TruncationTimes, clock: HybridClock, messenger: any Messenger,
        liveness: Liveness, host: Host
    ) {
        self.local = local
        self.engine = engine
        self.times = times
        self.clock = clock
        self.messenger = messenger
        self.liveness = liveness
        self.host = host
    }

    /// Has this node do its part for others. Called once, before messages come.
    package func register() {
        messenger.handle(.truncate) { [self] incoming in
            guard incoming.body.count == 16, let table = UUID(incoming.body.span.bytes) else {
                throw Refusal(code: TruncationCoordinator.refusesMalformed, reason: "no id of a table")
            }
            do throws(LocalFailure) {
                try await truncateHere(table)
            } catch { throw Refusal(code: TruncationCoordinator.refusesFailure, reason: error.reason) }
            return []
        }
    }

    /// Names who is told of each table that was emptied here, before that is acknowledged: those who have taken rows of it
    /// elsewhere. Called once, at start.
    package func whenEmptied(_ body: @escaping @Sendable (UUID) async throws -> Void) {
        emptied.withLock { $0 = body }
    }

    /// Empties a table of this node alone, for a node that has given rows of it to this one and has emptied it. A table
    /// that is not here is empty.
    package func truncateForSource(_ table: UUID) async throws {
        do throws(LocalFailure) {
            try await emptyHere(table)
        } catch .unknownTable {
            return
        } catch { throw Refusal(code: TruncationCoordinator.refusesFailure, reason: error.reason) }
    }

    /// Empties a table on all members that have not left.
    ///
    /// - Throws: `TruncationFailure`.
    package func truncate(_ table: UUID, members: [Member], timeout: Duration) async throws(TruncationFailure) {
        let members: [Member] = members.filter { $0.state != .left }
        let aliveCount: Int = members.count { liveness.isAlive($0.id) }
        guard aliveCount == members.count else { throw .unavailable(required: members.count, alive: aliveCount) }
        let requests: [LoopWork<TruncationFailure?>] = members.map { member in
            LoopWork("truncate", on: host.loops[0], of: host) { [self] in
                do throws(TruncationFailure) {
                    try await truncate(table, at: member, timeout: timeout)
                    return nil
                } catch { return error }
            }
        }
        var receivedCount = 0
        var failure: TruncationFailure?
        var isLate = false
        for request in requests {
            do {
                switch try await request.value() {
                case nil: receivedCount += 1
                case .timedOut?: isLate = true
                case let known?: failure = failure ?? known
                }
            } catch { isLate = true }
        }
        if let failure { throw failure }
        if isLate { throw .timedOut(received: receivedCount) }
    }

    /// Has one member do its part. On loop 0.
    private func truncate(_ table: UUID, at member: Member, timeout: Duration) async throws(TruncationFailure) {
        if member.id == local {
            do throws(LocalFailure) {
                return try await truncateHere(table)
            } catch {
                if case .storage(let failure) = error { throw .storage(failure) }
                throw .failed(at: member.internode, reason: error.reason)
            }
        }
        var writer = ByteWriter(capacity: 16)
        writer.write(table.high)
        writer.write(table.low)
        do throws(MessageFailure) {
            _ = try await messenger.request(.truncate, writer.array(), to: member.id, timeout: timeout)
        } catch {
            guard case .refused(_, _, let reason) = error else { throw .timedOut(received: 0) }
            throw .failed(at: member.internode, reason: reason)
        }
    }

    private enum LocalFailure: Error {
        case unknownTable(UUID)
        case notNoted(MetadataError)
        case storage(StorageError)
        case notTold(String)

        var reason: String {
            switch self {
            case .unknownTable(let table): "this node has no table with id \(table)"
            case .notNoted(let failure): "\(failure)"
            case .storage(let failure): "\(failure)"
            case .notTold(let reason): "what was streamed from here could not be emptied: \(reason)"
            }
        }
    }

    /// This node's part. On loop 0.
    private func truncateHere(_ table: UUID) async throws(LocalFailure) {
        try await emptyHere(table)
        guard let tell = emptied.withLock({ $0 }) else { return }
        do {
            try await tell(table)
        } catch { throw .notTold("\(error)") }
    }

    private func emptyHere(_ table: UUID) async throws(LocalFailure) {
        guard engine.shards[0].table(table) != nil else { throw .unknownTable(table) }
        do throws(MetadataError) {
            try await times.note(table, at: clock.next())
        } catch { throw .notNoted(error) }
        do throws(StorageError) {
            try await engine.truncate(id: table)
        } catch { throw .storage(error) }
    }
}
