/// What was entered before, oldest first.
package struct LineHistory: Equatable, Sendable {
    /// How many entries are kept.
    package static let limit: Int = 1_000
    /// Longer entries are not worth keeping.
    private static let entryByteLimit: Int = 16 * 1_024

    package private(set) var entries: [String] = []

    package init() {}

    /// Reads a file of one entry a line.
    package init(contents: [UInt8]) {
        let lines = String(decoding: contents, as: UTF8.self).split(separator: "\n")
        self.entries = lines.suffix(LineHistory.limit).map { String($0) }
    }

    /// The file, one entry a line.
    package var contents: [UInt8] {
        Array((entries.joined(separator: "\n") + (entries.isEmpty ? "" : "\n")).utf8)
    }

    /// Adds an entry, its lines joined to one, unless it is empty or the same as the last.
    package mutating func add(_ text: String) {
        let entry: String = text.split(separator: "\n").joined(separator: " ")
        guard !entry.allSatisfy({ $0.isWhitespace }), entry != entries.last,
            entry.utf8.count <= LineHistory.entryByteLimit
        else { return }
        entries.append(entry)
        if entries.count > LineHistory.limit { entries.removeFirst(entries.count - LineHistory.limit) }
    }

    /// The index of the newest entry before `end` that contains `text`.
    func lastIndex(containing text: String, before end: Int) -> Int? {
        if text.isEmpty { return nil }
        return entries[..<min(end, entries.count)].lastIndex { $0.contains(text) }
    }
}
