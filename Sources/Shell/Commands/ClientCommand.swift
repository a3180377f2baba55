package import DataModel

/// A command that the shell carries out itself, as opposed to a statement that a server does.
package enum ClientCommand: Equatable, Sendable {
    /// What an on-off setting is told to become.
    package enum Switch: Equatable, Sendable {
        case show, on, off
        case value(Int)
    }

    case consistency(Consistency?)
    case serialConsistency(Consistency?)
    case tracing(Switch)
    case paging(Switch)
    case expand(Switch)
    case elapsed(Switch)
    case unicode
    case showReplicas(token: Int64, keyspace: String?)
    /// Sent to the server; `subject` is the word behind DESCRIBE, in lower case.
    case describe(statement: String, subject: String)
    case showVersion
    case showHost
    case showSession(String)
    /// The levels at which statements are carried out.
    case showConsistency
    case source(path: String)
    case capture(path: String)
    case captureOff
    case captureStatus
    case help(topics: [String])
    case clear
    case exit
    case login(user: String, password: String?)
    case history(limit: Int?)
    /// A command that is known but not written as it should be.
    case improper(command: String)

    /// The words that start a command. A command ends with its line, with or without a semicolon.
    package static let words: Set<String> = [
        "?", "capture", "clear", "cls", "consistency", "desc", "describe", "elapsed", "exit", "expand", "help",
        "history", "login",
        "paging", "quit", "serial", "show", "source", "tracing", "unicode",
    ]

    /// Reads a command; nil when the text is a statement.
    package static func parse(_ text: String) -> ClientCommand? {
        let words: [String] = CommandWords.split(text)
        guard let first = words.first?.lowercased() else { return nil }
        let rest: [String] = Array(words.dropFirst())
        switch first {
        case "consistency": return level(rest, "CONSISTENCY") { .consistency($0) }
        case "serial":
            guard rest.first?.lowercased() == "consistency" else { return .improper(command: "SERIAL") }
            let chosen: ClientCommand = level(Array(rest.dropFirst()), "SERIAL CONSISTENCY") { .serialConsistency($0) }
            if case .serialConsistency(let level?) = chosen, !level.isSerial {
                return .improper(command: "SERIAL CONSISTENCY")
            }
            return chosen
        case "tracing": return switched(rest, "TRACING", takesNumber: false) { .tracing($0) }
        case "paging": return switched(rest, "PAGING", takesNumber: true) { .paging($0) }
        case "expand": return switched(rest, "EXPAND", takesNumber: false) { .expand($0) }
        case "elapsed": return switched(rest, "ELAPSED", takesNumber: false) { .elapsed($0) }
        case "unicode": return rest.isEmpty ? .unicode : .improper(command: "UNICODE")
        case "describe", "desc": return .describe(statement: text, subject: rest.first?.lowercased() ?? "")
        case "show": return show(rest)
        case "source":
            return rest.count == 1 ? .source(path: CommandWords.unquoted(rest[0])) : .improper(command: "SOURCE")
        case "capture": return capture(rest)
        case "help", "?": return .help(topics: rest)
        case "clear", "cls": return rest.isEmpty ? .clear : .improper(command: "CLEAR")
        case "exit", "quit": return rest.isEmpty ? .exit : .improper(command: "EXIT")
        case "login":
            guard let user = rest.first, rest.count <= 2 else { return .improper(command: "LOGIN") }
            let password: String? = rest.count > 1 ? CommandWords.unquoted(rest[1]) : nil
            return .login(user: CommandWords.unquoted(user), password: password)
        case "history":
            if rest.isEmpty { return .history(limit: nil) }
            guard rest.count == 1, let limit = Int(rest[0]), limit > 0 else { return .improper(command: "HISTORY") }
            return .history(limit: limit)
        default: return nil
        }
    }

    private static func level(
        _ words: [String], _ command: String, make: (Consistency?) -> ClientCommand
    ) -> ClientCommand {
        guard let word = words.first else { return make(nil) }
        guard words.count == 1, let level = Consistency(named: word) else { return .improper(command: command) }
        return make(level)
    }

    private static func switched(
        _ words: [String], _ command: String, takesNumber: Bool, make: (Switch) -> ClientCommand
    ) -> ClientCommand {
        guard let word = words.first else { return make(.show) }
        guard words.count == 1 else { return .improper(command: command) }
        switch word.lowercased() {
        case "on": return make(.on)
        case "off": return make(.off)
        default:
            guard takesNumber, let number = Int(word), number > 0, number <= Int(Int32.max) else {
                return .improper(command: command)
            }
            return make(.value(number))
        }
    }

    private static func show(_ words: [String]) -> ClientCommand {
        switch words.first?.lowercased() {
        case "version" where words.count == 1: .showVersion
        case "host" where words.count == 1: .showHost
        case "consistency" where words.count == 1: .showConsistency
        case "session" where words.count == 2: .showSession(words[1])
        case "replicas" where words.count == 2 || words.count == 3:
            Int64(words[1]).map {
                .showReplicas(token: $0, keyspace: words.count == 3 ? CommandWords.unquoted(words[2]) : nil)
            } ?? .improper(command: "SHOW")
        default: .improper(command: "SHOW")
        }
    }

    private static func capture(_ words: [String]) -> ClientCommand {
        guard let word = words.first else { return .captureStatus }
        guard words.count == 1 else { return .improper(command: "CAPTURE") }
        return word.lowercased() == "off" ? .captureOff : .capture(path: CommandWords.unquoted(word))
    }
}

/// The words of a command: separated by blanks, except between quotes.
enum CommandWords {
    static func split(_ text: String) -> [String] {
        var words: [String] = []
        var word = ""
        var quote: Character?
        for character in text {
            if let open = quote {
                word.append(character)
                if character == open { quote = nil }
            } else if character.isWhitespace {
                if !word.isEmpty { words.append(word) }
                word = ""
            } else {
                if character == "'" || character == "\"" { quote = character }
                word.append(character)
            }
        }
        if !word.isEmpty { words.append(word) }
        return words
    }

    /// The text inside of single or double quotes, doubled ones made single; other words as they are.
    static func unquoted(_ word: String) -> String {
        guard let quote = word.first, quote == "'" || quote == "\"", word.count > 1, word.last == quote else {
            return word
        }
        var text = ""
        var isSecond = false
        for character in word.dropFirst().dropLast() {
            isSecond = character == quote && !isSecond
            if !isSecond { text.append(character) }
        }
        return text
    }
}
