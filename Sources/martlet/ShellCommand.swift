import ArgumentParser
import Environment
import Shell
import SystemHost
import TLSHost

/// `martlet cql`: the query shell.
struct ShellCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cql", abstract: "Execute CQL statements, from the command line, a file, a pipe or a prompt.",
        discussion: "The exit status is 0 when every statement succeeded, 1 when there was no connection, 2 otherwise.")

    @Argument(help: "Where to connect: HOST, HOST:PORT or [ADDRESS]:PORT (default: 127.0.0.1:9042).")
    var host: String?

    @Argument(help: "The port, if it is not given with the host.")
    var port: UInt16?

    @Option(name: [.short, .long], help: "Execute these statements and exit.")
    var execute: String?

    @Option(name: [.short, .long], help: "Execute the statements of this file and exit.")
    var file: String?

    @Option(name: [.short, .long], help: "The keyspace to start in.")
    var keyspace: String?

    @Option(name: [.short, .long], help: "The user to log in as.")
    var username: String?

    @Option(name: [.short, .long], help: "The password of the user.")
    var password: String?

    @Option(name: .long, help: "How many replicas must answer (default: ONE).")
    var consistency: String?

    @Option(name: .long, help: "The level of conditional statements: SERIAL or LOCAL_SERIAL.")
    var serialConsistency: String?

    @Option(name: .long, help: "The version of the native protocol: 3, 4 or 5 (default: the newest possible).")
    var protocolVersion: UInt8?

    @Option(name: .long, help: "Seconds to wait for the answer to a statement (default: 10).")
    var requestTimeout: Double?

    @Option(name: .long, help: "Seconds to wait for the connection (default: 5).")
    var connectTimeout: Double?

    @Flag(name: [.short, .long], help: "Show prompts and pages as on a terminal, whatever the input is.")
    var tty = false

    @Flag(name: .customLong("color"), inversion: .prefixedNo, help: "Whether to use colours.")
    var color: Bool?

    @Option(name: .long, help: ArgumentHelp("Accepted; all text is UTF-8.", visibility: .hidden))
    var encoding: String?

    @Option(name: .long, help: "A file of settings (default: ~/.cassandra/cqlshrc, if it is there).")
    var cqlshrc: String?

    @Option(name: .long, help: "A file with a user name and a password in a section [plain_text_auth].")
    var credentials: String?

    @Flag(name: .long, help: "Connect with TLS; the server's certificate must be good and made for HOST.")
    var ssl = false

    @Option(
        name: .long,
        help: "With --ssl: trust the certificates in this file, in PEM (section [ssl] of cqlshrc: certfile).")
    var cafile: String?

    @Option(name: .long, help: ArgumentHelp("Accepted; the server has one version.", visibility: .hidden))
    var cqlversion: String?

    @Flag(name: .long, help: ArgumentHelp("Accepted.", visibility: .hidden))
    var debug = false

    func run() async throws {
        let options: ShellOptions = try shellOptions()
        let system = OperatingSystem(loopCount: 1, diskThreadCount: 1, securing: TLSSecuring())
        let terminal = SystemTerminal()
        let status: Int32 = await ShellProgram.run(
            options: options, terminal: terminal, files: SystemShellFiles(), host: system.host)
        terminal.leaveRawMode()
        // The connections end with the process, so that nobody waits for loops to stop.
        ProcessResources.exit(status)
    }

    func shellOptions() throws -> ShellOptions {
        var options = try configuredOptions()
        if let port = ProcessResources.environmentVariable("CQLSH_PORT").flatMap({ UInt16($0) }) { options.port = port }
        if let name = host ?? ProcessResources.environmentVariable("CQLSH_HOST"), !options.readHost(name) {
            throw ValidationError("'\(name)' is not HOST or HOST:PORT")
        }
        if let port { options.port = port }
        if ssl { options.usesTLS = true }
        if let name = ProcessResources.environmentVariable("SSL_CERTFILE") { options.security.trustFile = name }
        if let word = ProcessResources.environmentVariable("SSL_VALIDATE") { options.security.readValidate(word) }
        if let cafile {
            guard options.usesTLS else { throw ValidationError("--cafile says whom --ssl trusts; give --ssl too") }
            options.security.trustFile = cafile
        }
        options.statements = execute
        options.file = file
        if let keyspace { options.keyspace = keyspace }
        if let username {
            options.user = username
            // The password of the files is that of the user of the files.
            options.password = nil
        }
        if let password { options.password = password }
        options.isTerminalForced = tty
        if let color { options.isColored = color }
        if let requestTimeout { options.requestTimeout = try seconds(requestTimeout, "--request-timeout") }
        if let connectTimeout { options.connectTimeout = try seconds(connectTimeout, "--connect-timeout") }
        if let consistency, !options.readConsistency(consistency) {
            throw ValidationError("'\(consistency)' is not a consistency level")
        }
        if let serialConsistency, !options.readSerialConsistency(serialConsistency) {
            throw ValidationError("'\(serialConsistency)' is neither SERIAL nor LOCAL_SERIAL")
        }
        if let protocolVersion, !options.readVersion(protocolVersion) {
            throw ValidationError("there is no protocol version \(protocolVersion); there are 3, 4 and 5")
        }
        return options
    }

    /// What the files of settings say.
    private func configuredOptions() throws -> ShellOptions {
        var options = ShellOptions()
        let home: String? = ProcessResources.environmentVariable("HOME")
        do {
            if let cqlshrc {
                try options.apply(ShellCommand.configuration(cqlshrc))
            } else if let home, let file = try? ShellCommand.configuration(home + "/.cassandra/cqlshrc") {
                try options.apply(file)
            }
            if let credentials { options.applyCredentials(try ShellCommand.configuration(credentials)) }
        } catch let fault as ShellOptions.ConfigurationFault {
            throw ValidationError(fault.message)
        } catch {
            throw ValidationError("\(error)")
        }
        return options
    }

    private static func configuration(_ path: String) throws -> ShellConfiguration {
        ShellConfiguration(String(decoding: try SmallFiles.read(path), as: UTF8.self))
    }

    private func seconds(_ number: Double, _ name: String) throws -> Duration {
        guard number > 0, number < 1_000_000 else { throw ValidationError("\(name) must be more than 0 seconds") }
        return .seconds(number)
    }
}

