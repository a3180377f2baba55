/// COPY: a table into a file of comma-separated values, or such a file into a table.
package struct CopyCommand: Equatable, Sendable {
    package enum Direction: Equatable, Sendable {
        case from, to
    }

    package var keyspace: String?
    package var table: String
    /// The columns in the order of the file; empty for all, in the order of the table.
    package var columns: [String]
    package var direction: Direction
    /// Nil for standard input or output.
    package var path: String?
    package var options: CopyOptions

    /// Why a COPY cannot be carried out as it is written.
    package struct Fault: Error, Equatable {
        package let message: String
    }

    /// Reads a COPY; nil when the text is something else.
    package static func parse(_ text: String) -> Result<CopyCommand, Fault>? {
        let words: [CopyWord] = CopyWord.split(text)
        guard case .name(let first)? = words.first, first.lowercased() == "copy" else { return nil }
        var parser = CopyParser(words: words)
        return Result { () throws(Fault) in try parser.command() }
    }
}

/// A piece of a COPY.
private enum CopyWord: Equatable {
    case name(String)
    case quotedName(String)
    case string(String)
    case symbol(Character)

    static func split(_ text: String) -> [CopyWord] {
        var words: [CopyWord] = []
        var rest = Substring(text)
        while let first = rest.first {
            if first.isWhitespace {
                rest = rest.dropFirst()
            } else if first == "'" || first == "\"" {
                let inner: String = takeQuoted(&rest, first)
                words.append(first == "'" ? .string(inner) : .quotedName(inner))
            } else if first.isLetter || first.isNumber || first == "_" || first == "-" {
                let word: Substring = rest.prefix { $0.isLetter || $0.isNumber || "_-".contains($0) }
                words.append(.name(String(word)))
                rest = rest.dropFirst(word.count)
            } else {
                words.append(.symbol(first))
                rest = rest.dropFirst()
            }
        }
        return words
    }

    private static func takeQuoted(_ rest: inout Substring, _ quote: Character) -> String {
        var inner = ""
        rest = rest.dropFirst()
        while let character = rest.first {
            rest = rest.dropFirst()
            if character == quote {
                guard rest.first == quote else { break }
                rest = rest.dropFirst()
            }
            inner.append(character)
        }
        return inner
    }
}

private struct CopyParser {
    let words: [CopyWord]
    var index = 1

    init(words: [CopyWord]) {
        self.words = words
    }

    mutating func command() throws(CopyCommand.Fault) -> CopyCommand {
        var table: String = try name()
        var keyspace: String?
        if accept(.symbol(".")) {
            keyspace = table
            table = try name()
        }
        var columns: [String] = []
        if accept(.symbol("(")) {
            repeat { columns.append(try name()) } while accept(.symbol(","))
            guard accept(.symbol(")")) else { throw fault() }
        }
        let direction: CopyCommand.Direction
        if acceptWord("to") {
            direction = .to
        } else if acceptWord("from") {
            direction = .from
        } else {
            throw fault()
        }
        var path: String?
        if index < words.count, case .string(let text) = words[index] {
            path = text
            index += 1
        } else if !acceptWord(direction == .to ? "stdout" : "stdin") {
            throw fault()
        }
        var options = CopyOptions()
        if acceptWord("with") {
            repeat { try option(&options, direction) } while acceptWord("and")
        }
        _ = accept(.symbol(";"))
        guard index == words.count else { throw fault() }
        return CopyCommand(
            keyspace: keyspace, table: table, columns: columns, direction: direction, path: path, options: options)
    }

    private mutating func option(
        _ options: inout CopyOptions, _ direction: CopyCommand.Direction
    ) throws(CopyCommand.Fault) {
        guard index < words.count, case .name(let name) = words[index] else { throw fault() }
        index += 1
        guard accept(.symbol("=")), index < words.count else { throw fault() }
        let value: String
        switch words[index] {
        case .name(var text):
            // A number with a point is three words.
            if index + 2 < words.count, words[index + 1] == .symbol("."), case .name(let more) = words[index + 2] {
                text += "." + more
                index += 2
            }
            value = text
        case .string(let text): value = text
        default: throw fault()
        }
        index += 1
        try options.set(name.lowercased(), value, direction)
    }

    private func fault() -> CopyCommand.Fault {
        CopyCommand.Fault(message: "Improper COPY command.")
    }

    private mutating func name() throws(CopyCommand.Fault) -> String {
        guard index < words.count else { throw fault() }
        defer { index += 1 }
        switch words[index] {
        case .name(let name): return name.lowercased()
        case .quotedName(let name): return name
        default: throw fault()
        }
    }

    private mutating func accept(_ word: CopyWord) -> Bool {
        guard index < words.count, words[index] == word else { return false }
        index += 1
        return true
    }

    private mutating func acceptWord(_ wanted: String) -> Bool {
        guard index < words.count, case .name(let name) = words[index], name.lowercased() == wanted else {
            return false
        }
        index += 1
        return true
    }
}
