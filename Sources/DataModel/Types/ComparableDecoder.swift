public import Primitives

/// Reads back what `ComparableEncoder` wrote.
///
/// The bytes may come from a file or a peer: every length is checked, and recursion is as deep as the type.
///
/// Hot: runs for every clustering column of every row returned.
public enum ComparableDecoder {
    /// Reads one component and appends the bytes of its value.
    ///
    /// - Returns: false when the component is null; nothing is then appended.
    public static func decode(
        _ reader: inout ByteReader, form: borrowing ComparableForm, descending: Bool, into writer: inout ByteWriter
    ) throws(DecodingError) -> Bool {
        let mask: UInt8 = descending ? 0xFF : 0x00
        let start: Int = reader.offset
        let header: UInt8 = try reader.readUInt8() ^ mask
        if header == ComparableEncoder.nullHeader { return false }
        if header == ComparableEncoder.emptyHeader { return true }
        guard header == ComparableEncoder.valueHeader else {
            throw .invalid(offset: start, what: "a component with an unknown header")
        }
        let kind: ValueKind = form.kind
        switch kind {
        case .int, .date, .float:
            writer.write(kind.unsorted(try reader.readUInt32() ^ UInt32(mask) &* 0x0101_0101))
        case .bigint, .timestamp, .time, .double:
            writer.write(kind.unsorted(try reader.readUInt64() ^ ComparableEncoder.wide(mask)))
        case .ascii, .blob, .custom, .inet, .text:
            try decodeEscaped(&reader, mask: mask, into: &writer)
        case .timeuuid, .uuid:
            let bytes: RawSpan = try reader.readBytes(16)
            let wide: UInt64 = ComparableEncoder.wide(mask)
            let (high, low) = kind.unsortedUUID(bytes.uint64(at: 0) ^ wide, bytes.uint64(at: 8) ^ wide)
            writer.write(high)
            writer.write(low)
        case .boolean, .tinyint:
            writer.write(kind.unsorted(try reader.readUInt8() ^ mask))
        case .smallint:
            writer.write(try reader.readUInt16() ^ 0x8000 ^ UInt16(mask) &* 0x0101)
        case .varint:
            writer.write(try decodeInteger(&reader, mask: mask))
        case .decimal:
            try decodeDecimal(&reader, mask: mask, into: &writer)
        case .list, .set, .map:
            try decodeCollection(&reader, form: form, descending: descending, into: &writer)
        case .tuple, .userDefined:
            try decodeFields(&reader, form: form, descending: descending, into: &writer)
        case .vector:
            try decodeVector(&reader, form: form, descending: descending, into: &writer)
        case .duration, .counter:
            throw .invalid(offset: start, what: "a component of a type without order")
        }
        return true
    }

    /// Reads one component and appends it as the native protocol's [bytes]: a length, -1 for null, and the value.
    public static func decodeElement(
        _ reader: inout ByteReader, form: borrowing ComparableForm, descending: Bool, into writer: inout ByteWriter
    ) throws(DecodingError) {
        let start: Int = writer.count
        writer.write(Int32(-1))
        if try decode(&reader, form: form, descending: descending, into: &writer) {
            writer.overwrite(Int32(truncatingIfNeeded: writer.count - start - 4), at: start)
        }
    }

    /// Moves past one component.
    public static func skip(
        _ reader: inout ByteReader, form: borrowing ComparableForm, descending: Bool
    ) throws(DecodingError) {
        let mask: UInt8 = descending ? 0xFF : 0x00
        let start: Int = reader.offset
        let header: UInt8 = try reader.readUInt8() ^ mask
        if header == ComparableEncoder.nullHeader || header == ComparableEncoder.emptyHeader { return }
        guard header == ComparableEncoder.valueHeader else {
            throw .invalid(offset: start, what: "a component with an unknown header")
        }
        switch form.kind {
        case .ascii, .blob, .custom, .inet, .text: try skipEscaped(&reader, mask: mask)
        case .varint: try skipInteger(&reader, mask: mask)
        case .decimal: try skipDecimal(&reader, mask: mask)
        case .list, .set, .map, .tuple, .userDefined, .vector:
            var index = 0
            while try !acceptTerminator(&reader, mask: mask) {
                guard index < form.parts.count || form.kind != .tuple && form.kind != .userDefined else {
                    throw .invalid(offset: reader.offset, what: "a tuple with too many fields")
                }
                let part: Int = form.kind == .map ? index & 1 : form.parts.count == 1 ? 0 : index
                try skip(&reader, form: form.parts[min(part, form.parts.count - 1)], descending: descending)
                index += 1
            }
        case .duration, .counter: throw .invalid(offset: start, what: "a component of a type without order")
        default: try reader.skip(form.kind.fixedWidth)
        }
    }

