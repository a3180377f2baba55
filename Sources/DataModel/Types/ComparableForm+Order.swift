import Primitives

/// The order of values, type by type.
///
/// An empty value comes before every other. Bytes that are no value of the type (which validation refuses) compare as
/// bytes, so that nothing here fails and the result is the same everywhere.
extension ComparableForm {
    /// Compares two values: a negative number, zero or a positive number.
    ///
    /// Hot: filters, and the elements of sets and maps; keys compare by their encoding instead.
    public func order(_ left: RawSpan, _ right: RawSpan) -> Int {
        if left.byteCount == 0 || right.byteCount == 0 {
            return left.byteCount == right.byteCount ? 0 : left.byteCount == 0 ? -1 : 1
        }
        switch kind {
        case .ascii, .blob, .custom, .duration, .inet, .text: return left.order(against: right)
        case .list, .set, .map: return collectionOrder(left, right)
        case .tuple, .userDefined: return tupleOrder(left, right)
        case .vector: return vectorOrder(left, right)
        case .varint: return BigInteger.order(left, right)
        case .decimal:
            guard left.byteCount >= 4, right.byteCount >= 4 else { return left.order(against: right) }
            return DecimalNumber.order(left, right)
        default: return fixedOrder(left, right)
        }
    }

    private func fixedOrder(_ left: RawSpan, _ right: RawSpan) -> Int {
        let width: Int = kind.fixedWidth
        guard left.byteCount == width, right.byteCount == width else { return left.order(against: right) }
        switch width {
        case 16:
            let first: (UInt64, UInt64) = kind.sortableUUID(left.uint64(at: 0), left.uint64(at: 8))
            let second: (UInt64, UInt64) = kind.sortableUUID(right.uint64(at: 0), right.uint64(at: 8))
            return first == second ? 0 : first < second ? -1 : 1
        case 8: return ComparableForm.sign(kind.sortable(left.uint64(at: 0)), kind.sortable(right.uint64(at: 0)))
        case 4: return ComparableForm.sign(kind.sortable(left.uint32(at: 0)), kind.sortable(right.uint32(at: 0)))
        case 2: return ComparableForm.sign(left.uint16(at: 0) ^ 0x8000, right.uint16(at: 0) ^ 0x8000)
        default: return ComparableForm.sign(kind.sortable(left.byte(at: 0)), kind.sortable(right.byte(at: 0)))
        }
    }

    /// Compares element by element; of two that begin alike the shorter is less.
    private func collectionOrder(_ left: RawSpan, _ right: RawSpan) -> Int {
        guard var first = try? CollectionReader(left, isMap: kind == .map),
            var second = try? CollectionReader(right, isMap: kind == .map)
        else { return left.order(against: right) }
        var index = 0
        do throws(DecodingError) {
            while true {
                if first.isFinished || second.isFinished {
                    return first.isFinished == second.isFinished ? 0 : first.isFinished ? -1 : 1
                }
                guard let one = try first.next(), let other = try second.next() else { return 0 }
                let result: Int = parts[index].order(one, other)
                if result != 0 { return result }
                index = kind == .map ? 1 - index : 0
            }
        } catch {
            return left.order(against: right)
        }
    }

    /// Compares field by field, null before any value; fields that are missing at the end are null.
    private func tupleOrder(_ left: RawSpan, _ right: RawSpan) -> Int {
        var first = TupleReader(left)
        var second = TupleReader(right)
        do throws(DecodingError) {
            for part in parts {
                if first.isAtEnd && second.isAtEnd { return 0 }
                let one = try first.next()
                let other = try second.next()
                let result: Int = ComparableForm.nullableOrder(one, other, part)
                if result != 0 { return result }
            }
            return 0
        } catch {
            return left.order(against: right)
        }
    }

    private static func nullableOrder(_ left: RawSpan?, _ right: RawSpan?, _ part: ComparableForm) -> Int {
        guard let left else {
            if right != nil { return -1 }
            return 0
        }
        guard let right else { return 1 }
        return part.order(left, right)
    }

    private func vectorOrder(_ left: RawSpan, _ right: RawSpan) -> Int {
        var first = VectorReader(left, elementByteCount: elementByteCount, dimension: dimension)
        var second = VectorReader(right, elementByteCount: elementByteCount, dimension: dimension)
        do throws(DecodingError) {
            while let one = try first.next(), let other = try second.next() {
                let result: Int = parts[0].order(one, other)
                if result != 0 { return result }
            }
            return 0
        } catch {
            return left.order(against: right)
        }
    }

