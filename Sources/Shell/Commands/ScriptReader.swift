import CQL

/// Cuts lines into statements and commands.
///
/// A statement ends at its semicolon, however many lines it takes; a command of the shell ends with its line, or at a
/// semicolon before. A pure value: prompts, files and pipes are read by others.
package struct ScriptReader {
    /// A statement or a command without its semicolon.
    package struct Entry: Equatable, Sendable {
        package let text: String
        /// The line on which it starts, from 1.
        package let line: Int
    }

    private var splitter = StatementSplitter()
    private var byteCount = 0
    private var lineCount = 0
    /// Where the lines of the statement that is not complete start, as offsets into all text.
    private var lineStarts: [(offset: Int, line: Int)] = []

    package init() {}

    /// Whether a statement has begun and not ended.
    package var isInsideStatement: Bool { splitter.remainder != .nothing }

    /// Takes a line, without its end, and returns what is complete with it.
    package mutating func append(line: String) -> [Entry] {
        if !isInsideStatement { lineStarts.removeAll() }
        lineCount += 1
        let lineOffset: Int = byteCount
        lineStarts.append((offset: lineOffset, line: lineCount))
        splitter.append(line + "\n")
        byteCount += line.utf8.count + 1
        var entries: [Entry] = []
        var end: Int = lineOffset
        var isFresh: Bool = lineStarts.count == 1
        while let piece = splitter.next() {
            entries.append(entry(piece))
            end = piece.range.upperBound
            isFresh = true
        }
        // What is left of the line may be a command, which needs no semicolon.
        if isFresh, splitter.remainder == .statement, startsCommand(line, from: end - lineOffset),
            let piece = splitter.takeRemainder()
        {
            entries.append(entry(piece))
        }
        return entries
    }

    /// Takes what has no semicolon at the end of the input; nil when there is nothing.
    package mutating func takeRemainder() -> Entry? {
        guard isInsideStatement, let piece = splitter.takeRemainder(), !piece.text.isEmpty else { return nil }
        return entry(piece)
    }

    private func entry(_ piece: StatementSplitter.Piece) -> Entry {
        let start: Int = piece.range.lowerBound
        let line: Int? = lineStarts.last { $0.offset <= start }?.line
        var text = Substring(piece.text)
        while let last = text.utf8.last, last <= 0x20 { text.unicodeScalars.removeLast() }
        return Entry(text: String(text), line: line ?? lineCount)
    }

    private func startsCommand(_ line: String, from offset: Int) -> Bool {
        var rest: Substring.UTF8View.SubSequence = Substring(line).utf8.dropFirst(max(0, offset))
        while let first = rest.first, first <= 0x20 || first == UInt8(ascii: ";") { rest = rest.dropFirst() }
        let word = rest.prefix { $0 > 0x20 && $0 != UInt8(ascii: "'") }
        return ClientCommand.words.contains(String(decoding: word, as: UTF8.self).lowercased())
    }
}
