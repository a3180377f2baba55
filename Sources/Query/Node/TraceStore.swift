import CQL
import DataModel
import Environment
import Primitives

/// Writes the story of a traced request into `system_traces`, where shells look for it.
extension ShardExecutor {
    package func store(
        _ trace: Trace, request: String, command: String, client: [UInt8], parameters: [(String, String)]
    ) async {
        let finished: Int64 = host.time.wallMicroseconds
        let ttl = 86_400
        do {
            let session = try parse(
                "INSERT INTO system_traces.sessions (session_id, command, client, coordinator, coordinator_port, duration, "
                    + "parameters, request, started_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) USING TTL \(ttl)",
                keyspace: nil)
            let event = try parse(
                "INSERT INTO system_traces.events (session_id, event_id, activity, source, source_port, source_elapsed, thread) "
                    + "VALUES (?, ?, ?, ?, ?, ?, ?) USING TTL \(ttl)", keyspace: nil)
            let id = TermValue.bytes(trace.id.bytes)
            let coordinator = TermValue.bytes(node.local.broadcast.address.bytes)
            let port = TermValue.bytes(SelectorEvaluation.int(Int32(node.local.broadcast.port)))
            for entry in trace.events {
                _ = try await execute(
                    event,
                    [
                        id, .bytes(entry.id.bytes), .bytes(Array(entry.activity.utf8)), coordinator, port,
                        .bytes(SelectorEvaluation.int(Int32(clamping: entry.elapsedMicroseconds))),
                        .bytes(Array("shard-\(index)".utf8)),
                    ], RequestContext())
            }
            let pairs = parameters.map { (key: Array($0.0.utf8), value: Array($0.1.utf8)) }
            _ = try await execute(
                session,
                [
                    id, .bytes(Array(command.utf8)), .bytes(client), coordinator, port,
                    .bytes(SelectorEvaluation.int(Int32(clamping: finished - trace.startedMicroseconds))),
                    .bytes(CollectionValue.map(pairs, keyType: .text)), .bytes(Array(request.utf8)),
                    .bytes(SelectorEvaluation.bigint(trace.startedMicroseconds / 1000)),
                ], RequestContext())
        } catch {
            // A trace is a service to whoever looks at it; the request that it tells of has already been answered.
        }
    }
}
