package import Environment
package import Server
package import SimulatedHost

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
    /// What the node has written into its log, in all its lives.
    package private(set) var logLines: [String] = []
    private var node: Node?

    /// The port that clients connect to.
    package static let nativePort: UInt16 = 9042

    package init(
        in world: SimulatedWorld, name: String, shardCount: Int, settings: [String: String] = [:]
    ) throws {
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

    /// Starts the node; returns when clients can connect.
    package func start() async throws {
        let host: Host = machine.host
        let configuration: NodeConfiguration = self.configuration
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
        node = try outcome.result?.get()
        isUp = node != nil
    }

    /// Stops the node as an operator does: what is in memory is written.
    package func stop() async {
        let stopping: Node? = node
        isUp = false
        node = nil
        let host: Host = machine.host
        let running = host.background.run("stop the node", on: host.loops[0]) { await stopping?.stop() }
        await running.wait()
        machine.kill()
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

    private func end(_ body: () -> Void) {
        isUp = false
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
