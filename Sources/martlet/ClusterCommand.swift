import ArgumentParser
import DevelopmentCluster
import SystemHost

/// `martlet cluster`: a whole cluster on this machine, for development.
struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "Run a cluster on this machine, one process a node.",
        discussion: """
            Nodes listen at 127.0.0.1, 127.0.0.2 and so on, all at the same ports. Each has one shard, unless \
            --set shards=N says otherwise. The folder keeps which nodes there are, and for each its data, its log and \
            the number of its process. The exit status is 0 when everything was done, 1 otherwise.
            """,
        subcommands: [
            ClusterUp.self, ClusterStatusCommand.self, ClusterKill.self, ClusterStop.self, ClusterStart.self,
            ClusterAdd.self, ClusterRemove.self, ClusterDown.self, ClusterDestroy.self,
        ])
}

extension ClusterCommand {
    /// Lets the folder stand before the subcommand too: `martlet cluster --dir D up`.
    static func withFolderLast(_ arguments: [String]) -> [String] {
        guard arguments.first == configuration.commandName, arguments.count > 1 else { return arguments }
        let isOneWord: Bool = arguments[1].hasPrefix("--dir=")
        guard isOneWord || arguments[1] == "--dir" && arguments.count > 2 else { return arguments }
        let count: Int = isOneWord ? 1 : 2
        return [arguments[0]] + arguments.dropFirst(1 + count) + arguments[1...count]
    }
}

/// What all commands of `martlet cluster` take.
struct ClusterFolder: ParsableArguments {
    @Option(help: "The folder of the cluster.")
    var dir: String = ".martlet"

    /// Does something with the cluster; when that fails, says why and ends the process.
    func run(_ work: (LocalCluster) async throws -> Void) async throws {
        guard let start = dir.hasPrefix("/") ? "" : LocalProcess.workingDirectory, let program = LocalProcess.ownProgram
        else { throw ValidationError("The working folder is gone.") }
        let folder: String = dir.hasPrefix("/") ? dir : "\(start)/\(dir)"
        ProcessResources.raiseOpenFileLimit()
        let system = OperatingSystem(loopCount: 1, diskThreadCount: 1)
        let cluster = LocalCluster(
            folder: ClusterFolder.tidied(folder), host: system.host, processes: SystemProcesses(program: program)
        ) { line in
            Terminal.write(line + "\n", to: .error)
        }
        do {
            try await work(cluster)
        } catch let failure as ClusterFailure {
            let words: String = failure.description
            Terminal.write("martlet cluster: \(words)\(words.hasSuffix("\n") ? "" : "\n")", to: .error)
            await system.shutdown()
            throw ExitCode(1)
        }
        await system.shutdown()
    }

    /// Without blank and idle parts, so that a folder has one name however it is written.
    private static func tidied(_ path: String) -> String {
        "/" + path.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
    }
}

private struct SystemProcesses: NodeProcesses {
    let program: String

    func start(_ arguments: [String], log: String) throws(ClusterFailure) -> Int32 {
        do {
            return try LocalProcess.start(program, arguments, log: log)
        } catch { throw ClusterFailure("A node cannot be started: \(error).") }
    }

    func commandLine(of process: Int32) -> [String]? { LocalProcess.commandLine(of: process) }
    func terminate(_ process: Int32) { LocalProcess.send(.terminate, to: process) }
    func kill(_ process: Int32) { LocalProcess.send(.kill, to: process) }
}

