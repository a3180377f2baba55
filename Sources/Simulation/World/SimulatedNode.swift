package import Environment
package import Primitives
package import Server
package import SimulatedHost
import Storage

/// A whole node on a machine of a simulated world: started, stopped, killed, struck by a power cut, started again.
///
/// What the machine's disk holds stays from one start to the next, as on a real machine. Everything here is called while
/// the world is run; a start that a crash interrupts never returns.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class SimulatedNode: @unchecked Sendable {
    package let machine: SimulatedMachine
    /// What the next start is told.
    package var configuration: NodeConfiguration
    /// Whether clients can connect.
    package private(set) var isUp = false
    /// Whether a process runs that is not up yet, or that is being stopped.
    package private(set) var isChanging = false
    /// What the node has written into its log, in all its lives.
    package private(set) var logLines: [String] = []
    private var node: Node?
    /// Counts processes, so that what comes late from a former one is told apart.
    private var lifeNumber = 0

    private let unreliability: Unreliability

    /// The port that clients connect to.
    package static let nativePort: UInt16 = 9042

    package init(
        in world: SimulatedWorld, name: String, shardCount: Int, unreliability: Unreliability,
        settings: [String: String] = [:]
    ) throws {
        self.unreliability = unreliability
        self.machine = world.makeHost(name: name, loopCount: shardCount)
        self.configuration = NodeConfiguration()
        let host: String = machine.address(port: 0).hostText
        let own: [String: String] = [
            "data_file_directories": "/data", "rpc_address": host, "listen_address": host,
            "native_transport_port": String(SimulatedNode.nativePort),
        ]
        for (key, value) in own { try configuration.set(key, value) }
        for (key, value) in settings { try configuration.set(key, value) }
    }

    /// Where clients connect.
    package var address: SocketAddress { machine.address(port: SimulatedNode.nativePort) }

    /// Has the node that runs trace so many requests of its own accord, from 0 to 1.
    package func traceRequests(withProbability probability: Double) { node?.traceProbability = probability }

    /// Starts the node; returns when clients can connect.
    package func start() async throws {
        let configuration: NodeConfiguration = self.configuration
        let plain: Host = machine.host
        let network = UnreliableNetwork(
            plain.network, internodePort: UInt16(clamping: configuration.integer("storage_port")), unreliability)
        let host = Host(
            time: plain.time, entropy: plain.entropy, disk: plain.disk, network: network,
            background: plain.background, loops: plain.loops)
        let life: Int = beginLife()
        let logs = NodeLog(levels: try configuration.logLevels(), time: host.time) { [weak self] line in
            self?.logLines.append(line)
        }
        let outcome = Outcome()
        let running = host.background.run("start the node", on: host.loops[0]) {
            do {
                outcome.result = .success(try await Node.start(configuration, on: host, logs: logs))
            } catch { outcome.result = .failure(error) }
        }
        await running.wait()
        guard life == lifeNumber else { return }
        isChanging = false
        node = try outcome.result?.get()
        isUp = node != nil
    }

    /// Stops the node as an operator does: what is in memory is written.
    package func stop() async {
        let stopping: Node? = node
        let life: Int = beginLife()
        let host: Host = machine.host
        let running = host.background.run("stop the node", on: host.loops[0]) { await stopping?.stop() }
        await running.wait()
        if life == lifeNumber { kill() }
    }

    /// Ends the process as SIGKILL does.
    package func kill() {
        end { machine.kill() }
    }

    /// Takes the power of the machine away: what was not durable is kept, lost or torn.
    package func crash() {
        end { machine.crash() }
    }

    /// Starts the next process on the same disk; one that runs is killed first.
    package func restart() async throws {
        end { machine.restart() }
        try await start()
    }

    /// Writes what the node has in memory to files, and merges the files of tables, without waiting for the end of it.
    package func tidy(merging tables: [UUID]) {
        guard let engine = node?.engine else { return }
        let host: Host = machine.host
        host.background.run("tidy the node", on: host.loops[0]) {
            do {
                try await engine.flush()
                for table in tables { try await engine.compact(table: table) }
            } catch {
                // The disk fails, or the node ends: it goes on as it is, as after an operator's command that failed.
            }
        }
    }

    /// Has the node's process do something with the ring, and waits for it, however long that takes.
    ///
    /// - Throws: what `body` throws, and `CancellationError` when the process ends before it does.
    package func carryOut<Value: Sendable>(
        _ body: @escaping @Sendable (Node) async throws -> Value
    ) async throws -> Value {
        guard let running = node else { throw CancellationError() }
        let result = Work<Value>()
        let host: Host = machine.host
        let life: Int = lifeNumber
        let work = host.background.run("operate the node", on: host.loops[0]) {
            do {
                result.result = .success(try await body(running))
            } catch { result.result = .failure(error) }
        }
        await work.wait()
        guard life == lifeNumber, let found = result.result else { throw CancellationError() }
        return try found.get()
    }

    /// What the node knows of itself and of the ring; nil when it does not run.
    package var running: Node? { node }

    /// Where work puts its result.
    ///
    /// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
    private final class Work<Value: Sendable>: @unchecked Sendable {
        var result: Result<Value, any Error>?
    }

    private func beginLife() -> Int {
        lifeNumber += 1
        isUp = false
        isChanging = true
        node = nil
        return lifeNumber
    }

    private func end(_ body: () -> Void) {
        lifeNumber += 1
        isUp = false
        isChanging = false
        // The lanes of the process die first, so that nothing of it runs while its objects go.
        body()
        node = nil
    }

    /// Where the start puts its result.
    ///
    /// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
    private final class Outcome: @unchecked Sendable {
        var result: Result<Node, any Error>?
    }
}
