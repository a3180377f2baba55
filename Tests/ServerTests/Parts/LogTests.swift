import Environment
import Logging
import Server
import SimulatedHost
import Synchronization
import Testing

@Suite struct LogTests {
    @Test func aLineHasTimeLevelPartTextAndSortedValues() {
        let line: String = LogLine.text(
            microseconds: 1_704_067_200_123_456, level: "info", label: "node", message: "Startup complete",
            values: ["shards": "2", "cluster.name": "Test Cluster"])
        #expect(
            line
                == "2024-01-01T00:00:00.123Z INFO  node  Startup complete  cluster.name=\"Test Cluster\" shards=2\n")
    }

    @Test(arguments: [
        ("", #"v="""#), ("plain", "v=plain"), ("two words", #"v="two words""#), ("a\nb", #"v="a\nb""#),
        ("\"", #"v="\"""#), ("\u{1}", #"v="\u{1}""#), ("a\"\\", #"v="a\"\\""#),
    ])
    func aLineStaysALineWhateverAValueIs(value: String, shown: String) {
        let line: String = LogLine.text(microseconds: 0, level: "error", label: "x", message: "m", values: ["v": value])
        #expect(line == "1970-01-01T00:00:00.000Z ERROR x  m  \(shown)\n")
    }

    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    @Test func theLastWarningsAndErrorsAreKept() throws {
        let world = SimulatedWorld(seed: 1)
        let time: any TimeSource = world.makeHost(name: "a").time
        let logs = NodeLog(levels: LogLevels(usual: .info), time: time) { _ in }
        let logger: Logger = logs.logger("storage")
        logger.info("not this")
        #expect(logs.recent.all.isEmpty)
        let count: Int = RecentEvents.keptCount + 3
        for number in 0..<count { logger.error("event", metadata: ["number": "\(number)"]) }
        #expect(logs.recent.all.count == RecentEvents.keptCount)
        #expect(logs.recent.all.first?.message == "event  number=3")
        #expect(logs.recent.all.last?.message == "event  number=\(count - 1)")
        logger.warning("\(String(repeating: "x", count: 10_000))")
        #expect(logs.recent.all.last?.level == .warning && logs.recent.all.last?.message.utf8.count == 2_048)
        #expect(logs.recent.all.first?.message == "event  number=4")
    }

    @Test func partsHaveLevelsOfTheirOwn() throws {
        let world = SimulatedWorld(seed: 1)
        let time: any TimeSource = world.makeHost(name: "a").time
        let levels = try LogLevels(usual: "warning", overrides: "sessions=debug, schema=error")
        let lines = Lines()
        let logs = NodeLog(levels: levels, time: time) { line in lines.all.withLock { $0.append(line) } }
        for part in ["node", "sessions", "schema"] {
            let logger: Logger = logs.logger(part)
            logger.debug("debug")
            logger.warning("warning", metadata: ["a.b": "1"])
            logger.error("error")
        }
        let shown: [String] = lines.all.withLock { $0 }.map { line in
            line.split(separator: " ", omittingEmptySubsequences: true)[1...3].joined(separator: " ")
        }
        #expect(
            shown.map { $0.replacing("\n", with: "") } == [
                "WARNING node warning", "ERROR node error", "DEBUG sessions debug", "WARNING sessions warning",
                "ERROR sessions error", "ERROR schema error",
            ])
    }

    @Test(arguments: [("loud", ""), ("info", "sessions"), ("info", "sessions=loud"), ("info", "=debug")])
    func levelsThatDoNotExistAreRefused(usual: String, overrides: String) {
        #expect(throws: ConfigurationError.self) { try LogLevels(usual: usual, overrides: overrides) }
    }
}