struct ClusterUp: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Start all nodes, of the cluster in the folder or of a new one.")

    @OptionGroup var folder: ClusterFolder
    @Option(help: "Nodes of a new cluster (default: 3).")
    var nodes: Int?
    @Option(help: "Datacenters of a new cluster and their nodes, such as dc1:3,dc2:3 (default: all in dc1).")
    var dc: String?
    @Option(help: "The name of a new cluster.")
    var clusterName: String = "martlet"
    @Option(help: "The port for clients.")
    var nativePort: UInt16 = 9_042
    @Option(help: "The port for other nodes.")
    var internodePort: UInt16 = 7_000
    @Option(help: "The port for nodetool.")
    var adminPort: UInt16 = 7_199
    @Option(name: .customLong("set"), help: "Any key of the nodes' configuration, as key=value. May be repeated.")
    var settings: [String] = []

    func run() async throws {
        try await folder.run { cluster in
            var sizes: [DatacenterSize] = [DatacenterSize(name: "dc1", count: nodes ?? 3)]
            if let dc { sizes = try DatacenterSize.parse(dc) }
            if let nodes, nodes != sizes.reduce(0, { $0 + $1.count }) || nodes < 1 {
                throw ClusterFailure(
                    "--nodes \(nodes) is not the number of nodes\(dc.map { " of \($0)" } ?? " of a cluster").")
            }
            var ports = ClusterPorts()
            ports.native = nativePort
            ports.internode = internodePort
            ports.admin = adminPort
            let plan = try ClusterPlan(name: clusterName, datacenters: sizes, ports: ports, settings: settings)
            try await cluster.up(plan, mustMatch: nodes != nil || dc != nil)
        }
    }
}

struct ClusterStatusCommand: AsyncParsableCommand {
    enum Format: String, ExpressibleByArgument, CaseIterable {
        case table, json
    }

    static let configuration = CommandConfiguration(commandName: "status", abstract: "Show the nodes and their state.")

    @OptionGroup var folder: ClusterFolder
    @Option(name: [.customShort("F"), .long], help: "The form: table or json.")
    var format: Format = .table

    func run() async throws {
        try await folder.run { cluster in
            let status: ClusterStatus = try await cluster.status()
            Terminal.write(format == .json ? status.jsonText : status.text)
        }
    }
}

/// The nodes that a command is about.
struct ClusterNodes: ParsableArguments {
    @Argument(help: "The numbers of the nodes.")
    var numbers: [Int]
}

struct ClusterKill: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "kill", abstract: "End nodes at once (SIGKILL).")

    @OptionGroup var folder: ClusterFolder
    @OptionGroup var nodes: ClusterNodes

    func run() async throws {
        try await folder.run { try await $0.kill(nodes.numbers) }
    }
}

struct ClusterStop: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "stop", abstract: "Stop nodes in an orderly way.")

    @OptionGroup var folder: ClusterFolder
    @OptionGroup var nodes: ClusterNodes

    func run() async throws {
        try await folder.run { try await $0.stop(nodes.numbers) }
    }
}

struct ClusterStart: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "start", abstract: "Start nodes that do not run.")

    @OptionGroup var folder: ClusterFolder
    @OptionGroup var nodes: ClusterNodes
    @Flag(help: "Their data are gone: they take their own places again as new nodes.")
    var replace = false

    func run() async throws {
        try await folder.run { try await $0.start(nodes.numbers, replaces: replace) }
    }
}

struct ClusterAdd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "add", abstract: "Add a node and start it.")

    @OptionGroup var folder: ClusterFolder
    @Option(help: "Its datacenter (default: the one with the fewest nodes).")
    var dc: String?

    func run() async throws {
        try await folder.run { try await $0.add(to: dc) }
    }
}

struct ClusterRemove: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Have nodes hand over what they have, and remove them.")

    @OptionGroup var folder: ClusterFolder
    @OptionGroup var nodes: ClusterNodes

    func run() async throws {
        try await folder.run { try await $0.remove(nodes.numbers) }
    }
}

struct ClusterDown: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "down", abstract: "Stop all nodes; their data stays.")

    @OptionGroup var folder: ClusterFolder

    func run() async throws {
        try await folder.run { try await $0.down() }
    }
}

struct ClusterDestroy: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy", abstract: "End all nodes and remove their data.")

    @OptionGroup var folder: ClusterFolder

    func run() async throws {
        try await folder.run { try await $0.destroy() }
    }
}
