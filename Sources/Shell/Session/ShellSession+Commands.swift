import CQL
import DataModel
import Environment
import MartletClient
import Primitives

/// The shell's own commands.
extension ShellSession {
    func run(_ command: ClientCommand) async {
        switch command {
        case .consistency(let level):
            if let level { settings.consistency = level }
            let name: String = settings.consistency.name
            say(level == nil ? "Current consistency level is \(name)." : "Consistency level set to \(name).")
        case .serialConsistency(let level):
            if let level { settings.serialConsistency = level }
            let name: String = settings.serialConsistency.name
            say(
                level == nil
                    ? "Current serial consistency level is \(name)." : "Serial consistency level set to \(name).")
        case .showConsistency:
            say("Current consistency level is \(settings.consistency.name).")
            say("Current serial consistency level is \(settings.serialConsistency.name).")
        case .tracing(let choice):
            settings.isTracing = switched(settings.isTracing, choice, "TRACING", "Tracing")
        case .expand(let choice):
            settings.isExpanded = switched(settings.isExpanded, choice, "EXPAND", "Expanded output")
        case .elapsed(let choice):
            settings.tellsElapsed = switched(settings.tellsElapsed, choice, "ELAPSED", "Elapsed time")
        case .unicode: say("Encoding: UTF-8\nDefault encoding: UTF-8")
        case .showReplicas(let token, let keyspace): await sayReplicas(token, keyspace)
        case .paging(let choice): changePaging(choice)
        case .describe(let statement, let subject): await describe(statement, subject)
        case .showVersion: await sayVersion()
        case .showHost: await sayHost()
        case .showSession(let text):
            guard let identifier = UUID(text: text) else { return complain("'\(text)' is not a session") }
            await showTrace(identifier, isPartial: true)
        case .source(let path): await runFile(path)
        case .capture, .captureOff, .captureStatus: changeCapture(command)
        case .help(let topics): help(topics)
        case .clear: terminal.write("\u{1B}[H\u{1B}[2J")
        case .exit: break
        case .login(let name, let password): await logIn(name, password)
        case .history(let limit):
            for entry in historyEntries.suffix(limit ?? 50) { say(entry) }
        case .improper(let name): complain("Improper \(name) command.")
        }
    }

    private func switched(
        _ isOn: Bool, _ choice: ClientCommand.Switch, _ command: String, _ description: String
    ) -> Bool {
        switch choice {
        case .show:
            say(
                isOn
                    ? "\(description) is currently enabled. Use \(command) OFF to disable"
                    : "\(description) is currently disabled. Use \(command) ON to enable.")
        case .on:
            if isOn { complain("\(description) is already enabled. Use \(command) OFF to disable.") }
            if !isOn { say("Now \(description) is enabled") }
            return true
        case .off:
            if isOn { say("Disabled \(description).") } else { complain("\(description) is not enabled.") }
            return false
        case .value: break
        }
        return isOn
    }

    private func changePaging(_ choice: ClientCommand.Switch) {
        if case .value(let count) = choice {
            settings.isPaging = true
            settings.pageSize = Int32(clamping: count)
        } else {
            settings.isPaging = switched(settings.isPaging, choice, "PAGING", "Query paging")
        }
        if settings.isPaging {
            say("Page size: \(settings.pageSize)")
        } else {
            settings.pageSize = Settings.defaultPageSize
        }
    }

    private func changeCapture(_ command: ClientCommand) {
        switch command {
        case .capture(let path):
            if let capturePath {
                return complain("Already capturing output to \(capturePath). Use CAPTURE OFF to disable.")
            }
            let full: String = expanded(path)
            do {
                try files.append([], to: full)
            } catch {
                return complain("Could not open '\(full)' for append: \(error)")
            }
            capturePath = full
            say("Now capturing query output to '\(full)'.")
        case .captureOff:
            if capturePath == nil { return complain("Not currently capturing output.") }
            capturePath = nil
        default:
            say(
                capturePath.map { "Currently capturing query output to '\($0)'." }
                    ?? "Currently not capturing query output.")
        }
    }

