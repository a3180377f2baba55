public import CQL
public import Environment

/// How a session with a cluster is made.
public struct ClusterOptions: Sendable {
    public var connection = ConnectionOptions()
    public var connectionsPerNode = 1
    /// The keyspace of unqualified names.
    public var keyspace: String?
    public var routing = RoutingPolicy()
    public var retries = RetryPolicy()
    public var reconnection = ReconnectionSchedule()
    /// How long a change of the schema is awaited on all nodes; the statement succeeds in any case.
    public var schemaAgreementLimit: Duration = .seconds(10)
    /// Told of every event of the cluster, after the session has looked at it.
    public var onEvent: (@Sendable (Event) -> Void)?

    public init() {}
}

/// No node could carry out a request; for each that was tried, in order, why.
public struct NoNodeAvailable: Error, Sendable, CustomStringConvertible {
    public struct Attempt: Sendable {
        public let address: SocketAddress
        /// A `CQLError` or a `ClientError`.
        public let error: any Error
    }

    public let attempts: [Attempt]

    public var description: String {
        if attempts.isEmpty { return "there is no node to send the request to" }
        return "no node could carry out the request: "
            + attempts.map { "\($0.address): \($0.error)" }.joined(separator: "; ")
    }
}
