/// Walks the bound values of a request in its body, one `WireValue` at a time.
///
/// Hot: used for every bound value. It holds three integers; the body is handed to every step, and each step checks its
/// bounds again, so that a wrong body gives an end and never a wrong read.
public struct ValueCursor: Sendable {
    @usableFromInline var position: Int
    @usableFromInline var left: Int
    @usableFromInline var lastName: WireValue = .null
    public let hasNames: Bool

    @inlinable
    public init(offset: Int, count: Int, hasNames: Bool) {
        self.position = offset
        self.left = count
        self.hasNames = hasNames
    }

    /// Where the next value starts.
    @inlinable public var offset: Int { position }
    /// How many values are left.
    @inlinable public var remaining: Int { left }
    /// The name of the value that `next` returned last, when values have names.
    @inlinable public var name: WireValue { lastName }

    /// Locates the next value; nil after the last.
    @inlinable
    public mutating func next(in body: RawSpan) -> WireValue? {
        guard left > 0 else { return nil }
        if hasNames, !readName(in: body) { return nil }
        guard position >= 0, body.byteCount &- position >= 4 else { return stop() }
        let stored = unsafe body.unsafeLoadUnaligned(fromByteOffset: position, as: Int32.self)
        let count = Int(Int32(bigEndian: stored))
        let start = position &+ 4
        left = left &- 1
        position = start
        guard count >= 0 else { return count == -2 ? .unset : .null }
        guard body.byteCount &- start >= count else { return stop() }
        position = start &+ count
        return WireValue(offset: start, byteCount: count)
    }

    /// Locates all values that are left; for callers that are not hot.
    public func all(in body: RawSpan) -> [WireValue] {
        var cursor = self
        var found: [WireValue] = []
        while let value = cursor.next(in: body) { found.append(value) }
        return found
    }

    /// Locates and copies all names that are left; empty when values have no names.
    public func names(in body: RawSpan) throws(ProtocolError) -> [String] {
        guard hasNames else { return [] }
        var cursor = self
        var found: [String] = []
        while cursor.next(in: body) != nil { found.append(try body.text(of: cursor.name)) }
        return found
    }

    /// Locates the name in front of the next value; false, and an end, when it is not there.
    @usableFromInline
    mutating func readName(in body: RawSpan) -> Bool {
        guard position >= 0, body.byteCount &- position >= 2 else { return stop() != nil }
        let stored = unsafe body.unsafeLoadUnaligned(fromByteOffset: position, as: UInt16.self)
        let count = Int(UInt16(bigEndian: stored))
        guard body.byteCount &- position &- 2 >= count else { return stop() != nil }
        lastName = WireValue(offset: position &+ 2, byteCount: count)
        position = position &+ 2 &+ count
        return true
    }

    @usableFromInline
    mutating func stop() -> WireValue? {
        left = 0
        return nil
    }
}
