import DataModel

/// A mutation of one row and nothing else, which most are.
///
/// Hot: once per write. It is nil for all others and for damaged ones; `MutationReader` says what they are.
struct SingleRowMutation {
    let token: Token
    let key: UnsafeRawBufferPointer
    let clustering: UnsafeRawBufferPointer
    let body: UnsafeRawBufferPointer

    /// The bytes must outlive the result.
    @inline(__always)
    init?(_ bytes: UnsafeRawBufferPointer) {
        let headByteCount = 26
        guard bytes.count >= headByteCount, let start = bytes.baseAddress else { return nil }
        let keyByteCount = Int(UInt16(bigEndian: unsafe start.loadUnaligned(fromByteOffset: 24, as: UInt16.self)))
        // Flags, number of rows, size of the clustering key.
        var offset: Int = headByteCount &+ keyByteCount
        guard bytes.count &- offset >= 9 else { return nil }
        let flags: UInt8 = unsafe start.load(fromByteOffset: offset, as: UInt8.self)
        let rowCount = UInt32(bigEndian: unsafe start.loadUnaligned(fromByteOffset: offset &+ 1, as: UInt32.self))
        guard flags == 0, rowCount == 1 else { return nil }
        let keySize = Int(UInt32(bigEndian: unsafe start.loadUnaligned(fromByteOffset: offset &+ 5, as: UInt32.self)))
        offset &+= 9
        guard bytes.count &- offset >= keySize &+ 4 else { return nil }
        self.clustering = unsafe UnsafeRawBufferPointer(start: start + offset, count: keySize)
        offset &+= keySize
        let bodySize = Int(UInt32(bigEndian: unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
        offset &+= 4
        // Behind the body is the number of ranges, and nothing more.
        guard bytes.count &- offset == bodySize &+ 4 else { return nil }
        guard unsafe start.loadUnaligned(fromByteOffset: offset &+ bodySize, as: UInt32.self) == 0 else { return nil }
        self.body = unsafe UnsafeRawBufferPointer(start: start + offset, count: bodySize)
        self.key = unsafe UnsafeRawBufferPointer(start: start + headByteCount, count: keyByteCount)
        self.token = Token(Int64(bigEndian: unsafe start.loadUnaligned(fromByteOffset: 16, as: Int64.self)))
    }
}
