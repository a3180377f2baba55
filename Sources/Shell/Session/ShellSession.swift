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
        var tellsElapsed = false

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
    /// How many complaints there have been.
    package private(set) var complaintCount = 0
    /// Statements of a script that have been sent, oldest first.
    var inFlight: [StatementInFlight] = []
    var inFlightByteCount = 0
    var timestamps = WriteTimestamps()
    /// What is read line by line, by scripts and by COPY FROM STDIN.
    let inputLines: InputLines
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
        self.inputLines = InputLines(terminal)
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
        if options.usesTLS {
            wanted.connection.security = try await options.security.prepare(
                for: options.hostName, home: terminal.environmentVariable("HOME"), files, host)
        }
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
        let before: Int = complaintCount
        while let line = lines.next() {
            for entry in reader.append(line: line) {
                guard await submit(entry, source: source) else { return complaintCount == before ? .exit : .failed }
            }
        }
        if let rest = reader.takeRemainder() {
            if takesRemainder {
                _ = await submit(rest, source: source)
            } else {
                await finishStatements()
                complainOfRemainder(rest, source: source)
            }
        }
        await finishStatements()
        return complaintCount == before ? .succeeded : .failed
    }

    /// Executes a statement or a command and shows what comes of it.
    ///
    /// - Parameter source: what the entry was read from; nil when a person typed it.
    package func run(_ entry: ScriptReader.Entry, source: String?) async -> Outcome {
        errorPlace = source.map { "\($0):\(entry.line):" }
        let before: Int = complaintCount
        if let command = ClientCommand.parse(entry.text) {
            if command == .exit { return .exit }
            await run(command)
        } else if let copied = CopyCommand.parse(entry.text) {
            switch copied {
            case .success(let command): await copy(command)
            case .failure(let fault): complain(fault.message)
            }
        } else {
            await run(statement: entry.text)
        }
        return complaintCount == before ? .succeeded : .failed
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
        complaintCount += 1
        let words: String = (errorPlace ?? "") + text
        terminal.writeError((isColored ? TextColor.red.around(words) : words) + "\n")
    }

    var painter: ValuePainter {
        var painter = ValuePainter(isColored: isColored && capturePath == nil)
        painter.timeFormat = options.timeFormat
        painter.floatPrecision = options.floatPrecision
        painter.doublePrecision = options.doublePrecision
        return painter
    }

    static func quotedName(_ name: String) -> String {
        "\"" + name.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
}
