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
///     every member up? ─▶ each: note time and stamp, durably ─▶ empty the table ─▶ answer ─▶ all have answered
///
/// The time is noted first: a node that stops in between has its rows still, and the operator an error; but no hint that is
/// older can come back to a node that is empty already.
///
/// The stamp is newer than that of each former truncation of the table: a node that knows one that is not older says so,
/// and all are asked again with another. By it replicas tell rows that were read before from rows that were read after.
///
///     request := table (16) · stamp i64        answer := nothing | stamp i64, not older and known
package final class TruncationCoordinator: Sendable {
    package static let refusesMalformed: UInt16 = 1
    package static let refusesFailure: UInt16 = 2
    /// How often a stamp may turn out to be older than one of another truncation under way.
    private static let attemptLimit = 16

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
            let (table, stamp): (UUID, Int64) = try TruncationCoordinator.request(incoming.body)
            do throws(LocalFailure) {
                guard let known = try await truncateHere(table, stamp) else { return [] }
                var writer = ByteWriter(capacity: 8)
                writer.write(known)
                return writer.array()
            } catch { throw Refusal(code: TruncationCoordinator.refusesFailure, reason: error.reason) }
        }
    }

    private static func request(_ body: [UInt8]) throws -> (UUID, Int64) {
        do throws(DecodingError) {
            var reader = ByteReader(body.span.bytes)
            let high: UInt64 = try reader.readUInt64()
            let table = UUID(high: high, low: try reader.readUInt64())
            return (table, try reader.readInt64())
        } catch { throw Refusal(code: refusesMalformed, reason: "\(error)") }
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
            _ = try await emptyHere(table, nil)
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
        var newest: Int64 = times.begun(table)
        for _ in 0..<TruncationCoordinator.attemptLimit {
            let (next, isTooLarge) = newest.addingReportingOverflow(1)
            let stamp: Int64 = max(clock.next(), isTooLarge ? newest : next)
            newest = try await truncate(table, stamp: stamp, members: members, timeout: timeout)
            if newest < stamp { return }
        }
        throw .timedOut(received: 0)
    }

    /// Asks all members once. Returns the newest stamp that a member knew; 0 when none did, and all have done their part.
    private func truncate(
        _ table: UUID, stamp: Int64, members: [Member], timeout: Duration
    ) async throws(TruncationFailure) -> Int64 {
        let requests: [LoopWork<Result<Int64?, TruncationFailure>>] = members.map { member in
            LoopWork("truncate", on: host.loops[0], of: host) { [self] in
                do throws(TruncationFailure) {
                    return .success(try await truncate(table, stamp, at: member, timeout: timeout))
                } catch { return .failure(error) }
            }
        }
        var receivedCount = 0
        var newest: Int64 = 0
        var failure: TruncationFailure?
        var isLate = false
        for request in requests {
            do {
                switch try await request.value() {
                case .success(let known):
                    receivedCount += 1
                    newest = max(newest, known ?? 0)
                case .failure(.timedOut): isLate = true
                case .failure(let known): failure = failure ?? known
                }
            } catch { isLate = true }
        }
        if let failure { throw failure }
        if isLate { throw .timedOut(received: receivedCount) }
        return newest
    }

    /// Has one member do its part; returns a stamp that it knows and that is not older, when it has not. On loop 0.
    private func truncate(
        _ table: UUID, _ stamp: Int64, at member: Member, timeout: Duration
    ) async throws(TruncationFailure) -> Int64? {
        if member.id == local {
            do throws(LocalFailure) {
                return try await truncateHere(table, stamp)
            } catch {
                if case .storage(let failure) = error { throw .storage(failure) }
                throw .failed(at: member.internode, reason: error.reason)
            }
        }
        var writer = ByteWriter(capacity: 24)
        writer.write(table.high)
        writer.write(table.low)
        writer.write(stamp)
        do throws(MessageFailure) {
            let answer: [UInt8] = try await messenger.request(
                .truncate, writer.array(), to: member.id, timeout: timeout)
            var reader = ByteReader(answer.span.bytes)
            return reader.isAtEnd ? nil : try? reader.readInt64()
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
    private func truncateHere(_ table: UUID, _ stamp: Int64) async throws(LocalFailure) -> Int64? {
        if let known = try await emptyHere(table, stamp) { return known }
        guard let tell = emptied.withLock({ $0 }) else { return nil }
        do {
            try await tell(table)
        } catch { throw .notTold("\(error)") }
        return nil
    }

    /// - Parameter stamp: nil when this is no truncation of all nodes.
    /// - Returns: a stamp that this node knows and that is not older, when nothing was done.
    private func emptyHere(_ table: UUID, _ stamp: Int64?) async throws(LocalFailure) -> Int64? {
        guard engine.shards[0].table(table) != nil else { throw .unknownTable(table) }
        do throws(MetadataError) {
            if let stamp {
                if let known = try await times.begin(table, stamp: stamp, at: clock.next()) { return known }
            } else {
                try await times.note(table, at: clock.next())
            }
        } catch { throw .notNoted(error) }
        do throws(StorageError) {
            try await engine.truncate(id: table)
        } catch { throw .storage(error) }
        if let stamp { times.finish(table, stamp: stamp) }
        return nil
    }
}
