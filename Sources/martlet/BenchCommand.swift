import ArgumentParser
import Bench
import Environment
import SystemHost
import TLSHost

/// `martlet bench`: the load generator.
struct BenchCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Put load on a node and measure latencies and throughput.",
        discussion: """
            Workloads: read, write and mixed, on rows with a key of 16 bytes. Without --rate a connection sends its next \
            request when one is answered; with it, requests have intended times, and latencies are counted from those, \
            so that waiting for a slow server is not left out. The exit status is 0 when every request was answered \
            with a result, 1 when some were not, 2 when the benchmark could not be run.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable {
        case text, json
    }

    @Argument(help: "What to do: read, write or mixed.")
    var workload: BenchPlan.Workload

    @Argument(help: "Where to connect: HOST or HOST:PORT (default: 127.0.0.1:9042).")
    var target: String?

    @Option(help: "Connections.")
    var connections = 8
    @Option(help: "Requests that each connection has under way at once.")
    var inFlight = 32
    @Option(help: "Requests a second over all connections, whether or not earlier ones are answered.")
    var rate: Double?
    @Option(help: "How long to measure, such as 10s or 2m.")
    var duration: String?
    @Option(help: "How many requests to measure, instead of a duration.")
    var count: Int?
    @Option(help: "How long to send before measuring.")
    var warmup: String = "2s"
    @Option(help: "How many different rows there are.")
    var rows = 100_000
    @Option(help: "Columns of a row, beside its key.")
    var columns = 5
    @Option(help: "Bytes of a value.")
    var valueSize = 34
    @Option(help: "How many replicas must answer.")
    var consistency: String = "LOCAL_ONE"
    @Option(help: "Replicas, if the keyspace is made.")
    var replicationFactor = 1
    @Option(help: "The keyspace; it is made when there is none.")
    var keyspace: String = "bench"
    @Option(help: "The version of the native protocol: 3, 4 or 5 (default: the newest possible).")
    var protocolVersion: UInt8?
    @Flag(help: "Connect with TLS; the server's certificate must be good and made for HOST.")
    var ssl = false
    @Option(help: "With --ssl: trust the certificates in this file, in PEM, and not those of the machine.")
    var cafile: String?
    @Option(help: "Of 100 requests of a mixed workload, how many read.")
    var readPercent = 50
    @Flag(help: "Read without having written the rows.")
    var skipPreload = false
    @Option(help: "Threads of this side.")
    var threads = 1
    @Option(help: "The seed of rows and values.")
    var seed: UInt64 = 1
    @Option(
        help:
            "The server's process, to count its processor time; may be repeated (default: whoever listens at the port)."
    )
    var serverPid: [Int32] = []
    @Option(help: "The form of the report: text or json.")
    var format: Format = .text

    func validate() throws {
        do {
            _ = try makePlan()
        } catch let error as BenchError {
            throw ValidationError(error.description)
        }
        for process in serverPid where LocalProcess.processorNanoseconds(of: process) == nil {
            throw ValidationError("There is no process \(process).")
        }
    }

    func run() async throws {
        let plan: BenchPlan = try makePlan()
        ProcessResources.raiseOpenFileLimit()
        let system = OperatingSystem(loopCount: threads, diskThreadCount: 2, securing: TLSSecuring())
        let run = BenchRun(plan, on: system.host, clocks: clocks(plan)) { line in
            _ = Terminal.write(line + "\n", to: .error)
        }
        let report: BenchReport
        do {
            report = try await run.run()
        } catch {
            _ = Terminal.write("martlet bench: \(error)\n", to: .error)
            await system.shutdown()
            throw ExitCode(2)
        }
        await system.shutdown()
        _ = Terminal.write(format == .json ? report.json + "\n" : report.text)
        if !report.isClean { throw ExitCode(1) }
    }

    private func makePlan() throws -> BenchPlan {
        var plan = BenchPlan(workload)
        if let target { try plan.setTarget(target) }
        plan.connections = connections
        plan.inFlight = inFlight
        plan.rate = rate
        plan.warmup = try length(warmup, "--warmup")
        plan.rows = rows
        plan.columns = columns
        plan.valueByteCount = valueSize
        try plan.setConsistency(consistency)
        plan.replicationFactor = replicationFactor
        plan.keyspace = keyspace
        if let protocolVersion { try plan.setVersion(protocolVersion) }
        if ssl {
            var security = ClientSecurity()
            if let cafile {
                guard let bytes = try? SmallFiles.read(cafile) else {
                    throw BenchError("The file \(cafile) of --cafile cannot be read.")
                }
                security.trusted = bytes
            }
            plan.security = security
        } else if cafile != nil {
            throw BenchError("--cafile says whom --ssl trusts; give --ssl too.")
        }
        plan.readPercent = readPercent
        plan.isPreloading = !skipPreload
        plan.seed = seed
        if duration != nil, count != nil { throw BenchError("Either --duration or --count, not both.") }
        if let count { plan.extent = .requests(count) }
        if let duration { plan.extent = .duration(try length(duration, "--duration")) }
        guard (1...256).contains(threads) else { throw BenchError("--threads is from 1 to 256.") }
        try plan.validate()
        return plan
    }

    private func length(_ text: String, _ name: String) throws -> Duration {
        guard let duration = DurationText.parse(text) else {
            throw BenchError("\(name) is a duration such as 500ms, 10s or 2m, not \"\(text)\".")
        }
        return duration
    }

    private func clocks(_ plan: BenchPlan) -> ProcessorClocks {
        var clocks = ProcessorClocks(client: { ProcessResources.processorNanoseconds })
        if !serverPid.isEmpty {
            let processes: [Int32] = serverPid
            clocks.server = { processes.reduce(0) { $0 + (LocalProcess.processorNanoseconds(of: $1) ?? 0) } }
        } else if plan.host == "localhost" || plan.host == "::1" || plan.host.hasPrefix("127."),
            let process = LocalProcess.listening(at: plan.port)
        {
            clocks.server = { LocalProcess.processorNanoseconds(of: process) }
        }
        return clocks
    }
}

extension BenchPlan.Workload: ExpressibleByArgument {}
