import Primitives

/// What a command line of the tool asks for.
package struct NodetoolArguments: Equatable, Sendable {
    package enum Format: String, CaseIterable, Sendable {
        case table, json
    }

    package enum Request: Equatable, Sendable {
        case run(NodetoolCommand)
        /// Everything, or one command.
        case help(NodetoolCommand?)
    }

    /// Why a command line asks for nothing that there is.
    package struct Fault: Error, Equatable, Sendable {
        package let words: String
    }

    package var host = "127.0.0.1"
    package var port: UInt16 = 7_199
    package var format = Format.table
    /// Whether addresses are shown with their port.
    package var printsPorts = false
    package var request = Request.help(nil)
    package var operands: [String] = []
    /// The flags of the command that were given, by their first name.
    package var flags: [String] = []

    /// Options may stand in front of the command and behind it; `--` ends them.
    package init(_ arguments: [String]) throws(Fault) {
        var rest: ArraySlice<String> = arguments[...]
        var command: NodetoolCommand?
        var isHelp = false
        var endsOptions = false
        while let argument = rest.popFirst() {
            if !endsOptions, argument == "--" {
                endsOptions = true
            } else if !endsOptions, argument.hasPrefix("-"), argument != "-" {
                if argument == "--help" {
                    isHelp = true
                } else {
                    try takeOption(argument, &rest, of: command)
                }
            } else if command == nil, !isHelp, argument == "help" {
                isHelp = true
            } else if command == nil {
                command = try NodetoolArguments.command(argument)
            } else {
                operands.append(argument)
            }
        }
        if isHelp || command == nil {
            request = .help(command)
        } else if let command {
            request = .run(command)
            try checkOperands(of: command)
        }
    }

    private mutating func takeOption(
        _ argument: String, _ rest: inout ArraySlice<String>, of command: NodetoolCommand?
    ) throws(Fault) {
        let parts: [Substring] = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let isJoined: Bool = argument.hasPrefix("--") && parts.count == 2
        let name: String = isJoined ? String(parts[0]) : argument
        if let flag = command?.flags.first(where: { $0.names.contains(name) }), !isJoined {
            return flags.append(flag.names[0])
        }
        if name == "-pp" || name == "--print-port", !isJoined {
            printsPorts = true
            return
        }
        guard NodetoolArguments.optionsWithValue.contains(name) else {
            throw Fault(words: "There is no option \(name)\(command.map { " of \($0.rawValue)" } ?? "").")
        }
        guard let value = isJoined ? String(parts[1]) : rest.popFirst() else {
            throw Fault(words: "The option \(name) needs a value.")
        }
        switch name {
        case "-h", "--host": host = value
        case "-p", "--port":
            guard let number = UInt16(value), number > 0 else { throw Fault(words: "\(value) is not a port.") }
            port = number
        case "-F", "--format":
            guard let known = Format(rawValue: value) else {
                throw Fault(words: "The format is table or json, not \(value).")
            }
            format = known
        default: break  // a user and a password, which an admin port without users has no use for
        }
    }

    private static let optionsWithValue: [String] = [
        "-h", "--host", "-p", "--port", "-F", "--format", "-u", "--username", "-pw", "--password", "-pwf",
        "--password-file",
    ]

    private static func command(_ name: String) throws(Fault) -> NodetoolCommand {
        if let command = NodetoolCommand(rawValue: name) { return command }
        let names: [String] = NodetoolCommand.allCases.map(\.rawValue)
        guard let nearest = EditDistance.nearest(to: name, among: names),
            EditDistance.between(name, nearest) <= max(2, name.utf8.count / 3)
        else { throw Fault(words: "There is no command \(name).") }
        throw Fault(words: "There is no command \(name). Did you mean \(nearest)?")
    }

    private func checkOperands(of command: NodetoolCommand) throws(Fault) {
        if command.operandCounts.contains(operands.count) { return }
        if command.operands.isEmpty { throw Fault(words: "\(command.rawValue) takes no arguments.") }
        throw Fault(words: "\(command.rawValue) takes the arguments \(command.operands).")
    }
}
