import ArgumentParser

/// The one executable: a node, and what people use with it.
@main
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A leaderless wide-column store that speaks the CQL native protocol.",
        subcommands: [
            NodeCommand.self, ClusterCommand.self, ShellCommand.self, NodetoolCommand.self, BenchCommand.self,
        ])
}
