package import Primitives

/// What gossipers say to each other.
///
///     message  := format u8 (1) · heartbeat of the sender · digests · states
///     heartbeat := generation i32 · milliseconds u64
///     digests  := count vint · (node (16) · generation i32 · version u32)*
///     states   := count vint · (node (16) · heartbeat · version u32 · count vint · entry*)*
///     entry    := key u8 · version u32 · length vint · UTF-8
///
/// One form for all of them. A syn has digests, its answer what is wanted and states, an ack2 states. A hello and its
/// answer have the state of their sender, a goodbye its last one, a ping and its answer the heartbeat alone.
package struct GossipMessage: Hashable, Sendable {
    package var heartbeat: Heartbeat
    package var digests: [GossipDigest] = []
    package var states: [EndpointState] = []

    static let format: UInt8 = 1
    /// The most nodes that a message may speak of.
    package static let maximumNodeCount = 8_192
    /// The most bytes of a message; the control lane carries no larger one.
    package static let maximumByteCount = 1 << 20

    package init(heartbeat: Heartbeat, digests: [GossipDigest] = [], states: [EndpointState] = []) {
        self.heartbeat = heartbeat
        self.digests = digests
        self.states = states
    }

    package var bytes: [UInt8] {
        var writer = ByteWriter(capacity: 32 + digests.count * 24 + states.count * 128)
        writer.write(GossipMessage.format)
        GossipMessage.write(heartbeat, to: &writer)
        writer.writeLength(digests.count)
        for digest in digests {
            writer.write(digest.id.uuid.high)
            writer.write(digest.id.uuid.low)
            writer.write(digest.generation)
            writer.write(digest.version)
        }
        writer.writeLength(states.count)
        for state in states { GossipMessage.write(state, to: &writer) }
        return writer.array()
    }

    /// Reads a message; nothing in it is trusted.
    package init(_ bytes: [UInt8]) throws(DecodingError) {
        guard bytes.count <= GossipMessage.maximumByteCount else {
            throw .invalid(offset: 0, what: "a message that is too long")
        }
        var reader = ByteReader(bytes.span.bytes)
        guard try reader.readUInt8() == GossipMessage.format else {
            throw .invalid(offset: 0, what: "its format is unknown")
        }
        self.heartbeat = try GossipMessage.readHeartbeat(&reader)
        let digestCount: Int = try GossipMessage.readCount(&reader, limit: GossipMessage.maximumNodeCount)
        for _ in 0..<digestCount {
            let id: NodeID = try GossipMessage.readNodeID(&reader)
            let generation: Int32 = try reader.readInt32()
            digests.append(GossipDigest(id: id, generation: generation, version: try reader.readUInt32()))
        }
        let stateCount: Int = try GossipMessage.readCount(&reader, limit: GossipMessage.maximumNodeCount)
        for _ in 0..<stateCount { states.append(try GossipMessage.readState(&reader)) }
        guard reader.isAtEnd else { throw .invalid(offset: reader.offset, what: "bytes follow its end") }
    }

    private static func write(_ heartbeat: Heartbeat, to writer: inout ByteWriter) {
        writer.write(heartbeat.generation)
        writer.write(heartbeat.milliseconds)
    }

    private static func write(_ state: EndpointState, to writer: inout ByteWriter) {
        writer.write(state.id.uuid.high)
        writer.write(state.id.uuid.low)
        write(state.heartbeat, to: &writer)
        writer.write(state.version)
        writer.writeLength(state.entries.count)
        for entry in state.entries {
            writer.write(entry.key.rawValue)
            writer.write(entry.version)
            writer.writeLength(entry.value.utf8.count)
            writer.writeUTF8(entry.value)
        }
    }

    private static func readCount(_ reader: inout ByteReader, limit: Int) throws(DecodingError) -> Int {
        let offset: Int = reader.offset
        let count: Int = try reader.readLength()
        guard count <= limit else { throw .invalid(offset: offset, what: "a count that is out of range") }
        return count
    }

    private static func readNodeID(_ reader: inout ByteReader) throws(DecodingError) -> NodeID {
        let high: UInt64 = try reader.readUInt64()
        return NodeID(UUID(high: high, low: try reader.readUInt64()))
    }

    private static func readHeartbeat(_ reader: inout ByteReader) throws(DecodingError) -> Heartbeat {
        let generation: Int32 = try reader.readInt32()
        let offset: Int = reader.offset
        let milliseconds: UInt64 = try reader.readUInt64()
        guard milliseconds <= Heartbeat.maximumMilliseconds else {
            throw .invalid(offset: offset, what: "a heartbeat that is out of range")
        }
        return Heartbeat(generation: generation, milliseconds: milliseconds)
    }

    private static func readState(_ reader: inout ByteReader) throws(DecodingError) -> EndpointState {
        let id: NodeID = try readNodeID(&reader)
        let heartbeat: Heartbeat = try readHeartbeat(&reader)
        var state = EndpointState(id: id, heartbeat: heartbeat, version: try reader.readUInt32())
        let count: Int = try readCount(&reader, limit: EndpointState.maximumEntryCount)
        for _ in 0..<count {
            let offset: Int = reader.offset
            let key = ApplicationState(rawValue: try reader.readUInt8())
            let version: UInt32 = try reader.readUInt32()
            let byteCount: Int = try readCount(&reader, limit: EndpointState.maximumValueByteCount)
            let run: [UInt8] = try reader.readArray(byteCount)
            guard let value = String(validating: run, as: UTF8.self) else {
                throw .invalid(offset: offset, what: "a value that is not UTF-8")
            }
            guard version <= state.version else {
                throw .invalid(offset: offset, what: "a value that is newer than its node")
            }
            if let last = state.entries.last, last.key >= key {
                throw .invalid(offset: offset, what: "values that do not ascend")
            }
            state.entries.append(EndpointState.Entry(key: key, value: value, version: version))
        }
        return state
    }
}
