/// Reads values back out of the rows of a result.
package struct StoredValueReader {
    private let bytes: [UInt8]
    private var offset = 0

    package init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The next value; nil for null, and past the end.
    package mutating func next() -> [UInt8]? {
        guard offset + 4 <= bytes.count else { return nil }
        let count = bytes[offset..<(offset + 4)].reduce(Int32(0)) { $0 << 8 | Int32($1) }
        offset += 4
        guard count >= 0, offset + Int(count) <= bytes.count else { return nil }
        defer { offset += Int(count) }
        return Array(bytes[offset..<(offset + Int(count))])
    }
}
