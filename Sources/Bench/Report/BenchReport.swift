import CQL
import DataModel
import Histogram

/// What a phase took.
package struct TimeUsed: Sendable, Equatable {
    package var elapsedNanoseconds: UInt64
    /// Processor time; nil when it is not known.
    package var serverNanoseconds: UInt64?
    package var clientNanoseconds: UInt64?

    package init(elapsedNanoseconds: UInt64, serverNanoseconds: UInt64? = nil, clientNanoseconds: UInt64? = nil) {
        self.elapsedNanoseconds = elapsedNanoseconds
        self.serverNanoseconds = serverNanoseconds
        self.clientNanoseconds = clientNanoseconds
    }
}

/// What a benchmark measured.
package struct BenchReport: Sendable, Equatable {
    /// Latencies in microseconds.
    package struct Latencies: Sendable, Equatable {
        package var mean: Double
        package var percentile50: Double
        package var percentile90: Double
        package var percentile99: Double
        package var percentile999: Double
        package var longest: Double

        package init(
            mean: Double, percentile50: Double, percentile90: Double, percentile99: Double, percentile999: Double,
            longest: Double
        ) {
            self.mean = mean
            self.percentile50 = percentile50
            self.percentile90 = percentile90
            self.percentile99 = percentile99
            self.percentile999 = percentile999
            self.longest = longest
        }
    }

    /// One kind of failure and how often it came.
    package struct Failure: Sendable, Equatable {
        package let words: String
        package let count: Int

        package init(words: String, count: Int) {
            self.words = words
            self.count = count
        }
    }

    package var workload: String
    /// Name and value of everything that was chosen, in the order in which it is shown.
    package var settings: [(name: String, value: String)]
    package var requestCount: Int
    package var errorCount: Int
    package var missingCount: Int
    /// Requests of an open loop that were due and never sent.
    package var backlog: Int
    package var failures: [Failure]
    package var latencies: Latencies
    package var used: TimeUsed

    package init(
        workload: String, settings: [(name: String, value: String)], requestCount: Int, errorCount: Int,
        missingCount: Int, backlog: Int, failures: [Failure], latencies: Latencies, used: TimeUsed
    ) {
        self.workload = workload
        self.settings = settings
        self.requestCount = requestCount
        self.errorCount = errorCount
        self.missingCount = missingCount
        self.backlog = backlog
        self.failures = failures
        self.latencies = latencies
        self.used = used
    }

    package static func == (left: BenchReport, right: BenchReport) -> Bool {
        left.json == right.json
    }

    /// Whether every request got the answer that it should.
    package var isClean: Bool { errorCount == 0 }

    package var seconds: Double { Double(used.elapsedNanoseconds) / 1e9 }
    package var requestsPerSecond: Double { seconds > 0 ? Double(requestCount) / seconds : 0 }
    package var serverMicroseconds: Double? { perRequest(used.serverNanoseconds) }
    package var clientMicroseconds: Double? { perRequest(used.clientNanoseconds) }

    private func perRequest(_ nanoseconds: UInt64?) -> Double? {
        guard let nanoseconds, requestCount > 0 else { return nil }
        return Double(nanoseconds) / 1e3 / Double(requestCount)
    }

    // MARK: Forms

    /// For people: a line for each figure, ended by line feeds.
    package var text: String {
        var lines: [(String, String)] = []
        lines.append((workload, settings.map { "\($0.name) \($0.value)" }.joined(separator: ", ")))
        lines.append(("requests", "\(requestCount) in \(DecimalText.of(seconds, places: 2)) s"))
        lines.append(("throughput", "\(DecimalText.of(requestsPerSecond, places: 0)) requests/s"))
        lines.append(("errors", "\(errorCount)"))
        for failure in failures { lines.append(("", "\(failure.count) × \(failure.words)")) }
        if missingCount > 0 { lines.append(("missing", "\(missingCount) reads found no row")) }
        if backlog > 0 {
            lines.append(("backlog", "\(backlog) requests were due and not sent: the rate was not reached"))
        }
        let parts: [String] = named.map { "\($0.name) \(DecimalText.of($0.value, places: 1))" }
        lines.append(("latency µs", parts.joined(separator: "  ")))
        if let serverMicroseconds {
            lines.append(("server CPU", "\(DecimalText.of(serverMicroseconds, places: 2)) µs/request"))
        }
        if let clientMicroseconds {
            lines.append(("client CPU", "\(DecimalText.of(clientMicroseconds, places: 2)) µs/request"))
        }
        return lines.map { name, value in
            name + String(repeating: " ", count: max(1, 12 - name.count)) + value + "\n"
        }.joined()
    }

    /// For programs: one object on one line.
    package var json: String {
        var fields: [String] = []
        fields.append("\"workload\":\(JSONText.string(workload))")
        for setting in settings {
            let isNumber: Bool = Double(setting.value) != nil
            fields.append(
                "\(JSONText.string(setting.name)):\(isNumber ? setting.value : JSONText.string(setting.value))")
        }
        fields.append("\"requests\":\(requestCount)")
        fields.append("\"seconds\":\(DecimalText.of(seconds, places: 3))")
        fields.append("\"requests_per_second\":\(DecimalText.of(requestsPerSecond, places: 1))")
        fields.append("\"errors\":\(errorCount)")
        fields.append("\"missing\":\(missingCount)")
        fields.append("\"backlog\":\(backlog)")
        let kinds: [String] = failures.map { "\(JSONText.string($0.words)):\($0.count)" }
        fields.append("\"failures\":{\(kinds.joined(separator: ","))}")
        let parts: [String] = named.map { "\(JSONText.string($0.name)):\(DecimalText.of($0.value, places: 3))" }
        fields.append("\"latency_us\":{\(parts.joined(separator: ","))}")
        fields.append("\"server_cpu_us\":\(serverMicroseconds.map { DecimalText.of($0, places: 3) } ?? "null")")
        fields.append("\"client_cpu_us\":\(clientMicroseconds.map { DecimalText.of($0, places: 3) } ?? "null")")
        return "{\(fields.joined(separator: ","))}"
    }

    private var named: [(name: String, value: Double)] {
        [
            ("p50", latencies.percentile50), ("p90", latencies.percentile90), ("p99", latencies.percentile99),
            ("p99.9", latencies.percentile999), ("max", latencies.longest), ("mean", latencies.mean),
        ]
    }
}

