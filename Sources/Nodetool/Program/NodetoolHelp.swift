import Administration

/// What the tool says about itself.
enum NodetoolHelp {
    static let whole: String = {
        var lines: [String] = [
            "usage: nodetool [-h HOST] [-p PORT] [-pp] [-F table|json|yaml] COMMAND [ARGUMENT…]", "", "Commands:",
        ]
        for command in NodetoolCommand.all {
            lines.append("    " + TextTable.padded(command.name, 30) + command.summary)
        }
        lines += ["", "Commands of Cassandra's that have nothing to do here, and say why:", ""]
        var line = "   "
        for command in NodetoolCommand.absent {
            if line.count + command.name.count > 100 {
                lines.append(line)
                line = "   "
            }
            line += " " + command.name
        }
        lines += [line, "", "Options:"]
        lines += options
        lines += ["", "See 'nodetool help COMMAND' for one command."]
        return lines.joined(separator: "\n") + "\n"
    }()

    static func text(of command: NodetoolCommand) -> String {
        guard command.isPresent else { return command.summary + "\n" }
        var lines: [String] = ["usage: \(command.usage)", "", command.summary + "."]
        if !command.aliases.isEmpty { lines.append("Also called \(command.aliases.joined(separator: ", ")).") }
        if !command.options.isEmpty { lines.append("") }
        for option in command.options {
            let names: String = option.names.joined(separator: ", ") + (option.value.map { " \($0)" } ?? "")
            lines.append("    " + TextTable.padded(names, 34) + " " + option.meaning)
        }
        lines += ["", "Options of all commands:"]
        return (lines + options).joined(separator: "\n") + "\n"
    }

    private static let options: [String] = [
        "    -h, --host HOST           The node (default: 127.0.0.1).",
        "    -p, --port PORT           Its admin port (default: 7199).",
        "    -pp, --print-port         Show addresses with their ports.",
        "    -F, --format FORMAT       table (the default), json or yaml.",
        "    -u, --username NAME       The name, when the admin port asks for one.",
        "    -pw, --password WORD      The password; -pwf, --password-file FILE takes it from a file with names and",
        "                              passwords, one pair a line.",
        "    --ssl                     Speak TLS with the admin port, whose certificate must be good and made for HOST.",
        "    --cafile FILE             With --ssl: trust the certificates in FILE, in PEM, and not those of the machine.",
        "    --insecure-no-verify      With --ssl: insecure; talk to whoever answers, who learns the password.",
        "",
        "Exit status: 0 when it was done, 1 when the question was wrong, 2 when it could not be done.",
    ]
}
