import Administration
package import Environment

/// The operator's tool: one question to the admin port of one node, and its answer as text or as JSON.
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
        case .run(let command):
            do throws(AdminClientError) {
                write(try await output(of: command, parsed))
            } catch {
                writeError("nodetool: \(NodetoolProgram.words(error))\n")
                if case .invalid = error { return NodetoolProgram.misused }
                return NodetoolProgram.failed
            }
        }
        return NodetoolProgram.done
    }

    private func output(
        of command: NodetoolCommand, _ arguments: NodetoolArguments
    ) async throws(AdminClientError) -> String {
        let client = AdminClient(arguments.host, port: arguments.port, host: host)
        let ports: Bool = arguments.printsPorts
        func shown<Answer: Report>(_ report: Answer, _ text: (Answer) -> String) -> String {
            arguments.format == .json ? report.json.indentedText + "\n" : text(report)
        }
        switch command {
        case .status:
            let report = try await client.get("/status", keyspace(arguments), as: RingReport.self)
            return shown(report) { RingText.status($0, withPorts: ports) }
        case .ring:
            let report = try await client.get("/ring", keyspace(arguments), as: RingReport.self)
            return shown(report) { RingText.ring($0, withPorts: ports) }
        case .info:
            let report = try await client.get("/info", as: NodeReport.self)
            return shown(report) { NodeText.info($0, showsTokens: arguments.flags.contains("-T")) }
        case .version:
            let report = try await client.get("/version", as: VersionReport.self)
            return shown(report) { NodeText.version($0, isVerbose: arguments.flags.contains("-v")) }
        case .describecluster:
            let report = try await client.get("/cluster", as: ClusterReport.self)
            return shown(report) { ClusterText.describe($0, withPorts: ports) }
        case .gossipinfo:
            let report = try await client.get("/gossipinfo", as: GossipReport.self)
            return shown(report) { GossipText.states($0, withPorts: ports) }
        case .failuredetector:
            let report = try await client.get("/failuredetector", as: DetectorReport.self)
            return shown(report) { GossipText.detector($0, withPorts: ports) }
        case .netstats:
            let report = try await client.get("/netstats", as: NetworkReport.self)
            return shown(report) { NetworkText.statistics($0, flags: arguments.flags, withPorts: ports) }
        case .getendpoints:
            let report = try await client.get("/endpoints", partition(arguments), as: ReplicasReport.self)
            return shown(report) { $0.endpoints.map { $0.text(withPort: ports) + "\n" }.joined() }
        case .statushandoff:
            return shown(try await client.get("/hints", as: HandoffReport.self), HintText.handoff)
        case .listpendinghints:
            let report = try await client.get("/hints/pending", as: PendingHintsReport.self)
            return shown(report) { HintText.pending($0, withPorts: ports) }
        case .enablehandoff: try await client.post("/hints/enable")
        case .disablehandoff: try await client.post("/hints/disable")
        case .truncatehints: try await truncateHints(client, of: arguments.operands)
        }
        return arguments.format == .json ? "{}\n" : ""
    }

    private func truncateHints(_ client: AdminClient, of nodes: [String]) async throws(AdminClientError) {
        if nodes.isEmpty { return try await client.post("/hints/truncate") }
        for node in nodes { try await client.post("/hints/truncate", [HTTPRequest.Parameter("node", node)]) }
    }

    private func keyspace(_ arguments: NodetoolArguments) -> [HTTPRequest.Parameter] {
        arguments.operands.map { HTTPRequest.Parameter("keyspace", $0) }
    }

    private func partition(_ arguments: NodetoolArguments) -> [HTTPRequest.Parameter] {
        zip(["keyspace", "table", "key"], arguments.operands).map { HTTPRequest.Parameter($0, $1) }
    }

    private static func words(_ error: AdminClientError) -> String {
        switch error {
        case .unknownHost(let name): "The host \(name) is not known."
        case .refused(let host, let port):
            "Failed to connect to \(host):\(port): connection refused; is the node running, and is that its admin port?"
        case .timedOut(let host, let port): "The node at \(host):\(port) does not answer."
        case .notAdmin(let host, let port, let reason):
            "What answers at \(host):\(port) is not a node's admin port. \(reason)"
        case .invalid(let reason), .failed(let reason): reason
        }
    }
}
