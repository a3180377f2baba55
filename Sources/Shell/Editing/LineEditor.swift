/// Edits one line: bytes of a terminal in, actions out.
///
/// A pure value that knows no terminal: `LineScreen` draws what it shows, and `LinePrompt` moves bytes. The keys are
/// those of Emacs and readline.
package struct LineEditor: Sendable {
    package enum Action: Equatable, Sendable {
        case accepted(String)
        /// Ctrl-C: the line is dropped.
        case interrupted
        /// Ctrl-D on an empty line.
        case ended
        /// Tab: somebody who knows the schema may insert something.
        case wantsCompletion
        case clearScreen
    }

    private struct Search: Equatable {
        var query = ""
        var index: Int?
    }

    package var history: LineHistory
    package private(set) var text: [Character] = []
    /// Before which character the cursor stands.
    package private(set) var cursor = 0
    private var decoder = KeyDecoder()
    /// Which entry of the history is shown; nil for the new line.
    private var historyIndex: Int?
    /// The new line, while an entry of the history is shown.
    private var stash: [Character] = []
    private var killed: [Character] = []
    private var isKilling = false
    private var search: Search?

    /// A line that is longer takes no more characters.
    private static let characterLimit: Int = 64 * 1_024

    package init(history: LineHistory = LineHistory()) {
        self.history = history
    }

    /// Starts an empty line.
    package mutating func begin() {
        text = []
        cursor = 0
        historyIndex = nil
        stash = []
        isKilling = false
        search = nil
    }

    /// What stands in the place of the prompt while the history is searched.
    package var searchPrompt: String? {
        guard let search else { return nil }
        let isFailed: Bool = search.index == nil && !search.query.isEmpty
        return "(\(isFailed ? "failed " : "")reverse-i-search)`\(search.query)': "
    }

    /// The text before the cursor.
    package var textBeforeCursor: String { String(text[..<cursor]) }

    /// Takes a byte from the terminal.
    package mutating func feed(_ byte: UInt8) -> Action? {
        guard let key = decoder.feed(byte) else { return nil }
        return press(key)
    }

    package mutating func press(_ key: Key) -> Action? {
        if search != nil, !pressInSearch(key) { return nil }
        let wasKilling: Bool = isKilling
        isKilling = false
        switch key {
        case .character(let character): insert([character])
        case .enter: return accept()
        case .tab: return .wantsCompletion
        case .interrupt: return .interrupted
        case .clearScreen: return .clearScreen
        case .endOfInput:
            if text.isEmpty { return .ended }
            removeForward()
        case .search: search = Search()
        case .up: showHistory(older: true)
        case .down: showHistory(older: false)
        case .left, .right, .home, .end, .wordLeft, .wordRight: move(key)
        case .killToEnd, .killToStart, .killWordBack, .killWordForward: kill(key, continuing: wasKilling)
        case .backspace:
            guard cursor > 0 else { break }
            cursor -= 1
            text.remove(at: cursor)
        case .delete: removeForward()
        case .yank: insert(killed)
        case .transpose: transpose()
        case .escape, .cancelSearch, .unknown: break
        }
        return nil
    }

    /// Replaces the `count` characters before the cursor, to complete a word.
    package mutating func replaceBeforeCursor(_ count: Int, with replacement: String) {
        let start: Int = max(0, cursor - count)
        text.removeSubrange(start..<cursor)
        cursor = start
        insert(Array(replacement))
    }

    // MARK: Editing

    private mutating func insert(_ characters: [Character]) {
        guard text.count + characters.count <= LineEditor.characterLimit else { return }
        for character in characters {
            // A mark that combines with the character before it becomes one with it.
            if cursor > 0, let joined = LineEditor.joined(text[cursor - 1], character) {
                text[cursor - 1] = joined
            } else {
                text.insert(character, at: cursor)
                cursor += 1
            }
        }
    }

    private static func joined(_ left: Character, _ right: Character) -> Character? {
        if left.isASCII && right.isASCII { return nil }
        let both: String = String(left) + String(right)
        return both.count == 1 ? both.first : nil
    }

    private mutating func removeForward() {
        if cursor < text.count { text.remove(at: cursor) }
    }

    private mutating func transpose() {
        guard text.count > 1, cursor > 0 else { return }
        let right: Int = cursor == text.count ? cursor - 1 : cursor
        text.swapAt(right - 1, right)
        cursor = right + 1
    }

    private mutating func accept() -> Action {
        let line = String(text)
        begin()
        return .accepted(line)
    }

    private mutating func move(_ key: Key) {
        switch key {
        case .left: cursor = max(0, cursor - 1)
        case .right: cursor = min(text.count, cursor + 1)
        case .home: cursor = 0
        case .end: cursor = text.count
        case .wordLeft: cursor = wordStart()
        default: cursor = wordEnd()
        }
    }

    private func isWord(_ character: Character) -> Bool {
        character.isLetter || character.isNumber || character == "_"
    }

    private func wordStart() -> Int {
        var index: Int = cursor
        while index > 0, !isWord(text[index - 1]) { index -= 1 }
        while index > 0, isWord(text[index - 1]) { index -= 1 }
        return index
    }

    private func wordEnd() -> Int {
        var index: Int = cursor
        while index < text.count, !isWord(text[index]) { index += 1 }
        while index < text.count, isWord(text[index]) { index += 1 }
        return index
    }

    /// Cuts a part of the line; parts that are cut one after the other are yanked together.
    private mutating func kill(_ key: Key, continuing: Bool) {
        let range: Range<Int>
        switch key {
        case .killToEnd: range = cursor..<text.count
        case .killToStart: range = 0..<cursor
        case .killWordBack:
            // Unlike Alt-Backspace elsewhere, both cut back to the blank before the word, as Ctrl-W does in shells.
            var start: Int = cursor
            while start > 0, text[start - 1].isWhitespace { start -= 1 }
            while start > 0, !text[start - 1].isWhitespace { start -= 1 }
            range = start..<cursor
        default: range = cursor..<wordEnd()
        }
        let cut: [Character] = Array(text[range])
        let isForward: Bool = range.lowerBound == cursor
        if continuing {
            killed = isForward ? killed + cut : cut + killed
        } else if !cut.isEmpty {
            killed = cut
        }
        text.removeSubrange(range)
        cursor = range.lowerBound
        isKilling = true
    }

    // MARK: History

    private mutating func showHistory(older: Bool) {
        let count: Int = history.entries.count
        let current: Int = historyIndex ?? count
        let wanted: Int = older ? current - 1 : current + 1
        guard wanted >= 0, wanted <= count, wanted != current else { return }
        if historyIndex == nil { stash = text }
        historyIndex = wanted == count ? nil : wanted
        text = wanted == count ? stash : Array(history.entries[wanted])
        cursor = text.count
    }

    /// Handles a key while the history is searched; true when the key is still to be handled as usual.
    private mutating func pressInSearch(_ key: Key) -> Bool {
        guard var current = search else { return true }
        switch key {
        case .character(let character): current.query.append(character)
        case .backspace: current.query = String(current.query.dropLast())
        case .search:
            let end: Int = current.index ?? history.entries.count
            if let older = history.lastIndex(containing: current.query, before: end) { current.index = older }
            show(current)
            return false
        case .escape, .cancelSearch:
            search = nil
            text = stash
            cursor = text.count
            return false
        case .interrupt:
            search = nil
            return true
        default:
            search = nil
            return true
        }
        current.index = history.lastIndex(containing: current.query, before: history.entries.count)
        show(current)
        return false
    }

    private mutating func show(_ current: Search) {
        search = current
        guard let index = current.index else { return }
        text = Array(history.entries[index])
        cursor = text.count
        historyIndex = index
    }
}
