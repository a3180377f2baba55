public import CQL
public import DataModel
import Primitives

extension CQLEncodable where Self: FixedWidthInteger {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard let type else { return .bytes(bigEndianBytes(self)) }
        return .bytes(try IntegerValue.bytes(Int128(self), as: type))
    }
}

extension CQLDecodable where Self: FixedWidthInteger {
    public init(cqlBytes: RawSpan, type: CQLType) throws {
        guard let number = IntegerValue.number(cqlBytes, type), let fitting = Self(exactly: number) else {
            throw unreadable("\(Self.self)", type)
        }
        self = fitting
    }
}

extension Int: CQLValue {}
extension Int8: CQLValue {}
extension Int16: CQLValue {}
extension Int32: CQLValue {}
extension Int64: CQLValue {}
/// A byte: the bits of a tinyint. Arrays of it are blobs.
extension UInt8: CQLValue {}

/// Integers of all widths.
enum IntegerValue {
    static func bytes(_ number: Int128, as type: CQLType) throws -> [UInt8] {
        switch type.kind {
        case .tinyint: if let fitting = Int8(exactly: number) { return bigEndianBytes(fitting) }
        case .smallint: if let fitting = Int16(exactly: number) { return bigEndianBytes(fitting) }
        case .int: if let fitting = Int32(exactly: number) { return bigEndianBytes(fitting) }
        case .bigint, .counter, .timestamp, .time:
            if let fitting = Int64(exactly: number) { return bigEndianBytes(fitting) }
        case .date: if let fitting = UInt32(exactly: number) { return bigEndianBytes(fitting) }
        case .float: return bigEndianBytes(Float(number).bitPattern)
        case .double: return bigEndianBytes(Double(number).bitPattern)
        case .varint, .decimal:
            if let bytes = try? type.valueBytes(ofText: String(number)) { return bytes }
        default: break
        }
        throw mismatch(number, type)
    }

    /// The number that a value is; nil for types that are no integers and for numbers beyond 128 bits.
    static func number(_ bytes: RawSpan, _ type: CQLType) -> Int128? {
        switch type.kind {
        case .tinyint: loadBigEndian(bytes, as: Int8.self).map { Int128($0) }
        case .smallint: loadBigEndian(bytes, as: Int16.self).map { Int128($0) }
        case .int: loadBigEndian(bytes, as: Int32.self).map { Int128($0) }
        case .bigint, .counter, .timestamp, .time: loadBigEndian(bytes, as: Int64.self).map { Int128($0) }
        case .date: loadBigEndian(bytes, as: UInt32.self).map { Int128($0) }
        case .varint: type.plainText(of: bytes).flatMap { Int128($0) }
        default: nil
        }
    }
}

extension Double: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        switch type?.kind {
        case nil, .double: return .bytes(bigEndianBytes(bitPattern))
        case .float: return .bytes(bigEndianBytes(Float(self).bitPattern))
        case .decimal:
            guard let type, let bytes = try? type.valueBytes(ofText: "\(self)") else { break }
            return .bytes(bytes)
        default: break
        }
        throw mismatch(self, type ?? .double)
    }

    public init(cqlBytes: RawSpan, type: CQLType) throws {
        switch type.kind {
        case .double:
            guard let bits = loadBigEndian(cqlBytes, as: UInt64.self) else { break }
            self = Double(bitPattern: bits)
            return
        case .float:
            guard let bits = loadBigEndian(cqlBytes, as: UInt32.self) else { break }
            self = Double(Float(bitPattern: bits))
            return
        case .decimal:
            guard let number = type.plainText(of: cqlBytes).flatMap({ Double($0) }) else { break }
            self = number
            return
        default:
            guard let number = IntegerValue.number(cqlBytes, type) else { break }
            self = Double(number)
            return
        }
        throw unreadable("Double", type)
    }
}

extension Float: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard type == nil || type == .float else { return try Double(self).boundValue(as: type) }
        return .bytes(bigEndianBytes(bitPattern))
    }

    public init(cqlBytes: RawSpan, type: CQLType) throws {
        self = Float(try Double(cqlBytes: cqlBytes, type: type))
    }
}

extension Bool: CQLValue {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard type == nil || type == .boolean else { throw mismatch(self, type ?? .boolean) }
        return .bytes([self ? 1 : 0])
    }

    public init(cqlBytes: RawSpan, type: CQLType) throws {
        guard type == .boolean, let byte = loadBigEndian(cqlBytes, as: UInt8.self) else {
            throw unreadable("Bool", type)
        }
        self = byte != 0
    }
}
