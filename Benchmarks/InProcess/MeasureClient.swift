import CQL
import DataModel
import Environment
import Primitives

/// The other end of the connection: it asks, and counts the answers.
///
/// `Sendable` is unchecked because it is touched on its loop only.
final class MeasureClient: @unchecked Sendable {
    struct Failed: Error, CustomStringConvertible {
        let description: String
    }

    /// Rows of a table that stays in the memtable and whose nodes do not all fit the fastest cache.
    private static let rows = 8_192
    private static let columns = 5
    private static let valueByteCount = 34
    /// Reads of the connection that are handed over in one turn of the loop, as long as they are answered at once.
    private static let burstsInTurn = 64

    private let loop: any Loop
    private let session: any ConnectionHandler
    private let version: ProtocolVersion = .v5
    private var splitter = FrameSplitter(side: .client, limits: .client)
    private var frames: FrameWriter
    private var answer: UnsafeContinuation<Response, any Error>?
    private var isCounting = false
    private var answeredCount = 0
    private var failure: String?
    private var advance: (() -> Void)?

    init(loop: any Loop, handler: @Sendable () -> any ConnectionHandler) throws {
        self.loop = loop
        self.frames = FrameWriter(version: .v5)
        self.session = handler()
    }

    // MARK: Answers

    /// Takes what the session sends.
    func take(_ bytes: UnsafeRawBufferPointer) {
        if isCounting { return count(bytes) }
        var used = 0
        while true {
            guard
                case .envelope(let envelope, let consumed) = splitter.next(
                    UnsafeRawBufferPointer(rebasing: bytes[used...]))
            else { return }
            used += consumed
            let waiting = answer
            answer = nil
            do {
                waiting?.resume(returning: try Response.decode(envelope.header, envelope.body.bytes).response)
            } catch { waiting?.resume(throwing: error) }
        }
    }

