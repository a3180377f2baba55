package import Primitives

/// Which of the leaves that were saved are not right any more: a set of small numbers.
package struct StaleLeaves: Sendable, Hashable {
    /// The last one is not 0.
    private var words: [UInt64] = []

    package init() {}

    package var isEmpty: Bool { words.isEmpty }

    package func contains(_ place: Int) -> Bool {
        let word: Int = place >> 6
        return word < words.count && words[word] >> UInt64(place & 63) & 1 == 1
    }

    /// - Parameter place: less than `HashTree.leafLimit`.
    package mutating func insert(_ place: Int) {
        let word: Int = place >> 6
        while words.count <= word { words.append(0) }
        words[word] |= 1 << UInt64(place & 63)
    }

    // MARK: Encoding

    /// stale := word count u32 · u64 each, the least number in the lowest bit of the first
    package func write(to writer: inout ByteWriter) {
        writer.write(UInt32(truncatingIfNeeded: words.count))
        for word in words { writer.write(word) }
    }

    package init(from reader: inout ByteReader) throws(DecodingError) {
        let count = Int(try reader.readUInt32())
        guard count <= HashTree.leafLimit / 64 else {
            throw .invalid(offset: reader.offset, what: "more stale leaves than a tree has")
        }
        for _ in 0..<count { words.append(try reader.readUInt64()) }
        guard words.last != 0 else { throw .invalid(offset: reader.offset, what: "stale leaves that end with none") }
    }
}
