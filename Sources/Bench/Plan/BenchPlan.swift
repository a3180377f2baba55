package import CQL
package import DataModel
package import Environment

/// What a benchmark does: everything that a person chooses on the command line.
package struct BenchPlan: Sendable {
    package enum Workload: String, Sendable, CaseIterable {
        case read, write, mixed
    }

    /// When the measured part ends.
    package enum Extent: Sendable, Equatable {
        case duration(Duration)
        case requests(Int)
    }

    package var workload: Workload
    package var host = "127.0.0.1"
    package var port: UInt16 = 9042
    package var connections = 8
    /// Requests that each connection has under way at once, at most.
    package var inFlight = 32
    /// Requests a second over all connections, sent when their time has come whether or not earlier ones are answered;
    /// nil to send the next when one is answered.
    package var rate: Double?
    package var extent: Extent = .duration(.seconds(10))
    /// How long to send before measuring.
    package var warmup: Duration = .seconds(2)
    /// How many different rows are read and written.
    package var rows = 100_000
    package var columns = 5
    package var valueByteCount = 34
    package var consistency: Consistency = .localOne
    package var replicationFactor = 1
    package var keyspace = "bench"
    /// Nil for the newest that the server speaks.
    package var version: ProtocolVersion?
    /// How the server's certificate is checked; nil to speak no TLS.
    package var security: ClientSecurity?
    /// Of a mixed workload.
    package var readPercent = 50
    /// Whether the rows are written before a workload that reads.
    package var isPreloading = true
    package var seed: UInt64 = 1

    package static let largestConnectionCount = 10_000
    package static let largestRowByteCount = 8 << 20

    package init(_ workload: Workload) {
        self.workload = workload
    }

    /// How many of 100 requests read.
    package var readShare: Int {
        switch workload {
        case .read: 100
        case .write: 0
        case .mixed: readPercent
        }
    }

    /// Takes `HOST`, `HOST:PORT`, `[ADDRESS]:PORT` or an IPv6 address.
    package mutating func setTarget(_ text: String) throws(BenchError) {
        let wrong = BenchError("\"\(text)\" is no HOST or HOST:PORT.")
        var name: Substring = text[...]
        var portText: Substring?
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw wrong }
            name = text[text.index(after: text.startIndex)..<end]
            let rest: Substring = text[text.index(after: end)...]
            if !rest.isEmpty {
                guard rest.hasPrefix(":") else { throw wrong }
                portText = rest.dropFirst()
            }
        } else if text.count(where: { $0 == ":" }) == 1, let colon = text.firstIndex(of: ":") {
            name = text[..<colon]
            portText = text[text.index(after: colon)...]
        }
        guard !name.isEmpty else { throw wrong }
        if let portText {
            guard let number = UInt16(portText), number > 0 else { throw wrong }
            port = number
        }
        host = String(name)
    }

    package mutating func setConsistency(_ name: String) throws(BenchError) {
        guard let level = Consistency(named: name), !level.isSerial else {
            throw BenchError("\"\(name)\" is no consistency level of reads and writes.")
        }
        consistency = level
    }

    package mutating func setVersion(_ number: UInt8) throws(BenchError) {
        // The beta version is for those who try it out, and for nobody who measures.
        guard let known = ProtocolVersion(rawValue: number), !known.isBeta else {
            throw BenchError("Protocol version \(number) is not spoken: 3, 4 and 5 are.")
        }
        version = known
    }

    /// - Throws: a sentence about the first number that cannot be.
    package func validate() throws(BenchError) {
        try check(connections, 1...BenchPlan.largestConnectionCount, "--connections")
        try check(inFlight, 1...32_768, "--in-flight")
        try check(rows, 1...1_000_000_000_000, "--rows")
        try check(columns, 1...1_000, "--columns")
        try check(valueByteCount, 0...BenchPlan.largestRowByteCount / columns, "--value-size")
        try check(replicationFactor, 1...1_000, "--replication-factor")
        try check(readPercent, 0...100, "--read-percent")
        if let rate, !(rate > 0 && rate <= 1e9) { throw BenchError("--rate is more than 0 and at most 1e9.") }
        if warmup < .zero { throw BenchError("--warmup is not negative.") }
        switch extent {
        case .duration(let duration):
            if duration <= .zero { throw BenchError("--duration is more than 0.") }
        case .requests(let count): try check(count, 1...Int.max, "--count")
        }
        let first: Character = keyspace.first ?? " "
        let isWord: Bool = keyspace.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
        guard isWord, first.isLetter, keyspace.utf8.count <= 48 else {
            throw BenchError("\"\(keyspace)\" is no name of a keyspace.")
        }
    }

    private func check(_ value: Int, _ range: ClosedRange<Int>, _ name: String) throws(BenchError) {
        guard range.contains(value) else {
            throw BenchError("\(name) is from \(range.lowerBound) to \(range.upperBound).")
        }
    }
}
