package import Environment
import MartletClient

/// The query shell, from its options to its exit status.
package enum ShellProgram {
    /// Every statement succeeded.
    package static let succeeded: Int32 = 0
    /// The shell could not connect, or was not used as it should be.
    package static let couldNotStart: Int32 = 1
    /// A statement of `-e`, `-f` or a pipe failed.
    package static let statementFailed: Int32 = 2

    /// Connects and executes what is given, or what a person types, until the end.
    ///
    /// - Returns: the exit status of the process.
    package static func run(
        options: ShellOptions, terminal: any ShellTerminal, files: any ShellFiles, host: Host
    ) async -> Int32 {
        var options: ShellOptions = options
        let hasScript: Bool = options.statements != nil || options.file != nil
        let isInteractive: Bool = !hasScript && (terminal.isInputTerminal || options.isTerminalForced)
        if options.user != nil, options.password == nil, terminal.isInputTerminal {
            options.password = PasswordPrompt.ask(terminal)
        }
        let session = ShellSession(
            options: options, isInteractive: isInteractive, terminal: terminal, files: files, host: host)
        do {
            try await session.connect()
        } catch {
            let fault: String? = (error as? ShellOptions.ConfigurationFault)?.message
            var words: String = fault ?? (error as? ClientError)?.description ?? ErrorText.text(error)
            // What a port with TLS does to those who do not speak it.
            switch error {
            case ClientError.connectionClosed, ClientError.versionRefused:
                if !options.usesTLS { words += "; if the server wants TLS, give --ssl" }
            default: break
            }
            terminal.writeError("Connection error: \(words)\n")
            return couldNotStart
        }
        let status: Int32
        if isInteractive {
            var loop = InteractiveLoop(session: session, terminal: terminal, files: files, host: host)
            await loop.run()
            status = succeeded
        } else {
            status = await runScript(options, session, terminal, files)
        }
        await session.finish()
        return status
    }

    private static func runScript(
        _ options: ShellOptions, _ session: ShellSession, _ terminal: any ShellTerminal, _ files: any ShellFiles
    ) async -> Int32 {
        var isSound: Bool
        if let statements = options.statements {
            isSound =
                await session.runScript(
                    Array(statements.utf8), source: "<stdin>", takesRemainder: true) != .failed
        } else if let path = options.file {
            let contents: [UInt8]
            do {
                contents = try files.read(path)
            } catch {
                terminal.writeError("Can't open '\(path)': \(error)\n")
                return couldNotStart
            }
            isSound = await session.runScript(contents, source: path, takesRemainder: false) != .failed
        } else {
            isSound = await runPipe(session)
        }
        return isSound ? succeeded : statementFailed
    }

    /// Executes statements as they come through a pipe.
    private static func runPipe(_ session: ShellSession) async -> Bool {
        var reader = ScriptReader()
        let lines: InputLines = session.inputLines
        var hasMore = true
        while hasMore {
            hasMore = lines.wait()
            while let line = lines.buffered() {
                for entry in reader.append(line: line) {
                    guard await session.submit(entry, source: "<stdin>") else {
                        return await session.complaintCount == 0
                    }
                }
            }
            // What has come is done and told before more is awaited, if that takes its time.
            if !lines.hasMoreSoon { await session.finishStatements() }
        }
        await session.finishStatements()
        if let rest = reader.takeRemainder() { await session.complainOfRemainder(rest, source: "<stdin>") }
        return await session.complaintCount == 0
    }
}

/// Cuts bytes into lines of text.
struct LineSplitter {
    private var bytes: [UInt8] = []
    private var start = 0
    private var isFinished = false

    mutating func append(_ more: [UInt8]) {
        if start > 0 {
            bytes.removeSubrange(..<start)
            start = 0
        }
        bytes.append(contentsOf: more)
    }

    /// Says that nothing follows, so that a last line without an end is a line too.
    mutating func finish() {
        isFinished = true
    }

    /// Takes the next line, without its end; nil when more bytes are needed.
    mutating func next() -> String? {
        guard start < bytes.count else { return nil }
        let found: Int? = bytes[start...].firstIndex(of: UInt8(ascii: "\n"))
        guard let end = found ?? (isFinished ? bytes.count : nil) else { return nil }
        var line: ArraySlice<UInt8> = bytes[start..<end]
        if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
        start = min(end + 1, bytes.count)
        return String(decoding: line, as: UTF8.self)
    }
}

/// Asks for a password without showing it.
enum PasswordPrompt {
    static func ask(_ terminal: any ShellTerminal) -> String {
        terminal.write("Password: ")
        guard terminal.enterRawMode() else { return "" }
        defer {
            terminal.leaveRawMode()
            terminal.write("\n")
        }
        var typed: [UInt8] = []
        while true {
            let bytes: [UInt8] = terminal.read()
            if bytes.isEmpty { return String(decoding: typed, as: UTF8.self) }
            for byte in bytes {
                switch byte {
                case 0x0A, 0x0D, 0x03, 0x04: return String(decoding: typed, as: UTF8.self)
                case 0x08, 0x7F:
                    while let last = typed.popLast(), last & 0xC0 == 0x80 {}
                default: typed.append(byte)
                }
            }
        }
    }
}
