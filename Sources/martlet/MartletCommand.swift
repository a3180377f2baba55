import ArgumentParser

/// Where the program begins.
@main
enum Program {
    static func main() async {
        await MartletCommand.main(ClusterCommand.withFolderLast(Array(CommandLine.arguments.dropFirst())))
    }
}

/// The one executable: a node, and what people use with it.
struct MartletCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet",
        abstract: "A leaderless wide-column store that speaks the CQL native protocol.",
        subcommands: [
            NodeCommand.self, ClusterCommand.self, ShellCommand.self, NodetoolCommand.self, BenchCommand.self,
        ])
}
