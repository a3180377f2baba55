/// Builds a run of bytes: one growing allocation, kept and reused by its owner.
///
/// Fixed-width integers are big-endian. The writer owns its memory and cannot be copied; a class that holds one for its
/// whole life calls `removeAll()` between uses, so that a warm writer allocates nothing.
///
/// Hot: every frame, mutation and row is written through one.
public struct ByteWriter: ~Copyable {
    @usableFromInline var base: UnsafeMutableRawPointer
    @usableFromInline var capacity: Int
    @usableFromInline var used: Int = 0

    public init(capacity: Int = 256) {
        let rounded: Int = max(16, capacity)
        self.base = UnsafeMutableRawPointer.allocate(byteCount: rounded, alignment: 16)
        self.capacity = rounded
    }

    deinit {
        base.deallocate()
    }

    /// How many bytes have been written.
    @inlinable public var count: Int { used }
    @inlinable public var isEmpty: Bool { used == 0 }
    /// How much memory the writer holds.
    @inlinable public var capacityByteCount: Int { capacity }

    /// Forgets what was written and keeps the memory.
    @inlinable
    public mutating func removeAll() {
        used = 0
    }

    /// Forgets what was written and gives back memory beyond `limit` bytes, so that one large message does not stay.
    public mutating func removeAll(keepingAtMost limit: Int) {
        used = 0
        guard capacity > limit else { return }
        base.deallocate()
        capacity = max(16, limit)
        base = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
    }

    /// Forgets everything from `count` on.
    @inlinable
    public mutating func truncate(to count: Int) {
        require(count >= 0 && count <= used, "a writer is cut inside what was written")
        used = count
    }

    /// Drops the first `count` bytes and moves the rest to the front.
    public mutating func removeFirst(_ count: Int) {
        require(count >= 0 && count <= used, "a writer loses no more than it has")
        memmoveBytes(base, base + count, used - count)
        used -= count
    }

    /// The bytes written so far, valid until the next change.
    public var span: RawSpan {
        @_lifetime(borrow self)
        @inlinable
        get {
            let span = unsafe RawSpan(_unsafeStart: base, byteCount: used)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }

    /// Hands the bytes written so far to `body` without copying.
    @inlinable
    public borrowing func withUnsafeBytes<Result: ~Copyable, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(UnsafeRawBufferPointer(start: base, count: used))
    }

