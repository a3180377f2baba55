import DataModel
package import Environment
import MartletClient
import Primitives

/// What the shell knows and does between its statements: the connection, the settings, where output goes.
///
/// Owned by the program or by its interactive loop, which hand it one entry after the other.
package actor ShellSession {
    /// What came of a statement or a command.
    package enum Outcome: Equatable, Sendable {
        case succeeded, failed, exit
    }

    /// What the commands of the shell change.
    struct Settings {
        var consistency: Consistency
        var serialConsistency: Consistency
        var isTracing = false
        var isPaging = true
        var pageSize = Settings.defaultPageSize
        var isExpanded = false

        static let defaultPageSize: Int32 = 100
    }

    /// What the server says of itself.
    struct ServerNames {
        var cluster: String
        var release: String
        var language: String
    }

    let options: ShellOptions
    let isInteractive: Bool
    let isColored: Bool
    let terminal: any ShellTerminal
    let files: any ShellFiles
    let host: Host
    var settings: Settings
    var user: String?
    var client: CQLSession?
    var schema = SchemaNames()
    var capturePath: String?
    var historyEntries: [String] = []
    /// Before the errors of an entry: where it comes from and its line; nil when a person typed it.
    var errorPlace: String?
    var hasFailed = false
    /// How many files are being read by SOURCE, one inside the other.
    var sourceDepth = 0

    package init(
        options: ShellOptions, isInteractive: Bool, terminal: any ShellTerminal, files: any ShellFiles, host: Host
    ) {
        self.options = options
        self.isInteractive = isInteractive
        let kind: String = terminal.environmentVariable("TERM") ?? ""
        let hasColors: Bool = terminal.isOutputTerminal && !kind.isEmpty && kind != "dumb"
        self.isColored = options.isColored ?? hasColors
        self.terminal = terminal
        self.files = files
        self.host = host
        self.user = options.user
        self.settings = Settings(
            consistency: options.consistency, serialConsistency: options.serialConsistency)
    }

    /// Connects, and enters the keyspace of the options.
    package func connect() async throws {
        let credentials: Credentials? = options.user.map { Credentials(user: $0, password: options.password ?? "") }
        client = try await makeClient(credentials, keyspace: options.keyspace)
    }

    func makeClient(_ credentials: Credentials?, keyspace: String?) async throws -> CQLSession {
        var wanted = SessionOptions()
        wanted.connection.version = options.version
        wanted.connection.credentials = credentials
        wanted.connection.connectTimeout = options.connectTimeout
        wanted.connection.requestTimeout = options.requestTimeout
        wanted.connection.driverName = "Martlet shell"
        wanted.connection.driverVersion = options.shellVersion
        let made = try await CQLSession.connect(
            toHost: options.hostName, port: options.port, options: wanted, host: host)
        if let keyspace { _ = try await made.query("USE \(ShellSession.quotedName(keyspace))") }
        return made
    }

    /// Ends the connection.
    package func finish() {
        client?.close()
    }

    /// What stands before a line that a person types.
    package var prompt: String {
        let name: String = user.map { "\($0)@martlet" } ?? "martlet"
        return client?.keyspace.map { "\(name):\($0)> " } ?? "\(name)> "
    }

    /// Keeps what HISTORY shows.
    package func setHistory(_ entries: [String]) {
        historyEntries = entries
    }

    // MARK: Entries

    /// Executes a whole text.
    ///
    /// - Parameter takesRemainder: whether the last statement may lack its semicolon.
    package func runScript(_ contents: [UInt8], source: String, takesRemainder: Bool) async -> Outcome {
        var lines = LineSplitter()
        let hasMark: Bool = contents.starts(with: [0xEF, 0xBB, 0xBF])
        lines.append(hasMark ? [UInt8](contents.dropFirst(3)) : contents)
        lines.finish()
        var reader = ScriptReader()
        var result: Outcome = .succeeded
        while let line = lines.next() {
            for entry in reader.append(line: line) {
                switch await run(entry, source: source) {
                case .succeeded: break
                case .failed: result = .failed
                case .exit: return result == .failed ? .failed : .exit
                }
            }
        }
        guard let rest = reader.takeRemainder() else { return result }
        if takesRemainder {
            let last: Outcome = await run(rest, source: source)
            return result == .failed ? .failed : last
        }
        complainOfRemainder(rest, source: source)
        return .failed
    }

    /// Executes a statement or a command and shows what comes of it.
    ///
    /// - Parameter source: what the entry was read from; nil when a person typed it.
    package func run(_ entry: ScriptReader.Entry, source: String?) async -> Outcome {
        errorPlace = source.map { "\($0):\(entry.line):" }
        hasFailed = false
        if let command = ClientCommand.parse(entry.text) {
            if command == .exit { return .exit }
            await run(command)
        } else {
            await run(statement: entry.text)
        }
        return hasFailed ? .failed : .succeeded
    }

    package func complainOfRemainder(_ entry: ScriptReader.Entry, source: String?) {
        errorPlace = source.map { "\($0):\(entry.line):" }
        complain("Incomplete statement at end of file")
    }

    // MARK: Output

    /// Shows a result, or writes it to the file that captures results.
    func show(_ text: String) {
        guard let capturePath else { return terminal.write(text) }
        do {
            try files.append(Array(text.utf8), to: capturePath)
        } catch {
            self.capturePath = nil
            complain("Could not write to '\(capturePath)': \(error)")
        }
    }

    /// Tells something that is no result.
    func say(_ text: String) {
        terminal.write(text + "\n")
    }

    /// Tells that something failed.
    func complain(_ text: String) {
        hasFailed = true
        let words: String = (errorPlace ?? "") + text
        terminal.writeError((isColored ? TextColor.red.around(words) : words) + "\n")
    }

    var painter: ValuePainter { ValuePainter(isColored: isColored && capturePath == nil) }

    static func quotedName(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