    /// Counts answers by their lengths alone, so that this side costs next to nothing (protocol specification, v5:
    /// section 2.2, a segment's header has the length of its payload in its first 17 bits).
    private func count(_ bytes: UnsafeRawBufferPointer) {
        var place = 0
        while place &+ 6 <= bytes.count {
            let payload = Int(bytes[place]) | Int(bytes[place &+ 1]) << 8 | Int(bytes[place &+ 2] & 1) << 16
            let end: Int = place &+ 6 &+ payload
            place &+= 6
            while place &+ 9 <= end, end <= bytes.count {
                if bytes[place &+ 4] != Opcode.result.rawValue { failure = "an answer is no result" }
                let body = Int(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place &+ 5, as: UInt32.self)))
                place &+= 9 &+ body
                answeredCount &+= 1
            }
            place = end &+ 4
        }
        advance?()
    }

    // MARK: Requests

    private func ask(_ opcode: Opcode, _ write: @escaping @Sendable (inout ByteWriter) -> Void) async throws -> Response
    {
        let response: Response = try await withUnsafeThrowingContinuation { continuation in
            loop.execute { [self] in
                answer = continuation
                var output = ByteWriter()
                frames.begin(opcode, stream: 0, into: &output)
                write(&output)
                frames.end(in: &output)
                frames.finish(&output)
                output.withUnsafeBytes { hand($0) }
            }
        }
        if case .error(let error) = response { throw Failed(description: error.message) }
        return response
    }

    private func hand(_ bytes: UnsafeRawBufferPointer) {
        require(session.received(bytes) == bytes.count, "whole requests are used whole")
        session.receiveCompleted()
    }

    private func query(_ text: String) async throws {
        let version: ProtocolVersion = self.version
        _ = try await ask(.query) { $0.writeQuery(text, options: QueryOptions(), version: version) }
    }

    private func prepare(_ text: String) async throws -> PreparedResult {
        let version: ProtocolVersion = self.version
        guard case .prepared(let prepared) = try await ask(.prepare, { $0.writePrepare(text, version: version) }) else {
            throw Failed(description: "no answer to PREPARE")
        }
        return prepared
    }

    // MARK: The measurement

    /// Returns how many nanoseconds the requests took.
    func run(_ order: MeasureOrder, time: any TimeSource) async throws -> UInt64 {
        let connection = MemoryConnection(loop: loop, client: self)
        await onLoop { [self] in session.opened(connection) }
        _ = try await ask(.startup) { $0.writeStartup() }
        await onLoop { [self] in
            splitter.startFraming(version: version, compression: .none)
            frames.startFraming(version: version, compression: .none)
        }
        try await query("CREATE KEYSPACE bench WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        let names: [String] = (0..<MeasureClient.columns).map { "c\($0)" }
        let definitions: String = names.map { $0 + " blob" }.joined(separator: ", ")
        try await query("CREATE TABLE bench.kv (key blob PRIMARY KEY, \(definitions))")
        let list: String = names.joined(separator: ", ")
        let insert = try await prepare("INSERT INTO bench.kv (key, \(list)) VALUES (?, ?, ?, ?, ?, ?)")
        let select = try await prepare("SELECT \(list) FROM bench.kv WHERE key = ?")
        let writes: [[UInt8]] = await onLoop { [self] in bursts(insert, order.burst, isRead: false) }
        let reads: [[UInt8]] = await onLoop { [self] in bursts(select, order.burst, isRead: true) }
        try await send(writes, MeasureClient.rows, order.burst)
        let before: UInt64 = time.monotonicNanoseconds
        try await send(order.isRead ? reads : writes, order.count, order.burst)
        return time.monotonicNanoseconds - before
    }

    /// Requests for all rows, each row once, in an order that is not that of their keys.
    private func bursts(_ statement: PreparedResult, _ size: Int, isRead: Bool) -> [[UInt8]] {
        var generator = SeededGenerator(seed: 1)
        let keys: [[UInt8]] = (0..<MeasureClient.rows).map { row in
            withUnsafeBytes(of: (SplitMix64.first(row), UInt64(row).bigEndian)) { [UInt8]($0) }
        }
        var options = QueryOptions(consistency: .localOne)
        options.skipsMetadata = isRead
        var bursts: [[UInt8]] = []
        var output = ByteWriter()
        for (index, key) in keys.enumerated() {
            var values: [BoundValue] = [.bytes(key)]
            if !isRead {
                for _ in 0..<MeasureClient.columns {
                    values.append(.bytes(generator.bytes(MeasureClient.valueByteCount)))
                }
            }
            frames.begin(.execute, stream: Int16(index % size), into: &output)
            output.writeExecute(
                statementID: statement.statementID, resultMetadataID: statement.resultMetadataID, options: options,
                values: values, version: version)
            frames.end(in: &output)
            if index % size == size - 1 {
                frames.finish(&output)
                bursts.append(output.array())
                output.removeAll()
            }
        }
        // Requests that do not fill a burst are left out.
        frames.finish(&output)
        return bursts
    }

    /// Sends `count` requests, burst after burst, each when the one before is answered.
    private func send(_ bursts: [[UInt8]], _ count: Int, _ size: Int) async throws {
        let total: Int = (count + size - 1) / size
        await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
            loop.execute { [self] in
                isCounting = true
                answeredCount = 0
                var sent = 0
                var isInside = false
                advance = { [self] in
                    // Called from inside of the turn: the turn goes on by itself.
                    if isInside { return }
                    if answeredCount < sent * size { return }
                    loop.execute { [self] in turn() }
                }
                turn = { [self] in
                    isInside = true
                    var left: Int = MeasureClient.burstsInTurn
                    while left > 0, sent < total, answeredCount >= sent * size {
                        let burst: [UInt8] = bursts[sent % bursts.count]
                        sent += 1
                        left -= 1
                        burst.withUnsafeBytes { hand($0) }
                    }
                    isInside = false
                    guard answeredCount >= sent * size else { return }
                    if sent < total { return loop.execute { [self] in turn() } }
                    isCounting = false
                    advance = nil
                    turn = {}
                    continuation.resume()
                }
                turn()
            }
        }
        if let failure { throw Failed(description: failure) }
    }

    private var turn: () -> Void = {}

    private func onLoop<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withUnsafeContinuation { continuation in loop.execute { continuation.resume(returning: work()) } }
    }
}

extension SplitMix64 {
    /// The first number from a seed.
    fileprivate static func first(_ seed: Int) -> UInt64 {
        var generator = SplitMix64(state: UInt64(seed))
        return generator.next()
    }
}
