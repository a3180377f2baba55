package import Environment
package import Primitives

/// The versions of the protocol that this build speaks.
package enum InternodeVersion {
    package static let oldest: UInt16 = 1
    package static let newest: UInt16 = 1
}

/// A step of reading a greeting.
package enum HandshakeStep<Value> {
    case needMore
    case complete(Value, consumed: Int)
    /// Not a greeting: the connection is closed without a word.
    case malformed
}

/// The first thing on a connection: who calls, and whom (docs/formats/internode.md, Greeting).
package struct Hello: Equatable, Sendable {
    /// `MRTI`.
    static let magic: UInt32 = 0x4D52_5449

    package var oldestVersion: UInt16
    package var newestVersion: UInt16
    package var lane: Lane
    package var clusterName: String
    /// Zero when the sender is of no cluster yet.
    package var clusterID: UUID
    package var sender: NodeID
    /// Who is to answer; `.none` for whoever is there.
    package var wanted: NodeID
    /// The sender's internode address.
    package var address: SocketAddress
    package var epoch: UInt64

    package init(
        oldestVersion: UInt16 = InternodeVersion.oldest, newestVersion: UInt16 = InternodeVersion.newest, lane: Lane,
        clusterName: String, clusterID: UUID, sender: NodeID, wanted: NodeID, address: SocketAddress, epoch: UInt64
    ) {
        self.oldestVersion = oldestVersion
        self.newestVersion = newestVersion
        self.lane = lane
        self.clusterName = clusterName
        self.clusterID = clusterID
        self.sender = sender
        self.wanted = wanted
        self.address = address
        self.epoch = epoch
    }

    package func write(to writer: inout ByteWriter) {
        let start: Int = Envelope.begin(Hello.magic, in: &writer)
        writer.write(oldestVersion)
        writer.write(newestVersion)
        writer.write(lane.rawValue)
        writer.write(UInt8(0))
        writer.write(UInt16(truncatingIfNeeded: clusterName.utf8.count))
        writer.writeUTF8(clusterName)
        for id in [clusterID, sender.uuid, wanted.uuid] { writer.write(id.bytes) }
        writer.write(UInt8(truncatingIfNeeded: address.host.count))
        writer.write(address.host)
        writer.write(address.port)
        writer.write(epoch)
        Envelope.end(in: &writer, from: start)
    }

    package static func read(_ bytes: UnsafeRawBufferPointer) -> HandshakeStep<Hello> {
        switch Envelope.find(magic, bytes) {
        case .needMore: return .needMore
        case .malformed: return .malformed
        case .complete(let contents, let consumed):
            var reader = ByteReader(unsafe RawSpan(_unsafeBytes: contents))
            guard let hello = try? Hello(&reader) else { return .malformed }
            return .complete(hello, consumed: consumed)
        }
    }

    private init(_ reader: inout ByteReader) throws(DecodingError) {
        self.oldestVersion = try reader.readUInt16()
        self.newestVersion = try reader.readUInt16()
        guard let lane = Lane(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: reader.offset, what: "no lane has this number")
        }
        self.lane = lane
        _ = try reader.readUInt8()
        let nameByteCount = Int(try reader.readUInt16())
        self.clusterName = String(decoding: try reader.readArray(nameByteCount), as: UTF8.self)
        self.clusterID = try Envelope.readUUID(&reader)
        self.sender = NodeID(try Envelope.readUUID(&reader))
        self.wanted = NodeID(try Envelope.readUUID(&reader))
        let hostByteCount = Int(try reader.readUInt8())
        guard hostByteCount == 4 || hostByteCount == 16 else {
            throw .invalid(offset: reader.offset, what: "no address has this many bytes")
        }
        let host = try reader.readArray(hostByteCount)
        self.address = SocketAddress(host: host, port: try reader.readUInt16())
        self.epoch = try reader.readUInt64()
    }
}

/// What the node that was called says of itself.
package struct Welcome: Equatable, Sendable {
    package var version: UInt16
    package var node: NodeID
    package var clusterID: UUID
    package var epoch: UInt64

    package init(version: UInt16, node: NodeID, clusterID: UUID, epoch: UInt64) {
        self.version = version
        self.node = node
        self.clusterID = clusterID
        self.epoch = epoch
    }
}

/// Why two nodes do not talk.
package struct HandshakeRefusal: Error, Equatable, Sendable {
    package static let otherCluster: UInt8 = 1
    package static let wrongNode: UInt8 = 2
    package static let noCommonVersion: UInt8 = 3
    package static let noIdentity: UInt8 = 4

    package var code: UInt8
    package var reason: String

    package init(code: UInt8, reason: String) {
        self.code = code
        self.reason = reason
    }
}

