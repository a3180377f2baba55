public import DataModel
public import Primitives

/// The notations of the protocol specification, section 3, appended to a message's body.
extension ByteWriter {
    /// Appends a [string]. A longer one than the two bytes of its length can say is cut between two characters.
    public mutating func writeString(_ text: String) {
        var text = text
        text.withUTF8 { characters in
            let count = ByteWriter.shortTextByteCount(characters)
            write(UInt16(truncatingIfNeeded: count))
            write(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(characters)[0..<count]))
        }
    }

    /// Appends a [long string].
    public mutating func writeLongString(_ text: String) {
        var text = text
        text.withUTF8 { characters in
            write(UInt32(truncatingIfNeeded: characters.count))
            write(UnsafeRawBufferPointer(characters))
        }
    }

    /// Appends [short bytes] of at most 65,535 bytes.
    public mutating func writeShortBytes(_ bytes: [UInt8]) {
        let count = min(bytes.count, Int(UInt16.max))
        write(UInt16(truncatingIfNeeded: count))
        bytes.withUnsafeBytes { write(UnsafeRawBufferPointer(rebasing: $0[0..<count])) }
    }

    /// Appends [bytes]. Hot: once for every value of a result row.
    @inlinable
    public mutating func writeValue(_ bytes: RawSpan) {
        write(UInt32(truncatingIfNeeded: bytes.byteCount))
        write(bytes)
    }

    /// Appends [bytes]. Hot: once for every value of a result row.
    @inlinable
    public mutating func writeValue(_ bytes: UnsafeRawBufferPointer) {
        write(UInt32(truncatingIfNeeded: bytes.count))
        write(bytes)
    }

    /// Appends [bytes]; nil is null.
    @inlinable
    public mutating func writeValue(_ bytes: [UInt8]?) {
        guard let bytes else { return writeNull() }
        bytes.withUnsafeBytes { writeValue($0) }
    }

    /// Appends the [bytes] or [value] that is null.
    @inlinable
    public mutating func writeNull() {
        write(Int32(-1))
    }

    /// Appends the [value] that is not set.
    @inlinable
    public mutating func writeUnset() {
        write(Int32(-2))
    }

    @inlinable
    public mutating func write(_ consistency: Consistency) {
        write(consistency.rawValue)
    }

    /// Appends a [uuid].
    @inlinable
    public mutating func write(_ identifier: UUID) {
        write(identifier.high)
        write(identifier.low)
    }

    /// Appends a [string list].
    public mutating func writeStringList(_ list: [String]) {
        let count = min(list.count, Int(UInt16.max))
        write(UInt16(truncatingIfNeeded: count))
        for text in list.prefix(count) { writeString(text) }
    }

    /// Appends a [string map], in the order of its keys so that the same map makes the same bytes.
    public mutating func writeStringMap(_ map: [String: String]) {
        let keys = map.keys.sorted().prefix(Int(UInt16.max))
        write(UInt16(truncatingIfNeeded: keys.count))
        for key in keys {
            writeString(key)
            writeString(map[key] ?? "")
        }
    }

    /// Appends a [string multimap], in the order of its keys.
    public mutating func writeStringMultimap(_ map: [String: [String]]) {
        let keys = map.keys.sorted().prefix(Int(UInt16.max))
        write(UInt16(truncatingIfNeeded: keys.count))
        for key in keys {
            writeString(key)
            writeStringList(map[key] ?? [])
        }
    }

    /// Appends a [bytes map], in the order of its keys; nil values are null.
    public mutating func writeBytesMap(_ map: [String: [UInt8]?]) {
        let keys = map.keys.sorted().prefix(Int(UInt16.max))
        write(UInt16(truncatingIfNeeded: keys.count))
        for key in keys {
            writeString(key)
            writeValue(map[key] ?? nil)
        }
    }

    /// Appends an [inetaddr].
    public mutating func writeInetAddress(_ address: InetAddress) {
        write(UInt8(truncatingIfNeeded: address.bytes.count))
        write(address.bytes)
    }

    /// Appends an [inet].
    public mutating func writeInet(_ endpoint: InetEndpoint) {
        writeInetAddress(endpoint.address)
        write(endpoint.port)
    }

    /// How many bytes of `characters` a [string] can hold without cutting a character in two.
    private static func shortTextByteCount(_ characters: UnsafeBufferPointer<UInt8>) -> Int {
        let limit = Int(UInt16.max)
        guard characters.count > limit else { return characters.count }
        var end = limit
        while end > 0, characters[end] & 0xC0 == 0x80 { end -= 1 }
        return end
    }
}
