import Primitives

/// The raw block format of Snappy (google/snappy, format_description.txt), for v3 and v4 connections.
///
/// A block is the uncompressed length as a little-endian base-128 integer, then literals and copies from what was
/// produced before. A decoder never writes past the length that the block announces, which the caller has bounded.
enum Snappy {
    /// The most that a block can grow by decompression: a copy of 64 bytes takes three.
    static let maximumExpansion: Int = 32

    /// The length that a block announces, and where its elements start; nil when it announces none.
    static func announcedLength(_ block: UnsafeRawBufferPointer) -> (byteCount: Int, start: Int)? {
        var length: UInt64 = 0
        for index in 0..<min(block.count, 5) {
            length |= UInt64(block[index] & 0x7F) << UInt64(index * 7)
            if block[index] < 0x80 {
                return length <= UInt64(Int32.max) ? (Int(length), index + 1) : nil
            }
        }
        return nil
    }

    /// Decompresses the elements of a block into `target`, which has exactly the announced length.
    ///
    /// - Returns: whether the elements are sound and fill the target.
    static func decompress(_ block: UnsafeRawBufferPointer, from start: Int, into target: UnsafeMutableRawBufferPointer)
        -> Bool
    {
        var input = start
        var output = 0
        while input < block.count {
            let tag = block[input]
            input += 1
            let kind = Int(tag & 3)
            if kind == 0 {
                guard let length = literalLength(tag, block, &input),
                    length <= block.count - input, length <= target.count - output,
                    let from = block.baseAddress, let to = target.baseAddress
                else { return false }
                (to + output).copyMemory(from: from + input, byteCount: length)
                input += length
                output += length
                continue
            }
            let offsetByteCount = kind == 3 ? 4 : kind
            guard block.count - input >= offsetByteCount else { return false }
            var offset = 0
            for index in 0..<offsetByteCount { offset |= Int(block[input + index]) << (index * 8) }
            input += offsetByteCount
            var length = Int(tag >> 2) + 1
            if kind == 1 {
                length = Int(tag >> 2 & 7) + 4
                offset |= Int(tag >> 5) << 8
            }
            guard offset > 0, offset <= output, length <= target.count - output else { return false }
            // Byte by byte, because a copy may overlap what it produces.
            for index in output..<(output + length) { target[index] = target[index - offset] }
            output += length
        }
        return output == target.count
    }

    /// The length of a literal, which long ones carry in up to four bytes after the tag.
    private static func literalLength(_ tag: UInt8, _ block: UnsafeRawBufferPointer, _ input: inout Int) -> Int? {
        let short = Int(tag >> 2)
        guard short >= 60 else { return short + 1 }
        let count = short - 59
        guard block.count - input >= count else { return nil }
        var length = 0
        for index in 0..<count { length |= Int(block[input + index]) << (index * 8) }
        input += count
        return length + 1
    }

    /// Appends the compressed form of `source`.
    static func compress(_ source: UnsafeRawBufferPointer, into writer: inout ByteWriter) {
        var length = source.count
        while length >= 0x80 {
            writer.write(UInt8(truncatingIfNeeded: length) | 0x80)
            length >>= 7
        }
        writer.write(UInt8(truncatingIfNeeded: length))
        // Offsets of at most 16 bits: each 64 KiB are compressed on their own, as the reference does.
        for start in stride(from: 0, to: source.count, by: 65_536) {
            let end = min(start + 65_536, source.count)
            compressFragment(UnsafeRawBufferPointer(rebasing: source[start..<end]), into: &writer)
        }
    }

    private static let tableBits: UInt32 = 12

    private static func compressFragment(_ source: UnsafeRawBufferPointer, into writer: inout ByteWriter) {
        guard source.count >= 16 else { return writeLiteral(source, 0, source.count, into: &writer) }
        withUnsafeTemporaryAllocation(of: UInt16.self, capacity: 1 << Int(tableBits)) { table in
            table.initialize(repeating: 0)
            var literalStart = 0
            var position = 1
            let lastStart = source.count - 4
            var misses = 32
            while position <= lastStart {
                let four = source.loadUnaligned(fromByteOffset: position, as: UInt32.self)
                let slot = Int((four &* 0x1E35_A7BD) >> (32 - tableBits))
                let candidate = Int(table[slot])
                table[slot] = UInt16(truncatingIfNeeded: position)
                guard candidate < position, source.loadUnaligned(fromByteOffset: candidate, as: UInt32.self) == four
                else {
                    // The longer nothing matches, the larger the steps, so that noise is passed quickly.
                    position += misses >> 5
                    misses += 1
                    continue
                }
                misses = 32
                var matched = 4
                while position + matched < source.count, source[position + matched] == source[candidate + matched] {
                    matched += 1
                }
                writeLiteral(source, literalStart, position, into: &writer)
                writeCopy(offset: position - candidate, length: matched, into: &writer)
                position += matched
                literalStart = position
            }
            writeLiteral(source, literalStart, source.count, into: &writer)
        }
    }

    private static func writeLiteral(
        _ source: UnsafeRawBufferPointer, _ start: Int, _ end: Int, into writer: inout ByteWriter
    ) {
        guard end > start else { return }
        let last = end - start - 1
        if last < 60 {
            writer.write(UInt8(truncatingIfNeeded: last << 2))
        } else if last < 256 {
            writer.write(UInt8(60 << 2))
            writer.write(UInt8(truncatingIfNeeded: last))
        } else {
            writer.write(UInt8(61 << 2))
            writer.write(UInt16(truncatingIfNeeded: last).byteSwapped)
        }
        writer.write(UnsafeRawBufferPointer(rebasing: source[start..<end]))
    }

    /// Writes copies with two-byte offsets; each says 1 to 64 bytes.
    private static func writeCopy(offset: Int, length: Int, into writer: inout ByteWriter) {
        var left = length
        while left > 0 {
            let count = min(left, 64)
            writer.write(UInt8(truncatingIfNeeded: (count - 1) << 2 | 2))
            writer.write(UInt16(truncatingIfNeeded: offset).byteSwapped)
            left -= count
        }
    }
}
