/// Unchecked big-endian loads and checks of runs of bytes, for code that has already compared lengths.
///
/// Hot: values are validated, compared and encoded through these. Whoever calls a load has checked that the bytes are
/// there.
extension RawSpan {
    @inline(__always)
    func byte(at offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    @inline(__always)
    func uint16(at offset: Int) -> UInt16 {
        UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inline(__always)
    func uint32(at offset: Int) -> UInt32 {
        UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inline(__always)
    func uint64(at offset: Int) -> UInt64 {
        UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// Compares byte by byte as unsigned numbers; of two runs that begin alike the shorter is less.
    @inline(__always)
    func order(against other: RawSpan) -> Int {
        ByteOrder.compare(self, other)
    }

    /// Whether every byte is below 0x80.
    public var isASCII: Bool { firstNonASCIIOffset(from: 0) == byteCount }

    /// The offset of the first byte with its high bit set, from `start` on; the byte count when there is none.
    @inline(__always)
    func firstNonASCIIOffset(from start: Int) -> Int {
        var offset = start
        while offset &+ 8 <= byteCount {
            let high: UInt64 = uint64(at: offset) & 0x8080_8080_8080_8080
            if high != 0 { return offset &+ high.leadingZeroBitCount / 8 }
            offset &+= 8
        }
        while offset < byteCount {
            if byte(at: offset) >= 0x80 { return offset }
            offset &+= 1
        }
        return byteCount
    }

    /// Whether the bytes are UTF-8 as RFC 3629 defines it: shortest forms only, no surrogates, nothing past U+10FFFF.
    public var isWellFormedUTF8: Bool {
        var offset: Int = firstNonASCIIOffset(from: 0)
        while offset < byteCount {
            let length: Int = lengthOfUTF8Sequence(at: offset)
            if length == 0 { return false }
            offset = firstNonASCIIOffset(from: offset &+ length)
        }
        return true
    }

    /// The length of the sequence of two to four bytes at `offset`; zero when it is malformed.
    private func lengthOfUTF8Sequence(at offset: Int) -> Int {
        let first: UInt8 = byte(at: offset)
        let length: Int
        var least: UInt8 = 0x80
        var most: UInt8 = 0xBF
        switch first {
        case 0xC2...0xDF: length = 2
        case 0xE0:
            length = 3
            least = 0xA0
        case 0xED:
            length = 3
            most = 0x9F
        case 0xE1...0xEF: length = 3
        case 0xF0:
            length = 4
            least = 0x90
        case 0xF4:
            length = 4
            most = 0x8F
        case 0xF1...0xF3: length = 4
        default: return 0
        }
        guard offset &+ length <= byteCount else { return 0 }
        let second: UInt8 = byte(at: offset &+ 1)
        guard second >= least, second <= most else { return 0 }
        for index in 2..<max(2, length) where byte(at: offset &+ index) & 0xC0 != 0x80 { return 0 }
        return length
    }

    /// The bytes in lower-case hexadecimal digits.
    public var hexadecimal: String {
        let digits: StaticString = "0123456789abcdef"
        return String(unsafeUninitializedCapacity: byteCount * 2) { target in
            for index in 0..<byteCount {
                let value: UInt8 = byte(at: index)
                target[index * 2] = unsafe digits.utf8Start[Int(value >> 4)]
                target[index * 2 + 1] = unsafe digits.utf8Start[Int(value & 15)]
            }
            return byteCount * 2
        }
    }
}
