import ArgumentParser
import Environment
import Logging
import Server
import SystemHost
import TLSHost

/// `martlet node`: runs one node until it is told to stop.
struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "node", abstract: "Run one node.")

    @Option(name: .customLong("config"), help: "The configuration file; conf/martlet.yaml documents every key.")
    var configurationFile: String?
    @Option(help: "The folder of everything that the node keeps.")
    var dataDir: String?
    @Option(help: "The address for clients and for other nodes.")
    var listen: String?
    @Option(help: "The port for clients; 0 chooses a free one.")
    var nativePort: Int?
    @Option(help: "The port for other nodes; 0 chooses a free one.")
    var internodePort: Int?
    @Option(parsing: .unconditional, help: "The port for nodetool; 0 chooses a free one, -1 opens none.")
    var adminPort: Int?
    @Option(help: "Where a new node looks for its cluster: host or host:port, with commas between.")
    var seeds: String?
    @Option(help: "The name of the cluster.")
    var clusterName: String?
    @Option(help: "The datacenter of the node.")
    var dc: String?
    @Option(help: "The rack of the node.")
    var rack: String?
    @Option(help: "Tokens that a new node takes on the ring.")
    var numTokens: Int?
    @Option(help: "Shards, each with a thread of its own; 0 for one a core.")
    var shards: Int?
    @Option(name: .customLong("set"), help: "Any key of the configuration, as key=value. May be repeated.")
    var settings: [String] = []

    func run() async throws {
        let configuration: NodeConfiguration
        let levels: LogLevels
        let write: @Sendable (String) -> Void
        do {
            configuration = try makeConfiguration()
            levels = try configuration.logLevels()
            write = try NodeLogFile.writer(configuration.text("log_file"))
        } catch let error as ConfigurationError {
            throw ValidationError(error.description)
        }
        ProcessResources.raiseOpenFileLimit()
        let wanted: Int = configuration.integer("shards")
        let system = OperatingSystem(
            loopCount: wanted > 0 ? wanted : ProcessResources.processorCount, securing: TLSSecuring())
        let stopping = StopSignal()
        ProcessSignals.onTermination { _ in stopping.raise() }
        let logs = NodeLog(levels: levels, time: system.host.time, write: write)
        let node: Node
        do {
            node = try await Node.start(configuration, on: system.host, logs: logs) {
                (ProcessResources.residentByteCount, ProcessResources.memoryByteCount)
            }
        } catch {
            logs.logger("node").critical("The node could not start", metadata: ["reason": "\(error)"])
            throw ExitCode(1)
        }
        await stopping.wait()
        await node.stop()
        await system.shutdown()
    }

    /// Flags win over the file, the file over the defaults.
    private func makeConfiguration() throws -> NodeConfiguration {
        var configuration = NodeConfiguration()
        if let configurationFile { try ConfigurationFile.read(configurationFile, into: &configuration) }
        let flags: [(String, String?)] = [
            ("data_file_directories", dataDir), ("listen_address", listen), ("rpc_address", listen),
            ("native_transport_port", nativePort.map { String($0) }), ("cluster_name", clusterName),
            ("storage_port", internodePort.map { String($0) }), ("admin_port", adminPort.map { String($0) }),
            ("seeds", seeds), ("data_center", dc), ("rack", rack),
            ("num_tokens", numTokens.map { String($0) }), ("shards", shards.map { String($0) }),
        ]
        for (name, value) in flags {
            if let value { try configuration.set(name, value) }
        }
        for setting in settings {
            let parts = setting.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else {
                throw ConfigurationError("--set wants key=value, not \"\(setting)\".")
            }
            try configuration.set(String(parts[0]), String(parts[1]))
        }
        return configuration
    }
}
