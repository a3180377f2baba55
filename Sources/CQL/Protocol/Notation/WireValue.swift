/// Where a value lies in a message's body: offset and byte count, or the marks for null and unset.
///
/// A plain pair of integers, so that a request with many values costs no allocation.
public struct WireValue: Equatable, Sendable {
    @usableFromInline let start: Int32
    @usableFromInline let length: Int32

    @inlinable
    public init(offset: Int, byteCount: Int) {
        self.start = Int32(truncatingIfNeeded: offset)
        self.length = Int32(truncatingIfNeeded: byteCount)
    }

    public static var null: WireValue { WireValue(offset: 0, byteCount: -1) }
    public static var unset: WireValue { WireValue(offset: 0, byteCount: -2) }

    /// Where the value starts in the body.
    @inlinable public var offset: Int { Int(start) }
    /// How many bytes it has; −1 for null, −2 for unset.
    @inlinable public var byteCount: Int { Int(length) }
    @inlinable public var isNull: Bool { length == -1 }
    @inlinable public var isUnset: Bool { length == -2 }
    @inlinable public var hasBytes: Bool { length >= 0 }
}

extension RawSpan {
    /// Borrows the bytes of a value of this body; nothing for null and unset, or when the value is not of this body.
    @_lifetime(copy self)
    @inlinable
    @inline(__always)
    public func bytes(of value: WireValue) -> RawSpan {
        guard value.byteCount > 0, value.offset >= 0, value.offset &+ value.byteCount <= byteCount else {
            return extracting(0..<0)
        }
        return extracting(value.offset..<(value.offset &+ value.byteCount))
    }

    /// Copies the bytes of a value out; nil for null and unset.
    public func array(of value: WireValue) -> [UInt8]? {
        guard value.hasBytes else { return nil }
        return bytes(of: value).withUnsafeBytes { [UInt8]($0) }
    }

    /// The text of a value.
    ///
    /// - Throws: a protocol error when the bytes are not UTF-8.
    public func text(of value: WireValue) throws(ProtocolError) -> String {
        try bytes(of: value).validatedText()
    }

    /// All bytes as text.
    func validatedText() throws(ProtocolError) -> String {
        let text: String? = withUnsafeBytes { bytes in
            bytes.withMemoryRebound(to: UInt8.self) { String(validating: $0, as: UTF8.self) }
        }
        guard let text else { throw ProtocolError("Cannot decode string as UTF8") }
        return text
    }
}
