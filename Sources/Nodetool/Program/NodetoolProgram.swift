import Administration
import DataModel
package import Environment

/// The operator's tool: one question to the admin port of one node, and its answer as text, as JSON or as YAML.
package struct NodetoolProgram: Sendable {
    private let host: Host
    private let write: @Sendable (String) -> Void
    private let writeError: @Sendable (String) -> Void

    /// Done, a wrong question, not done.
    private static let done: Int32 = 0
    private static let misused: Int32 = 1
    private static let failed: Int32 = 2

    package init(
        host: Host, write: @escaping @Sendable (String) -> Void, writeError: @escaping @Sendable (String) -> Void
    ) {
        self.host = host
        self.write = write
        self.writeError = writeError
    }

    /// Does what a command line says.
    ///
    /// - Returns: the exit status: 0 when it was done, 1 when the question was wrong, 2 when it could not be done.
    package func run(_ arguments: [String]) async -> Int32 {
        let parsed: NodetoolArguments
        do throws(NodetoolArguments.Fault) {
            parsed = try NodetoolArguments(arguments)
        } catch {
            writeError("nodetool: \(error.words)\nSee 'nodetool help' or 'nodetool help COMMAND'.\n")
            return NodetoolProgram.misused
        }
        switch parsed.request {
        case .help(nil): write(NodetoolHelp.whole)
        case .help(let command?): write(NodetoolHelp.text(of: command))
        case .run(let command): return await run(command, parsed)
        }
        return NodetoolProgram.done
    }

    private func run(_ command: NodetoolCommand, _ arguments: NodetoolArguments) async -> Int32 {
        switch command.action {
        case .needless(let sentence):
            show(NodetoolOutput(.record(["message": .string(sentence)]), sentence + "\n"), arguments.format)
        case .impossible(let sentence):
            writeError("nodetool: \(sentence)\n")
            return NodetoolProgram.failed
        case .ask(let work):
            do throws(AdminClientError) {
                let client = AdminClient(
                    arguments.host, port: arguments.port, timeout: .seconds(30),
                    credentials: try await credentials(arguments), security: try await security(arguments), host: host)
                show(
                    try await work(NodetoolCall(client: client, arguments: arguments, tell: writeError)),
                    arguments.format)
            } catch {
                writeError("nodetool: \(NodetoolProgram.words(error))\n")
                if case .invalid = error { return NodetoolProgram.misused }
                return NodetoolProgram.failed
            }
        }
        return NodetoolProgram.done
    }

    private func show(_ output: NodetoolOutput, _ format: NodetoolArguments.Format) {
        switch format {
        case .table: write(output.text)
        case .json: write(output.json.indentedText + "\n")
        case .yaml: write(output.json.yamlText)
        }
    }

    private func credentials(
        _ arguments: NodetoolArguments
    ) async throws(AdminClientError) -> AdminClient.Credentials? {
        guard let user = arguments.user else { return nil }
        if let password = arguments.password { return AdminClient.Credentials(user: user, password: password) }
        guard let path = arguments.passwordFile else {
            throw .invalid("A name needs a password: -pw PASSWORD or -pwf FILE.")
        }
        let text = String(decoding: try await bytes(of: path, "password file"), as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline) {
            let words: [Substring] = line.split(maxSplits: 1) { $0 == " " || $0 == "\t" }
            guard words.count == 2, words[0] == user else { continue }
            let password: Substring = words[1].drop { $0 == " " || $0 == "\t" }
            return AdminClient.Credentials(
                user: user, password: String(password))
        }
        throw .invalid("The password file \(path) does not have the name \(user).")
    }

    private func bytes(of path: String, _ name: String) async throws(AdminClientError) -> [UInt8] {
        do throws(DiskError) {
            let file: any DiskFile = try await host.disk.open(path, .read)
            let bytes: [UInt8] = try await file.read(min(file.byteCount, 1 << 20), at: 0)
            await file.close()
            return bytes
        } catch {
            throw .invalid("The \(name) \(path) cannot be read.")
        }
    }

    private func security(
        _ arguments: NodetoolArguments
    ) async throws(AdminClientError) -> (any TransportSecurity)? {
        guard arguments.usesTLS else { return nil }
        var wanted = ClientSecurity()
        wanted.hostName = arguments.host
        wanted.verification = arguments.trustsAnybody ? .none : .full
        if let path = arguments.trustFile { wanted.trusted = try await bytes(of: path, "file of --cafile") }
        do throws(NetworkError) {
            return try await host.network.prepare(wanted)
        } catch {
            switch error {
            case .insecure(.malformedTrust):
                throw .invalid("There is no certificate in PEM in the file \(arguments.trustFile ?? "") of --cafile.")
            case .insecure(let fault): throw .failed("TLS cannot be set up: \(fault).")
            default: throw .failed("TLS cannot be set up: \(error).")
            }
        }
    }

    private static func words(_ error: AdminClientError) -> String {
        switch error {
        case .unknownHost(let name): "The host \(name) is not known."
        case .refused(let host, let port):
            "Failed to connect to \(host):\(port): connection refused; is the node running, and is that its admin port?"
        case .timedOut(let host, let port): "The node at \(host):\(port) does not answer."
        case .mute(let host, let port):
            "The node at \(host):\(port) ends the connection without an answer. If its admin port wants TLS, give --ssl."
        case .insecure(let host, let port, .untrustedPeer):
            "The certificate of \(host):\(port) is not trusted; --cafile FILE names the certificates to trust."
        case .insecure(let host, let port, let fault): "No connection to \(host):\(port): \(fault)."
        case .notAdmin(let host, let port, let reason):
            "What answers at \(host):\(port) is not a node's admin port. \(reason)"
        case .invalid(let reason), .failed(let reason): reason
        }
    }
}
