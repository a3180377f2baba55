import ArgumentParser
import Nodetool
import SystemHost
import TLSHost

/// `martlet nodetool`: the operator's tool.
struct NodetoolCommand: AsyncParsableCommand {
    // The tool has its own words for help, and -h is the host, as in Cassandra's.
    static let configuration = CommandConfiguration(
        commandName: "nodetool", abstract: "Ask a node how it and its cluster are, over the admin port.",
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "As in Cassandra's nodetool; 'help' shows them.")
    var arguments: [String] = []

    func run() async throws {
        let system = OperatingSystem(loopCount: 1, diskThreadCount: 1, securing: TLSSecuring())
        let program = NodetoolProgram(host: system.host) { text in
            Terminal.write(text, to: .output)
        } writeError: { text in
            Terminal.write(text, to: .error)
        }
        ProcessResources.exit(await program.run(arguments))
    }
}