/// The second thing on a connection.
package enum HandshakeAnswer: Equatable, Sendable {
    case welcome(Welcome)
    case refusal(HandshakeRefusal)

    /// `MRTA`.
    static let magic: UInt32 = 0x4D52_5441
    private static let reasonByteCount = 2_048

    package func write(to writer: inout ByteWriter) {
        let start: Int = Envelope.begin(HandshakeAnswer.magic, in: &writer)
        switch self {
        case .welcome(let welcome):
            writer.write(UInt8(1))
            writer.write(welcome.version)
            writer.write(welcome.node.uuid.bytes)
            writer.write(welcome.clusterID.bytes)
            writer.write(welcome.epoch)
        case .refusal(let refusal):
            writer.write(UInt8(2))
            writer.write(refusal.code)
            let reason = Array(refusal.reason.utf8.prefix(HandshakeAnswer.reasonByteCount))
            writer.write(UInt16(truncatingIfNeeded: reason.count))
            writer.write(reason)
        }
        Envelope.end(in: &writer, from: start)
    }

    package static func read(_ bytes: UnsafeRawBufferPointer) -> HandshakeStep<HandshakeAnswer> {
        switch Envelope.find(magic, bytes) {
        case .needMore: return .needMore
        case .malformed: return .malformed
        case .complete(let contents, let consumed):
            var reader = ByteReader(unsafe RawSpan(_unsafeBytes: contents))
            guard let answer = try? HandshakeAnswer(&reader) else { return .malformed }
            return .complete(answer, consumed: consumed)
        }
    }

    private init(_ reader: inout ByteReader) throws(DecodingError) {
        switch try reader.readUInt8() {
        case 1:
            let version = try reader.readUInt16()
            let node = NodeID(try Envelope.readUUID(&reader))
            let clusterID = try Envelope.readUUID(&reader)
            self = .welcome(
                Welcome(version: version, node: node, clusterID: clusterID, epoch: try reader.readUInt64()))
        case 2:
            let code = try reader.readUInt8()
            let count = Int(try reader.readUInt16())
            let reason = String(decoding: try reader.readArray(count), as: UTF8.self)
            self = .refusal(HandshakeRefusal(code: code, reason: reason))
        default: throw .invalid(offset: 0, what: "no answer has this number")
        }
    }
}

/// What both greetings travel in: magic u32 │ byte count of all u16 │ fields │ CRC-32C u32. Versions to come may add
/// fields at the end, which this one passes over.
private enum Envelope {
    static let maximumByteCount = 4_096
    private static let headByteCount = 6
    private static let sumByteCount = 4

    static func begin(_ magic: UInt32, in writer: inout ByteWriter) -> Int {
        let start: Int = writer.count
        writer.write(magic)
        writer.write(UInt16(0))
        return start
    }

    static func end(in writer: inout ByteWriter, from start: Int) {
        let byteCount: Int = writer.count - start + sumByteCount
        require(byteCount <= maximumByteCount, "a greeting has a bounded size")
        writer.overwrite(UInt8(byteCount >> 8), at: start + 4)
        writer.overwrite(UInt8(byteCount & 0xFF), at: start + 5)
        let sum: UInt32 = writer.withUnsafeBytes { Checksum.crc32c(UnsafeRawBufferPointer(rebasing: $0[start...])) }
        writer.write(sum)
    }

    /// The fields of the greeting at the front of `bytes`.
    static func find(_ magic: UInt32, _ bytes: UnsafeRawBufferPointer) -> HandshakeStep<UnsafeRawBufferPointer> {
        for index in 0..<min(4, bytes.count)
        where bytes[index] != UInt8(truncatingIfNeeded: magic >> UInt32(24 - index * 8)) {
            return .malformed
        }
        guard bytes.count >= headByteCount else { return .needMore }
        let byteCount = Int(bytes[4]) << 8 | Int(bytes[5])
        guard byteCount >= headByteCount + sumByteCount, byteCount <= maximumByteCount else { return .malformed }
        guard bytes.count >= byteCount else { return .needMore }
        let covered = UnsafeRawBufferPointer(rebasing: bytes[..<(byteCount - sumByteCount)])
        let stored = bytes.loadUnaligned(fromByteOffset: byteCount - sumByteCount, as: UInt32.self)
        guard Checksum.crc32c(covered) == UInt32(bigEndian: stored) else { return .malformed }
        return .complete(UnsafeRawBufferPointer(rebasing: covered[headByteCount...]), consumed: byteCount)
    }

    static func readUUID(_ reader: inout ByteReader) throws(DecodingError) -> UUID {
        let high = try reader.readUInt64()
        return UUID(high: high, low: try reader.readUInt64())
    }
}
