import Bench
import Testing

@Suite struct BenchReportTests {
    static let latencies = BenchReport.Latencies(
        mean: 12.34, percentile50: 10, percentile90: 20.5, percentile99: 30, percentile999: 40, longest: 99.99)

    static func report(requests: Int = 1_000, failures: [BenchReport.Failure] = []) -> BenchReport {
        BenchReport(
            workload: "read", settings: [(name: "connections", value: "8"), (name: "consistency", value: "ONE")],
            requestCount: requests, errorCount: failures.reduce(0) { $0 + $1.count }, missingCount: 0, backlog: 0,
            failures: failures, latencies: latencies,
            used: TimeUsed(elapsedNanoseconds: 2_000_000_000, serverNanoseconds: 3_000_000, clientNanoseconds: nil))
    }

    @Test func ratesAreOfTheTimeThatWasTaken() {
        let report = Self.report()
        #expect(report.requestsPerSecond == 500)
        #expect(report.serverMicroseconds == 3)
        #expect(report.clientMicroseconds == nil)
        #expect(report.isClean)
    }

    @Test func aRunWithoutRequestsHasNoCostOfOne() {
        let report = Self.report(requests: 0)
        #expect(report.serverMicroseconds == nil)
        #expect(report.json.contains("\"server_cpu_us\":null"))
    }

    @Test func theTextHasALineForEachFigure() {
        let text = Self.report(failures: [BenchReport.Failure(words: "no answer", count: 2)]).text
        let expected = """
            read        connections 8, consistency ONE
            requests    1000 in 2.00 s
            throughput  500 requests/s
            errors      2
                        2 × no answer
            latency µs  p50 10.0  p90 20.5  p99 30.0  p99.9 40.0  max 100.0  mean 12.3
            server CPU  3.00 µs/request

            """
        #expect(text == expected)
    }

    @Test func theJSONIsOneObjectOnOneLine() {
        let json = Self.report(failures: [BenchReport.Failure(words: "a \"b\"\n\u{1}", count: 1)]).json
        let expected =
            #"{"workload":"read","connections":8,"consistency":"ONE","requests":1000,"seconds":2.000,"#
            + #""requests_per_second":500.0,"errors":1,"missing":0,"backlog":0,"failures":{"a \"b\"\n\u0001":1},"#
            + #""latency_us":{"p50":10.000,"p90":20.500,"p99":30.000,"p99.9":40.000,"max":99.990,"mean":12.340},"#
            + #""server_cpu_us":3.000,"client_cpu_us":null}"#
        #expect(json == expected)
    }

    @Test(arguments: [
        (0.0, 0, "0"), (0.5, 0, "1"), (1.005, 1, "1.0"), (-0.04, 1, "0.0"), (-1.25, 2, "-1.25"), (9.999, 2, "10.00"),
        (0.0625, 3, "0.063"), (.nan, 1, "0"), (.infinity, 1, "0"),
    ])
    func decimalsAreRoundedToTheirPlaces(_ value: Double, _ places: Int, _ text: String) {
        #expect(DecimalText.of(value, places: places) == text)
    }
}