    // MARK: Bytes

    private static func decodeEscaped(
        _ reader: inout ByteReader, mask: UInt8, into writer: inout ByteWriter
    ) throws(DecodingError) {
        let rest: RawSpan = reader.rest
        let wideMask: UInt64 = ComparableEncoder.wide(mask)
        var offset = 0
        while true {
            while offset &+ 8 <= rest.byteCount {
                let word: UInt64 = rest.uint64(at: offset) ^ wideMask
                if ComparableEncoder.hasZeroByte(word) { break }
                writer.write(word)
                offset &+= 8
            }
            guard offset < rest.byteCount else { throw .truncated(offset: reader.offset + offset, missing: 2) }
            let byte: UInt8 = rest.byte(at: offset) ^ mask
            offset &+= 1
            if byte != 0 {
                writer.write(byte)
                continue
            }
            guard offset < rest.byteCount else { throw .truncated(offset: reader.offset + offset, missing: 1) }
            let next: UInt8 = rest.byte(at: offset) ^ mask
            offset &+= 1
            if next == 0 { return try reader.skip(offset) }
            guard next == 0xFF else { throw .invalid(offset: reader.offset + offset - 1, what: "an unknown escape") }
            writer.write(UInt8(0))
        }
    }

    private static func skipEscaped(_ reader: inout ByteReader, mask: UInt8) throws(DecodingError) {
        while true {
            if try reader.readUInt8() ^ mask == 0, try reader.readUInt8() ^ mask == 0 { return }
        }
    }

    // MARK: Numbers

    private static func readIntegerLength(
        _ reader: inout ByteReader, mask: UInt8
    ) throws(DecodingError) -> (count: Int, isNegative: Bool) {
        let start: Int = reader.offset
        let first: UInt8 = try reader.readUInt8() ^ mask
        let isNegative: Bool = first < 0x80
        var count: Int = isNegative ? 0x7F - Int(first) : Int(first) - 0x80
        if count == 127 {
            let stored: UInt32 = try reader.readUInt32() ^ UInt32(mask) &* 0x0101_0101
            count = Int(isNegative ? ~stored : stored)
        }
        guard count > 0, count <= ValueValidator.maximumIntegerByteCount else {
            throw .invalid(offset: start, what: "a number of an impossible length")
        }
        return (count, isNegative)
    }

    private static func decodeInteger(_ reader: inout ByteReader, mask: UInt8) throws(DecodingError) -> [UInt8] {
        let (count, isNegative) = try readIntegerLength(&reader, mask: mask)
        let start: Int = reader.offset
        var bytes: [UInt8] = try reader.readArray(count)
        if mask != 0 {
            for index in bytes.indices { bytes[index] = ~bytes[index] }
        }
        guard let first = bytes.first, (first >= 0x80) == isNegative else {
            throw .invalid(offset: start, what: "a number that belies its sign")
        }
        return bytes
    }

    private static func skipInteger(_ reader: inout ByteReader, mask: UInt8) throws(DecodingError) {
        let (count, _) = try readIntegerLength(&reader, mask: mask)
        try reader.skip(count)
    }

    /// Reads the sign of a decimal: the mask of what follows it, or nil for zero, which nothing follows.
    private static func readDecimalSign(_ reader: inout ByteReader, mask: UInt8) throws(DecodingError) -> UInt8? {
        let start: Int = reader.offset
        switch try reader.readUInt8() ^ mask {
        case 0x01: return ~mask
        case 0x02: return nil
        case 0x03: return mask
        default: throw .invalid(offset: start, what: "a decimal without sign")
        }
    }

