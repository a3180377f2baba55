public import CQL
public import DataModel

/// A Swift value that can be bound to a marker.
///
/// Integers become whatever integer type the marker has, if they fit; strings become every type that has a text form.
/// Without a known type (statements that were not prepared) `Int8` to `Int64`, `Float`, `Double`, `Bool`, `String`,
/// `UUID` and `[UInt8]` are tinyint to bigint, float, double, boolean, text, uuid and blob; `Int` is bigint.
public protocol CQLEncodable: Sendable {
    /// The value for a marker of `type`; nil when that is not known.
    ///
    /// - Throws: `ClientError.invalidValue` when there is no such value of the type.
    func boundValue(as type: CQLType?) throws -> BoundValue
}

/// A Swift type that can hold the values of some CQL types.
public protocol CQLDecodable {
    /// - Parameter cqlBytes: the bytes of a value of `type` that is not null.
    /// - Throws: `ClientError.invalidValue` when this type cannot hold it.
    init(cqlBytes: RawSpan, type: CQLType) throws
}

public typealias CQLValue = CQLEncodable & CQLDecodable

/// The value that leaves a column as it is.
public struct Unset: CQLEncodable {
    public init() {}

    public func boundValue(as type: CQLType?) throws -> BoundValue { .unset }
}

extension CQLEncodable {
    /// The bytes of an element of a collection, which can be neither null nor unset.
    func elementBytes(as type: CQLType?) throws -> [UInt8] {
        guard case .bytes(let bytes) = try boundValue(as: type) else {
            throw ClientError.invalidValue("an element of a collection is neither null nor unset")
        }
        return bytes
    }
}

func mismatch(_ value: Any, _ type: CQLType) -> ClientError {
    .invalidValue("\(value) is no value of type \(type.cqlName)")
}

func unreadable(_ wanted: String, _ type: CQLType) -> ClientError {
    .invalidValue("a value of type \(type.cqlName) is no \(wanted)")
}

func bigEndianBytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { [UInt8]($0) }
}

func loadBigEndian<Number: FixedWidthInteger>(_ bytes: RawSpan, as type: Number.Type) -> Number? {
    guard bytes.byteCount == MemoryLayout<Number>.size else { return nil }
    return bytes.withUnsafeBytes { Number(bigEndian: $0.loadUnaligned(as: Number.self)) }
}
