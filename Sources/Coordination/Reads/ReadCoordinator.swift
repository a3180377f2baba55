package import Cluster
package import DataModel
package import Environment
package import Primitives
package import Storage

/// The pages of the replicas that were read, which together are one page of a read at its level.
package struct MergedPage: Sendable {
    package var pages: [ReadPage]
    /// How far all of them reach; nil when they have everything that was asked for.
    package var covered: ReadMark?

    package init(pages: [ReadPage], covered: ReadMark?) {
        self.pages = pages
        self.covered = covered
    }

    /// What the replicas have together, up to where all of them reach.
    package func cursor(isReversed: Bool) -> ReadCursor {
        let sources = pages.map { FragmentCursor($0.fragments, limit: covered, isReversed: isReversed) }
        return ReadCursor(sources: sources, isReversed: isReversed)
    }
}

/// How a table is read: what its options say.
package struct ReadPolicy: Sendable, Hashable {
    package var speculation: SpeculativeRetry
    /// Whether what replicas are found to miss is brought to them before the client is answered (`read_repair`).
    package var repairs: Bool

    package init(speculation: SpeculativeRetry, repairs: Bool) {
        self.speculation = speculation
        self.repairs = repairs
    }
}

/// Replicas know of a newer placement than the one that a range was read by, and this node does too by now: who has the
/// range is to be found anew.
package struct PlacementMoved: Error {}