    @inline(__always)
    private static func sign<Number: FixedWidthInteger>(_ left: Number, _ right: Number) -> Int {
        left == right ? 0 : left < right ? -1 : 1
    }
}

/// Bijections between values and unsigned integers that sort as the values do.
///
/// Booleans other than 0 and 1 and the many forms of NaN are the exception: each kind becomes its one usual form.
extension ValueKind {
    /// The bytes of a value that is not empty; zero for kinds that vary.
    var fixedWidth: Int {
        switch self {
        case .boolean, .tinyint: 1
        case .smallint: 2
        case .int, .float, .date: 4
        case .bigint, .counter, .double, .time, .timestamp: 8
        case .timeuuid, .uuid: 16
        default: 0
        }
    }

    @inline(__always)
    func sortable(_ bits: UInt8) -> UInt8 {
        self == .boolean ? (bits == 0 ? 0 : 1) : bits ^ 0x80
    }

    @inline(__always)
    func unsorted(_ sorted: UInt8) -> UInt8 {
        self == .boolean ? sorted : sorted ^ 0x80
    }

    @inline(__always)
    func sortable(_ bits: UInt32) -> UInt32 {
        if self == .date { return bits }
        if self == .float {
            if bits & 0x7FFF_FFFF > 0x7F80_0000 { return 0xFFC0_0000 }
            return bits >> 31 == 0 ? bits ^ 0x8000_0000 : ~bits
        }
        return bits ^ 0x8000_0000
    }

    @inline(__always)
    func unsorted(_ sorted: UInt32) -> UInt32 {
        if self == .date { return sorted }
        if self == .float, sorted >> 31 == 0 { return ~sorted }
        return sorted ^ 0x8000_0000
    }

    @inline(__always)
    func sortable(_ bits: UInt64) -> UInt64 {
        if self == .double {
            if bits & 0x7FFF_FFFF_FFFF_FFFF > 0x7FF0_0000_0000_0000 { return 0xFFF8_0000_0000_0000 }
            return bits >> 63 == 0 ? bits ^ 0x8000_0000_0000_0000 : ~bits
        }
        return bits ^ 0x8000_0000_0000_0000
    }

    @inline(__always)
    func unsorted(_ sorted: UInt64) -> UInt64 {
        if self == .double, sorted >> 63 == 0 { return ~sorted }
        return sorted ^ 0x8000_0000_0000_0000
    }

    /// Rearranges the halves of an identifier so that unsigned comparison gives Cassandra's order.
    ///
    ///     version 1   time_low time_mid version+time_high  →  version+time_high time_mid time_low
    ///     others      time_low time_mid version+time_high  →  version, then the other 60 bits
    ///
    /// A `timeuuid` orders by time and then by signed bytes; a `uuid` by version, then by time or bytes, then by
    /// unsigned bytes.
    @inline(__always)
    func sortableUUID(_ high: UInt64, _ low: UInt64) -> (UInt64, UInt64) {
        let isTimeOrdered: Bool = self == .timeuuid || high >> 12 & 0xF == 1
        let front: UInt64
        if isTimeOrdered {
            front = high << 48 | (high << 16 & 0x0000_FFFF_0000_0000) | high >> 32
        } else {
            front = high << 48 & 0xF000_0000_0000_0000 | (high >> 4 & 0x0FFF_FFFF_FFFF_F000) | high & 0x0FFF
        }
        return (front, self == .timeuuid ? low ^ 0x8080_8080_8080_8080 : low)
    }

    /// Undoes `sortableUUID`.
    @inline(__always)
    func unsortedUUID(_ front: UInt64, _ back: UInt64) -> (UInt64, UInt64) {
        let isTimeOrdered: Bool = self == .timeuuid || front >> 60 == 1
        let high: UInt64
        if isTimeOrdered {
            high = front << 32 | (front >> 16 & 0x0000_0000_FFFF_0000) | front >> 48
        } else {
            high = (front & 0x0FFF_FFFF_FFFF_F000) << 4 | front >> 48 & 0xF000 | front & 0x0FFF
        }
        return (high, self == .timeuuid ? back ^ 0x8080_8080_8080_8080 : back)
    }
}
