public import Cluster
public import DataModel
import Environment
import Primitives
public import Storage

/// Where the mutations go that a replica has missed.
public protocol HintSink: AnyObject {
    /// Keeps a mutation for a node. Never waits; what can not be kept is counted there.
    ///
    /// - Parameter madeAt: when the write began, in microseconds of this node's clock: what was truncated since then is
    ///   not to come back.
    func keep(_ mutation: RawSpan, for node: NodeID, madeAt: Int64)
    /// As `keep`; `stored` is called on the loop once the hint is as durable as an acknowledged write.
    func keepDurably(
        _ mutation: RawSpan, for node: NodeID, madeAt: Int64, _ stored: @escaping @Sendable () -> Void)
}

/// Brings the writes of one shard to their replicas, at the level that each asks for.
///
///     mutation ─┬─▶ this node's log and memtable
///               ├─▶ replicas that are up, one message each; one for each other data centre, where it is passed on
///               └─▶ hints for those that are down, silent, or fail
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
public final class WriteCoordinator: @unchecked Sendable {
    public let view: ClusterView
    public let replica: ReplicaShard
    private let hints: any HintSink
    private var operations = RequestPool<WriteOperation>()
    private var timer: (any LoopTimer)?
    private var sweepCount = 0
    /// Counts what is passed on in other data centres, so that their replicas take turns.
    private var relayCount = 0

    /// Writes that may be under way; further ones are refused with OVERLOADED.
    private static let activeLimit = 65_536
    /// How often writes are looked at whose deadline nobody else watches: those that wait for this node's own disk.
    private static let sweep: Duration = .milliseconds(250)
    /// After how many of these looks memory is given back that a burst has left.
    private static let sweepsPerTrim = 4

    package init(view: ClusterView, replica: ReplicaShard, hints: any HintSink) {
        self.view = view
        self.replica = replica
        self.hints = hints
    }

    /// Starts a write. `observer` is told how it ends, perhaps before this returns.
    ///
    /// Hot: once per write to more than one replica.
    ///
    /// - Parameter trace: told what is done, by this node and by the replicas.
    /// - Throws: `CoordinationFailure.unavailable` and `.overloaded` before anything is done.
    public func write(
        _ mutation: RawSpan, to table: TableStore?, _ plan: ReplicaPlan, _ level: Consistency, _ kind: WriteKind,
        timeoutMilliseconds: UInt32, observer: any WriteObserver, tag: UInt64, trace: RequestTrace? = nil
    ) throws {
        let plan: ReplicaPlan = plan.placement == view.placementEpoch ? plan : renewed(plan, mutation)
        let rule: AnswerRule = plan.writeRule(level)
        let alive: UInt64 = plan.alive(view.liveness)
        if level != .any, let shortage = rule.shortage(alive: alive) {
            throw CoordinationFailure.unavailable(level, required: shortage.required, alive: shortage.alive)
        }
        guard operations.inUse.count < WriteCoordinator.activeLimit else { throw CoordinationFailure.overloaded }
        let operation: WriteOperation = begin(
            mutation, plan, rule, level, kind, timeoutMilliseconds, observer, tag: tag, trace)
        if plan.localPosition >= 0 { writeHere(mutation, table, plan, operation) }
        writeElsewhere(mutation, plan, alive, operation, timeoutMilliseconds)
    }

    /// Brings a mutation to the other replicas that this node, one of them, has applied already: it stands at `position`
    /// in the log here. `observer` is told how it ends, perhaps before this returns.
    ///
    /// Nothing is refused any more, because something was done.
    func replicate(
        _ mutation: RawSpan, appliedAt position: LogPosition, _ plan: ReplicaPlan, _ level: Consistency,
        _ kind: WriteKind, timeoutMilliseconds: UInt32, observer: any WriteObserver, tag: UInt64,
        trace: RequestTrace? = nil
    ) {
        let plan: ReplicaPlan = plan.placement == view.placementEpoch ? plan : renewed(plan, mutation)
        let operation: WriteOperation = begin(
            mutation, plan, plan.writeRule(level), level, kind, timeoutMilliseconds, observer, tag: tag, trace)
        if plan.localPosition < 0 {
            // This node has lost the partition since.
        } else if !replica.wait(for: position, operation, tag: operation.generation, isCounter: kind == .counter) {
            operation.confirm(plan.localPosition)
        }
        writeElsewhere(mutation, plan, plan.alive(view.liveness), operation, timeoutMilliseconds)
    }

    /// The plan of a request that waited while data moved: no write may begin by an old placement after the node has said
    /// that all of them are over.
    private func renewed(_ plan: ReplicaPlan, _ mutation: RawSpan) -> ReplicaPlan {
        guard let token = Token(ofMutation: mutation) else { return plan }
        return view.renewed(plan, token)
    }

