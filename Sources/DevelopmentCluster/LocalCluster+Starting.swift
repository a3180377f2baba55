import Administration
import Environment

extension LocalCluster {
    /// How many lines of a log explain why a node did not start.
    private static let explainingLineCount = 20

    /// Starts nodes at once; `finish` waits for them.
    ///
    /// - Parameters:
    ///   - limit: for how long it waits; as long as a start takes when nil.
    ///   - replaces: whether they take their own places again, without the data that they had.
    func begin(
        _ nodes: [ClusterPlan.Node], of plan: ClusterPlan, within limit: Duration? = nil, replaces: Bool = false
    ) async throws(ClusterFailure) -> Begun {
        try await checkPorts(of: nodes, plan)
        var started: [Started] = []
        for node in nodes {
            let place: NodeFolder = nodeFolder(node)
            try await place.make()
            let logStart: Int = await place.logByteCount()
            var arguments: [String] = plan.arguments(of: node, dataDirectory: place.dataDirectory)
            if replaces { arguments += ["--set", "replace_address_first_boot=\(node.address)"] }
            let process: Int32 = try processes.start(arguments, log: place.log)
            try await place.note(process)
            started.append(Started(node: node, place: place, process: process, logStart: logStart))
        }
        return Begun(plan: plan, nodes: started, limit: limit ?? (replaces ? patience.move : patience.start))
    }

    /// Returns when all that were started answer CQL and the running nodes see each other.
    func finish(_ begun: Begun) async throws(ClusterFailure) {
        for one in begun.nodes { try await awaitAnswer(of: one, begun.plan, within: begun.limit) }
        if !begun.nodes.isEmpty { await awaitGreeting(begun.plan) }
    }

    /// Nodes that were started.
    struct Begun: Sendable {
        let plan: ClusterPlan
        let nodes: [Started]
        let limit: Duration
    }

    /// A node that was started and has not answered yet.
    struct Started: Sendable {
        let node: ClusterPlan.Node
        let place: NodeFolder
        let process: Int32
        /// Where the log of this start begins.
        let logStart: Int
    }

    /// Throws when somebody listens already where a node is to listen: a stranger's answers must not be taken for the
    /// node's.
    func checkPorts(of nodes: [ClusterPlan.Node], _ plan: ClusterPlan) async throws(ClusterFailure) {
        for node in nodes {
            for port in plan.ports.all {
                do throws(NetworkError) {
                    let listener: any Listener = try await host.network.listen(
                        at: address(node, port), on: [host.loops[0]]
                    ) { _ in ClosingHandler() }
                    await listener.close()
                } catch {
                    if case .addressInUse = error {
                        throw ClusterFailure("Port \(port) of \(node.address) is taken by another program.")
                    }
                    throw ClusterFailure("Nothing can listen at \(node.address):\(port): \(error).")
                }
            }
        }
    }

    private func awaitAnswer(
        of started: Started, _ plan: ClusterPlan, within limit: Duration
    ) async throws(ClusterFailure) {
        let node: ClusterPlan.Node = started.node
        let deadline: UInt64 = deadline(after: limit)
        while true {
            if await answers(address(node, plan.ports.native)) { break }
            guard runs(started.process, started.place) else {
                await started.place.forgetProcess()
                throw await explained("Node \(node.number) has ended while it started.", started)
            }
            guard host.time.monotonicNanoseconds < deadline, await pause() else {
                throw await explained("Node \(node.number) does not answer CQL after \(limit).", started)
            }
        }
        say("Node \(node.number) answers at \(node.address):\(plan.ports.native).")
    }

    private func explained(_ words: String, _ started: Started) async -> ClusterFailure {
        let lines: String = await started.place.logEnd(
            after: started.logStart, lineCount: LocalCluster.explainingLineCount)
        return ClusterFailure("\(words) The end of \(started.place.log):\n\(lines)")
    }

    /// Waits until every running node believes that all running nodes are up, so that the first statement finds its
    /// replicas. Nodes that do not in time are left alone: they answer, which is what was asked for.
    private func awaitGreeting(_ plan: ClusterPlan) async {
        var running: [ClusterPlan.Node] = []
        for node in plan.nodes where await runningProcess(of: node) != nil {
            let client = AdminClient(node.address, port: plan.ports.admin, timeout: .seconds(2), host: host)
            // A node that has left the ring runs on, and nobody sees it.
            if let ring = try? await client.get("/status", as: RingReport.self),
                !ring.nodes.contains(where: { $0.endpoint.address == node.address })
            {
                continue
            }
            running.append(node)
        }
        let addresses: [String] = running.map(\.address)
        for node in running {
            _ = await holds(within: patience.greeting) {
                let client = AdminClient(node.address, port: plan.ports.admin, timeout: .seconds(2), host: host)
                guard let ring = try? await client.get("/status", as: RingReport.self) else { return false }
                let up: [String] = ring.nodes.filter(\.isUp).map(\.endpoint.address)
                return addresses.allSatisfy(up.contains)
            }
        }
    }

    // MARK: One command at a time

    /// Does something while no other command does anything with the folder.
    func alone<Value: Sendable>(
        _ work: () async throws(ClusterFailure) -> Value
    ) async throws(ClusterFailure) -> Value {
        var isLocked = false
        var failure: ClusterFailure?
        let isOurTurn: Bool = await holds(within: patience.turn) {
            do throws(DiskError) {
                try await host.disk.lockDirectory(folder)
                isLocked = true
            } catch {
                if case .locked = error { return false }
                failure = ClusterFailure(SmallFile.words(error))
            }
            return true
        }
        if let failure { throw failure }
        guard isOurTurn, isLocked else {
            throw ClusterFailure(
                "Another command is at work with the cluster in \(folder): try again when it has ended.")
        }
        let result: Result<Value, ClusterFailure>
        do throws(ClusterFailure) {
            result = .success(try await work())
        } catch { result = .failure(error) }
        await host.disk.unlockDirectory(folder)
        return try result.get()
    }

    // MARK: Waiting

    /// Asks again and again whether something holds; false when it does not in time.
    func holds(within patience: Duration, _ condition: () async -> Bool) async -> Bool {
        let deadline: UInt64 = deadline(after: patience)
        while !(await condition()) {
            guard host.time.monotonicNanoseconds < deadline, await pause() else { return false }
        }
        return true
    }

    private func deadline(after patience: Duration) -> UInt64 {
        let (seconds, attoseconds) = patience.components
        return host.time.monotonicNanoseconds &+ UInt64(clamping: seconds) &* 1_000_000_000
            &+ UInt64(clamping: attoseconds / 1_000_000_000)
    }

    /// False when the wait was cancelled.
    private func pause() async -> Bool {
        do throws(CancellationError) {
            try await host.time.sleep(for: patience.interval)
            return true
        } catch { return false }
    }

    func address(_ node: ClusterPlan.Node, _ port: UInt16) -> SocketAddress {
        SocketAddress(ipv4: 127, 0, 0, UInt8(clamping: node.number), port: port)
    }
}

/// Takes no connection.
private final class ClosingHandler: ConnectionHandler {
    func opened(_ connection: any Connection) { connection.close() }
    func received(_ bytes: UnsafeRawBufferPointer) -> Int { bytes.count }
    func receiveCompleted() {}
    func drained() {}
    func closed(_ error: NetworkError?) {}
}