    /// A copy of the bytes written so far.
    public borrowing func array() -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: base, count: used))
    }

    /// Makes room for `extra` more bytes.
    @inlinable
    public mutating func reserve(_ extra: Int) {
        if capacity &- used < extra { grow(extra) }
    }

    @inlinable
    public mutating func write(_ value: UInt8) {
        reserve(1)
        unsafe base.storeBytes(of: value, toByteOffset: used, as: UInt8.self)
        used &+= 1
    }

    @inlinable
    public mutating func write(_ value: UInt16) {
        reserve(2)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: used, as: UInt16.self)
        used &+= 2
    }

    @inlinable
    public mutating func write(_ value: UInt32) {
        reserve(4)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: used, as: UInt32.self)
        used &+= 4
    }

    @inlinable
    public mutating func write(_ value: UInt64) {
        reserve(8)
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: used, as: UInt64.self)
        used &+= 8
    }

    @inlinable public mutating func write(_ value: Int8) { write(UInt8(bitPattern: value)) }
    @inlinable public mutating func write(_ value: Int16) { write(UInt16(bitPattern: value)) }
    @inlinable public mutating func write(_ value: Int32) { write(UInt32(bitPattern: value)) }
    @inlinable public mutating func write(_ value: Int64) { write(UInt64(bitPattern: value)) }

    /// Appends an unsigned variable-length integer: the leading one-bits of the first byte count the bytes after it.
    @inlinable
    public mutating func writeUnsignedVint(_ value: UInt64) {
        if value < 0x80 { return write(UInt8(truncatingIfNeeded: value)) }
        writeLongVint(value)
    }

    /// Appends a length as an unsigned variable-length integer.
    @inlinable
    public mutating func writeLength(_ value: Int) {
        writeUnsignedVint(UInt64(truncatingIfNeeded: value))
    }

    /// Appends a signed variable-length integer in zig-zag form.
    @inlinable
    public mutating func writeVint(_ value: Int64) {
        writeUnsignedVint(UInt64(bitPattern: value << 1) ^ UInt64(bitPattern: value >> 63))
    }

    @inlinable
    public mutating func write(_ bytes: RawSpan) {
        let extra: Int = bytes.byteCount
        reserve(extra)
        let target: UnsafeMutableRawPointer = base + used
        bytes.withUnsafeBytes { source in
            if let start = source.baseAddress { target.copyMemory(from: start, byteCount: extra) }
        }
        used &+= extra
    }

    @inlinable
    public mutating func write(_ bytes: UnsafeRawBufferPointer) {
        guard let start = bytes.baseAddress else { return }
        reserve(bytes.count)
        unsafe (base + used).copyMemory(from: start, byteCount: bytes.count)
        used &+= bytes.count
    }

    @inlinable
    public mutating func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { write($0) }
    }

    /// Appends the UTF-8 of a string, without a length.
    @inlinable
    public mutating func writeUTF8(_ text: String) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
    }

    /// Appends `count` zero bytes, to be overwritten later or kept as padding.
    @inlinable
    public mutating func writeZeros(_ count: Int) {
        reserve(count)
        (base + used).initializeMemory(as: UInt8.self, repeating: 0, count: count)
        used &+= count
    }

    /// Replaces four bytes that were written before, such as a length that is known only now.
    @inlinable
    public mutating func overwrite(_ value: UInt32, at offset: Int) {
        require(offset >= 0 && offset &+ 4 <= used, "an overwrite stays inside what was written")
        unsafe base.storeBytes(of: value.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    @inlinable public mutating func overwrite(_ value: Int32, at offset: Int) {
        overwrite(UInt32(bitPattern: value), at: offset)
    }

    /// Replaces one byte that was written before.
    @inlinable
    public mutating func overwrite(_ value: UInt8, at offset: Int) {
        require(offset >= 0 && offset < used, "an overwrite stays inside what was written")
        unsafe base.storeBytes(of: value, toByteOffset: offset, as: UInt8.self)
    }

    /// Lets `body` fill up to `count` bytes past the end; it returns how many it wrote.
    @inlinable
    public mutating func writeDirectly<Failure: Error>(
        upTo count: Int, _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) {
        reserve(count)
        let written = try body(UnsafeMutableRawBufferPointer(start: base + used, count: count))
        require(written >= 0 && written <= count, "a direct write stays inside the room it asked for")
        used &+= written
    }

    @inline(never)
    @usableFromInline
    mutating func grow(_ extra: Int) {
        let wanted: Int = max(used + extra, capacity * 2)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: wanted, alignment: 16)
        unsafe larger.copyMemory(from: base, byteCount: used)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    @inline(never)
    @usableFromInline
    mutating func writeLongVint(_ value: UInt64) {
        let significantBits: Int = 64 - value.leadingZeroBitCount
        let extra: Int = min(8, (significantBits - 1) / 7)
        reserve(9)
        if extra >= 8 {
            write(UInt8(0xFF))
        } else {
            let mask = UInt8(truncatingIfNeeded: 0xFF00 >> extra)
            write(mask | UInt8(truncatingIfNeeded: value >> UInt64(extra * 8)))
        }
        for index in stride(from: extra - 1, through: 0, by: -1) {
            write(UInt8(truncatingIfNeeded: value >> UInt64(index * 8)))
        }
    }
}

@inlinable
func memmoveBytes(_ target: UnsafeMutableRawPointer, _ source: UnsafeRawPointer, _ count: Int) {
    unsafe target.copyMemory(from: source, byteCount: count)
}