    private func runFile(_ path: String) async {
        let full: String = expanded(path)
        guard sourceDepth < ShellSession.sourceLimit else {
            return complain("Could not open '\(full)': more than \(ShellSession.sourceLimit) files inside each other")
        }
        let contents: [UInt8]
        do {
            contents = try files.read(full)
        } catch {
            return complain("Could not open '\(full)': \(error)")
        }
        let place: String? = errorPlace
        sourceDepth += 1
        _ = await runScript(contents, source: full, takesRemainder: false)
        sourceDepth -= 1
        errorPlace = place
    }

    /// A file that reads itself must end somewhere.
    private static var sourceLimit: Int { 16 }

    func expanded(_ path: String) -> String {
        guard path == "~" || path.hasPrefix("~/"), let home = terminal.environmentVariable("HOME") else { return path }
        return home + path.dropFirst()
    }

    private func help(_ topics: [String]) {
        if topics.isEmpty {
            return say(HelpText.overview + "\n" + NameColumns.drawn(HelpText.topics) + "\nHELP <topic> tells more.")
        }
        for topic in topics {
            if let text = HelpText.text(topic) { say("\n" + text + "\n") } else { complain("*** No help on \(topic)") }
        }
    }

    private func logIn(_ name: String, _ password: String?) async {
        let secret: String = password ?? PasswordPrompt.ask(terminal)
        do {
            let made = try await makeClient(Credentials(user: name, password: secret), keyspace: client?.keyspace)
            client?.close()
            client = made
            user = name
        } catch {
            complain(ErrorText.text(error))
        }
    }

    // MARK: The server

    /// The two lines with which the shell greets.
    package func sayConnection() async {
        await sayHost()
        await sayVersion()
    }

    private func serverNames() async -> ServerNames? {
        let text = "SELECT cluster_name, release_version, cql_version FROM system.local WHERE key = 'local'"
        do {
            guard let row = try await client?.query(text).rows.first(where: { _ in true }) else { return nil }
            return ServerNames(
                cluster: try row["cluster_name", as: String.self] ?? "",
                release: try row["release_version", as: String.self] ?? "",
                language: try row["cql_version", as: String.self] ?? "")
        } catch {
            complain(ErrorText.text(error))
            return nil
        }
    }

    private func sayHost() async {
        guard let names = await serverNames() else { return }
        let cluster: String = isColored ? TextColor.blue.around(names.cluster) : names.cluster
        say("Connected to \(cluster) at \(options.hostName):\(options.port)")
    }

    /// The addresses of the nodes that hold a token of a keyspace.
    private func sayReplicas(_ token: Int64, _ keyspace: String?) async {
        guard let connection = client?.openConnections.first else { return complain("not connected") }
        guard let keyspace = keyspace ?? client?.keyspace else {
            return complain("No keyspace specified and no current keyspace")
        }
        do {
            let topology: ClusterTopology = try await ClusterTopology.read(over: connection)
            guard topology.replication[keyspace] != nil else { return complain("Keyspace '\(keyspace)' not found.") }
            let replicas: [Int] = topology.replicas(of: Token(token), keyspace: keyspace)
            let names: [String] = replicas.map { "'\(AddressText.text(topology.nodes[$0].address.host))'" }
            say("[\(names.joined(separator: ", "))]")
        } catch {
            complain(ErrorText.text(error))
        }
    }

    private func sayVersion() async {
        guard let names = await serverNames() else { return }
        let version: String = (client?.version).map { "v\($0.rawValue)" } ?? "unknown"
        say(
            "[martlet \(options.shellVersion) | Cassandra \(names.release) | CQL spec \(names.language) | "
                + "Native protocol \(version)]")
    }
}
