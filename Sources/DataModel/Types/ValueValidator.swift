import Primitives

/// Checks that bytes from a client are a value of one type; compiled once from the type, kept with a prepared plan.
///
/// Empty values are legal where Cassandra has them: everywhere but in `tinyint`, `smallint`, `date`, `time`, `duration`
/// and the collections. Messages are those of Cassandra.
///
/// Hot: runs for every bound value. Scalars allocate nothing.
public struct ValueValidator: Sendable {
    /// The most bytes of a `varint`, and of the unscaled part of a `decimal`: their text and their order cost the square
    /// of their size.
    public static let maximumIntegerByteCount = 32 << 10

    @usableFromInline let kind: ValueKind
    private let parts: [ValueValidator]
    private let dimension: Int
    private let elementByteCount: Int

    public init(_ type: CQLType) {
        self.kind = type.kind
        self.parts = type.parts.map(ValueValidator.init)
        if case .vector(let element, let dimension) = type {
            self.dimension = dimension
            self.elementByteCount = element.vectorElementByteCount ?? 0
        } else {
            self.dimension = 0
            self.elementByteCount = 0
        }
    }

    /// Whether bytes are surely a value of a type of this kind. False says nothing: `check` then decides.
    ///
    /// Hot: most values are of these types, and for them it looks at nothing but the bytes.
    @inlinable
    @inline(__always)
    public static func isPlain(_ bytes: RawSpan, _ kind: ValueKind) -> Bool {
        switch kind {
        case .text: bytes.isWellFormedUTF8
        case .int, .float, .date: bytes.byteCount == 4
        case .bigint, .double, .timestamp: bytes.byteCount == 8
        case .blob: true
        case .uuid: bytes.byteCount == 16
        default: false
        }
    }

    /// - Throws: `InvalidValue` that says what is wrong with the bytes.
    public func check(_ bytes: RawSpan) throws(InvalidValue) {
        let count: Int = bytes.byteCount
        switch kind {
        case .int, .float: if count == 4 || count == 0 { return }
        case .bigint, .counter, .double, .timestamp: if count == 8 || count == 0 { return }
        case .text:
            if bytes.isWellFormedUTF8 { return }
        case .ascii:
            if bytes.isASCII { return }
        case .blob, .custom: return
        case .boolean: if count <= 1 { return }
        case .tinyint: if count == 1 { return }
        case .smallint: if count == 2 { return }
        case .date: if count == 4 { return }
        case .time: if count == 8, bytes.uint64(at: 0) < UInt64(TimeOfDay.nanosecondsPerDay) { return }
        case .uuid: if count == 16 || count == 0 { return }
        case .timeuuid: if count == 0 || count == 16 && bytes.byte(at: 6) & 0xF0 == 0x10 { return }
        case .inet: if count == 4 || count == 16 || count == 0 { return }
        case .varint: if count <= ValueValidator.maximumIntegerByteCount { return }
        case .decimal: if count == 0 || count >= 4 && count <= ValueValidator.maximumIntegerByteCount + 4 { return }
        case .duration:
            _ = try CQLDuration(bytes)
            return
        case .list, .set, .map: return try checkCollection(bytes)
        case .tuple, .userDefined: return try checkTuple(bytes)
        case .vector: return try checkVector(bytes)
        }
        throw scalarFailure(bytes)
    }

    private func checkCollection(_ bytes: RawSpan) throws(InvalidValue) {
        var failure: InvalidValue?
        var isCut = false
        var hasNull = false
        var index = 0
        var extraByteCount = 0
        do throws(DecodingError) {
            var reader = try CollectionReader(bytes, isMap: kind == .map)
            while let element = try reader.next() {
                do throws(InvalidValue) {
                    try parts[index].check(element)
                } catch {
                    failure = error
                    break
                }
                index = kind == .map ? 1 - index : 0
            }
            extraByteCount = reader.remainingByteCount
        } catch {
            if case .invalid(let offset, _) = error, offset > 0 { hasNull = true } else { isCut = true }
        }
        if let failure { throw failure }
        let name: String = kind == .list ? "list" : kind == .set ? "set" : "map"
        if hasNull { throw InvalidValue("Null value read when not allowed") }
        if isCut { throw InvalidValue("Not enough bytes to read a \(name)") }
        if extraByteCount > 0 { throw InvalidValue("Unexpected extraneous bytes after \(name) value") }
    }