    private static func decodeDecimal(
        _ reader: inout ByteReader, mask: UInt8, into writer: inout ByteWriter
    ) throws(DecodingError) {
        guard let inner = try readDecimalSign(&reader, mask: mask) else {
            writer.write(Int32(0))
            return writer.write(UInt8(0))
        }
        let start: Int = reader.offset
        let exponent: [UInt8] = try decodeInteger(&reader, mask: inner)
        var digits: [UInt8] = []
        while true {
            let offset: Int = reader.offset
            let pair: UInt8 = try reader.readUInt8() ^ inner
            if pair == ComparableEncoder.terminator { break }
            guard pair <= 100, digits.count <= DecimalNumber.maximumDigitCount else {
                throw .invalid(offset: offset, what: "a decimal with impossible digits")
            }
            digits.append((pair - 1) / 10)
            digits.append((pair - 1) % 10)
        }
        guard let places = BigInteger.int64(exponent.span.bytes),
            let value = DecimalNumber(isNegative: inner != mask, digits: digits, exponent: places).valueBytes
        else { throw .invalid(offset: start, what: "a decimal with an impossible exponent") }
        writer.write(value)
    }

    private static func skipDecimal(_ reader: inout ByteReader, mask: UInt8) throws(DecodingError) {
        guard let inner = try readDecimalSign(&reader, mask: mask) else { return }
        try skipInteger(&reader, mask: inner)
        while try reader.readUInt8() ^ inner != ComparableEncoder.terminator {}
    }

    // MARK: Parts

    /// Moves past the byte that ends a component with parts, if that is the next one.
    private static func acceptTerminator(_ reader: inout ByteReader, mask: UInt8) throws(DecodingError) -> Bool {
        try reader.need(1)
        guard reader.rest.byte(at: 0) ^ mask == ComparableEncoder.terminator else { return false }
        try reader.skip(1)
        return true
    }

    private static func decodeCollection(
        _ reader: inout ByteReader, form: borrowing ComparableForm, descending: Bool, into writer: inout ByteWriter
    ) throws(DecodingError) {
        let mask: UInt8 = descending ? 0xFF : 0x00
        let start: Int = writer.count
        let isMap: Bool = form.kind == .map
        var count: Int32 = 0
        writer.write(Int32(0))
        while try !acceptTerminator(&reader, mask: mask) {
            for index in 0..<(isMap ? 2 : 1) {
                let offset: Int = reader.offset
                let elementStart: Int = writer.count
                writer.write(Int32(0))
                guard try decode(&reader, form: form.parts[index], descending: descending, into: &writer) else {
                    throw .invalid(offset: offset, what: "a null element in a collection")
                }
                writer.overwrite(Int32(truncatingIfNeeded: writer.count - elementStart - 4), at: elementStart)
            }
            count &+= 1
        }
        writer.overwrite(count, at: start)
    }

    /// Nulls that the encoder left out are put back, so that the value has all its fields.
    private static func decodeFields(
        _ reader: inout ByteReader, form: borrowing ComparableForm, descending: Bool, into writer: inout ByteWriter
    ) throws(DecodingError) {
        let mask: UInt8 = descending ? 0xFF : 0x00
        var index = 0
        while try !acceptTerminator(&reader, mask: mask) {
            guard index < form.parts.count else {
                throw .invalid(offset: reader.offset, what: "a tuple with too many fields")
            }
            try decodeElement(&reader, form: form.parts[index], descending: descending, into: &writer)
            index += 1
        }
        for _ in index..<form.parts.count { writer.writeNullElement() }
    }

    private static func decodeVector(
        _ reader: inout ByteReader, form: borrowing ComparableForm, descending: Bool, into writer: inout ByteWriter
    ) throws(DecodingError) {
        let mask: UInt8 = descending ? 0xFF : 0x00
        let hasLength: Bool = form.elementByteCount == 0
        var element = ByteWriter(capacity: 32)
        var count = 0
        while try !acceptTerminator(&reader, mask: mask) {
            let offset: Int = reader.offset
            element.removeAll()
            let isValue: Bool = try decode(&reader, form: form.parts[0], descending: descending, into: &element)
            guard isValue, count < form.dimension, hasLength || element.count == form.elementByteCount else {
                throw .invalid(offset: offset, what: "an element that does not fit its vector")
            }
            writer.writeVectorElement(element.span, hasLength: hasLength)
            count += 1
        }
        guard count == form.dimension else {
            throw .invalid(offset: reader.offset, what: "a vector with too few elements")
        }
    }
}
