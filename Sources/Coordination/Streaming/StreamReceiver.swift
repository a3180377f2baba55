package import Cluster
import DataModel
package import Environment
package import Primitives
package import Storage
import Synchronization

/// Fetches ranges of tables from other nodes and keeps them.
///
///     Pull ─▶ parts, a few at once ─▶ tables ─▶ sources ─▶ TablePull
///
/// What has been fetched of a table from a node becomes live in one step and stays, whatever becomes of the rest.
package final class StreamReceiver: Sendable {
    /// Ranges of some tables, all from the same nodes.
    package struct Part: Sendable, Hashable {
        package var tables: [UUID]
        package var ranges: [RingRange]
        /// It is fetched from all of them, and merged.
        package var sources: [NodeID]

        package init(tables: [UUID], ranges: [RingRange], sources: [NodeID]) {
            self.tables = tables
            self.ranges = ranges
            self.sources = sources
        }
    }

    package struct Pull: Sendable {
        /// Names the work: of pulls with one id one runs at a time.
        package var id: UUID
        /// For people.
        package var title: String
        package var parts: [Part]
        /// With each part the rows of `system.paxos` in its ranges.
        package var includesPaxos: Bool
        /// Whether this node is new, so that truncations have passed it by: it takes over those of its sources, for it has
        /// nothing of before.
        package var adoptsTruncations: Bool

        package init(
            id: UUID, title: String, parts: [Part], includesPaxos: Bool, adoptsTruncations: Bool = false
        ) {
            self.id = id
            self.title = title
            self.parts = parts
            self.includesPaxos = includesPaxos
            self.adoptsTruncations = adoptsTruncations
        }
    }

    private let engine: StorageEngine
    private let host: Host
    private let messenger: any Messenger
    private let settings: StreamSettings
    private let paxosTable: UUID?
    private let knownEpoch: @Sendable () -> UInt64
    private let name: @Sendable (NodeID) -> String
    private let truncations: TruncationTimes?
    private let watermarks: RepairWatermarks?
    private let state = Mutex(State())

    private struct State {
        var running: [PullControl] = []
        /// The last that ended, oldest first.
        var ended: [PullControl] = []

        /// What an earlier attempt at the same pull has made live: it need not come again.
        func fetched(_ unit: FetchedUnit, for id: UUID) -> FetchedUnit? {
            for control in ended where control.id == id {
                if let known = control.fetched(unit) { return known }
            }
            return nil
        }
    }

    private static let endedCountLimit = 8

    /// - Parameters:
    ///   - paxosTable: the id of `system.paxos`, the same on all nodes.
    ///   - knownEpoch: the epoch that a source must have applied before it gives anything.
    ///   - name: of a node, for errors: its address.
    ///   - truncations, watermarks: where what sources know is noted once their data are here.
    package init(
        engine: StorageEngine, host: Host, messenger: any Messenger, settings: StreamSettings = StreamSettings(),
        paxosTable: UUID?, knownEpoch: @escaping @Sendable () -> UInt64,
        name: @escaping @Sendable (NodeID) -> String = { "\($0)" }, truncations: TruncationTimes? = nil,
        watermarks: RepairWatermarks? = nil
    ) {
        self.truncations = truncations
        self.watermarks = watermarks
        self.engine = engine
        self.host = host
        self.messenger = messenger
        self.settings = settings
        self.paxosTable = paxosTable
        self.knownEpoch = knownEpoch
        self.name = name
    }

    /// Fetches all parts, but for what an earlier attempt with the same id has fetched already. Cancelling the task that
    /// called, or `cancel`, ends it soon.
    ///
    /// - Parameter held: told of ranges of a part that are durable here from all of its sources and for all of its
    ///   tables, before this returns.
    /// - Throws: `StreamFailure`, of the first part that could not be fetched, once the others have ended;
    ///   `CancellationError` when the task was cancelled.
    package func pull(
        _ pull: Pull, held: @escaping @Sendable (_ part: Int, _ ranges: [RingRange]) async -> Void
    ) async throws {
        let control = PullControl(
            id: pull.id, title: pull.title, startedMicroseconds: host.time.wallMicroseconds)
        let isNew: Bool = state.withLock { state in
            guard !state.running.contains(where: { $0.id == pull.id }) else { return false }
            state.running.append(control)
            return true
        }
        guard isNew else { throw StreamFailure.isRunning(pull.id) }
        for part in pull.parts {
            let count: Int = part.tables.count + (pull.includesPaxos && paxosTable != nil ? 1 : 0)
            for source in part.sources { control.note(source) { $0.tableTotal += count } }
        }
        var failure: (any Error)?
        do {
            try await withTaskCancellationHandler {
                try await fetch(pull, control, held)
            } onCancel: {
                control.cancel()
            }
        } catch { failure = error }
        let hasFailed: Bool = failure != nil
        control.end(failure.map { "\($0)" }, atMicroseconds: host.time.wallMicroseconds)
        state.withLock { state in
            state.running.removeAll { $0 === control }
            if !hasFailed { for former in state.ended where former.id == pull.id { former.forgetFetched() } }
            state.ended = (state.ended + [control]).suffix(StreamReceiver.endedCountLimit)
        }
        guard let failure else { return }
        if Task.isCancelled { throw CancellationError() }
        throw failure
    }

    /// Ends a pull; false when there is none with this id.
    @discardableResult
    package func cancel(_ id: UUID) -> Bool {
        let control: PullControl? = state.withLock { state in state.running.first { $0.id == id } }
        control?.cancel()
        return control != nil
    }

    /// Of the pulls that run, and of the last that ended.
    package func progress() -> [StreamProgress] {
        let controls: [PullControl] = state.withLock { $0.ended + $0.running }
        return controls.flatMap(\.progress)
    }

    // MARK: Parts

    private func fetch(
        _ pull: Pull, _ control: PullControl, _ held: @escaping @Sendable (Int, [RingRange]) async -> Void
    ) async throws {
        let queue = PartQueue(count: pull.parts.count)
        let workers: [LoopWork<Void>] = (0..<min(settings.partCount, pull.parts.count)).map { worker in
            let loop: any Loop = host.loops[worker % host.loops.count]
            return LoopWork("fetch ranges", on: loop, of: host) { [self] in
                var failure: (any Error)?
                while !control.isCancelled, let index = queue.next() {
                    do {
                        try await fetch(pull.parts[index], of: pull, control, loop)
                        await held(index, pull.parts[index].ranges)
                    } catch { failure = failure ?? error }
                }
                if let failure { throw failure }
            }
        }
        var failure: (any Error)?
        for worker in workers {
            do {
                try await worker.value()
            } catch { failure = failure ?? error }
        }
        if control.isCancelled { throw StreamFailure.cancelled }
        if let failure { throw failure }
    }

    private func fetch(_ part: Part, of pull: Pull, _ control: PullControl, _ loop: any Loop) async throws {
        let ranges = TokenRanges(part.ranges)
        guard !ranges.isEmpty else { return }
        var tables: [UUID] = part.tables
        if pull.includesPaxos, let paxosTable { tables.append(paxosTable) }
        for table in tables {
            let words: String = await title(of: table)
            var truncation = Int64.max
            for (place, source) in part.sources.enumerated() {
                let peer = StreamPeer(
                    node: source, name: name(source), table: words, messenger: messenger, host: host,
                    settings: settings, control: control)
                var unit = FetchedUnit(table: table, source: source, ranges: ranges)
                if let known = state.withLock({ $0.fetched(unit, for: pull.id) }) {
                    unit.past = known.past
                } else {
                    let past: StreamedPast? = try await TablePull(
                        engine: engine, peer: peer, pull: pull.id, title: pull.title, table: table, ranges: ranges,
                        epoch: knownEpoch(), loop: loop
                    ).run()
                    if let past {
                        unit.past = past
                        watermarks?.inherit(table, ranges, past.watermarks, isFirst: place == 0)
                    }
                }
                truncation = min(truncation, unit.past.truncation)
                control.noteFetched(unit)
                control.note(source) {
                    $0.tableCount += 1
                    $0.table = nil
                }
            }
            if pull.adoptsTruncations { try await adopt(truncation, of: table) }
        }
    }

    /// Takes note of a truncation that all of the sources of a table had finished before anything was fetched from them.
    private func adopt(_ stamp: Int64, of table: UUID) async throws {
        guard let truncations, stamp < .max, stamp > truncations.begun(table) else { return }
        try await LoopWork("note a truncation", on: host.loops[0], of: host) {
            try await truncations.adopt(stamp, of: table)
        }.value()
    }

    private func title(of table: UUID) async -> String {
        let shard: ShardStore = engine.shards[0]
        let work = LoopWork<String>("name a table", on: shard.loop, of: host) {
            guard let definition = shard.table(table)?.definition else { return "\(table)" }
            return "\(definition.keyspace).\(definition.name)"
        }
        return (try? await work.value()) ?? "\(table)"
    }
}

/// Hands out the numbers of parts, each once.
private final class PartQueue: Sendable {
    private let count: Int
    private let taken = Atomic<Int>(0)

    init(count: Int) {
        self.count = count
    }

    func next() -> Int? {
        let index: Int = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        return index < count ? index : nil
    }
}
