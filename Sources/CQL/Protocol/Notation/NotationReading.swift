public import DataModel
public import Primitives

/// The notations of the protocol specification, section 3, read from a message's body.
///
/// Offsets in the results count from the start of what the reader reads, so a reader is made over a whole body.
extension ByteReader {
    /// Reads a [byte].
    @inlinable
    public mutating func readByte(_ what: StaticString) throws(ProtocolError) -> UInt8 {
        do { return try readUInt8() } catch { throw .truncated(what) }
    }

    /// Reads a [short], which is unsigned.
    @inlinable
    public mutating func readShort(_ what: StaticString) throws(ProtocolError) -> UInt16 {
        do { return try readUInt16() } catch { throw .truncated(what) }
    }

    /// Reads an [int].
    @inlinable
    public mutating func readInt(_ what: StaticString) throws(ProtocolError) -> Int32 {
        do { return try readInt32() } catch { throw .truncated(what) }
    }

    /// Reads a [long].
    @inlinable
    public mutating func readLong(_ what: StaticString) throws(ProtocolError) -> Int64 {
        do { return try readInt64() } catch { throw .truncated(what) }
    }

    /// Moves past `count` bytes and says where they were.
    @inlinable
    public mutating func readRun(_ count: Int, _ what: StaticString) throws(ProtocolError) -> WireValue {
        let start = offset
        do { try skip(count) } catch { throw .truncated(what) }
        return WireValue(offset: start, byteCount: count)
    }

    /// Locates a [string].
    @inlinable
    public mutating func locateString() throws(ProtocolError) -> WireValue {
        let count = Int(try readShort("an UTF8 serialized string preceded by its 2 bytes length"))
        return try readRun(count, "an UTF8 serialized string preceded by its 2 bytes length")
    }

    /// Locates a [long string].
    @inlinable
    public mutating func locateLongString() throws(ProtocolError) -> WireValue {
        let count = Int(try readInt("an UTF8 serialized string preceded by its 4 bytes length"))
        guard count >= 0 else { throw .truncated("an UTF8 serialized string preceded by its 4 bytes length") }
        return try readRun(count, "an UTF8 serialized string preceded by its 4 bytes length")
    }

    /// Locates [short bytes].
    @inlinable
    public mutating func locateShortBytes() throws(ProtocolError) -> WireValue {
        let count = Int(try readShort("a byte array preceded by its 2 bytes length"))
        return try readRun(count, "a byte array preceded by its 2 bytes length")
    }

    /// Locates [bytes]: every negative length is null.
    @inlinable
    public mutating func locateBytes() throws(ProtocolError) -> WireValue {
        let count = Int(try readInt("a value preceded by its 4 bytes length"))
        guard count >= 0 else { return .null }
        return try readRun(count, "a value preceded by its 4 bytes length")
    }

    /// Locates a [value]: null, unset (v4 and newer) or bytes.
    @inlinable
    public mutating func readValue(_ version: ProtocolVersion) throws(ProtocolError) -> WireValue {
        let count = Int(try readInt("a value preceded by its 4 bytes length"))
        if count >= 0 { return try readRun(count, "a value preceded by its 4 bytes length") }
        if count == -1 || !version.hasUnsetValues { return .null }
        guard count == -2 else { throw ByteReader.invalidLength(count) }
        return .unset
    }

    /// Reads a [consistency].
    @inlinable
    public mutating func readConsistency() throws(ProtocolError) -> Consistency {
        try Consistency(code: readShort("a consistency level"))
    }

    /// Reads a [string].
    public mutating func readString() throws(ProtocolError) -> String {
        let count = Int(try readShort("an UTF8 serialized string preceded by its 2 bytes length"))
        return try readText(count)
    }

    /// Reads a [long string].
    public mutating func readLongString() throws(ProtocolError) -> String {
        let count = Int(try readInt("an UTF8 serialized string preceded by its 4 bytes length"))
        return try readText(count)
    }

    /// Reads [short bytes].
    public mutating func readShortBytes() throws(ProtocolError) -> [UInt8] {
        let count = Int(try readShort("a byte array preceded by its 2 bytes length"))
        do { return try readArray(count) } catch { throw .truncated("a byte array preceded by its 2 bytes length") }
    }

    /// Reads [bytes]; nil for null.
    public mutating func readOptionalBytes() throws(ProtocolError) -> [UInt8]? {
        let count = Int(try readInt("a value preceded by its 4 bytes length"))
        guard count >= 0 else { return nil }
        do { return try readArray(count) } catch { throw .truncated("a value preceded by its 4 bytes length") }
    }

    /// Reads a [uuid].
    public mutating func readUUID() throws(ProtocolError) -> UUID {
        let high = UInt64(bitPattern: try readLong("an UUID"))
        let low = UInt64(bitPattern: try readLong("an UUID"))
        return UUID(high: high, low: low)
    }

    /// Reads a [string list].
    public mutating func readStringList() throws(ProtocolError) -> [String] {
        let count = Int(try readShort("a list of strings"))
        var list: [String] = []
        for _ in 0..<count { list.append(try readString()) }
        return list
    }

    /// Reads a [string map]; of a key that comes twice the last value stays.
    public mutating func readStringMap() throws(ProtocolError) -> [String: String] {
        let count = Int(try readShort("a map of strings"))
        var map: [String: String] = [:]
        for _ in 0..<count {
            let key = try readString()
            map[key] = try readString()
        }
        return map
    }

    /// Reads a [string multimap].
    public mutating func readStringMultimap() throws(ProtocolError) -> [String: [String]] {
        let count = Int(try readShort("a map of lists of strings"))
        var map: [String: [String]] = [:]
        for _ in 0..<count {
            let key = try readString()
            map[key] = try readStringList()
        }
        return map
    }

    /// Reads a [bytes map]; null values are nil.
    public mutating func readBytesMap() throws(ProtocolError) -> [String: [UInt8]?] {
        let count = Int(try readShort("a map of bytes"))
        var map: [String: [UInt8]?] = [:]
        for _ in 0..<count {
            let key = try readString()
            map.updateValue(try readOptionalBytes(), forKey: key)
        }
        return map
    }

    /// Reads an [inetaddr]: a size byte and the address.
    public mutating func readInetAddress() throws(ProtocolError) -> InetAddress {
        let count = Int(try readByte("an internet address"))
        guard count == 4 || count == 16 else {
            throw ProtocolError("Invalid size for an internet address: \(count) bytes")
        }
        do {
            let bytes = try readArray(count)
            return InetAddress(bytes: bytes) ?? .anyIPv4
        } catch {
            throw .truncated("an internet address")
        }
    }

    /// Reads an [inet]: an address and a port.
    public mutating func readInet() throws(ProtocolError) -> InetEndpoint {
        let address = try readInetAddress()
        return InetEndpoint(address: address, port: try readInt("a port"))
    }

    private mutating func readText(_ count: Int) throws(ProtocolError) -> String {
        do throws(DecodingError) { try need(count) } catch { throw .truncated("an UTF8 serialized string") }
        guard count > 0 else { return "" }
        let bytes: [UInt8]
        do { bytes = try readArray(count) } catch { throw .truncated("an UTF8 serialized string") }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ProtocolError("Cannot decode string as UTF8")
        }
        return text
    }

    @inline(never)
    @usableFromInline
    static func invalidLength(_ count: Int) -> ProtocolError {
        ProtocolError("Invalid ByteBuf length \(count)")
    }
}