    /// Whether no write is under way that was planned by an older placement than that of an epoch.
    package func hasEnded(before epoch: UInt64) -> Bool {
        !operations.inUse.contains { operation in
            operation.isActive && operation.plan.map { $0.placement < epoch } ?? false
        }
    }

    /// Whether no write is under way that began before a moment of the monotonic clock.
    package func hasEnded(begunBefore nanoseconds: UInt64) -> Bool {
        !operations.inUse.contains { $0.isActive && $0.startNanoseconds < nanoseconds }
    }

    private func begin(
        _ mutation: RawSpan, _ plan: ReplicaPlan, _ rule: AnswerRule, _ level: Consistency, _ kind: WriteKind,
        _ timeoutMilliseconds: UInt32, _ observer: any WriteObserver, tag: UInt64, _ trace: RequestTrace?
    ) -> WriteOperation {
        let operation: WriteOperation = take()
        let start: UInt64 = replica.host.time.monotonicNanoseconds
        let deadline: UInt64 = start &+ UInt64(timeoutMilliseconds) &* 1_000_000
        operation.begin(plan, rule, level, kind, start: start, deadline: deadline, observer, tag: tag, trace)
        operation.mutation.write(mutation)
        return operation
    }

    private func writeElsewhere(
        _ mutation: RawSpan, _ plan: ReplicaPlan, _ alive: UInt64, _ operation: WriteOperation,
        _ timeoutMilliseconds: UInt32
    ) {
        var relayed: UInt64 = 0
        for group in plan.remoteGroups where (group & alive).nonzeroBitCount > 1 {
            relayed |= relay(mutation, to: group & alive, plan, operation, timeoutMilliseconds)
        }
        for position in 0..<plan.set.count where position != plan.localPosition {
            guard operation.isActive else { return }
            let node: NodeID = plan.set.node(at: position)
            let bit: UInt64 = position < AnswerRule.maximumReplicaCount ? 1 << UInt64(position) : 0
            if relayed & bit != 0 { continue }
            if alive & bit == 0 {
                operation.passOver(position, node)
            } else {
                send(mutation, to: node, position, operation, timeoutMilliseconds)
            }
        }
    }

    private func writeHere(
        _ mutation: RawSpan, _ table: TableStore?, _ plan: ReplicaPlan, _ operation: WriteOperation
    ) {
        guard let table else { return operation.refuse(plan.localPosition, view.local, .incompatibleSchema) }
        do throws(StorageError) {
            let position: LogPosition = try replica.store.apply(mutation, to: table)
            operation.trace?.addWrite(to: table)
            if !replica.wait(for: position, operation, tag: operation.generation) {
                operation.confirm(plan.localPosition)
            }
        } catch {
            guard case .overloaded = error else {
                return operation.refuse(plan.localPosition, view.local, .unknown)
            }
            writeHereLater(mutation, table, plan, operation)
        }
    }

    /// There is no room now: the other replicas get the write meanwhile.
    private func writeHereLater(
        _ mutation: RawSpan, _ table: TableStore, _ plan: ReplicaPlan, _ operation: WriteOperation
    ) {
        let bytes = [UInt8](copying: mutation)
        let generation: UInt64 = operation.generation
        let box = OperationBox(operation)
        replica.host.background.run("write that waits for room", on: replica.store.loop) { [self] in
            var end = WriteEnd.durable
            do throws(StorageError) {
                let position: LogPosition = try await replica.applyWithPatience(bytes, to: table)
                box.operation.trace?.addWrite(to: table)
                try await replica.waitUntilDurable(position)
            } catch { end = .failed(error) }
            box.operation.writeEnded(generation, end)
        }
    }

    /// The work above runs on the loop to which the operation is confined.
    private struct OperationBox: @unchecked Sendable {
        let operation: WriteOperation
        init(_ operation: WriteOperation) { self.operation = operation }
    }

