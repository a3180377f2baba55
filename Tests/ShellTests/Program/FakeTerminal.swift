import Shell
import Synchronization

/// A terminal of a test: what is typed is given, what is written is kept.
final class FakeTerminal: ShellTerminal {
    struct Failure: Error {}

    private struct State {
        var input: [[UInt8]]
        var output = ""
        var errors = ""
        var isRaw = false
    }

    let isInputTerminal: Bool
    let isOutputTerminal: Bool
    let columnCount: Int? = 80
    private let state: Mutex<State>

    init(_ input: [String] = [], isTerminal: Bool = false) {
        self.isInputTerminal = isTerminal
        self.isOutputTerminal = isTerminal
        self.state = Mutex(State(input: input.map { Array($0.utf8) }))
    }

    var output: String { state.withLock { $0.output } }
    var errors: String { state.withLock { $0.errors } }
    var isRaw: Bool { state.withLock { $0.isRaw } }

    func environmentVariable(_ name: String) -> String? { name == "HOME" ? "/home" : nil }

    func enterRawMode() -> Bool {
        state.withLock { $0.isRaw = isInputTerminal }
        return isInputTerminal
    }

    func leaveRawMode() {
        state.withLock { $0.isRaw = false }
    }

    func read() -> [UInt8] {
        state.withLock { $0.input.isEmpty ? [] : $0.input.removeFirst() }
    }

    func hasInput(withinMilliseconds milliseconds: Int) -> Bool {
        state.withLock { !$0.input.isEmpty }
    }

    func write(_ text: String) {
        state.withLock { $0.output += text }
    }

    func writeError(_ text: String) {
        state.withLock { $0.errors += text }
    }

    func onInterrupt(_ react: @escaping @Sendable () -> Void) {}
}

/// Files of a test, in memory.
final class FakeFiles: ShellFiles {
    private let contents: Mutex<[String: [UInt8]]>

    init(_ texts: [String: String] = [:]) {
        self.contents = Mutex(texts.mapValues { Array($0.utf8) })
    }

    func text(_ path: String) -> String? {
        contents.withLock { $0[path] }.map { String(decoding: $0, as: UTF8.self) }
    }

    func read(_ path: String) throws -> [UInt8] {
        guard let bytes = contents.withLock({ $0[path] }) else { throw FakeTerminal.Failure() }
        return bytes
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        contents.withLock { $0[path] = bytes }
    }

    func append(_ bytes: [UInt8], to path: String) throws {
        contents.withLock { $0[path, default: []] += bytes }
    }
}