/// Reads from replicas at the level that a request asks for.
///
///     request ─▶ data from the best replica, digests from others ─▶ all equal ─▶ page
///                                     └─▶ they differ ─▶ data from all ─▶ merge ─▶ repair ─▶ page
///
/// Where replicas differ and some were read before a truncation of the table and some after it, a little later is asked
/// again; and what one of them has from before is never brought to one that has nothing of it any more (`TruncationSpan`).
///
/// Confined to its loop; `Sendable` is unchecked for that reason.
package final class ReadCoordinator: @unchecked Sendable {
    private let view: ClusterView
    private let node: NodeReplica
    private let loop: any Loop
    private let host: Host
    private var latencies: [UUID: LatencyEstimate] = [:]
    private var scores = ReplicaScores()
    /// Reads whose replicas differed, and those of them after which replicas had to be brought something.
    package private(set) var repairCounts: (attempted: Int, repaired: Int) = (0, 0)

    /// How often a read of a table asked one replica more because the others were slow.
    package private(set) var speculationCounts: [UUID: Int] = [:]

    /// Of each table the truncations between which replicas have stayed, so that nothing more is waited for.
    private var unsettled: [UUID: TruncationSpan] = [:]

    /// How often is asked again while a table is truncated, and how long is waited before that at first.
    private static let truncationPatience = 3
    private static let firstTruncationPause: Int64 = 10

    package init(view: ClusterView, node: NodeReplica, host: Host, loop: any Loop) {
        self.view = view
        self.node = node
        self.host = host
        self.loop = loop
    }

    /// Reads one page.
    ///
    /// - Parameter trace: told what is done, by this node and by the replicas.
    /// - Throws: `CoordinationFailure`; `PlacementMoved` for a range, which may lie with several sets of replicas now.
    package func page(
        _ request: PageRequest, _ plan: ReplicaPlan, _ level: Consistency, _ policy: ReadPolicy,
        timeoutMilliseconds: UInt32, trace: RequestTrace? = nil
    ) async throws -> MergedPage {
        do {
            return try await attempt(
                request, plan, level, policy, timeoutMilliseconds: timeoutMilliseconds, trace: trace)
        } catch let stale as StalePlan {
            guard await hasMoved(since: plan.placement, within: timeoutMilliseconds / 2) else { throw stale.failure }
            guard case .one(let token, _) = request.command.partitions else { throw PlacementMoved() }
            let renewed: ReplicaPlan = view.renewed(plan, token)
            do {
                return try await attempt(
                    request, renewed, level, policy, timeoutMilliseconds: max(1, timeoutMilliseconds / 2), trace: trace)
            } catch let stale as StalePlan { throw stale.failure }
        }
    }

    /// Replicas know of a newer placement than the one that the read was planned by.
    private struct StalePlan: Error {
        /// What the client hears when that does not change.
        let failure: CoordinationFailure
    }

    /// Waits until this node has heard of a newer placement too.
    private func hasMoved(since placement: UInt64, within milliseconds: UInt32) async -> Bool {
        let end: UInt64 = host.time.monotonicNanoseconds &+ UInt64(milliseconds) &* 1_000_000
        while view.placementEpoch <= placement {
            guard host.time.monotonicNanoseconds < end else { return false }
            do { try await host.time.sleep(for: .milliseconds(20)) } catch { return false }
        }
        return true
    }

    private func attempt(
        _ request: PageRequest, _ plan: ReplicaPlan, _ level: Consistency, _ policy: ReadPolicy,
        timeoutMilliseconds: UInt32, trace: RequestTrace?
    ) async throws -> MergedPage {
        let start: UInt64 = host.time.monotonicNanoseconds
        var count = 0
        while true {
            let passed = UInt32(clamping: (host.time.monotonicNanoseconds &- start) / 1_000_000)
            let left: UInt32 = timeoutMilliseconds > passed ? timeoutMilliseconds - passed : 1
            let isLast: Bool = count >= ReadCoordinator.truncationPatience
            let round = Round(
                request: request, plan: plan, level: level, timeoutMilliseconds: left, trace: trace, isLast: isLast)
            if let page = try await self.page(round, policy) { return page }
            trace?.add("The table is being truncated: reading again")
            try await host.time.sleep(for: .milliseconds(ReadCoordinator.firstTruncationPause << Int64(count)))
            count += 1
        }
    }

    /// Returns nil when replicas differ because they are being truncated.
    private func page(_ round: Round, _ policy: ReadPolicy) async throws -> MergedPage? {
        let (plan, level): (ReplicaPlan, Consistency) = (round.plan, round.level)
        let rule: AnswerRule = plan.readRule(level)
        let alive: UInt64 = plan.alive(view.liveness) & rule.members
        if let shortage = rule.shortage(alive: alive) {
            throw CoordinationFailure.unavailable(level, required: shortage.required, alive: shortage.alive)
        }
        let order: [Int] = scores.order(plan, alive)
        let chosen: [Int] = ReadCoordinator.choose(rule, order)
        let gather = PageGather(rule, plan, needsData: true, host.time)
        gather.spare = order.filter { !chosen.contains($0) }
        for (index, position) in chosen.enumerated() { ask(position, isDigest: index > 0, round, gather) }
        gather.replicaFailed = { [unowned self, unowned gather] in
            self.askAnother(isDigest: gather.hasData, isRetry: false, round, gather)
        }
        let speculation: (any LoopTimer)? = speculate(policy, round.request.table, level) { [unowned self] in
            self.askAnother(isDigest: false, isRetry: true, round, gather)
        }
        let start: UInt64 = host.time.monotonicNanoseconds
        let end: PageGather.End = await self.end(of: gather, round)
        speculation?.cancel()
        let now: UInt64 = host.time.monotonicNanoseconds
        latencies[round.request.table, default: LatencyEstimate()].add(now &- start)
        for (answerer, nanoseconds) in gather.durations { scores.answered(answerer, after: nanoseconds) }
        try check(end, gather, level)
        return try await settle(gather, round, policy)
    }

    /// Waits for the answers, no longer than the client does: this node's own disk has no other deadline.
    private func end(of gather: PageGather, _ round: Round) async -> PageGather.End {
        let timer: any LoopTimer = loop.schedule(after: .milliseconds(Int64(round.timeoutMilliseconds))) {
            gather.finish(.timedOut)
        }
        defer { timer.cancel() }
        return await gather.wait()
    }

    /// What stays the same for all requests of one page. `Sendable` is unchecked because the plan stays on the loop.
    private struct Round: @unchecked Sendable {
        let request: PageRequest
        let plan: ReplicaPlan
        let level: Consistency
        let timeoutMilliseconds: UInt32
        let trace: RequestTrace?
        /// Whether this is not asked again, however much the table is truncated meanwhile.
        let isLast: Bool
    }

    /// The replicas to read from, best first: as many as the level needs, of those that count for it.
    private static func choose(_ rule: AnswerRule, _ order: [Int]) -> [Int] {
        var chosen: [Int] = []
        var mask: UInt64 = 0
        for group in [rule.first] + rule.others {
            var missing: Int = group.needed - (mask & group.members).nonzeroBitCount
            for position in order where missing > 0 {
                let bit: UInt64 = 1 << UInt64(position)
                guard group.members & bit != 0, mask & bit == 0 else { continue }
                mask |= bit
                missing -= 1
                chosen.append(position)
            }
        }
        return chosen
    }

    private func speculate(
        _ policy: ReadPolicy, _ table: UUID, _ level: Consistency, _ body: @escaping @Sendable () -> Void
    ) -> (any LoopTimer)? {
        // Who asks every data centre for a quorum wants no more than that (SURFACE 4.1).
        guard level != .eachQuorum, level != .all,
            let delay = policy.speculation.delay(&latencies[table, default: LatencyEstimate()])
        else { return nil }
        return loop.schedule(after: .nanoseconds(Int64(clamping: delay)), body)
    }

    private func askAnother(isDigest: Bool, isRetry: Bool, _ round: Round, _ gather: PageGather) {
        guard gather.end == nil, !gather.spare.isEmpty else { return }
        let position: Int = gather.spare.removeFirst()
        if isRetry { speculationCounts[round.request.table, default: 0] += 1 }
        if isRetry, let trace = round.trace {
            trace.add("speculating read retry on \(view.messages.traceText(of: round.plan.set.node(at: position)))")
        }
        ask(position, isDigest: isDigest, round, gather)
    }

    private func ask(_ position: Int, isDigest: Bool, _ round: Round, _ gather: PageGather) {
        gather.ask(position, at: host.time.monotonicNanoseconds)
        var request: PageRequest = round.request
        request.isDigest = isDigest
        let target: NodeID = round.plan.set.node(at: position)
        let kind: String = isDigest ? "digest" : "data"
        guard target != view.local else {
            round.trace?.add("reading \(kind) locally")
            return readHere(request, position, round, gather)
        }
        round.trace?.add("reading \(kind) from \(view.messages.traceText(of: target))")
        var lane: Lane = .bulk
        if case .one = request.command.partitions { lane = .data }
        let link: PeerLink = view.messages.link(to: target, lane: lane)
        let outcome: SendOutcome = link.begin(
            .readRange, for: gather, tag: UInt64(position), timeoutMilliseconds: round.timeoutMilliseconds,
            placement: round.plan.placement, trace: round.trace)
        guard outcome == .ready else {
            // Not within this call, which the gather's own `fail` may have made.
            loop.execute { gather.fail(position, .nodeDown) }
            return
        }
        request.write(to: &link.output)
        link.end()
    }

    private func readHere(_ request: PageRequest, _ position: Int, _ round: Round, _ gather: PageGather) {
        let node: NodeReplica = self.node
        let trace: RequestTrace? = round.trace
        host.background.run("read as a replica", on: loop) {
            do {
                gather.answer(position, try await node.page(request, trace))
            } catch {
                gather.fail(position, ReplicaError.reason(error))
            }
        }
    }

    private func check(_ end: PageGather.End, _ gather: PageGather, _ level: Consistency) throws {
        let received: Int = gather.rule.received(gather.answered)
        switch end {
        case .met: return
        case .failed where gather.isStale:
            throw StalePlan(
                failure: .readTimedOut(
                    level, received: received, required: gather.rule.needed, hasData: gather.hasData))
        case .timedOut,
            .failed where gather.failures.isSilence:
            throw CoordinationFailure.readTimedOut(
                level, received: received, required: gather.rule.needed, hasData: gather.hasData)
        case .failed:
            throw CoordinationFailure.readFailed(
                level, received: received, required: gather.rule.needed, hasData: gather.hasData,
                failures: gather.failures)
        }
    }

    // MARK: Differences

    private func settle(_ gather: PageGather, _ round: Round, _ policy: ReadPolicy) async throws -> MergedPage? {
        let answers: [(position: Int, page: ReadPage)] = gather.pages.sorted { $0.key < $1.key }.map {
            ($0.key, $0.value)
        }
        guard let data = answers.first(where: { !$0.page.isDigest })?.page else {
            throw CoordinationFailure.readFailed(
                round.level, received: 0, required: gather.rule.needed, hasData: false, failures: gather.failures)
        }
        if answers.allSatisfy({ $0.page.digest == data.digest && $0.page.covered == data.covered }) {
            return MergedPage(pages: [data], covered: data.covered)
        }
        round.trace?.add("Digest mismatch: the replicas have different versions of what was read")
        var full: [(position: Int, page: ReadPage)] = try await readFully(answers, gather.rule, round)
        let span = TruncationSpan(full.map(\.page.truncation))
        if span.isMixed {
            let late = full.filter { $0.page.truncation == span.newest }
            if gather.rule.isMet(by: late.reduce(0) { $0 | 1 << UInt64($1.position) }) {
                full = late
            } else if !round.isLast, unsettled[round.request.table] != span {
                return nil
            } else {
                // One has missed the truncation: what it has counts, and it hears of it.
                unsettled[round.request.table] = span
                if policy.repairs { tell(full, span, round) }
            }
        }
        let isReversed: Bool = round.request.command.isReversed
        let pages: [ReadPage] = full.map(\.page)
        let covered: ReadMark? = .earliest(pages.map(\.covered), isReversed: isReversed)
        if policy.repairs { try await repair(full, upTo: covered, round, gather.rule) }
        return MergedPage(pages: pages, covered: covered)
    }

    /// Asks for the data of those who have sent digests.
    private func readFully(
        _ answers: [(position: Int, page: ReadPage)], _ rule: AnswerRule, _ round: Round
    ) async throws -> [(position: Int, page: ReadPage)] {
        let wanted: [Int] = answers.filter(\.page.isDigest).map(\.position)
        // Whoever was asked because others were slow has sent data.
        if wanted.isEmpty { return answers }
        let everybody: UInt64 = wanted.reduce(0) { $0 | 1 << UInt64($1) }
        let all = AnswerRule([AnswerRule.Group(members: everybody, needed: wanted.count)])
        let gather = PageGather(all, round.plan, needsData: false, host.time)
        for position in wanted { ask(position, isDigest: false, round, gather) }
        let end: PageGather.End = await self.end(of: gather, round)
        let known: Int = answers.count - wanted.count
        switch end {
        case .met: break
        case .timedOut,
            .failed where gather.failures.isSilence:
            throw CoordinationFailure.readTimedOut(
                round.level, received: min(rule.needed - 1, known + gather.pages.count), required: rule.needed,
                hasData: true)
        case .failed:
            throw CoordinationFailure.readFailed(
                round.level, received: min(rule.needed - 1, known + gather.pages.count), required: rule.needed,
                hasData: true, failures: gather.failures)
        }
        let late: [(position: Int, page: ReadPage)] = gather.pages.map { ($0.key, $0.value) }
        return (answers.filter { !$0.page.isDigest } + late).sorted { $0.position < $1.position }
    }

    /// Brings every replica that was read up to date with all of them, and waits for it: what a quorum has been seen to
    /// have, the next quorum sees too.
    private func repair(
        _ answers: [(position: Int, page: ReadPage)], upTo covered: ReadMark?, _ round: Round, _ rule: AnswerRule
    ) async throws {
        let repairs: [[[UInt8]]]
        do throws(StorageError) {
            repairs = try PageRepair.repairs(
                of: answers.map(\.page), upTo: covered, table: round.request.table,
                isReversed: round.request.command.isReversed)
        } catch {
            throw CoordinationFailure.readFailed(
                round.level, received: 0, required: rule.needed, hasData: true, failures: [:])
        }
        let gather = RepairGather()
        let count: Int = repairs.reduce(0) { $0 + $1.count }
        repairCounts.attempted += 1
        if count > 0 { repairCounts.repaired += 1 }
        round.trace?.add("Read repair: \(count) mutations for replicas that miss something")
        let span = TruncationSpan(answers.map(\.page.truncation))
        for (answer, mutations) in zip(answers, repairs) {
            let target: NodeID = round.plan.set.node(at: answer.position)
            for mutation in mutations { send(ReadRepair(span, mutation), to: target, round, gather) }
        }
        let timer: any LoopTimer = loop.schedule(after: .milliseconds(Int64(round.timeoutMilliseconds))) {
            gather.expire()
        }
        defer { timer.cancel() }
        guard await gather.wait() else {
            throw CoordinationFailure.readTimedOut(
                round.level, received: max(0, rule.needed - 1), required: rule.needed, hasData: true)
        }
    }

    /// Tells those that have missed a truncation of it. Nobody waits for them.
    private func tell(_ answers: [(position: Int, page: ReadPage)], _ span: TruncationSpan, _ round: Round) {
        let gather = RepairGather()
        for answer in answers where answer.page.truncation < span.newest {
            let target: NodeID = round.plan.set.node(at: answer.position)
            send(ReadRepair(span, round.request.table.bytes), to: target, round, gather)
        }
    }

    private func send(_ repair: ReadRepair, to target: NodeID, _ round: Round, _ gather: RepairGather) {
        gather.begin()
        guard target != view.local else {
            let node: NodeReplica = self.node
            let trace: RequestTrace? = round.trace
            host.background.run("repair as a replica", on: loop) {
                do {
                    try await node.repair(repair, trace)
                    gather.end(isDone: true)
                } catch { gather.end(isDone: false) }
            }
            return
        }
        let link: PeerLink = view.messages.link(to: target, lane: .data)
        let outcome: SendOutcome = link.begin(
            .readRepair, for: gather, tag: 0, timeoutMilliseconds: round.timeoutMilliseconds,
            placement: round.plan.placement, trace: round.trace)
        guard outcome == .ready else { return gather.end(isDone: false) }
        repair.write(to: &link.output)
        link.end()
    }
}

/// Waits for all mutations of a read repair. Confined to its loop; `Sendable` is unchecked for that reason.
private final class RepairGather: ReplyReceiver, @unchecked Sendable {
    private var openCount = 0
    private var hasFailed = false
    private var waiting: UnsafeContinuation<Bool, Never>?

    func begin() { openCount += 1 }

    func end(isDone: Bool) {
        openCount -= 1
        if !isDone { hasFailed = true }
        if openCount == 0 || hasFailed { finish() }
    }

    /// Time is up: this node's own disk has no other deadline.
    func expire() {
        hasFailed = true
        finish()
    }

    private func finish() {
        waiting?.resume(returning: !hasFailed)
        waiting = nil
    }

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) { end(isDone: true) }
    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) { end(isDone: false) }

    /// Whether all were applied.
    func wait() async -> Bool {
        if openCount == 0 || hasFailed { return !hasFailed }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
