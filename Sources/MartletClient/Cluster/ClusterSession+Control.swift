import CQL
import Environment
import Synchronization

/// Following the cluster: nodes that come, go, stop and start, and keyspaces that change.
extension ClusterSession {
    /// Connects to the first node that answers and reads the cluster from it.
    ///
    /// - Throws: `NoNodeAvailable` when none answers.
    func openControl(_ addresses: [SocketAddress]) async throws -> ControlConnection {
        var failures: [NoNodeAvailable.Attempt] = []
        for address in addresses {
            do {
                let control = try await ControlConnection.open(to: address, options: options.connection, host: host)
                do {
                    try await readCluster(control)
                } catch {
                    control.connection.close()
                    throw error
                }
                let isClosed: Bool = state.withLock { state in
                    if !state.isClosed { state.control = control }
                    return state.isClosed
                }
                if isClosed {
                    control.connection.close()
                    throw ClientError.connectionClosed(nil)
                }
                return control
            } catch {
                failures.append(.init(address: address, error: error))
            }
        }
        throw NoNodeAvailable(attempts: failures)
    }

    /// Reads nodes and keyspaces, and adjusts the pools to them.
    private func readCluster(_ control: ControlConnection) async throws {
        let nodes: [ClusterNode] = try await control.nodes()
        let topology = ClusterTopology(nodes: nodes, replication: try await control.replication())
        let own: String = nodes.first { $0.address == control.connection.address }?.dataCenter ?? ""
        let obsolete: [NodePool] = state.withLock { state in
            if state.isClosed { return [] }
            if state.localDataCenter.isEmpty { state.localDataCenter = options.routing.localDataCenter ?? own }
            state.topology = topology
            let local: String = state.localDataCenter
            let wanted: [SocketAddress] = topology.nodes.filter {
                options.routing.usesNode($0, in: topology, local: local)
            }.map(\.address)
            var kept: [SocketAddress: NodePool] = [:]
            for address in wanted {
                kept[address] =
                    state.pools.removeValue(forKey: address) ?? NodePool(address: address, options: options, host: host)
            }
            // In an order that does not depend on hashing.
            let left: [NodePool] = state.pools.values.sorted { $0.address.description < $1.address.description }
            state.pools = kept
            return left
        }
        for pool in obsolete { pool.close() }
    }

    private var sortedPools: [NodePool] {
        let (topology, pools) = state.withLock { ($0.topology, $0.pools) }
        return topology.nodes.compactMap { pools[$0.address] }
    }

    /// Connects to all nodes at once; those that do not answer are tried again in the background.
    func connectPools() async {
        let pools: [NodePool] = sortedPools
        await withTaskGroup(of: Void.self) { group in
            for pool in pools {
                group.addTask {
                    if !(await pool.connect()) { pool.repair() }
                }
            }
        }
    }

    /// Starts to follow the cluster, over one control connection after the other.
    func follow(_ first: ControlConnection) {
        let host: Host = self.host
        let reconnection: ReconnectionSchedule = options.reconnection
        // The session is held only while it works, so that one that is forgotten ends.
        let work: any BackgroundWork = host.background.run("cluster", on: host.loops[0]) { [weak self] in
            var control: ControlConnection? = first
            var schedule: ReconnectionSchedule = reconnection
            while !Task.isCancelled {
                if let current = control {
                    for await signal in current.signals { await self?.react(to: signal, current) }
                    control = nil
                }
                guard let isClosed = self?.state.withLock({ $0.isClosed }), !isClosed else { return }
                control = await self?.reopenControl()
                if control != nil {
                    schedule.reset()
                } else {
                    let pause: Duration = schedule.pause(random: host.entropy.next())
                    guard (try? await host.time.sleep(for: pause)) != nil else { return }
                }
            }
        }
        let isClosed: Bool = state.withLock { state in
            if !state.isClosed { state.controlWork = work }
            return state.isClosed
        }
        if isClosed { work.cancel() }
    }

    /// A control connection to any node that is known, first to those that are up.
    private func reopenControl() async -> ControlConnection? {
        let pools: [NodePool] = sortedPools
        let known: [SocketAddress] = pools.filter(\.isUp).map(\.address) + pools.filter { !$0.isUp }.map(\.address)
        let others: [SocketAddress] = contactPoints.filter { !known.contains($0) }
        guard let control = try? await openControl(known + others) else { return nil }
        for pool in sortedPools where !pool.isUp { pool.repair() }
        return control
    }

    private func react(to signal: ControlConnection.Signal, _ control: ControlConnection) async {
        guard case .event(let event) = signal else { return }
        switch event {
        case .topology:
            // A cluster that cannot be read now is read again with the next control connection.
            guard (try? await readCluster(control)) != nil else { return control.connection.close() }
            for pool in sortedPools where !pool.isUp { pool.repair() }
        case .status(.up, let endpoint):
            let address = SocketAddress(host: endpoint.address.bytes, port: UInt16(clamping: endpoint.port))
            let pool: NodePool? = state.withLock { $0.pools[address] }
            if pool == nil { _ = try? await readCluster(control) }
            if let pool = pool ?? state.withLock({ $0.pools[address] }), !pool.isUp { pool.repair() }
        // Nodes are down for us when our connections to them have ended, whatever others see.
        case .status(.down, _): break
        case .schema(let change):
            guard case .keyspace = change.target, let replication = try? await control.replication() else { break }
            state.withLock { $0.topology = $0.topology.with(replication: replication) }
        }
        options.onEvent?(event)
    }

    /// Waits until all nodes know the schema that was changed, or the time is over.
    func awaitSchemaAgreement() async {
        let start: UInt64 = host.time.monotonicNanoseconds
        while let control = state.withLock({ $0.control }) {
            // Who cannot be asked is not waited for.
            guard let isAgreed = try? await control.hasSchemaAgreement(), !isAgreed else { return }
            let passed = Duration.nanoseconds(Int64(clamping: host.time.monotonicNanoseconds &- start))
            guard passed < options.schemaAgreementLimit, (try? await host.time.sleep(for: .milliseconds(200))) != nil
            else { return }
        }
    }
}
