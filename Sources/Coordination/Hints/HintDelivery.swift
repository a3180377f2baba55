package import Cluster
package import Environment
package import Primitives

/// Brings hints to replicas that are back, file by file in the order in which they were made; and, when this node is about
/// to leave, those for others to its successor.
///
/// A replica's files are delivered by one session at a time, a few batches ahead of the answers and no faster than the
/// throttle. A hint is delivered at least once: a file is deleted when all of it was answered, and a session that is
/// interrupted goes on later where the answers ended. Each flush of the store, and each replica that comes up, starts
/// the sessions that are missing.
///
/// Confined to loop 0: methods may be called from anywhere and go there.
///
/// `Sendable` is unchecked because everything that changes does so on loop 0.
package final class HintDelivery: @unchecked Sendable {
    /// What happened since the start.
    package struct Counters: Hashable, Sendable {
        package var delivered = 0
        package var failedBatches = 0
        package var timedOutBatches = 0
        /// Too old to be delivered.
        package var expired = 0
        package var ofDroppedTables = 0
        /// Made before their table was truncated.
        package var ofTruncatedTables = 0
        /// Refused by the replica as no mutation.
        package var malformed = 0
        package var damaged = 0

        package init() {}
    }

    private static let windowByteCount = 256 << 10
    /// After how many delivered bytes the progress is noted.
    private static let noteByteCount = 1 << 20

    private let store: HintStore
    private let messenger: any Messenger
    private let liveness: Liveness
    private let time: any TimeSource
    private let background: any Background
    private let loop: any Loop
    private let tableExists: @Sendable (UUID) -> Bool
    private let truncatedAt: @Sendable (UUID) -> Int64?
    private let missed: MissedWrites?

    private var sessions: [NodeID: any BackgroundWork] = [:]
    private var isRunning = false
    private var isPaused = false
    /// Who takes the hints for replicas that are down.
    private var successor: NodeID?
    private var throttleBytesPerSecond: Int
    private var otherNodeCount = 1
    /// When what was sent so far would have been sent at the rate.
    private var paidUntilNanoseconds: UInt64 = 0
    private var counters = Counters()

    /// - Parameters:
    ///   - tableExists: whether a table is still there; asked on loop 0.
    ///   - truncatedAt: when a table was last truncated, by the clock that hints are dated with.
    ///   - missed: told of hints that are too old to be delivered.
    package init(
        store: HintStore, host: Host, messenger: any Messenger, liveness: Liveness,
        tableExists: @escaping @Sendable (UUID) -> Bool,
        truncatedAt: @escaping @Sendable (UUID) -> Int64? = { _ in nil }, missed: MissedWrites? = nil
    ) {
        self.store = store
        self.missed = missed
        self.messenger = messenger
        self.liveness = liveness
        self.time = host.time
        self.background = host.background
        self.loop = host.loops[0]
        self.tableExists = tableExists
        self.truncatedAt = truncatedAt
        self.throttleBytesPerSecond = store.options.throttleBytesPerSecond
    }

    /// Begins to deliver, to those that are up and to those that come up. Once.
    package func start() async {
        await onLoop { [self] in
            isRunning = true
            liveness.listen { [weak self] id, isUp in self?.changed(id, isUp) }
            store.flushed = { [weak self] in self?.begin() }
            begin()
        }
    }

    /// Ends all sessions; each waits for the batches that are on their way.
    package func stop() async {
        let ending: [any BackgroundWork] = await onLoop { [self] in
            isRunning = false
            let ending: [any BackgroundWork] = sessions.sorted { $0.key < $1.key }.map(\.value)
            for session in ending { session.cancel() }
            return ending
        }
        for session in ending { await session.wait() }
    }

    // MARK: Switches and what operators see

    /// (`nodetool pausehandoff`)
    package func pause() async {
        await onLoop { [self] in isPaused = true }
    }

    /// (`nodetool resumehandoff`)
    package func resume() async {
        await onLoop { [self] in
            isPaused = false
            begin()
        }
    }

    package func pauses() async -> Bool {
        await onLoop { [self] in isPaused }
    }

    /// Names the node that takes the hints for replicas that are down, because this one is about to leave; it keeps them
    /// for them (`HintSuccession`).
    package func leave(to successor: NodeID?) async {
        await onLoop { [self] in
            self.successor = successor
            begin()
        }
    }

    /// (`nodetool sethintedhandoffthrottlekb`) 0 for no limit.
    package func setThrottle(bytesPerSecond: Int) async {
        await onLoop { [self] in throttleBytesPerSecond = max(0, bytesPerSecond) }
    }

    /// How many other nodes may be delivering to the same replica: the throttle is split between them.
    package func setOtherNodeCount(_ count: Int) async {
        await onLoop { [self] in otherNodeCount = max(1, count) }
    }

    package func currentCounters() async -> Counters {
        await onLoop { [self] in counters }
    }

    // MARK: Sessions

    private func changed(_ id: NodeID, _ isUp: Bool) {
        store.note(id, isUp: isUp)
        if isUp { begin() }
    }

    /// Starts a session for each replica that is up and has files, and none already.
    private func begin() {
        for folder in store.sortedFolders where !folder.files.isEmpty {
            let id: NodeID = folder.target.id
            guard sessions[id] == nil, mayDeliver(to: id) else { continue }
            sessions[id] = background.run("deliver hints", on: loop) { [self] in
                await deliverAll(folder)
                sessions[id] = nil
            }
        }
    }

    private func mayDeliver(to id: NodeID) -> Bool { receiver(of: id) != nil }

    /// Who is sent the hints for a replica now: nobody when it is nil.
    private func receiver(of id: NodeID) -> NodeID? {
        guard isRunning else { return nil }
        if !isPaused, liveness.isAlive(id) { return id }
        guard let successor, successor != id, liveness.isAlive(successor) else { return nil }
        return successor
    }

    private func deliverAll(_ folder: HintFolder) async {
        var former: HintFileName?
        while mayDeliver(to: folder.target.id) {
            await store.gate.enter()
            let next: HintFile? = await folder.nextFile(after: former)
            store.gate.leave()
            guard let file = next else { return }
            former = file.name
            switch await deliver(file, of: folder) {
            case .delivered:
                await store.gate.enter()
                await folder.remove(file.name)
                store.gate.leave()
            case .unreadable: continue  // tried again by a later session
            case .interrupted: return
            }
        }
    }

    private enum Outcome {
        case delivered
        case interrupted
        case unreadable
    }

    /// Delivers one file from where the last session ended.
    private func deliver(_ file: HintFile, of folder: HintFolder) async -> Outcome {
        let path: String = folder.path(file.name.name)
        do throws(DiskError) {
            let opened = try await store.disk.open(path, .read)
            let outcome: Outcome
            do throws(DiskError) {
                outcome = try await deliver(file, from: opened, of: folder)
            } catch {
                await opened.close()
                throw error
            }
            await opened.close()
            return outcome
        } catch {
            store.report(.failed(path: path, reason: "\(error)"))
            return .unreadable
        }
    }

    private func deliver(
        _ file: HintFile, from opened: any DiskFile, of folder: HintFolder
    ) async throws(DiskError) -> Outcome {
        var reader = HintFileReader(salt: file.head.salt, offset: file.deliveredOffset)
        var flight = HintFlight(folder: folder, file: file.name, noteByteCount: HintDelivery.noteByteCount)
        var isGoingOn = true
        while isGoingOn, reader.offset < file.byteCount {
            let start: Int = reader.offset
            let wanted: Int = min(max(reader.neededByteCount, HintDelivery.windowByteCount), file.byteCount - start)
            let window: [UInt8]
            do throws(DiskError) {
                window = try await opened.read(wanted, at: start)
            } catch {
                _ = await flight.land(all: true)
                throw error
            }
            // A file that is shorter than it was has lost its end.
            let isEnd: Bool = window.count < wanted || start + wanted >= file.byteCount
            let entries: [HintFileReader.Entry] = reader.read(window, isEnd: isEnd)
            isGoingOn = await send(entries, file.name, folder, &flight)
            if window.count < wanted { break }
        }
        let areAllAnswered: Bool = await flight.land(all: true)
        if reader.damagedCount > 0, isGoingOn, areAllAnswered {
            counters.damaged += reader.damagedCount
            store.counters.damaged += reader.damagedCount
            store.report(.damaged(path: folder.path(file.name.name), recordCount: reader.damagedCount))
        }
        return isGoingOn && areAllAnswered ? .delivered : .interrupted
    }

    /// Sends what was read, batch by batch; false when that must end.
    private func send(
        _ entries: [HintFileReader.Entry], _ file: HintFileName, _ folder: HintFolder, _ flight: inout HintFlight
    ) async -> Bool {
        let id: NodeID = folder.target.id
        var place = 0
        while place < entries.count {
            guard mayDeliver(to: id), folder.has(file) else { return false }
            let (hints, byteCount, next) = batch(entries, from: place)
            let end: Int = entries[next - 1].end
            place = next
            guard await pace(byteCount) else { return false }
            while flight.count >= max(1, store.options.batchesInFlight) {
                guard await flight.land(all: false) else { return false }
            }
            flight.launch(end: end, send(hints, to: id))
        }
        return true
    }

    /// The next hints that are worth sending, their bytes, and where the rest begins.
    private func batch(_ entries: [HintFileReader.Entry], from start: Int) -> (hints: [Hint], byteCount: Int, next: Int)
    {
        var hints: [Hint] = []
        var byteCount = 0
        var place: Int = start
        let now: Int64 = time.wallMicroseconds
        while place < entries.count, hints.count < HintBatch.maximumCount {
            let hint: Hint = entries[place].hint
            if byteCount > 0, byteCount + hint.mutation.count > store.options.batchByteCount { break }
            place += 1
            if hint.isExpired(atMicroseconds: now) {
                counters.expired += 1
                missed?.note(hint.mutation.span.bytes)
            } else if let table = hint.table, tableExists(table) {
                if isFromBeforeTruncation(hint) {
                    counters.ofTruncatedTables += 1
                    continue
                }
                hints.append(hint)
                byteCount += hint.mutation.count + HintRecord.bodyHeadByteCount
            } else {
                counters.ofDroppedTables += 1
            }
        }
        return (hints, byteCount, place)
    }

    private func isFromBeforeTruncation(_ hint: Hint) -> Bool {
        guard let table = hint.table, let time = truncatedAt(table) else { return false }
        return hint.createdMicroseconds <= time
    }

    private func send(_ chosen: [Hint], to id: NodeID) -> HintBatchOnItsWay {
        let way = HintBatchOnItsWay()
        // The throttle may have held them for long, and tables may have been truncated meanwhile.
        let hints: [Hint] = chosen.filter { !isFromBeforeTruncation($0) }
        counters.ofTruncatedTables += chosen.count - hints.count
        guard !hints.isEmpty else {
            way.isAnswered = true
            return way
        }
        let bytes: [UInt8] = HintBatch(target: id, hints: hints).bytes
        let timeout: Duration = store.options.batchTimeout
        let receiver: NodeID = receiver(of: id) ?? id
        way.work = background.run("hint batch", on: loop) { [self] in
            do throws(MessageFailure) {
                let answer: [UInt8] = try await messenger.request(.hint, bytes, to: receiver, timeout: timeout)
                way.isAnswered = true
                let malformedCount: Int = min(hints.count, HintDelivery.malformedCount(answer))
                counters.malformed += malformedCount
                counters.delivered += hints.count - malformedCount
            } catch {
                if error == .timedOut(receiver) { counters.timedOutBatches += 1 } else { counters.failedBatches += 1 }
            }
        }
        return way
    }

    private static func malformedCount(_ answer: [UInt8]) -> Int {
        do throws(DecodingError) {
            var reader = ByteReader(answer.span.bytes)
            try reader.skip(4)
            return Int(try reader.readUInt32())
        } catch {
            return 0  // only a number that is shown
        }
    }

    /// Waits until the throttle allows these bytes; false when the session was cancelled meanwhile.
    private func pace(_ byteCount: Int) async -> Bool {
        guard throttleBytesPerSecond > 0, byteCount > 0 else { return true }
        let now: UInt64 = time.monotonicNanoseconds
        let rate: Double = max(1, Double(throttleBytesPerSecond) / Double(otherNodeCount))
        let start: UInt64 = max(paidUntilNanoseconds, now)
        paidUntilNanoseconds = start &+ UInt64(min(Double(byteCount) / rate * 1e9, 3.6e12))
        guard start > now else { return true }
        do throws(CancellationError) {
            try await time.sleep(for: .nanoseconds(Int64(clamping: start - now)))
            return true
        } catch {
            return false
        }
    }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await HintStore.value(on: loop, body)
    }
}

