/// Reads integers and byte runs from the front of a buffer.
///
/// Fixed-width integers are big-endian, as on the CQL wire and in our files. The reader borrows the buffer and copies
/// nothing; it cannot outlive what it reads. Every read checks what is left, and a failed read does not move.
///
/// Hot: runs for every field of every frame and row. Nothing here allocates.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var position: Int = 0

    @_lifetime(copy bytes)
    @inlinable
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
    }

    /// How many bytes have been read.
    @inlinable public var offset: Int { position }
    @inlinable public var remaining: Int { bytes.byteCount &- position }
    @inlinable public var isAtEnd: Bool { position == bytes.byteCount }

    /// Fails unless `count` more bytes can be read.
    @inlinable
    @inline(__always)
    public func need(_ count: Int) throws(DecodingError) {
        if count < 0 || remaining < count { throw truncation(count) }
    }

    @inline(never)
    @usableFromInline
    func truncation(_ count: Int) -> DecodingError {
        .truncated(offset: offset, missing: count < 0 ? 0 : count - remaining)
    }

    @inlinable
    @inline(__always)
    public mutating func readUInt8() throws(DecodingError) -> UInt8 {
        try need(1)
        let value: UInt8 = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
        moveForward(1)
        return value
    }

    @inlinable
    @inline(__always)
    public mutating func readUInt16() throws(DecodingError) -> UInt16 {
        try need(2)
        let stored = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self)
        moveForward(2)
        return UInt16(bigEndian: stored)
    }

    @inlinable
    @inline(__always)
    public mutating func readUInt32() throws(DecodingError) -> UInt32 {
        try need(4)
        let stored = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self)
        moveForward(4)
        return UInt32(bigEndian: stored)
    }

    @inlinable
    @inline(__always)
    public mutating func readUInt64() throws(DecodingError) -> UInt64 {
        try need(8)
        let stored = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
        moveForward(8)
        return UInt64(bigEndian: stored)
    }

    @inlinable
    @inline(__always)
    public mutating func readInt32() throws(DecodingError) -> Int32 {
        Int32(bitPattern: try readUInt32())
    }

    @inlinable
    @inline(__always)
    public mutating func readInt64() throws(DecodingError) -> Int64 {
        Int64(bitPattern: try readUInt64())
    }

    /// Reads an unsigned variable-length integer (SURFACE of the protocol: leading one-bits count the extra bytes).
    @inlinable
    @inline(__always)
    public mutating func readUnsignedVint() throws(DecodingError) -> UInt64 {
        let first = try readUInt8()
        if first < 0x80 { return UInt64(first) }
        return try readLongVint(first)
    }

    /// Reads an unsigned variable-length integer that must fit a length: 0 … Int32.max.
    @inlinable
    @inline(__always)
    public mutating func readLength() throws(DecodingError) -> Int {
        let start = offset
        let value = try readUnsignedVint()
        guard value <= UInt64(Int32.max) else {
            throw .invalid(offset: start, what: "a length of more than 2 GiB")
        }
        return Int(value)
    }

    /// Reads a signed variable-length integer in zig-zag form.
    @inlinable
    public mutating func readVint() throws(DecodingError) -> Int64 {
        let raw = try readUnsignedVint()
        return Int64(bitPattern: raw >> 1) ^ -Int64(bitPattern: raw & 1)
    }

    /// Borrows the next `count` bytes and moves past them.
    @_lifetime(copy self)
    @inlinable
    @inline(__always)
    public mutating func readBytes(_ count: Int) throws(DecodingError) -> RawSpan {
        try need(count)
        let start = offset
        moveForward(count)
        return bytes.extracting(start..<(start + count))
    }

    /// Moves past `count` bytes.
    @inlinable
    @inline(__always)
    public mutating func skip(_ count: Int) throws(DecodingError) {
        try need(count)
        moveForward(count)
    }

    /// Borrows everything that is left, without moving.
    public var rest: RawSpan {
        @_lifetime(copy self)
        @inlinable
        get { bytes.extracting(offset..<bytes.byteCount) }
    }

    /// Copies the next `count` bytes out and moves past them.
    @inlinable
    public mutating func readArray(_ count: Int) throws(DecodingError) -> [UInt8] {
        let run = try readBytes(count)
        return [UInt8](copying: run)
    }

    @usableFromInline
    mutating func readLongVint(_ first: UInt8) throws(DecodingError) -> UInt64 {
        let extra: Int = (~first).leadingZeroBitCount
        guard remaining >= extra else {
            let start = offset - 1
            let missing = extra - remaining
            position = start
            throw .truncated(offset: start, missing: missing)
        }
        var value: UInt64 = extra >= 7 ? 0 : UInt64(first & (0xFF >> UInt8(extra + 1)))
        for _ in 0..<extra {
            value = value << 8 | UInt64(unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
            position += 1
        }
        return value
    }

    @inlinable
    @inline(__always)
    mutating func moveForward(_ count: Int) {
        position = position &+ count
    }
}

extension [UInt8] {
    /// Copies the bytes of a span.
    @inlinable
    public init(copying span: RawSpan) {
        self = span.withUnsafeBytes { unsafe [UInt8]($0) }
    }
}
