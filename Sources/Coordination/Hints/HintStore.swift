package import Cluster
package import Environment
internal import Primitives
internal import Synchronization

/// Keeps mutations that replicas missed, in one row of files for each replica, until `HintDelivery` has brought them.
///
///     append on any loop ──▶ HintBuffer of that loop ──flush──▶ <host id>-<number>.hints ──▶ HintDelivery
///
/// `append` never waits: it copies into a bounded buffer or refuses. Buffers are written each flush period, when half full,
/// and at once when somebody waits for durability; all that wait share one write and one sync. A file is written by one
/// process only: after a start new hints go into new files.
///
/// `Sendable` is unchecked because buffers are used on their loops only, what is atomic or behind a lock is marked so, and
/// all else is confined to loop 0.
package final class HintStore: @unchecked Sendable {
    /// What happened since the start.
    package struct Counters: Hashable, Sendable {
        package var created = 0
        package var refused = 0
        /// Taken, and then not written because of the disk.
        package var lost = 0
        package var damaged = 0
        package var flushes = 0
    }

    /// What waits for one replica.
    package struct Backlog: Hashable, Sendable {
        package let target: NodeID
        package let fileCount: Int
        /// Those that wait for the disk included.
        package let byteCount: Int
        /// Nil when it is not known for a file of a process that did not end in an orderly way.
        package let hintCount: Int?
        package let oldestMicroseconds: Int64?
        package let newestMicroseconds: Int64?
    }

    let options: HintOptions
    let disk: any Disk
    let entropy: any Entropy
    private let time: any TimeSource
    private let background: any Background
    private let loops: [any Loop]
    let report: @Sendable (HintProblem) -> Void

    // Used on all loops.
    private let buffers: [HintBuffer]
    private let bufferLimit: Int
    private let isClosed = Atomic<Bool>(false)
    private let windowMicroseconds: Atomic<Int64>
    private let createdCount = Atomic<Int>(0)
    private let refusedCount = Atomic<Int>(0)
    /// Entered once for each loop, replica and flush.
    private let targets = Mutex<[NodeID: HintTarget]>([:])

    // Confined to loop 0.
    var folders: [NodeID: HintFolder] = [:]
    var nextNumber: UInt64 = 1
    var counters = Counters()
    let gate = HintGate()
    private let bell = HintBell()
    private var work: (any BackgroundWork)?
    private var isSyncWanted = false
    private var datacenters: [NodeID: String] = [:]
    private var isEnabledAtAll: Bool
    private var closedDatacenters: [String]
    /// Called on loop 0 after a flush.
    var flushed: @Sendable () -> Void = {}

    private init(host: Host, options: HintOptions, report: @escaping @Sendable (HintProblem) -> Void) {
        self.options = options
        self.disk = host.disk
        self.entropy = host.entropy
        self.time = host.time
        self.background = host.background
        self.loops = host.loops
        self.report = report
        self.buffers = host.loops.map { _ in HintBuffer() }
        self.bufferLimit = max(4 << 10, options.bufferByteCount / host.loops.count)
        self.windowMicroseconds = Atomic(HintStore.microseconds(options.window))
        self.isEnabledAtAll = options.isEnabled
        self.closedDatacenters = options.disabledDatacenters.sorted()
    }

    /// Finds the hints of former processes and begins to take new ones. On loop 0.
    package static func open(
        host: Host, options: HintOptions, report: @escaping @Sendable (HintProblem) -> Void = { _ in }
    ) async throws(DiskError) -> HintStore {
        let store = HintStore(host: host, options: options, report: report)
        try await store.findFiles()
        store.work = host.background.run("hints", on: host.loops[0]) { [weak store] in await store?.run() }
        return store
    }

    /// Writes what waits and takes no more.
    package func close() async {
        guard !isClosed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        await onLoop { [self] in bell.ring() }
        await work?.wait()
    }

    // MARK: Taking hints

    /// Keeps a hint in memory until the next flush. On the loop that is named.
    ///
    /// Hot: once per write and replica that is down. It waits for nothing.
    ///
    /// - Parameters:
    ///   - created: when the write was made, in microseconds since 1970.
    ///   - grace: `gc_grace_seconds` of the table.
    ///   - loop: the index of the caller's loop.
    package func append(
        for target: NodeID, created: Int64, grace: UInt32, mutation: RawSpan, on loop: Int
    ) throws(HintRefusal) {
        _ = try take(target, created, grace, mutation, loop)
        if buffers[loop].byteCount * 2 > bufferLimit { ring(loop, isSyncWanted: false) }
    }

    /// Keeps a hint and returns once it is as durable as the options ask: what consistency ANY counts.
    package func appendDurably(
        for target: NodeID, created: Int64, grace: UInt32, mutation: [UInt8], on loop: Int
    ) async throws(HintRefusal) {
        let run: HintRun = try take(target, created, grace, mutation.span.bytes, loop)
        let failure: HintRefusal? = await withUnsafeContinuation { continuation in
            run.waiting.append(continuation)
            ring(loop, isSyncWanted: true)
        }
        if let failure { throw failure }
    }

    private func take(
        _ id: NodeID, _ created: Int64, _ grace: UInt32, _ mutation: RawSpan, _ loop: Int
    ) throws(HintRefusal) -> HintRun {
        let buffer: HintBuffer = buffers[loop]
        let run: HintRun = buffer.run(for: id) ?? buffer.begin(target(id))
        do throws(HintRefusal) {
            try admit(run.target, created, mutation.byteCount, buffer)
        } catch {
            refusedCount.add(1, ordering: .relaxed)
            throw error
        }
        buffer.add(created, grace, mutation, to: run)
        let byteCount: Int = mutation.byteCount + HintRecord.bodyHeadByteCount + HintRecord.headByteCount
        run.target.pendingByteCount.add(byteCount, ordering: .relaxed)
        createdCount.add(1, ordering: .relaxed)
        return run
    }

    private func admit(
        _ target: HintTarget, _ created: Int64, _ byteCount: Int, _ buffer: HintBuffer
    ) throws(HintRefusal) {
        if isClosed.load(ordering: .relaxed) { throw .closed }
        if !target.isEnabled.load(ordering: .relaxed) { throw .disabled }
        let outageStart: Int64 = target.outageStart.load(ordering: .relaxed)
        if outageStart != .max, created &- outageStart > windowMicroseconds.load(ordering: .relaxed) {
            throw .windowPassed
        }
        if byteCount > Hint.maximumMutationByteCount { throw .tooLarge }
        let limit: Int = options.maximumBytesPerTarget
        if limit > 0, target.pendingByteCount.load(ordering: .relaxed) + byteCount > limit { throw .targetFull }
        // An empty buffer takes one hint of any size.
        if buffer.byteCount > 0, buffer.byteCount + byteCount + 64 > bufferLimit { throw .overloaded }
    }

    private func target(_ id: NodeID) -> HintTarget {
        targets.withLock { targets in
            if let target = targets[id] { return target }
            let target = HintTarget(id: id, isEnabled: options.isEnabled)
            targets[id] = target
            // Whether its datacenter is switched off only loop 0 knows; for members that is settled before any hint.
            loops[0].execute { [self] in target.isEnabled.store(isEnabled(id), ordering: .relaxed) }
            return target
        }
    }

    private func ring(_ loop: Int, isSyncWanted: Bool) {
        let buffer: HintBuffer = buffers[loop]
        let isSyncWanted: Bool = isSyncWanted && options.durability == .synced
        guard !buffer.hasRung || isSyncWanted else { return }
        buffer.hasRung = true
        loops[0].execute { [self] in
            if isSyncWanted { self.isSyncWanted = true }
            bell.ring()
        }
    }

    // MARK: Writing

    private func run() async {
        while true {
            let isLast: Bool = isClosed.load(ordering: .acquiring)
            if !isLast {
                let timer = loops[0].schedule(after: options.flushPeriod) { [self] in
                    isSyncWanted = true
                    bell.ring()
                }
                await bell.wait()
                timer.cancel()
            }
            await flush(isLast: isLast)
            if isLast { return }
            flushed()
        }
    }

    private func flush(isLast: Bool) async {
        await gate.enter()
        defer { gate.leave() }
        let isSynced: Bool = isSyncWanted || isLast
        isSyncWanted = false
        let runs: [HintRun] = await takeAll()
        counters.flushes += 1
        for group in HintStore.grouped(runs) {
            let folder: HintFolder = folder(of: group[0].target)
            let failure: HintRefusal? = await folder.write(group, isSynced: isSynced && options.durability == .synced)
            for run in group {
                for waiter in run.waiting { waiter.resume(returning: failure) }
            }
        }
        guard isSynced else { return }
        for folder in sortedFolders {
            await folder.sync()
            if isLast { await folder.seal() }
        }
    }

    private func takeAll() async -> [HintRun] {
        var runs: [HintRun] = []
        for (index, loop) in loops.enumerated() {
            let buffer: HintBuffer = buffers[index]
            runs += await HintStore.value(on: loop) { buffer.take() }
        }
        return runs
    }

    private static func grouped(_ runs: [HintRun]) -> [[HintRun]] {
        var groups: [[HintRun]] = []
        let ordered = runs.enumerated().sorted { left, right in
            (left.element.target.id, left.offset) < (right.element.target.id, right.offset)
        }
        for (_, run) in ordered {
            if groups.last?.first?.target.id == run.target.id {
                groups[groups.count - 1].append(run)
            } else {
                groups.append([run])
            }
        }
        return groups
    }

    // MARK: Members and switches

    /// Takes who the members are, and who of them is down now.
    package func setMembers(_ members: [Member], isAlive: @escaping @Sendable (NodeID) -> Bool) async {
        await onLoop { [self] in
            datacenters = [:]
            for member in members {
                datacenters[member.id] = member.datacenter
                _ = target(member.id)
            }
            for member in members where !isAlive(member.id) { noteDown(member.id) }
            applySwitches()
        }
    }

    /// The replica has gone down, or come up: from the first the window counts. On loop 0, as listeners of `Liveness` are.
    package func note(_ id: NodeID, isUp: Bool) {
        if isUp {
            targets.withLock { $0[id] }?.outageStart.store(.max, ordering: .relaxed)
        } else {
            noteDown(id)
        }
    }

    private func noteDown(_ id: NodeID) {
        _ = target(id).outageStart.min(time.wallMicroseconds, ordering: .relaxed)
    }

    /// (`nodetool enablehandoff`, `disablehandoff`)
    package func setEnabled(_ isEnabled: Bool) async {
        await onLoop { [self] in
            isEnabledAtAll = isEnabled
            applySwitches()
        }
    }

    /// (`nodetool enablehintsfordc`, `disablehintsfordc`)
    package func setEnabled(_ isEnabled: Bool, datacenter: String) async {
        await onLoop { [self] in
            closedDatacenters.removeAll { $0 == datacenter }
            if !isEnabled { closedDatacenters = (closedDatacenters + [datacenter]).sorted() }
            applySwitches()
        }
    }

    /// (`nodetool statushandoff`)
    package func switches() async -> (isEnabled: Bool, disabledDatacenters: [String]) {
        await onLoop { [self] in (isEnabledAtAll, closedDatacenters) }
    }

    /// (`nodetool setmaxhintwindow`)
    package func setWindow(_ window: Duration) {
        windowMicroseconds.store(HintStore.microseconds(window), ordering: .relaxed)
    }

    /// (`nodetool getmaxhintwindow`)
    package var window: Duration { .microseconds(windowMicroseconds.load(ordering: .relaxed)) }

    private func applySwitches() {
        let all: [HintTarget] = targets.withLock { Array($0.values) }
        for target in all { target.isEnabled.store(isEnabled(target.id), ordering: .relaxed) }
    }

    private func isEnabled(_ id: NodeID) -> Bool {
        guard isEnabledAtAll else { return false }
        return datacenters[id].map { !closedDatacenters.contains($0) } ?? true
    }

    // MARK: What operators see

    package func currentCounters() async -> Counters {
        await onLoop { [self] in
            var counters: Counters = counters
            counters.created = createdCount.load(ordering: .relaxed)
            counters.refused = refusedCount.load(ordering: .relaxed)
            return counters
        }
    }

    /// What waits for each replica, ascending (`nodetool listpendinghints`).
    package func backlog() async -> [Backlog] {
        await onLoop { [self] in sortedFolders.compactMap { $0.backlog } }
    }

    /// Writes what is in memory to files, so that it is delivered soon.
    package func flush() async {
        let work = background.run("flush hints", on: loops[0]) { [self] in
            // After the last flush nothing is delivered any more.
            if !isClosed.load(ordering: .acquiring) { await flush(isLast: false) }
            flushed()
        }
        await work.wait()
    }

    /// Whether a hint that was kept before this is called waits for one of some nodes. Writes what is in memory to files.
    package func hasHints(for nodes: Set<NodeID>) async -> Bool {
        await flush()
        return await onLoop { [self] in folders.values.contains { nodes.contains($0.target.id) && !$0.files.isEmpty } }
    }

    /// Deletes all hints, or those for one replica (`nodetool truncatehints`).
    package func truncate(_ target: NodeID? = nil) async {
        let work = background.run("truncate hints", on: loops[0]) { [self] in
            await gate.enter()
            await drop(target)
            gate.leave()
        }
        await work.wait()
    }

    private func drop(_ target: NodeID?) async {
        for run in await takeAll() {
            var failure: HintRefusal?
            if let target, run.target.id != target {
                failure = await folder(of: run.target).write([run], isSynced: options.durability == .synced)
            }
            for waiter in run.waiting { waiter.resume(returning: failure) }
        }
        for folder in sortedFolders where target == nil || folder.target.id == target { await folder.removeAll() }
    }

    // MARK: Parts

    var sortedFolders: [HintFolder] { folders.values.sorted { $0.target.id < $1.target.id } }

    func folder(of target: HintTarget) -> HintFolder {
        if let folder = folders[target.id] { return folder }
        let folder = HintFolder(target: target, store: self)
        folders[target.id] = folder
        return folder
    }

    func folder(of id: NodeID) -> HintFolder { folder(of: target(id)) }

    private func onLoop<Value: Sendable>(_ body: @escaping @Sendable () -> Value) async -> Value {
        await HintStore.value(on: loops[0], body)
    }

    static func value<Value: Sendable>(on loop: any Loop, _ body: @escaping @Sendable () -> Value) async -> Value {
        if loop.isCurrent { return body() }
        return await withUnsafeContinuation { continuation in
            loop.execute { continuation.resume(returning: body()) }
        }
    }

    private static func microseconds(_ duration: Duration) -> Int64 {
        let (seconds, attoseconds) = duration.components
        return Int64(clamping: seconds.multipliedFullWidth(by: 1_000_000)) &+ attoseconds / 1_000_000_000_000
    }
}

extension Int64 {
    /// The nearest value to a product that may be too large.
    fileprivate init(clamping product: (high: Int64, low: UInt64)) {
        if product.high == 0, product.low <= UInt64(Int64.max) {
            self = Int64(product.low)
        } else {
            self = product.high < 0 ? 0 : .max / 2
        }
    }
}
