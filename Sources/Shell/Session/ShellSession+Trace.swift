import CQL
import DataModel
import Environment
import MartletClient
import Primitives

/// Tracing sessions: read from the server's tables once they are complete, and drawn as a table.
extension ShellSession {
    private struct Trace {
        var client: [UInt8]?
        var coordinator: [UInt8]?
        var request: String
        var startedMilliseconds: Int64
        /// Nil while the request goes on.
        var microseconds: Int64?
    }

    /// Draws a session.
    ///
    /// - Parameter isPartial: whether a session that is not complete is drawn at once.
    func showTrace(_ identifier: UUID, isPartial: Bool) async {
        do {
            guard let trace = try await awaitTrace(identifier, isPartial: isPartial) else {
                return complain("Session \(identifier) wasn't found.")
            }
            if trace.microseconds == nil, !isPartial {
                let words: String =
                    "Statement trace did not complete within \(options.traceWaitLimit.components.seconds) seconds; "
                    + "trace data may be incomplete."
                show((isColored ? TextColor.red.around(words) : words) + "\n")
            }
            let rows: [[StyledText]] = try await traceRows(identifier, trace)
            let names: [StyledText] = ["activity", "timestamp", "source", "source_elapsed", "client"].map {
                painter.name($0)
            }
            let title: String = painter.isColored ? TextColor.magenta.around("Tracing session: ") : "Tracing session: "
            let table = ResultTable(names: names, rows: rows)
            show("\n\(title)\(identifier)\n\n" + table.drawn(hasHeader: true, hasLastBlank: isInteractive) + "\n")
        } catch {
            complain("Unable to fetch query trace: \(ErrorText.text(error))")
        }
    }

    /// Reads a session, again and again until it has its duration or the time is over.
    private func awaitTrace(_ identifier: UUID, isPartial: Bool) async throws -> Trace? {
        let start: UInt64 = host.time.monotonicNanoseconds
        var pause: Duration = .milliseconds(3)
        var found: Trace?
        while true {
            found = try await readTrace(identifier)
            if found?.microseconds != nil || isPartial { return found }
            let passed = Duration.nanoseconds(Int64(clamping: host.time.monotonicNanoseconds &- start))
            if passed >= options.traceWaitLimit { return found }
            try await host.time.sleep(for: pause)
            pause = min(pause * 2, .milliseconds(500))
        }
    }

    private func readTrace(_ identifier: UUID) async throws -> Trace? {
        let text =
            "SELECT client, coordinator, request, started_at, duration FROM system_traces.sessions "
            + "WHERE session_id = \(identifier)"
        guard let row = try await client?.query(text).rows.first(where: { _ in true }) else { return nil }
        return Trace(
            client: row.bytes("client"), coordinator: row.bytes("coordinator"),
            request: try row["request", as: String.self] ?? "",
            startedMilliseconds: try row["started_at", as: Int64.self] ?? 0,
            microseconds: try row["duration", as: Int64.self])
    }

    private func traceRows(_ identifier: UUID, _ trace: Trace) async throws -> [[StyledText]] {
        let text =
            "SELECT activity, event_id, source, source_elapsed, thread FROM system_traces.events "
            + "WHERE session_id = \(identifier)"
        let painter: ValuePainter = self.painter
        let started: Int64 = trace.startedMilliseconds.multipliedReportingOverflow(by: 1_000).partialValue
        func line(_ activity: String, _ microseconds: Int64, _ source: [UInt8]?, _ elapsed: Int64?) -> [StyledText] {
            let time: String = ClockText.dateAndTime(microseconds: microseconds) ?? String(microseconds)
            return [
                painter.string(activity), painter.string(time), address(source),
                elapsed.map { painter.number($0) } ?? painter.string("--"), address(trace.client),
            ]
        }
        var rows: [[StyledText]] = [line(trace.request, started, trace.coordinator, 0)]
        let events: [Row] = try await client?.query(text).rows.map { $0 } ?? []
        for row in events {
            let activity: String = try row["activity", as: String.self] ?? ""
            let thread: String = try row["thread", as: String.self] ?? ""
            let time: Int64 = try row["event_id", as: UUID.self].map { ShellSession.microseconds(of: $0) } ?? 0
            rows.append(
                line("\(activity) [\(thread)]", time, row.bytes("source"), try row["source_elapsed", as: Int64.self]))
        }
        if let duration = trace.microseconds {
            rows.append(line("Request complete", started &+ duration, trace.coordinator, duration))
        }
        return rows
    }

    private func address(_ bytes: [UInt8]?) -> StyledText {
        guard let bytes else { return painter.null }
        return painter.text(of: bytes.span.bytes, type: .inet)
    }

    /// The time of a time-based identifier, in microseconds since 1970.
    private static func microseconds(of identifier: UUID) -> Int64 {
        (Int64(bitPattern: identifier.timestamp) &- UUID.unixEpoch) / 10
    }
}
