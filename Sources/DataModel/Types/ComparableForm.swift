import Primitives

/// A type as its order needs it: computed once, kept with a table's definition, passed by reference on hot paths.
///
/// `order` compares two values as Cassandra does; `ComparableEncoder` writes the same order into bytes.
public struct ComparableForm: Hashable, Sendable {
    public let kind: ValueKind
    @usableFromInline let parts: [ComparableForm]
    let dimension: Int
    /// The size of a vector's elements when they lie end to end; zero when each has a length.
    let elementByteCount: Int

    public init(_ type: CQLType) {
        self.kind = type.kind
        self.parts = type.parts.map(ComparableForm.init)
        if case .vector(let element, let dimension) = type {
            self.dimension = dimension
            self.elementByteCount = element.vectorElementByteCount ?? 0
        } else {
            self.dimension = 0
            self.elementByteCount = 0
        }
    }

    /// Whether values can be encoded, and so be keys: durations have no order and counters no value of their own.
    public var isEncodable: Bool {
        kind != .duration && kind != .counter && parts.allSatisfy { $0.isEncodable }
    }

    /// Compares two values that are held as arrays; see `order` for spans.
    public func order(_ left: [UInt8], _ right: [UInt8]) -> Int {
        order(left.span.bytes, right.span.bytes)
    }
}

extension CQLType {
    /// Compares two values in Cassandra's order; see `ComparableForm.order`, which does not work the form out each time.
    public func order(_ left: RawSpan, _ right: RawSpan) -> Int {
        ComparableForm(self).order(left, right)
    }
}

/// Compares two values of a type in Cassandra's order: a negative number, zero or a positive number.
public func compare(_ left: RawSpan, _ right: RawSpan, as type: CQLType) -> Int {
    ComparableForm(type).order(left, right)
}
