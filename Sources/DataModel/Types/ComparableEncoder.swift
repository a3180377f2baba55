public import Primitives

/// Writes values so that comparing the bytes compares the values: the components of clustering keys.
///
///     component = header (01 null, 02 empty, 03 value) then for a value
///       fixed width     big-endian, moved so that unsigned order is the order of the type
///       bytes, text     the bytes, 00 as 00 FF, ended by 00 00
///       varint          sign and length, then the shortest two's complement
///       decimal         sign, exponent, pairs of decimal digits, 00
///       others          their elements or fields as components, 00
///
/// In descending order every byte is complemented. No component is the beginning of another one of its type, and each
/// starts with a byte between 01 and FE, so that FF stands for "after every component".
///
/// Hot: runs for every clustering column of every row written and read; watched by the benchmark of keys. Scalars
/// allocate nothing.
public enum ComparableEncoder {
    static let nullHeader: UInt8 = 0x01
    static let emptyHeader: UInt8 = 0x02
    static let valueHeader: UInt8 = 0x03
    /// Ends a component with parts; less than every header.
    static let terminator: UInt8 = 0x00

    public static func appendNull(descending: Bool, to writer: inout ByteWriter) {
        writer.write(descending ? ~nullHeader : nullHeader)
    }

    /// Appends one component.
    ///
    /// - Throws: `InvalidValue` when the bytes are not a value of the type, or the type has no order; nothing is then
    ///   appended.
    public static func append(
        _ value: RawSpan, form: borrowing ComparableForm, descending: Bool, to writer: inout ByteWriter
    ) throws(InvalidValue) {
        let mask: UInt8 = descending ? 0xFF : 0x00
        let count: Int = value.byteCount
        let kind: ValueKind = form.kind
        if count == 0, kind != .duration, kind != .counter { return writer.write(emptyHeader ^ mask) }
        switch kind {
        case .int, .date, .float:
            guard count == 4 else { throw wrongLength(kind, count) }
            writer.write(valueHeader ^ mask)
            writer.write(kind.sortable(value.uint32(at: 0)) ^ UInt32(mask) &* 0x0101_0101)
        case .bigint, .timestamp, .time, .double:
            guard count == 8 else { throw wrongLength(kind, count) }
            writer.write(valueHeader ^ mask)
            writer.write(kind.sortable(value.uint64(at: 0)) ^ wide(mask))
        case .ascii, .blob, .custom, .inet, .text:
            appendEscaped(value, mask: mask, to: &writer)
        case .timeuuid, .uuid:
            guard count == 16 else { throw wrongLength(kind, count) }
            let (front, back) = kind.sortableUUID(value.uint64(at: 0), value.uint64(at: 8))
            writer.write(valueHeader ^ mask)
            writer.write(front ^ wide(mask))
            writer.write(back ^ wide(mask))
        case .boolean, .tinyint:
            guard count == 1 else { throw wrongLength(kind, count) }
            writer.write(valueHeader ^ mask)
            writer.write(kind.sortable(value.byte(at: 0)) ^ mask)
        case .smallint:
            guard count == 2 else { throw wrongLength(kind, count) }
            writer.write(valueHeader ^ mask)
            writer.write(value.uint16(at: 0) ^ 0x8000 ^ UInt16(mask) &* 0x0101)
        case .varint:
            guard count <= ValueValidator.maximumIntegerByteCount else { throw wrongLength(kind, count) }
            writer.write(valueHeader ^ mask)
            appendInteger(value, mask: mask, to: &writer)
        case .decimal:
            guard count >= 4, count <= ValueValidator.maximumIntegerByteCount + 4 else {
                throw wrongLength(kind, count)
            }
            writer.write(valueHeader ^ mask)
            appendDecimal(DecimalNumber(value), mask: mask, to: &writer)
        case .list, .set, .map, .tuple, .userDefined, .vector:
            try appendParts(value, form: form, descending: descending, to: &writer)
        case .duration, .counter:
            throw InvalidValue("Values of type \(kind) cannot be ordered")
        }
    }

    @inline(__always)
    static func wide(_ mask: UInt8) -> UInt64 {
        UInt64(truncatingIfNeeded: Int64(Int8(bitPattern: mask)))
    }

    /// Whether one of the eight bytes is zero.
    @inline(__always)
    static func hasZeroByte(_ word: UInt64) -> Bool {
        (word &- 0x0101_0101_0101_0101) & ~word & 0x8080_8080_8080_8080 != 0
    }

    private static func appendEscaped(_ value: RawSpan, mask: UInt8, to writer: inout ByteWriter) {
        let count: Int = value.byteCount
        let wideMask: UInt64 = wide(mask)
        var offset = 0
        writer.reserve(count &+ 3)
        writer.write(valueHeader ^ mask)
        while offset &+ 8 <= count {
            let word: UInt64 = value.uint64(at: offset)
            if hasZeroByte(word) {
                for index in offset..<(offset &+ 8) { appendEscaped(value.byte(at: index), mask: mask, to: &writer) }
            } else {
                writer.write(word ^ wideMask)
            }
            offset &+= 8
        }
        while offset < count {
            appendEscaped(value.byte(at: offset), mask: mask, to: &writer)
            offset &+= 1
        }
        writer.write(UInt16(mask) &* 0x0101)
    }

