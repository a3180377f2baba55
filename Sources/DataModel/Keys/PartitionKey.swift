public import Primitives

/// How the columns of a partition key become one run of bytes: a single column as it is; several as, for each, two
/// bytes of length, the bytes, one zero byte (Cassandra's CompositeType).
public enum PartitionKey {
    /// The longest partition key, in bytes.
    public static let maximumByteCount: Int = 65_535

    /// Appends one column of a composite key. The caller has checked that it is at most 65,535 bytes.
    @inlinable
    public static func appendComponent(_ bytes: RawSpan, to writer: inout ByteWriter) {
        writer.write(UInt16(truncatingIfNeeded: bytes.byteCount))
        writer.write(bytes)
        writer.write(UInt8(0))
    }

    /// The columns of a key of `count` columns.
    public static func components(of key: RawSpan, count: Int) throws(DecodingError) -> [[UInt8]] {
        if count == 1 { return [[UInt8](copying: key)] }
        var reader = ByteReader(key)
        var columns: [[UInt8]] = []
        for _ in 0..<count {
            let length = Int(try reader.readUInt16())
            columns.append(try reader.readArray(length))
            try reader.skip(1)
        }
        return columns
    }
}

/// Bounds over clustering keys in their byte-comparable form, where every component starts with a byte of 01…FE.
///
/// All ranges are half open, `[start, end)`, and compared with memcmp. A prefix of components `p` stands for all rows
/// below it: they are `[p, p + FF)`. The empty start is before every row; the single byte FF is after every row.
public enum ClusteringBound {
    public static let afterEverything: [UInt8] = [0xFF]

    /// The bound after every row that starts with `prefix`.
    public static func after(_ prefix: [UInt8]) -> [UInt8] { prefix + [0xFF] }
}