/// The terminal of the process.
private final class SystemTerminal: ShellTerminal {
    private let terminal = Terminal()

    var isInputTerminal: Bool { Terminal.isTerminal(.input) }
    var isOutputTerminal: Bool { Terminal.isTerminal(.output) }
    var columnCount: Int? { Terminal.size?.columns }

    func environmentVariable(_ name: String) -> String? {
        ProcessResources.environmentVariable(name)
    }

    func enterRawMode() -> Bool {
        terminal.enterRawMode()
    }

    func leaveRawMode() {
        terminal.leaveRawMode()
    }

    func read() -> [UInt8] {
        Terminal.read(limit: 64 * 1_024)
    }

    func hasInput(withinMilliseconds milliseconds: Int) -> Bool {
        Terminal.hasInput(withinMilliseconds: Int32(clamping: milliseconds))
    }

    func write(_ text: String) {
        // A reader that has gone, such as the end of a pipe, is not missed.
        Terminal.write(text, to: .output)
    }

    func writeError(_ text: String) {
        Terminal.write(text, to: .error)
    }

    func onInterrupt(_ react: @escaping @Sendable () -> Void) {
        ProcessSignals.onTermination { [terminal] signal in
            switch signal {
            case .interrupt: react()
            case .terminate:
                terminal.leaveRawMode()
                ProcessResources.exit(143)
            }
        }
    }
}

/// The files of the process.
private struct SystemShellFiles: ShellFiles {
    func read(_ path: String) throws -> [UInt8] {
        try SmallFiles.read(path)
    }

    func write(_ bytes: [UInt8], to path: String) throws {
        try SmallFiles.write(bytes, to: path)
    }

    func append(_ bytes: [UInt8], to path: String) throws {
        try SmallFiles.append(bytes, to: path)
    }
}
