import CQL
package import Cluster
import Coordination
import DataModel
import Environment
import Primitives
import Storage

/// What a trace says of its request as a whole.
package struct TracedRequest: Sendable {
    /// What kind of request it was, in words.
    package var request: String
    /// The address of the client.
    package var client: [UInt8]
    package var parameters: [(String, String)]

    package init(request: String = "", client: [UInt8], parameters: [(String, String)] = []) {
        self.request = request
        self.client = client
        self.parameters = parameters
    }
}

/// Which requests are traced, and where their traces go: into the tables of `system_traces`, which are replicated like
/// those of users, so that every node has the traces of all.
extension ShardExecutor {
    /// Whether a request is to be traced of which the client has not said so (`ShardGroup.traceProbability`).
    ///
    /// Asked only while `traceThreshold` is not 0.
    package func drawsTrace() -> Bool {
        host.entropy.next() <= traceThreshold
    }

    /// Begins to trace a request.
    package func makeTrace() -> RequestTrace {
        coordination.view.messages.makeTrace(identifiers.next())
    }

    /// How long answers are waited for that come after the client's. Whoever reads the trace waits for its session, and
    /// some drivers not for long.
    private static let settlingLimit: Duration = .milliseconds(50)
    /// What comes later than this is left out.
    private static let latestLimit: Duration = .seconds(12)
    private static let timeToLiveSeconds = 86_400

    /// Keeps the trace of a request that has just ended. The client does not wait for it.
    package func keep(_ trace: RequestTrace, of request: TracedRequest) {
        let duration: Int64 = trace.elapsedMicroseconds
        host.background.run("keep a trace", on: loop) { [self] in
            await trace.settle(within: ShardExecutor.settlingLimit, on: loop)
            do {
                // The session tells readers that the events are there.
                try await storeEvents(of: trace)
                try await storeSession(trace, request, duration)
                guard trace.hasOpenMessages else { return }
                await trace.settle(within: ShardExecutor.latestLimit, on: loop)
                try await storeEvents(of: trace)
            } catch {
                // A trace is a service to whoever looks at it; the request that it tells of has been answered.
            }
        }
    }

    private func storeSession(_ trace: RequestTrace, _ request: TracedRequest, _ duration: Int64) async throws {
        let insertion = try parse(
            "INSERT INTO system_traces.sessions (session_id, command, client, coordinator, coordinator_port, duration, "
                + "parameters, request, started_at) VALUES (?, 'QUERY', ?, ?, ?, ?, ?, ?, ?) USING TTL "
                + "\(ShardExecutor.timeToLiveSeconds)", keyspace: nil)
        let pairs = request.parameters.map { (key: Array($0.0.utf8), value: Array($0.1.utf8)) }
        let source: SocketAddress = trace.source
        _ = try await execute(
            insertion,
            [
                .bytes(trace.id.bytes), .bytes(request.client), .bytes(source.host),
                .bytes(SelectorEvaluation.int(Int32(source.port))),
                .bytes(SelectorEvaluation.int(Int32(clamping: duration))),
                .bytes(CollectionValue.map(pairs, keyType: .text)), .bytes(Array(request.request.utf8)),
                .bytes(SelectorEvaluation.bigint(trace.startedMicroseconds / 1_000)),
            ], RequestContext(consistency: .any))
    }

    /// Stores what has been told since the last time, all of it at once.
    private func storeEvents(of trace: RequestTrace) async throws {
        let insertion = try parse(
            "INSERT INTO system_traces.events (session_id, event_id, activity, source, source_port, source_elapsed, thread) "
                + "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL \(ShardExecutor.timeToLiveSeconds)", keyspace: nil)
        guard case .modification(let plan) = insertion.plan else { return }
        var last: [SocketAddress: UInt64] = [:]
        var rows: [(plan: ModificationPlan, values: [TermValue])] = []
        // A node that forwards a message tells two stories, one after the other, of the same time.
        for event in trace.takeEvents().sorted(by: { $0.wallMicroseconds < $1.wallMicroseconds }) {
            let id: UUID = identifier(of: event, after: &last)
            let elapsed = Int32(clamping: event.elapsedMicroseconds)
            let values: [TermValue] = [
                .bytes(trace.id.bytes), .bytes(id.bytes), .bytes(Array(event.activity.utf8)),
                .bytes(event.source.host), .bytes(SelectorEvaluation.int(Int32(event.source.port))),
                .bytes(SelectorEvaluation.int(elapsed)), .bytes(Array(event.thread.utf8)),
            ]
            rows.append((plan, values))
        }
        guard !rows.isEmpty else { return }
        _ = try await modify(rows, kind: nil, RequestContext(consistency: .any))
    }

    /// Events are read in the order of their identifiers: by time, those of one node in the order in which they came.
    private func identifier(of event: TraceEvent, after last: inout [SocketAddress: UInt64]) -> UUID {
        let time = UInt64(bitPattern: event.wallMicroseconds &* 10 &+ UUID.unixEpoch)
        let own: UInt64 = max(time, (last[event.source] ?? 0) &+ 1)
        last[event.source] = own
        // The multicast bit marks a node that is not a hardware address (RFC 9562, section 6.10).
        return .timeBased(timestamp: own, low: host.entropy.next() | 0x0000_0100_0000_0000)
    }
}

extension RequestTrace {
    /// A read of this node's own shards begins, of a table that is nowhere else.
    func addRead(_ commands: [ReadCommand], of table: CompiledTable) {
        guard let first = commands.first else { return }
        guard case .one = first.partitions else { return add("Executing seq scan for \(table.name)") }
        add(
            commands.count == 1
                ? "Executing single-partition query on \(table.name)"
                : "Executing \(commands.count) single-partition queries on \(table.name)")
    }
}
