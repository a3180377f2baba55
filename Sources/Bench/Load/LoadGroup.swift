import CQL
import Environment
import MartletClient
import Synchronization

/// All connections of a benchmark, spread over the loops.
struct LoadGroup: Sendable {
    private struct Member: Sendable {
        let loop: any Loop
        let connection: LoadConnection
    }

    private let members: [Member]
    private let loops: [any Loop]
    private let meters: [LoadMeter]

    var connectionCount: Int { members.count }

    /// Connects `plan.connections` times.
    ///
    /// - Parameter agreed: how the first connection was made, with the version that came of it.
    static func connect(
        to address: SocketAddress, plan: BenchPlan, _ agreed: ConnectionOptions, host: Host
    ) async throws -> LoadGroup {
        let meters: [LoadMeter] = host.loops.map { _ in LoadMeter() }
        var options: ConnectionOptions = agreed
        options.inFlightLimit = plan.inFlight
        var members: [Member] = []
        for index in 0..<plan.connections {
            let place: Int = index % host.loops.count
            let loop: any Loop = host.loops[place]
            let made = MadeConnection()
            let (meter, time): (LoadMeter, any TimeSource) = (meters[place], host.time)
            _ = try await PipelinedConnection.connect(to: address, on: loop, network: host.network, options: options) {
                pipeline in
                let connection = LoadConnection(pipeline, meter: meter, time: time)
                made.value.withLock { $0 = connection }
                return connection
            }
            guard let connection = made.value.withLock({ $0 }) else { throw ClientError.connectionClosed(nil) }
            members.append(Member(loop: loop, connection: connection))
        }
        return LoadGroup(members: members, loops: host.loops, meters: meters)
    }

    /// Carries a connection from the loop on which it is made.
    private final class MadeConnection: Sendable {
        let value = Mutex<LoadConnection?>(nil)
    }

    /// Starts all connections; `make` gives each, by its index, what it is to send.
    func start(_ make: (Int) -> ConnectionLoad) -> LoadProgress {
        let progress = LoadProgress(connectionCount: members.count)
        for (index, member) in members.enumerated() {
            let load: ConnectionLoad = make(index)
            member.loop.execute { member.connection.start(load) { progress.connectionEnded(backlog: $0) } }
        }
        return progress
    }

    func stop() {
        for member in members { member.loop.execute { member.connection.stop() } }
    }

    func abandon() {
        for member in members { member.loop.execute { member.connection.abandon() } }
    }

    func close() {
        for member in members { member.loop.execute { member.connection.close() } }
    }

    /// What was counted since the last time, over all loops.
    func takeCounts() async -> LoadCounts {
        var all = LoadCounts()
        for (index, loop) in loops.enumerated() {
            let meter: LoadMeter = meters[index]
            let part: LoadCounts = await withUnsafeContinuation { continuation in
                loop.execute { continuation.resume(returning: meter.take()) }
            }
            all.add(part)
        }
        return all
    }
}

/// How many connections are still at work.
final class LoadProgress: Sendable {
    private struct State {
        var workingCount: Int
        var backlog = 0
    }

    private let state: Mutex<State>

    init(connectionCount: Int) {
        self.state = Mutex(State(workingCount: connectionCount))
    }

    func connectionEnded(backlog: Int) {
        state.withLock { state in
            state.workingCount -= 1
            state.backlog += backlog
        }
    }

    var isDone: Bool { state.withLock { $0.workingCount <= 0 } }
    /// Requests that were due at the end and had not been sent.
    var backlog: Int { state.withLock { $0.backlog } }
}
