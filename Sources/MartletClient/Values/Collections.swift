public import CQL
public import DataModel
import Primitives

/// Lists, sets and vectors; arrays of `UInt8` are the raw bytes of a value of any type.
extension Array: CQLEncodable where Element: CQLEncodable {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        if let bytes = self as? [UInt8] { return .bytes(bytes) }
        switch type {
        case nil: return .bytes(CollectionValue.list(try map { try $0.elementBytes(as: nil) }))
        case .list(let element, _):
            return .bytes(CollectionValue.list(try map { try $0.elementBytes(as: element) }))
        case .set(let element, _):
            return .bytes(CollectionValue.set(try map { try $0.elementBytes(as: element) }, of: element))
        case .vector(let element, let dimension):
            guard count == dimension else { break }
            return .bytes(try CollectionValue.vector(try map { try $0.elementBytes(as: element) }, of: element))
        case .tuple(let types):
            guard count == types.count else { break }
            return .bytes(CollectionValue.tuple(try zip(self, types).map { try $0.elementBytes(as: $1) }))
        default: break
        }
        throw mismatch(self, type ?? .blob)
    }
}

extension Array: CQLDecodable where Element: CQLDecodable {
    public init(cqlBytes: RawSpan, type: CQLType) throws {
        if let bytes = [UInt8](copying: cqlBytes) as? [Element] {
            self = bytes
            return
        }
        self = []
        do {
            switch type {
            case .list(let element, _), .set(let element, _):
                var reader = try CollectionReader(cqlBytes)
                while let part = try reader.next() { append(try Element(cqlBytes: part, type: element)) }
            case .vector(let element, let dimension):
                var reader = VectorReader(
                    cqlBytes, elementByteCount: element.vectorElementByteCount ?? 0, dimension: dimension)
                while let part = try reader.next() { append(try Element(cqlBytes: part, type: element)) }
            default: throw unreadable("array", type)
            }
        } catch let error as ClientError {
            throw error
        } catch {
            throw unreadable("array", type)
        }
    }
}

extension Set: CQLEncodable where Element: CQLEncodable {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        try Array(self).boundValue(as: type)
    }
}

extension Set: CQLDecodable where Element: CQLDecodable {
    public init(cqlBytes: RawSpan, type: CQLType) throws {
        self = Set(try [Element](cqlBytes: cqlBytes, type: type))
    }
}

extension Dictionary: CQLEncodable where Key: CQLEncodable, Value: CQLEncodable {
    public func boundValue(as type: CQLType?) throws -> BoundValue {
        guard case .map(let keyType, let valueType, _) = type else {
            throw ClientError.invalidValue("a dictionary needs a marker whose type is known to be a map")
        }
        let entries: [(key: [UInt8], value: [UInt8])] = try map { key, value in
            (key: try key.elementBytes(as: keyType), value: try value.elementBytes(as: valueType))
        }
        return .bytes(CollectionValue.map(entries, keyType: keyType))
    }
}

extension Dictionary: CQLDecodable where Key: CQLDecodable, Value: CQLDecodable {
    public init(cqlBytes: RawSpan, type: CQLType) throws {
        guard case .map(let keyType, let valueType, _) = type else { throw unreadable("dictionary", type) }
        self = [:]
        do {
            var reader = try CollectionReader(cqlBytes, isMap: true)
            while let keyBytes = try reader.next(), let valueBytes = try reader.next() {
                let key = try Key(cqlBytes: keyBytes, type: keyType)
                self[key] = try Value(cqlBytes: valueBytes, type: valueType)
            }
        } catch let error as ClientError {
            throw error
        } catch {
            throw unreadable("dictionary", type)
        }
    }
}