    @inline(__always)
    private static func appendEscaped(_ byte: UInt8, mask: UInt8, to writer: inout ByteWriter) {
        writer.write(byte ^ mask)
        if byte == 0 { writer.write(0xFF ^ mask) }
    }

    /// Appends a whole number: a byte that grows with its sign and length, then its shortest two's complement.
    ///
    /// Lengths of 127 and more follow as four bytes after the least or greatest first byte.
    static func appendInteger(_ value: RawSpan, mask: UInt8, to writer: inout ByteWriter) {
        let shortest: RawSpan = BigInteger.shortest(value)
        let count: Int = shortest.byteCount
        let isNegative: Bool = shortest.byte(at: 0) >= 0x80
        if count < 127 {
            let length = UInt8(truncatingIfNeeded: count)
            writer.write((isNegative ? 0x7F - length : 0x80 + length) ^ mask)
        } else {
            let length = UInt32(truncatingIfNeeded: count)
            writer.write((isNegative ? 0x00 : 0xFF) ^ mask)
            writer.write((isNegative ? ~length : length) ^ UInt32(mask) &* 0x0101_0101)
        }
        appendMasked(shortest, mask: mask, to: &writer)
    }

    private static func appendMasked(_ bytes: RawSpan, mask: UInt8, to writer: inout ByteWriter) {
        for offset in 0..<bytes.byteCount { writer.write(bytes.byte(at: offset) ^ mask) }
    }

    private static func appendDecimal(_ number: DecimalNumber, mask: UInt8, to writer: inout ByteWriter) {
        if number.digits.isEmpty { return writer.write(0x02 ^ mask) }
        writer.write((number.isNegative ? 0x01 : 0x03) ^ mask)
        let inner: UInt8 = number.isNegative ? ~mask : mask
        let exponent: [UInt8] = BigInteger.bytes(of: number.exponent)
        appendInteger(exponent.span.bytes, mask: inner, to: &writer)
        var index = 0
        while index < number.digits.count {
            let first: UInt8 = number.digits[index]
            let second: UInt8 = index + 1 < number.digits.count ? number.digits[index + 1] : 0
            writer.write((first * 10 + second + 1) ^ inner)
            index += 2
        }
        writer.write(terminator ^ inner)
    }

    private static func appendParts(
        _ value: RawSpan, form: borrowing ComparableForm, descending: Bool, to writer: inout ByteWriter
    ) throws(InvalidValue) {
        let start: Int = writer.count
        var failure: InvalidValue?
        writer.write(descending ? ~valueHeader : valueHeader)
        do {
            switch form.kind {
            case .tuple, .userDefined: try appendFields(value, form: form, descending: descending, to: &writer)
            case .vector: try appendVector(value, form: form, descending: descending, to: &writer)
            default: try appendCollection(value, form: form, descending: descending, to: &writer)
            }
        } catch let error as InvalidValue {
            failure = error
        } catch {
            failure = InvalidValue("Not enough bytes to read a \(form.kind)")
        }
        if let failure {
            writer.truncate(to: start)
            throw failure
        }
        writer.write(descending ? ~terminator : terminator)
    }

    private static func appendCollection(
        _ value: RawSpan, form: borrowing ComparableForm, descending: Bool, to writer: inout ByteWriter
    ) throws {
        let isMap: Bool = form.kind == .map
        var reader = try CollectionReader(value, isMap: isMap)
        var index = 0
        while let element = try reader.next() {
            try append(element, form: form.parts[index], descending: descending, to: &writer)
            index = isMap ? 1 - index : 0
        }
        if reader.remainingByteCount > 0 { throw extraneous(form.kind) }
    }

    /// Nulls at the end are left out, because a value that ends early equals one that has them.
    private static func appendFields(
        _ value: RawSpan, form: borrowing ComparableForm, descending: Bool, to writer: inout ByteWriter
    ) throws {
        var reader = TupleReader(value)
        var pendingNulls = 0
        for index in 0..<form.parts.count where !reader.isAtEnd {
            guard let field = try reader.next() else {
                pendingNulls += 1
                continue
            }
            for _ in 0..<pendingNulls { appendNull(descending: descending, to: &writer) }
            pendingNulls = 0
            try append(field, form: form.parts[index], descending: descending, to: &writer)
        }
        if !reader.isAtEnd { throw extraneous(form.kind) }
    }

    private static func appendVector(
        _ value: RawSpan, form: borrowing ComparableForm, descending: Bool, to writer: inout ByteWriter
    ) throws {
        var reader = VectorReader(value, elementByteCount: form.elementByteCount, dimension: form.dimension)
        while let element = try reader.next() {
            try append(element, form: form.parts[0], descending: descending, to: &writer)
        }
        if reader.remainingByteCount > 0 { throw extraneous(form.kind) }
    }

    private static func extraneous(_ kind: ValueKind) -> InvalidValue {
        InvalidValue("Unexpected extraneous bytes after \(kind) value")
    }

    @inline(never)
    private static func wrongLength(_ kind: ValueKind, _ count: Int) -> InvalidValue {
        InvalidValue("\(count) bytes are not a value of type \(kind)")
    }
}
