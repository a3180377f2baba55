public import Primitives

/// Iterates the elements of a list or set, or the keys and values of a map, in the encoding of the native protocol.
///
///     count: int   then for each element   length: int, bytes
///
/// The reader borrows the value and copies nothing. A map yields key, value, key, value. Null elements are refused:
/// no collection holds them.
public struct CollectionReader: ~Escapable {
    private var reader: ByteReader
    /// How many elements, or pairs of a map, the value says it has.
    public let count: Int
    private var pending: Int

    /// - Parameter isMap: whether each entry is a pair.
    /// - Throws: `DecodingError` when there is no count or it is negative.
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, isMap: Bool = false) throws(DecodingError) {
        var reader = ByteReader(bytes)
        let count: Int32 = try reader.readInt32()
        guard count >= 0 else { throw .invalid(offset: 0, what: "a negative number of elements") }
        self.reader = reader
        self.count = Int(count)
        self.pending = isMap ? Int(count) &* 2 : Int(count)
    }

    /// Whether every element has been read; bytes may still follow, which is an error in a value.
    public var isFinished: Bool { pending == 0 }
    /// How many bytes follow what has been read.
    public var remainingByteCount: Int { reader.remaining }

    /// Borrows the next element; nil after the last.
    @_lifetime(copy self)
    public mutating func next() throws(DecodingError) -> RawSpan? {
        guard pending > 0 else { return nil }
        let length: Int32 = try reader.readInt32()
        guard length >= 0 else { throw .invalid(offset: reader.offset - 4, what: "a null element in a collection") }
        let element: RawSpan = try reader.readBytes(Int(length))
        pending &-= 1
        return element
    }
}

/// Iterates the fields of a tuple or user-defined type: each a length and bytes, a negative length meaning null.
///
/// A value may end early; the fields that are missing are null.
public struct TupleReader: ~Escapable {
    private var reader: ByteReader

    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.reader = ByteReader(bytes)
    }

    public var isAtEnd: Bool { reader.isAtEnd }
    public var remainingByteCount: Int { reader.remaining }

    /// Borrows the next field; nil when it is null or missing.
    @_lifetime(copy self)
    public mutating func next() throws(DecodingError) -> RawSpan? {
        if reader.isAtEnd { return nil }
        let length: Int32 = try reader.readInt32()
        if length < 0 { return nil }
        return try reader.readBytes(Int(length))
    }
}

/// Iterates the elements of a vector: end to end when their type has one size, else each after an unsigned
/// variable-length integer that is its length.
public struct VectorReader: ~Escapable {
    private var reader: ByteReader
    private let elementByteCount: Int
    private var pending: Int

    /// - Parameter elementByteCount: the size of an element, zero when each has a length
    ///   (`CQLType.vectorElementByteCount`).
    @_lifetime(copy bytes)
    public init(_ bytes: RawSpan, elementByteCount: Int, dimension: Int) {
        self.reader = ByteReader(bytes)
        self.elementByteCount = elementByteCount
        self.pending = dimension
    }

    public var remainingByteCount: Int { reader.remaining }

    /// Borrows the next element; nil after the last.
    @_lifetime(copy self)
    public mutating func next() throws(DecodingError) -> RawSpan? {
        guard pending > 0 else { return nil }
        let length: Int = elementByteCount > 0 ? elementByteCount : try reader.readLength()
        let element: RawSpan = try reader.readBytes(length)
        pending &-= 1
        return element
    }
}

/// The parts of values that hold other values, as the native protocol encodes them.
extension ByteWriter {
    /// Appends an element or a field: its length and its bytes.
    public mutating func writeElement(_ bytes: RawSpan) {
        write(Int32(truncatingIfNeeded: bytes.byteCount))
        write(bytes)
    }

    /// Appends a field that is null.
    public mutating func writeNullElement() {
        write(Int32(-1))
    }

    /// Appends an element of a vector.
    ///
    /// - Parameter hasLength: whether elements of this type vary in size, so that each says its own.
    public mutating func writeVectorElement(_ bytes: RawSpan, hasLength: Bool) {
        if hasLength { writeLength(bytes.byteCount) }
        write(bytes)
    }
}