    private func checkTuple(_ bytes: RawSpan) throws(InvalidValue) {
        var reader = ByteReader(bytes)
        for (index, part) in parts.enumerated() {
            if reader.isAtEnd { return }
            guard let length = try? reader.readInt32() else {
                throw InvalidValue("Not enough bytes to read size of \(index)th component")
            }
            if length < 0 { continue }
            guard reader.remaining >= Int(length) else {
                throw InvalidValue("Not enough bytes to read \(index)th component")
            }
            let rest: RawSpan = reader.rest
            try part.check(rest.extracting(0..<Int(length)))
            reader = ByteReader(rest.extracting(Int(length)..<rest.byteCount))
        }
        if !reader.isAtEnd { throw InvalidValue("Invalid remaining data after end of tuple value") }
    }

    private func checkVector(_ bytes: RawSpan) throws(InvalidValue) {
        if bytes.byteCount == 0 { return }
        var failure: InvalidValue?
        var isCut = false
        var extraByteCount = 0
        do throws(DecodingError) {
            var reader = VectorReader(bytes, elementByteCount: elementByteCount, dimension: dimension)
            while let element = try reader.next() {
                do throws(InvalidValue) {
                    try parts[0].check(element)
                } catch {
                    failure = error
                    break
                }
            }
            extraByteCount = reader.remainingByteCount
        } catch {
            isCut = true
        }
        if let failure { throw failure }
        if isCut { throw InvalidValue("Not enough bytes to read a vector") }
        if extraByteCount > 0 { throw InvalidValue("Unexpected extraneous bytes after vector value") }
    }

    @inline(never)
    private func scalarFailure(_ bytes: RawSpan) -> InvalidValue {
        let count: Int = bytes.byteCount
        switch kind {
        case .int: return InvalidValue("Expected 4 or 0 byte int (\(count))")
        case .float: return InvalidValue("Expected 4 or 0 byte value for a float (\(count))")
        case .double: return InvalidValue("Expected 8 or 0 byte value for a double (\(count))")
        case .timestamp: return InvalidValue("Expected 8 or 0 byte long for date (\(count))")
        case .bigint, .counter: return InvalidValue("Expected 8 or 0 byte long (\(count))")
        case .text: return InvalidValue("String didn't validate.")
        case .ascii:
            let byte: UInt8 = bytes.byte(at: bytes.firstNonASCIIOffset(from: 0))
            return InvalidValue("Invalid byte for ascii: \(Int8(bitPattern: byte))")
        case .boolean: return InvalidValue("Expected 1 or 0 byte value (\(count))")
        case .tinyint: return InvalidValue("Expected 1 byte for a tinyint (\(count))")
        case .smallint: return InvalidValue("Expected 2 bytes for a smallint (\(count))")
        case .date: return InvalidValue("Expected 4 byte long for date (\(count))")
        case .time where count != 8: return InvalidValue("Expected 8 byte long for time (\(count))")
        case .time: return InvalidValue("Input long out of bounds: \(Int64(bitPattern: bytes.uint64(at: 0)))")
        case .timeuuid where count == 16: return InvalidValue("Invalid version for TimeUUID type.")
        case .uuid, .timeuuid: return InvalidValue("UUID should be 16 or 0 bytes (\(count))")
        case .inet:
            let shown: Int = min(count, 64)
            return InvalidValue("Expected 4 or 16 byte inetaddress; got \(bytes.extracting(0..<shown).hexadecimal)")
        case .decimal where count < 4: return InvalidValue("Expected 0 or at least 4 bytes")
        default:
            return InvalidValue("Expected at most \(ValueValidator.maximumIntegerByteCount) bytes of digits (\(count))")
        }
    }
}