/// One batch that was sent.
///
/// `Sendable` is unchecked because all uses are on loop 0.
private final class HintBatchOnItsWay: @unchecked Sendable {
    var isAnswered = false
    var work: (any BackgroundWork)?
}

/// The batches of one file that are on their way, in their order.
private struct HintFlight {
    private let folder: HintFolder
    private let file: HintFileName
    private let noteByteCount: Int
    private var batches: [(end: Int, way: HintBatchOnItsWay)] = []
    private var answeredEnd = 0
    private var notedEnd = 0
    private var hasFailed = false

    init(folder: HintFolder, file: HintFileName, noteByteCount: Int) {
        self.folder = folder
        self.file = file
        self.noteByteCount = noteByteCount
    }

    var count: Int { batches.count }

    mutating func launch(end: Int, _ way: HintBatchOnItsWay) {
        batches.append((end, way))
    }

    /// Waits for the oldest batch, or for all; false when one of them, now or before, was not answered. Progress ends
    /// before the first that was not.
    mutating func land(all: Bool) async -> Bool {
        while !batches.isEmpty {
            let oldest = batches.removeFirst()
            await oldest.way.work?.wait()
            if !oldest.way.isAnswered { hasFailed = true }
            if !hasFailed {
                answeredEnd = oldest.end
                let isNoted: Bool = answeredEnd - notedEnd >= noteByteCount
                if isNoted { notedEnd = answeredEnd }
                await folder.setDelivered(file, offset: answeredEnd, isNoted: isNoted)
            }
            if !all { return !hasFailed }
        }
        if all, answeredEnd > notedEnd {
            notedEnd = answeredEnd
            await folder.noteDelivered(file)
        }
        return !hasFailed
    }
}
