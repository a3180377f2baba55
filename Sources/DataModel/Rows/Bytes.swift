/// Comparison of byte runs as memcmp does it: the order of keys everywhere.
public enum ByteOrder {
    /// Negative, zero or positive as `left` is before, equal to or after `right`; a prefix is before what it begins.
    ///
    /// Hot: several times per lookup. Compares eight bytes at a time.
    @inlinable
    public static func compare(_ left: RawSpan, _ right: RawSpan) -> Int {
        left.withUnsafeBytes { left in
            right.withUnsafeBytes { right in compare(left, right) }
        }
    }

    @inlinable
    public static func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int {
        let shared: Int = min(left.count, right.count)
        guard shared > 0, let leftStart = left.baseAddress, let rightStart = right.baseAddress else {
            return left.count &- right.count
        }
        var offset = 0
        while offset &+ 8 <= shared {
            let a = unsafe leftStart.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let b = unsafe rightStart.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            if a != b { return a.bigEndian < b.bigEndian ? -1 : 1 }
            offset &+= 8
        }
        while offset < shared {
            let a = unsafe leftStart.load(fromByteOffset: offset, as: UInt8.self)
            let b = unsafe rightStart.load(fromByteOffset: offset, as: UInt8.self)
            if a != b { return a < b ? -1 : 1 }
            offset &+= 1
        }
        return left.count &- right.count
    }

    @inlinable
    public static func compare(_ left: [UInt8], _ right: [UInt8]) -> Int {
        left.withUnsafeBytes { left in right.withUnsafeBytes { right in compare(left, right) } }
    }

    @inlinable
    public static func precedes(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        compare(left, right) < 0
    }
}
