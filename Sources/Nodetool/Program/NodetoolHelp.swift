import Administration

/// What the tool says about itself.
enum NodetoolHelp {
    static let whole: String = {
        var lines: [String] = [
            "usage: nodetool [-h HOST] [-p PORT] [-pp] [-F table|json] COMMAND [ARGUMENT…]", "", "Commands:",
        ]
        for command in NodetoolCommand.allCases {
            lines.append("    " + TextTable.padded(command.rawValue, 18) + command.summary)
        }
        lines += ["", "Options:"]
        lines += options
        lines += ["", "See 'nodetool help COMMAND' for one command."]
        return lines.joined(separator: "\n") + "\n"
    }()

    static func text(of command: NodetoolCommand) -> String {
        var lines: [String] = ["usage: \(command.usage)", "", command.summary + "."]
        if !command.flags.isEmpty { lines.append("") }
        for flag in command.flags {
            lines.append("    " + TextTable.padded(flag.names.joined(separator: ", "), 26) + flag.meaning)
        }
        lines += ["", "Options of all commands:"]
        return (lines + options).joined(separator: "\n") + "\n"
    }

    private static let options: [String] = [
        "    -h, --host HOST           The node (default: 127.0.0.1).",
        "    -p, --port PORT           Its admin port (default: 7199).",
        "    -pp, --print-port         Show addresses with their ports.",
        "    -F, --format FORMAT       table (the default) or json.",
        "    -u, -pw, -pwf VALUE       Taken and not used: the admin port has no users.",
        "",
        "Exit status: 0 when it was done, 1 when the question was wrong, 2 when it could not be done.",
    ]
}
