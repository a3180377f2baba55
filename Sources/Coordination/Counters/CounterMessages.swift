import Cluster
import DataModel
import Primitives

/// A counter write on its way to its leader.
///
///     request := format u8 (1) · level u16 · limit u32 · mutation of deltas
///
/// `limit` is how many milliseconds the leader has. They end a little before the coordinator stops waiting, so that what the
/// leader says of its replicas still arrives.
struct CounterRequest {
    private static let format: UInt8 = 1
    private static let headByteCount = 7

    let level: Consistency
    let limitMilliseconds: UInt32
    let deltas: [UInt8]

    init(level: Consistency, limitMilliseconds: UInt32, deltas: [UInt8]) {
        self.level = level
        self.limitMilliseconds = limitMilliseconds
        self.deltas = deltas
    }

    init(_ body: RawSpan) throws(DecodingError) {
        var reader = ByteReader(body)
        guard try reader.readUInt8() == CounterRequest.format else {
            throw .invalid(offset: 0, what: "a counter write of an unknown format")
        }
        guard let level = Consistency(rawValue: try reader.readUInt16()), !level.isSerial, level != .any else {
            throw .invalid(offset: 1, what: "a level that counters are not written at")
        }
        self.level = level
        self.limitMilliseconds = try reader.readUInt32()
        self.deltas = [UInt8](copying: body.extracting(CounterRequest.headByteCount..<body.byteCount))
    }

    func write(to writer: inout ByteWriter) {
        writer.write(CounterRequest.format)
        writer.write(level.rawValue)
        writer.write(limitMilliseconds)
        writer.write(deltas)
    }
}

/// What the leader of a counter write says became of it.
///
///     answer  := status u8 · [required i32 · number i32] · [count u16 · (node (16) · reason u16)*]
///     status  := 0 counted · 1 unavailable · 2 timed out · 3 failed · 4 overloaded
///
/// The number is how many replicas are alive (1), or have answered (2, 3); the replicas that failed follow for 3 only.
enum CounterAnswer {
    static func write(_ failure: CoordinationFailure?, to writer: inout ByteWriter) {
        switch failure {
        case nil: writer.write(UInt8(0))
        case .unavailable(_, let required, let alive): write(1, required, alive, to: &writer)
        case .writeFailed(_, _, let received, let required, let failures):
            write(3, required, received, to: &writer)
            let ordered = failures.sorted { $0.key < $1.key }.prefix(AnswerRule.maximumReplicaCount)
            writer.write(UInt16(truncatingIfNeeded: ordered.count))
            for (node, reason) in ordered {
                writer.write(node.uuid.high)
                writer.write(node.uuid.low)
                writer.write(reason.rawValue)
            }
        case .overloaded: writer.write(UInt8(4))
        case .writeTimedOut(_, _, let received, let required): write(2, required, received, to: &writer)
        default: write(2, 1, 0, to: &writer)
        }
    }

    private static func write(_ status: UInt8, _ required: Int, _ number: Int, to writer: inout ByteWriter) {
        writer.write(status)
        writer.write(Int32(truncatingIfNeeded: required))
        writer.write(Int32(truncatingIfNeeded: number))
    }

    /// Why the write failed; nil when it did not.
    static func read(_ body: RawSpan, _ level: Consistency) throws(DecodingError) -> CoordinationFailure? {
        var reader = ByteReader(body)
        let status: UInt8 = try reader.readUInt8()
        if status == 0 { return nil }
        if status == 4 { return .overloaded }
        let required = Int(try reader.readInt32())
        let number = Int(try reader.readInt32())
        switch status {
        case 1: return .unavailable(level, required: required, alive: number)
        case 2: return .writeTimedOut(.counter, level, received: number, required: required)
        case 3: break
        default: throw .invalid(offset: 0, what: "an unknown end of a counter write")
        }
        var failures: [NodeID: ReplicaFailure] = [:]
        let count = Int(try reader.readUInt16())
        guard count <= AnswerRule.maximumReplicaCount else {
            throw .invalid(offset: reader.offset, what: "more replicas than there can be")
        }
        for _ in 0..<count {
            let high: UInt64 = try reader.readUInt64()
            let node = NodeID(UUID(high: high, low: try reader.readUInt64()))
            failures[node] = ReplicaFailure(rawValue: try reader.readUInt16()) ?? .unknown
        }
        return .writeFailed(.counter, level, received: number, required: required, failures: failures)
    }
}

/// Waits for what a leader answers. Confined to its loop; `Sendable` is unchecked for that reason.
final class AwaitedLeader: ReplyReceiver, @unchecked Sendable {
    enum End: Sendable {
        case answered([UInt8])
        case failed(MessageFailure)
    }

    private var end: End?
    private var waiting: UnsafeContinuation<End, Never>?

    func replied(_ tag: UInt64, from node: NodeID, body: RawSpan) { finish(.answered([UInt8](copying: body))) }
    func failed(_ tag: UInt64, from node: NodeID, _ failure: MessageFailure) { finish(.failed(failure)) }

    private func finish(_ end: End) {
        self.end = end
        waiting?.resume(returning: end)
        waiting = nil
    }

    func wait() async -> End {
        if let end { return end }
        return await withUnsafeContinuation { waiting = $0 }
    }
}