    private func send(
        _ mutation: RawSpan, to node: NodeID, _ position: Int, _ operation: WriteOperation,
        _ timeoutMilliseconds: UInt32
    ) {
        let link: PeerLink = view.messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .mutation, for: operation, tag: operation.tag(position), timeoutMilliseconds: timeoutMilliseconds,
            placement: operation.placement, trace: operation.trace)
        guard outcome == .ready else { return operation.refuse(position, node, .nodeDown) }
        link.output.write(mutation)
        link.end()
    }

    /// Sends a mutation to one of several replicas of another data centre, which passes it on to the others and hands back
    /// what each of them says. The replicas take turns.
    ///
    /// - Returns: the positions that the message is for; none when nobody takes it.
    private func relay(
        _ mutation: RawSpan, to positions: UInt64, _ plan: ReplicaPlan, _ operation: WriteOperation,
        _ timeoutMilliseconds: UInt32
    ) -> UInt64 {
        relayCount &+= 1
        let count: Int = positions.nonzeroBitCount
        for attempt in 0..<count {
            let first: Int = WriteCoordinator.position((relayCount &+ attempt) % count, in: positions)
            let link: PeerLink = view.messages.link(to: plan.set.node(at: first), lane: .data)
            let outcome: SendOutcome = link.begin(
                .forwardedMutation, for: operation, tag: operation.tag(first), timeoutMilliseconds: timeoutMilliseconds,
                placement: operation.placement, trace: operation.trace)
            guard outcome == .ready else { continue }
            var forwarded = ForwardedMutation(to: &link.output)
            var taken: UInt64 = 0
            var rest: UInt64 = positions & ~(1 << UInt64(first))
            while rest != 0 {
                let position: Int = rest.trailingZeroBitCount
                rest &= rest &- 1
                let receiver: any ReplyReceiver =
                    operation.trace.map { link.traced(operation, $0, .mutation) } ?? operation
                let request: UInt64 = link.expectAnswer(
                    for: receiver, tag: operation.tag(position), timeoutMilliseconds: timeoutMilliseconds)
                if request == 0 { continue }
                forwarded.add(plan.set.node(at: position), request, to: &link.output)
                taken |= 1 << UInt64(position)
            }
            forwarded.finish(mutation, to: &link.output)
            operation.relay(to: taken)
            link.end()
            return taken | 1 << UInt64(first)
        }
        return 0
    }

    /// The position of the bit with so many set ones below it.
    private static func position(_ place: Int, in positions: UInt64) -> Int {
        var rest: UInt64 = positions
        for _ in 0..<place { rest &= rest &- 1 }
        return rest.trailingZeroBitCount
    }

    /// Sends the mutation to a replica itself, after another one has not passed it on.
    func sendAgain(_ position: Int, _ node: NodeID, _ operation: WriteOperation) {
        let now: UInt64 = replica.host.time.monotonicNanoseconds
        let deadline: UInt64 = operation.deadlineNanoseconds
        guard now < deadline else { return operation.timeIsUp() }
        let link: PeerLink = view.messages.link(to: node, lane: .data)
        let outcome: SendOutcome = link.begin(
            .mutation, for: operation, tag: operation.tag(position),
            timeoutMilliseconds: UInt32(clamping: (deadline &- now) / 1_000_000 &+ 1),
            placement: operation.placement, trace: operation.trace)
        guard outcome == .ready else { return operation.refuse(position, node, .nodeDown) }
        operation.mutation.withUnsafeBytes { link.output.write($0) }
        link.end()
    }

    func hint(_ node: NodeID, _ operation: WriteOperation) {
        guard node != view.local else { return }
        operation.trace?.add("Writing hint for \(view.messages.traceText(of: node))")
        #if PLANTS
        if Plant.isOn(.forgetHint) { return }
        #endif
        let age: UInt64 = (replica.host.time.monotonicNanoseconds &- operation.startNanoseconds) / 1_000
        let madeAt: Int64 = view.clock.current &- Int64(clamping: age)
        guard operation.level == .any else {
            operation.mutation.withUnsafeBytes {
                hints.keep(unsafe RawSpan(_unsafeBytes: $0), for: node, madeAt: madeAt)
            }
            return
        }
        let generation: UInt64 = operation.generation
        let box = OperationBox(operation)
        operation.mutation.withUnsafeBytes { bytes in
            hints.keepDurably(unsafe RawSpan(_unsafeBytes: bytes), for: node, madeAt: madeAt) {
                guard box.operation.generation == generation else { return }
                box.operation.hintIsStored()
            }
        }
    }

    // MARK: The pool

    private func take() -> WriteOperation {
        if timer == nil { startSweep() }
        return operations.take { WriteOperation(self) }
    }

    func release(_ operation: WriteOperation) {
        operations.giveBack(operation)
    }

    private func startSweep() {
        timer = replica.store.loop.schedule(after: WriteCoordinator.sweep) { [weak self] in
            guard let self else { return }
            self.timer = nil
            let now: UInt64 = self.replica.host.time.monotonicNanoseconds
            // Those that end leave the pool's list, so this goes through a copy of the late ones.
            let late: [WriteOperation] = self.operations.inUse.filter {
                $0.isActive && $0.deadlineNanoseconds < now
            }
            for operation in late where operation.isActive && operation.deadlineNanoseconds < now {
                operation.timeIsUp()
            }
            self.sweepCount &+= 1
            if self.sweepCount % WriteCoordinator.sweepsPerTrim == 0 { self.operations.trim() }
            if !self.operations.inUse.isEmpty || self.operations.isLarge { self.startSweep() }
        }
    }
}