extension BenchReport {
    init(
        _ name: String, _ plan: BenchPlan, version: ProtocolVersion, _ counts: LoadCounts, _ used: TimeUsed,
        backlog: Int
    ) {
        var settings: [(name: String, value: String)] = [
            ("connections", "\(plan.connections)"), ("in_flight", "\(plan.inFlight)"), ("rows", "\(plan.rows)"),
            ("columns", "\(plan.columns)"), ("value_size", "\(plan.valueByteCount)"),
            ("consistency", plan.consistency.name), ("protocol_version", "\(version.rawValue)"),
        ]
        if let rate = plan.rate { settings.append(("rate", DecimalText.of(rate, places: 1))) }
        if plan.workload == .mixed { settings.append(("read_percent", "\(plan.readPercent)")) }
        let failures: [Failure] = counts.errorKinds.map { Failure(words: $0.key, count: $0.value) }
            .sorted { ($1.count, $0.words) < ($0.count, $1.words) }
        self.init(
            workload: name, settings: settings, requestCount: counts.completedCount, errorCount: counts.errorCount,
            missingCount: counts.missingCount, backlog: backlog, failures: failures,
            latencies: Latencies(counts), used: used)
    }
}

extension BenchReport.Latencies {
    init(_ counts: LoadCounts) {
        func microseconds(_ percentile: Double) -> Double {
            counts.completedCount == 0 ? 0 : Double(counts.latencies.valueAtPercentile(percentile)) / 1e3
        }
        self.init(
            mean: counts.completedCount == 0 ? 0 : counts.latencies.mean / 1e3, percentile50: microseconds(50),
            percentile90: microseconds(90), percentile99: microseconds(99), percentile999: microseconds(99.9),
            longest: microseconds(100))
    }
}

/// One line about the last second.
enum ProgressLine {
    static func text(_ counts: LoadCounts, elapsed: Duration, interval: UInt64) -> String {
        let latencies = BenchReport.Latencies(counts)
        let rate: Double = Double(counts.completedCount) * 1e9 / Double(max(1, interval))
        let seconds: Int64 = elapsed.components.seconds
        return "\(padded("\(seconds)", 5)) s \(padded(DecimalText.of(rate, places: 0), 9)) requests/s"
            + "  p50 \(DecimalText.of(latencies.percentile50, places: 1)) µs"
            + "  p99 \(DecimalText.of(latencies.percentile99, places: 1)) µs  errors \(counts.errorCount)"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
