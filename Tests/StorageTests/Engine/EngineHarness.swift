import DataModel
import Environment
import Glibc
import Primitives
import SimulatedHost

@testable import Storage

/// How many seeds a random test runs: few in every run, as many as MARTLET_SEEDS says when somebody hunts.
func seedCount(_ usual: Int) -> Int {
    guard let text = getenv("MARTLET_SEEDS"), let count = Int(String(cString: text)) else { return usual }
    return count
}

/// What a simulated run found wrong, with how to come back to it.
struct EngineMismatch: Error, CustomStringConvertible {
    var description: String

    init(_ words: String) {
        self.description = words
    }
}

/// Wakes writers when their log records are durable. Confined to the loop of its shard.
final class AcknowledgementWaiter: @unchecked Sendable {
    private var waiting: [(position: LogPosition, continuation: UnsafeContinuation<StorageError?, Never>)] = []

    init(_ log: CommitLogShard) {
        log.onAdvance = { position in self.wake(upTo: position, nil) }
        log.onFailure = { error in self.wake(upTo: LogPosition(.max), error) }
    }

    func wait(for position: LogPosition, _ log: CommitLogShard) async throws(StorageError) {
        if position <= log.acknowledgeable { return }
        let failure: StorageError? = await withUnsafeContinuation { waiting.append((position, $0)) }
        if let failure { throw failure }
    }

    private func wake(upTo position: LogPosition, _ failure: StorageError?) {
        let told = waiting.filter { $0.position <= position }
        waiting.removeAll { $0.position <= position }
        for entry in told { entry.continuation.resume(returning: failure) }
    }
}

/// An open engine with what tests do to it.
struct EngineUnderTest: Sendable {
    let engine: StorageEngine
    let host: Host
    let waiters: [AcknowledgementWaiter]

    static func open(
        _ options: StorageOptions, host: Host, tables: [TableDefinition] = [EngineChange.definition]
    ) async throws(StorageError) -> EngineUnderTest {
        let engine: StorageEngine = try await StorageEngine.open(options, host: host, tables: tables)
        var waiters: [AcknowledgementWaiter] = []
        for shard in engine.shards {
            let call = LoopCall<AcknowledgementWaiter>("listen", on: shard.loop, of: host) { () throws(StorageError) in
                AcknowledgementWaiter(shard.log)
            }
            waiters.append(try await call.value())
        }
        return EngineUnderTest(engine: engine, host: host, waiters: waiters)
    }

    /// Applies a mutation and returns once it may be acknowledged.
    func write(_ change: EngineChange, table id: UUID = EngineChange.table) async throws(StorageError) {
        let shard: ShardStore = engine.shard(of: change.token)
        let waiter: AcknowledgementWaiter = waiters[shard.index]
        let bytes: [UInt8] = change.encoded(table: id)
        let call = LoopCall<Void>("write", on: shard.loop, of: host) { () throws(StorageError) in
            guard let table = shard.table(id) else { throw .closed }
            let position: LogPosition = try shard.apply(bytes.span.bytes, to: table)
            try await waiter.wait(for: position, shard.log)
        }
        try await call.value()
    }

    /// What a client could see of all partitions.
    func visible(
        _ command: ReadCommand = ReadCommand(partitions: .all), table id: UUID = EngineChange.table, now: Int64
    ) async throws(StorageError) -> [[UInt8]: [String]] {
        var result: [[UInt8]: [String]] = [:]
        for shard in engine.shards {
            let call = LoopCall<[[UInt8]: [String]]>("read", on: shard.loop, of: host) { () throws(StorageError) in
                guard let table = shard.table(id) else { return [:] }
                return try await EngineUnderTest.read(table.cursor(command), now: now)
            }
            result.merge(try await call.value()) { old, _ in old + ["twice"] }
        }
        return result
    }

    static func read(_ cursor: ReadCursor, now: Int64) async throws(StorageError) -> [[UInt8]: [String]] {
        var result: [[UInt8]: [String]] = [:]
        var key: [UInt8] = []
        while true {
            switch try cursor.step() {
            case .partition:
                key = [UInt8](cursor.key)
                if let line = EngineUnderTest.text(cursor.staticRow, now: now) {
                    result[key, default: []].append("static \(line)")
                }
            case .row:
                let number: UInt8 = cursor.clustering.count == 2 ? cursor.clustering[1] &- 1 : 255
                if let line = EngineUnderTest.text(cursor.row, now: now) {
                    result[key, default: []].append("\(number) \(line)")
                }
            case .blocked: try await cursor.load()
            case .end: return result
            }
        }
    }

    /// The live parts of a row; nil when there are none.
    static func text(_ bytes: UnsafeRawBufferPointer, now: Int64) -> String? {
        if bytes.isEmpty { return nil }
        do {
            var parts: [String] = []
            var row = try RowReader(unsafe RawSpan(_unsafeBytes: bytes))
            if let marker = row.marker, marker.isLive(at: now) { parts.append("m") }
            while let cell = try row.next() {
                guard cell.isLive(at: now) else { continue }
                let path = [UInt8](bytes[cell.pathOffset..<(cell.pathOffset + cell.pathByteCount)])
                parts.append("\(cell.column)\(path)=\(cell.valueByteCount)")
            }
            return parts.isEmpty ? nil : parts.joined(separator: " ")
        } catch {
            return "undecodable \(error)"
        }
    }

    /// What the fast path says of one row, or a cursor where the fast path passes.
    func readRow(key: [UInt8], row: UInt8, now: Int64) async throws(StorageError) -> String? {
        let token = Token(ofKey: key.span.bytes)
        let shard: ShardStore = engine.shard(of: token)
        let clustering: [UInt8] = EngineChange.clustering(row)
        let call = LoopCall<String?>("read a row", on: shard.loop, of: host) { () throws(StorageError) in
            guard let table = shard.table(EngineChange.table) else { return nil }
            var scratch = ByteWriter()
            switch try table.readRow(
                token: token, key: key.span.bytes, clustering: clustering.span.bytes, columns: nil, scratch: &scratch)
            {
            case .none: return nil
            case .row(let bytes): return EngineUnderTest.text(bytes, now: now)
            case .needsCursor: break
            }
            let command = ReadCommand(partitions: .one(token: token, key: key), slices: [.row(clustering)])
            let found: [[UInt8]: [String]] = try await EngineUnderTest.read(table.cursor(command), now: now)
            guard let line = found[key]?.first(where: { !$0.hasPrefix("static") }) else { return nil }
            return String(line.dropFirst("\(row) ".count))
        }
        return try await call.value()
    }
}
