import Environment
import Synchronization

/// Reads statements from a person, one line after the other, until they leave.
struct InteractiveLoop {
    private enum LineEvent {
        case line(String)
        case interrupted
        case ended
    }

    private let session: ShellSession
    private let terminal: any ShellTerminal
    private let files: any ShellFiles
    private let host: Host
    private let running = RunningStatement()
    private var editor = LineEditor()
    private var screen = LineScreen()
    private var reader = ScriptReader()
    /// Bytes of the terminal that belong to later lines.
    private var typed: [UInt8] = []
    private var typedOffset = 0
    /// The lines of the statement that is being typed.
    private var pendingLines: [String] = []
    private var historyPath: String?

    private static let continuation: String = "   ... "

    init(session: ShellSession, terminal: any ShellTerminal, files: any ShellFiles, host: Host) {
        self.session = session
        self.terminal = terminal
        self.files = files
        self.host = host
    }

    mutating func run() async {
        let running: RunningStatement = self.running
        terminal.onInterrupt { running.cancel() }
        await session.sayConnection()
        terminal.write("Use HELP for help.\n")
        await loadHistory()
        while true {
            let prompt: String = pendingLines.isEmpty ? await session.prompt : InteractiveLoop.continuation
            switch await readLine(prompt) {
            case .ended:
                terminal.write("\n")
                return
            case .interrupted:
                reader = ScriptReader()
                pendingLines = []
            case .line(let line):
                if await enter(line) { return }
            }
        }
    }

    /// Takes a line and executes what is complete; true when the person wants to leave.
    private mutating func enter(_ line: String) async -> Bool {
        let entries: [ScriptReader.Entry] = reader.append(line: line)
        pendingLines.append(line)
        if !reader.isInsideStatement {
            await remember()
            pendingLines = []
        }
        for entry in entries {
            if await execute(entry) == .exit { return true }
        }
        return false
    }

    private func execute(_ entry: ScriptReader.Entry) async -> ShellSession.Outcome {
        let outcome = OutcomeHolder()
        let session: ShellSession = self.session
        let work: any BackgroundWork = host.background.run("statement", on: host.loops[0]) {
            let result: ShellSession.Outcome = await session.run(entry, source: nil)
            outcome.value.withLock { $0 = result }
        }
        running.begin(work)
        await work.wait()
        running.end()
        return outcome.value.withLock { $0 }
    }

    // MARK: History

    private mutating func loadHistory() async {
        guard let home = terminal.environmentVariable("HOME"), !home.isEmpty else { return }
        let path: String = home + "/.martlet/history"
        historyPath = path
        // Without a file there is no history yet.
        if let contents = try? files.read(path) { editor.history = LineHistory(contents: contents) }
        await session.setHistory(editor.history.entries)
    }

    private mutating func remember() async {
        let hasComment: Bool = pendingLines.contains { $0.contains("--") || $0.contains("//") }
        // A line that ends in a comment would swallow those that are joined to it.
        for text in hasComment ? pendingLines : [pendingLines.joined(separator: "\n")] { editor.history.add(text) }
        await session.setHistory(editor.history.entries)
        guard let historyPath, let home = terminal.environmentVariable("HOME") else { return }
        do {
            try files.write(editor.history.contents, to: historyPath)
        } catch {
            // The folder is made when it is first missed; a history that cannot be kept is no reason to stop.
            try? await host.disk.createDirectory(home + "/.martlet")
            try? files.write(editor.history.contents, to: historyPath)
        }
    }

    // MARK: Lines

    private mutating func readLine(_ prompt: String) async -> LineEvent {
        guard terminal.isInputTerminal, terminal.enterRawMode() else { return readPlainLine(prompt) }
        defer { terminal.leaveRawMode() }
        editor.begin()
        draw(prompt)
        while true {
            if typedOffset >= typed.count {
                typed = terminal.read()
                typedOffset = 0
                if typed.isEmpty { return .ended }
            }
            while typedOffset < typed.count {
                let byte: UInt8 = typed[typedOffset]
                typedOffset += 1
                guard let action = editor.feed(byte) else { continue }
                if let event = await react(to: action, prompt) { return event }
            }
            draw(prompt)
        }
    }

    private mutating func react(to action: LineEditor.Action, _ prompt: String) async -> LineEvent? {
        switch action {
        case .accepted(let line):
            // What was typed since the last drawing is not on the screen yet.
            let shown: [Character] = Array(line)
            terminal.write(
                screen.draw(prompt: prompt, text: shown, cursor: shown.count, columns: terminal.columnCount ?? 80))
            terminal.write(screen.finish())
            return .line(line)
        case .interrupted:
            terminal.write(screen.finish())
            return .interrupted
        case .ended: return .ended
        case .clearScreen:
            terminal.write("\u{1B}[H\u{1B}[2J")
            screen.forget()
            return nil
        case .wantsCompletion:
            await complete()
            return nil
        }
    }

    /// Prompts and lines without any editing, where the input is no terminal.
    private mutating func readPlainLine(_ prompt: String) -> LineEvent {
        terminal.write(prompt)
        return session.inputLines.next().map { .line($0) } ?? .ended
    }

    private mutating func draw(_ prompt: String) {
        terminal.write(
            screen.draw(
                prompt: editor.searchPrompt ?? prompt, text: editor.text, cursor: editor.cursor,
                columns: terminal.columnCount ?? 80))
    }

    private mutating func complete() async {
        let statement: String = (pendingLines + [editor.textBeforeCursor]).joined(separator: "\n")
        let completion = Completion(text: statement)
        let candidates: [String] = completion.matching(await session.candidates(for: completion.subject))
        guard let first = candidates.first else { return }
        if candidates.count == 1 {
            editor.replaceBeforeCursor(completion.prefix.count, with: first + (first.hasSuffix(".") ? "" : " "))
            return
        }
        let common: String = Completion.commonPrefix(candidates)
        if common.count > completion.prefix.count {
            editor.replaceBeforeCursor(completion.prefix.count, with: common)
            return
        }
        let names: String = NameColumns.drawn(candidates, lineWidth: terminal.columnCount ?? 80)
        terminal.write(screen.finish() + names)
    }
}

/// The statement that is being executed, for whoever wants to interrupt it.
private final class RunningStatement: Sendable {
    private let work = Mutex<(any BackgroundWork)?>(nil)

    func begin(_ work: any BackgroundWork) {
        self.work.withLock { $0 = work }
    }

    func end() {
        work.withLock { $0 = nil }
    }

    func cancel() {
        work.withLock { $0 }?.cancel()
    }
}

/// Carries an outcome out of background work.
private final class OutcomeHolder: Sendable {
    let value = Mutex(ShellSession.Outcome.failed)
}
