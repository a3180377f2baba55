import CQL
import Environment
import Synchronization

/// The connections to one node. Those that have ended are made anew, with growing pauses while that fails.
final class NodePool: Sendable {
    private struct State {
        var connections: [CQLConnection?]
        var next = 0
        var isClosed = false
        var repair: (any BackgroundWork)?
        var repairNumber = 0
    }

    let address: SocketAddress
    private let options: ClusterOptions
    private let host: Host
    private let state: Mutex<State>

    init(address: SocketAddress, options: ClusterOptions, host: Host) {
        self.address = address
        self.options = options
        self.host = host
        self.state = Mutex(State(connections: Array(repeating: nil, count: max(1, options.connectionsPerNode))))
    }

    var isUp: Bool {
        state.withLock { state in state.connections.contains { $0?.isOpen == true } }
    }

    /// The next connection in turn that is open; nil when there is none.
    func connection() -> CQLConnection? {
        state.withLock { state in
            for _ in state.connections.indices {
                state.next = (state.next + 1) % state.connections.count
                if let connection = state.connections[state.next], connection.isOpen { return connection }
            }
            return nil
        }
    }

    /// Connects once; true when there is a connection then. What fails is left to `repair`.
    func connect() async -> Bool {
        await connectMissing()
    }

    /// Makes the connections that are missing, at once and then again and again until all are there.
    func repair() {
        let number: Int? = state.withLock { state in
            if state.isClosed { return nil }
            state.repairNumber += 1
            return state.repairNumber
        }
        guard let number else { return }
        let host: Host = self.host
        let reconnection: ReconnectionSchedule = options.reconnection
        // The pool is held only while it connects, so that a session that is forgotten ends.
        let work: any BackgroundWork = host.background.run("reconnection", on: host.loops[0]) { [weak self] in
            var schedule: ReconnectionSchedule = reconnection
            while await self?.needsAnotherAttempt(number) ?? false {
                // A pause that is cancelled ends the work: somebody else has begun anew.
                let pause: Duration = schedule.pause(random: host.entropy.next())
                guard (try? await host.time.sleep(for: pause)) != nil else { return }
            }
        }
        let obsolete: (any BackgroundWork)? = state.withLock { state in
            guard !state.isClosed, state.repairNumber == number else { return work }
            defer { state.repair = work }
            return state.repair
        }
        obsolete?.cancel()
    }

    /// Connects what is missing; true when that has to be tried again.
    private func needsAnotherAttempt(_ number: Int) async -> Bool {
        func isWanted() -> Bool {
            !Task.isCancelled && state.withLock { !$0.isClosed && $0.repairNumber == number }
        }
        guard isWanted() else { return false }
        _ = await connectMissing()
        return isWanted() && !isComplete
    }

    func close() {
        let (connections, work): ([CQLConnection?], (any BackgroundWork)?) = state.withLock { state in
            state.isClosed = true
            let left = (state.connections, state.repair)
            state.connections = state.connections.map { _ in nil }
            state.repair = nil
            return left
        }
        work?.cancel()
        for connection in connections { connection?.close() }
    }

    private var isComplete: Bool {
        state.withLock { state in state.isClosed || state.connections.allSatisfy { $0?.isOpen == true } }
    }

    private func connectMissing() async -> Bool {
        for index in 0..<max(1, options.connectionsPerNode) {
            let isOpen: Bool = state.withLock { $0.isClosed || $0.connections[index]?.isOpen == true }
            if isOpen { continue }
            var wanted: ConnectionOptions = options.connection
            wanted.onClose = { [weak self] in self?.repair() }
            guard
                let made = try? await CQLConnection.connect(
                    to: address, on: host.loops[index % host.loops.count], network: host.network, options: wanted)
            else { break }
            // Another task may have been faster, or the session may have been closed meanwhile.
            let isKept: Bool = state.withLock { state in
                if state.isClosed || state.connections[index]?.isOpen == true { return false }
                state.connections[index] = made
                return true
            }
            if !isKept { made.close() }
        }
        return isUp
    }
}
