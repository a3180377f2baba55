package import Administration
import Primitives

/// What a command line of the tool asks for.
package struct NodetoolArguments: Equatable, Sendable {
    package enum Format: String, CaseIterable, Sendable {
        case table, json, yaml
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
    package var user: String?
    package var password: String?
    package var passwordFile: String?
    /// Whether the admin port is asked with TLS.
    package var usesTLS = false
    /// A file with the certificates that the node's must stand on; nil for those that the machine trusts.
    package var trustFile: String?
    /// Whether the node may be anybody.
    package var trustsAnybody = false
    package var request = Request.help(nil)
    package var operands: [String] = []
    /// The switches of the command that were given, by their first name.
    package var flags: [String] = []
    /// The options of the command that were given with a value, by their first name.
    package var values: [HTTPRequest.Parameter] = []

    /// Options may stand in front of the command and behind it; `--` ends them.
    package init(_ arguments: [String]) throws(Fault) {
        var rest: ArraySlice<String> = arguments[...]
        var command: NodetoolCommand?
        var isHelp = false
        var endsOptions = false
        while let argument = rest.popFirst() {
            if !endsOptions, argument == "--" {
                endsOptions = true
            } else if !endsOptions, argument.hasPrefix("-"), argument != "-", !isOperand(argument, of: command) {
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
            if !usesTLS, trustFile != nil || trustsAnybody {
                throw Fault(words: "--cafile and --insecure-no-verify say how --ssl checks the node; give --ssl too.")
            }
            if trustFile != nil, trustsAnybody {
                throw Fault(words: "With --insecure-no-verify nothing is checked: --cafile has no use.")
            }
            try checkOperands(of: command)
        }
    }

    /// Negative numbers are operands where a command takes any: `setcompactionthroughput -1` is refused by the node.
    private func isOperand(_ argument: String, of command: NodetoolCommand?) -> Bool {
        guard let command, command.operandCounts.upperBound > 0 || !command.isPresent else { return false }
        if !command.isPresent {
            // Whatever was given to it: there is only one answer, in the form that was asked for.
            let name = String(argument.prefix { $0 != "=" })
            return !NodetoolArguments.optionsWithValue.contains(name)
                && !NodetoolArguments.switches.contains(name) && name != "--help"
        }
        return Double(argument) != nil && !command.options.contains { $0.names.contains(argument) }
    }

    private mutating func takeOption(
        _ argument: String, _ rest: inout ArraySlice<String>, of command: NodetoolCommand?
    ) throws(Fault) {
        let parts: [Substring] = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
        let isJoined: Bool = argument.hasPrefix("--") && parts.count == 2
        let name: String = isJoined ? String(parts[0]) : argument
        if let option = command?.options.first(where: { $0.names.contains(name) }), option.value != nil || !isJoined {
            if option.value == nil { return flags.append(option.names[0]) }
            guard let value = isJoined ? String(parts[1]) : rest.popFirst() else {
                throw Fault(words: "The option \(name) needs a value.")
            }
            return values.append(HTTPRequest.Parameter(option.names[0], value))
        }
        if NodetoolArguments.switches.contains(name), !isJoined {
            switch name {
            case "--ssl": usesTLS = true
            case "--insecure-no-verify": trustsAnybody = true
            default: printsPorts = true
            }
            return
        }
        guard NodetoolArguments.optionsWithValue.contains(name) else {
            throw Fault(words: "There is no option \(name)\(command.map { " of \($0.name)" } ?? "").")
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
                throw Fault(words: "The format is table, json or yaml, not \(value).")
            }
            format = known
        case "-u", "--username": user = value
        case "-pw", "--password": password = value
        case "--cafile": trustFile = value
        default: passwordFile = value
        }
    }

    private static let optionsWithValue: [String] = [
        "-h", "--host", "-p", "--port", "-F", "--format", "-u", "--username", "-pw", "--password", "-pwf",
        "--password-file", "--cafile",
    ]
    private static let switches: [String] = ["-pp", "--print-port", "--ssl", "--insecure-no-verify"]

    private static func command(_ name: String) throws(Fault) -> NodetoolCommand {
        if let command = NodetoolCommand.named(name) { return command }
        let names: [String] = NodetoolCommand.all.map(\.name)
        guard let nearest = EditDistance.nearest(to: name, among: names),
            EditDistance.between(name, nearest) <= max(2, name.utf8.count / 3)
        else { throw Fault(words: "There is no command \(name).") }
        throw Fault(words: "There is no command \(name). Did you mean \(nearest)?")
    }

    private func checkOperands(of command: NodetoolCommand) throws(Fault) {
        if command.operandCounts.contains(operands.count) { return }
        if command.operands.isEmpty { throw Fault(words: "\(command.name) takes no arguments.") }
        throw Fault(words: "\(command.name) takes the arguments \(command.operands).")
    }
}
