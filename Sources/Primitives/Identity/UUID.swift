/// A universally unique identifier: 16 bytes (RFC 9562), kept as two big-endian halves.
public struct UUID: Hashable, Sendable, CustomStringConvertible {
    public let high: UInt64
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Reads the first 16 bytes of `bytes`; nil when there are fewer.
    public init?(_ bytes: RawSpan) {
        guard bytes.byteCount >= 16 else { return nil }
        self.high = UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(as: UInt64.self))
        self.low = UInt64(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: 8, as: UInt64.self))
    }

    /// Parses the form `8-4-4-4-12` of hexadecimal digits; nil for anything else.
    public init?(text: String) {
        var nibbles = 0
        var high: UInt64 = 0
        var low: UInt64 = 0
        for (index, character) in text.utf8.enumerated() {
            if index == 8 || index == 13 || index == 18 || index == 23 {
                guard character == UInt8(ascii: "-") else { return nil }
                continue
            }
            guard let digit = UUID.hexadecimalValue(character), nibbles < 32 else { return nil }
            if nibbles < 16 { high = high << 4 | digit } else { low = low << 4 | digit }
            nibbles += 1
        }
        guard nibbles == 32, text.utf8.count == 36 else { return nil }
        self.init(high: high, low: low)
    }

    /// The 16 bytes, in the order of the text form.
    public var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(16)
        for half in [high, low] {
            for index in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: half >> UInt64(56 - index * 8))) }
        }
        return bytes
    }

    public var description: String {
        var text = ""
        for (index, byte) in bytes.enumerated() {
            if index == 4 || index == 6 || index == 8 || index == 10 { text += "-" }
            text += UUID.digits[Int(byte >> 4)]
            text += UUID.digits[Int(byte & 15)]
        }
        return text
    }

    /// The version field: 1 for time-based, 4 for random ones.
    public var version: Int { Int(high >> 12 & 0xF) }

    /// For version 1: time in units of 100 ns since 1582-10-15.
    public var timestamp: UInt64 {
        let timeLow: UInt64 = high >> 32
        let timeMiddle: UInt64 = high >> 16 & 0xFFFF
        let timeHigh: UInt64 = high & 0x0FFF
        return timeHigh << 48 | timeMiddle << 32 | timeLow
    }

    /// For version 1: milliseconds since 1970.
    public var unixMilliseconds: Int64 {
        (Int64(bitPattern: timestamp) - UUID.unixEpoch) / 10_000
    }

    /// 1970-01-01 in units of 100 ns since 1582-10-15.
    public static let unixEpoch: Int64 = 0x01b2_1dd2_1381_4000

    /// Makes a version 1 identifier from a time in units of 100 ns since 1582-10-15 and the 64 bits that follow it;
    /// the variant bits of `low` are set here.
    public static func timeBased(timestamp: UInt64, low: UInt64) -> UUID {
        let timeLow: UInt64 = timestamp & 0xFFFF_FFFF
        let timeMiddle: UInt64 = timestamp >> 32 & 0xFFFF
        let timeHigh: UInt64 = timestamp >> 48 & 0x0FFF
        let high: UInt64 = timeLow << 32 | timeMiddle << 16 | 0x1000 | timeHigh
        return UUID(high: high, low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// Makes a version 4 identifier from 128 bits, which the caller has drawn at random.
    public static func version4(high: UInt64, low: UInt64) -> UUID {
        UUID(high: high & ~0xF000 | 0x4000, low: low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// Makes a version 3 identifier from 16 bytes of a digest of a name.
    public static func named(digest: [UInt8]) -> UUID {
        guard let plain = UUID(digest.span.bytes) else { return UUID(high: 0, low: 0) }
        return UUID(high: plain.high & ~0xF000 | 0x3000, low: plain.low & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    private static let digits: [String] = [
        "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f",
    ]

    private static func hexadecimalValue(_ character: UInt8) -> UInt64? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt64(character - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt64(character - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt64(character - UInt8(ascii: "A") + 10)
        default: nil
        }
    }
}
