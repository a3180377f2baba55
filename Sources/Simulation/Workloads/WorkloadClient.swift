import CQL
import MartletClient
package import Primitives

/// How a request has ended, as far as its client can know.
package enum Attempt<Value: Sendable>: Sendable {
    case done(Value)
    /// Nothing was done, and nothing will be.
    case refused(String)
    /// It was done, will be done, or never.
    case unknown(String)
}

/// One client of a workload: what it draws at random, and its connections to nodes, made when they are first needed.
///
/// It never sends a request again: whether that is safe is for the workload to say.
///
/// `Sendable` is unchecked because a world and all that belongs to it is used by one thread at a time.
package final class WorkloadClient: @unchecked Sendable {
    package let number: Int
    package var generator: SeededGenerator
    private let cluster: SimulatedCluster
    private let options: ConnectionOptions
    private var connections: [Int: CQLConnection] = [:]
    private var statements: [Int: [String: PreparedStatement]] = [:]
    private var preferredNode = 0
    /// How many requests in a row have failed.
    private var failureCount = 0

    package init(_ number: Int, _ cluster: SimulatedCluster, _ generator: SeededGenerator, timeout: Duration) {
        self.number = number
        self.cluster = cluster
        self.generator = generator
        var options = ConnectionOptions()
        options.requestTimeout = timeout
        options.connectTimeout = .milliseconds(500)
        self.options = options
    }

    /// The node to ask next: mostly the one that was asked before, so that its connection is used; another after failures.
    func nextNode() -> Int {
        let present: [Int] = cluster.present
        if failureCount > 0 || generator.oneIn(4) { preferredNode = present[generator.below(present.count)] }
        return preferredNode
    }

    /// The node to ask next of some.
    func nextNode(in nodes: [Int]) -> Int {
        let node: Int = nextNode()
        let nodes: [Int] = nodes.filter(cluster.present.contains)
        return nodes.contains(node) || nodes.isEmpty ? node : nodes[generator.below(nodes.count)]
    }

    /// Sends a logged batch to a node.
    func sendBatch(
        _ statements: [(text: String, values: [(any CQLEncodable)?])], _ options: QueryOptions, to node: Int,
        isPrepared: Bool
    ) async -> Attempt<QueryResult> {
        let connection: CQLConnection
        var entries: [MartletClient.BatchStatement] = []
        do {
            connection = try await self.connection(to: node)
            for (text, values) in statements {
                guard isPrepared else {
                    entries.append(MartletClient.BatchStatement(text, values: values))
                    continue
                }
                entries.append(MartletClient.BatchStatement(try await prepare(text, connection, node), values: values))
            }
        } catch {
            failureCount += 1
            try? await cluster.clients.sleep(for: .milliseconds(10))
            return .refused("\(error)")
        }
        return await ended { try await connection.batch(entries, type: .logged, options: options) }
    }

    /// Sends a statement to a node.
    ///
    /// - Parameter isPrepared: whether it is prepared first, as drivers do with what they send often.
    func send(
        _ text: String, _ values: [(any CQLEncodable)?] = [], _ options: QueryOptions, to node: Int,
        isPrepared: Bool = true
    ) async -> Attempt<QueryResult> {
        let connection: CQLConnection
        do {
            connection = try await self.connection(to: node)
        } catch {
            failureCount += 1
            try? await cluster.clients.sleep(for: .milliseconds(10))
            return .refused("\(error)")
        }
        var statement: PreparedStatement?
        if isPrepared {
            do {
                statement = try await prepare(text, connection, node)
            } catch {
                failureCount += 1
                return .refused("\(error)")
            }
        }
        let sent: PreparedStatement? = statement
        return await ended {
            if let sent { return try await connection.execute(sent, values: values, options: options) }
            return try await connection.query(text, values: values, options: options)
        }
    }

    /// Waits for a request and says how it has ended.
    private func ended(_ request: () async throws -> QueryResult) async -> Attempt<QueryResult> {
        do {
            let result: QueryResult = try await request()
            failureCount = 0
            return .done(result)
        } catch {
            failureCount += 1
            return WorkloadClient.isRefusal(error) ? .refused("\(error)") : .unknown("\(error)")
        }
    }

    /// Waits for as long as the generator says, so that clients are not in step.
    func rest(_ milliseconds: Int) async {
        try? await cluster.clients.sleep(for: .microseconds(100 + generator.below(milliseconds * 2_000)))
    }

    package func close() {
        for node in connections.keys.sorted() { connections[node]?.close() }
        connections = [:]
    }

    private func connection(to node: Int) async throws -> CQLConnection {
        if let connection = connections[node], connection.isOpen { return connection }
        connections[node] = nil
        statements[node] = nil
        let made = try await cluster.clients.connect(to: cluster.nodes[node], options: options, loop: number % 2)
        connections[node] = made
        return made
    }

    private func prepare(_ text: String, _ connection: CQLConnection, _ node: Int) async throws -> PreparedStatement {
        if let statement = statements[node]?[text] { return statement }
        let made = try await connection.prepare(text)
        statements[node, default: [:]][text] = made
        return made
    }

    /// Whether an error says that nothing was done.
    static func isRefusal(_ error: any Error) -> Bool {
        switch error {
        case let error as CQLError:
            switch error {
            case .unavailable, .overloaded, .isBootstrapping, .syntaxError, .unauthorized, .invalid, .configError,
                .alreadyExists, .unprepared, .protocolError, .badCredentials:
                true
            default: false
            }
        case let error as ClientError:
            switch error {
            case .unreachable, .noHosts, .unknownHost, .tooManyRequests, .versionRefused: true
            default: false
            }
        default: false
        }
    }
}
