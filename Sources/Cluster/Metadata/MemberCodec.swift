import DataModel
import Environment
package import Primitives

/// The binary form of a member.
///
///     id 16 │ internode address │ native address │ data centre │ rack │ state 1 │ release │ tokens: count, 8 each
///     address: length 1 (4 or 16) │ host │ port 2
package enum MemberCodec {
    private static let maximumTextByteCount = 1_024

    package static func encode(_ member: Member) -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        writer.write(member.id.uuid.bytes)
        for address in [member.internode, member.native] {
            writer.write(UInt8(clamping: address.host.count))
            writer.write(address.host)
            writer.write(address.port)
        }
        writer.writeText(member.datacenter)
        writer.writeText(member.rack)
        writer.write(member.state.rawValue)
        writer.writeText(member.releaseVersion)
        writer.writeLength(member.tokens.count)
        for token in member.tokens { writer.write(token.value) }
        return writer.array()
    }

    package static func decode(_ bytes: [UInt8]) throws(DecodingError) -> Member {
        let span: RawSpan = bytes.span.bytes
        var reader = ByteReader(span)
        let id = NodeID(try reader.readUUID())
        let internode: SocketAddress = try address(&reader)
        let native: SocketAddress = try address(&reader)
        let datacenter: String = try reader.readText(limit: maximumTextByteCount)
        let rack: String = try reader.readText(limit: maximumTextByteCount)
        guard let state = MemberState(rawValue: try reader.readUInt8()) else {
            throw .invalid(offset: reader.offset, what: "an unknown state of a member")
        }
        let release: String = try reader.readText(limit: maximumTextByteCount)
        let count: Int = try reader.readCount(ofAtLeast: 8, limit: LocalNode.maximumTokenCount)
        var tokens: [Token] = []
        for _ in 0..<count {
            let token = Token(try reader.readInt64())
            guard token != .minimum, tokens.last.map({ $0 < token }) ?? true else {
                throw .invalid(offset: reader.offset, what: "tokens out of order")
            }
            tokens.append(token)
        }
        try reader.end()
        return Member(
            id: id, internode: internode, native: native, datacenter: datacenter, rack: rack, tokens: tokens,
            state: state, releaseVersion: release)
    }

    private static func address(_ reader: inout ByteReader) throws(DecodingError) -> SocketAddress {
        let byteCount = Int(try reader.readUInt8())
        guard byteCount == 4 || byteCount == 16 else {
            throw .invalid(offset: reader.offset, what: "an address that is neither IPv4 nor IPv6")
        }
        let host: [UInt8] = try reader.readArray(byteCount)
        return SocketAddress(host: host, port: try reader.readUInt16())
    }
}
