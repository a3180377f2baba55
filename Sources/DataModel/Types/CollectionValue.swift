import Primitives

/// Builds the bytes of collections, tuples and vectors from the bytes of what they hold.
///
/// Sets and maps are kept as Cassandra keeps them: in the order of their elements or keys, each once.
public enum CollectionValue {
    public static func list(_ elements: [[UInt8]]) -> [UInt8] {
        var writer = ByteWriter(capacity: elements.reduce(4) { $0 + 4 + $1.count })
        writer.write(Int32(truncatingIfNeeded: elements.count))
        for element in elements { writer.writeElement(element.span.bytes) }
        return writer.array()
    }

    /// A set of these elements: sorted by their type, the first of equal ones kept.
    public static func set(_ elements: [[UInt8]], of type: CQLType) -> [UInt8] {
        let form = ComparableForm(type)
        let sorted: [[UInt8]] = stablySorted(elements) { form.order($0, $1) }
        var kept: [[UInt8]] = []
        for element in sorted {
            if let last = kept.last, form.order(last, element) == 0 { continue }
            kept.append(element)
        }
        return list(kept)
    }

    /// A map of these entries: sorted by the type of the keys, the last of equal keys kept.
    public static func map(_ entries: [(key: [UInt8], value: [UInt8])], keyType: CQLType) -> [UInt8] {
        let form = ComparableForm(keyType)
        let sorted = stablySorted(entries) { form.order($0.key, $1.key) }
        var kept: [(key: [UInt8], value: [UInt8])] = []
        for entry in sorted {
            if let last = kept.last, form.order(last.key, entry.key) == 0 { kept.removeLast() }
            kept.append(entry)
        }
        var writer = ByteWriter()
        writer.write(Int32(truncatingIfNeeded: kept.count))
        for (key, value) in kept {
            writer.writeElement(key.span.bytes)
            writer.writeElement(value.span.bytes)
        }
        return writer.array()
    }

    /// A tuple or a value of a user-defined type; nil fields are null.
    public static func tuple(_ fields: [[UInt8]?]) -> [UInt8] {
        var writer = ByteWriter()
        for field in fields {
            if let field { writer.writeElement(field.span.bytes) } else { writer.writeNullElement() }
        }
        return writer.array()
    }

    /// - Throws: `InvalidValue` when an element of a type of one size has another.
    public static func vector(_ elements: [[UInt8]], of type: CQLType) throws(InvalidValue) -> [UInt8] {
        let elementByteCount: Int? = type.vectorElementByteCount
        var writer = ByteWriter()
        for element in elements {
            if let elementByteCount, element.count != elementByteCount {
                throw InvalidValue("Expected \(elementByteCount) bytes for an element of a vector (\(element.count))")
            }
            writer.writeVectorElement(element.span.bytes, hasLength: elementByteCount == nil)
        }
        return writer.array()
    }

    /// The value as Cassandra would store it: sets and maps, however deep, sorted and without duplicates.
    ///
    /// Values that come from clients are in any order. A type without sets and maps leaves the bytes as they are.
    ///
    /// - Throws: `InvalidValue` when the bytes are not a value of the type.
    public static func canonical(_ bytes: RawSpan, as type: CQLType) throws(InvalidValue) -> [UInt8] {
        guard bytes.byteCount > 0, type.hasUnorderedParts else { return [UInt8](copying: bytes) }
        do {
            switch type {
            case .list(let element, _): return list(try elements(of: bytes, as: element, isMap: false))
            case .set(let element, _): return set(try elements(of: bytes, as: element, isMap: false), of: element)
            case .map(let key, let value, _): return try canonicalMap(bytes, key, value)
            case .tuple, .userDefined: return tuple(try fields(of: bytes, as: type.parts))
            case .vector(let element, let dimension):
                var reader = VectorReader(
                    bytes, elementByteCount: element.vectorElementByteCount ?? 0, dimension: dimension)
                var canonicalElements: [[UInt8]] = []
                while let part = try reader.next() { canonicalElements.append(try canonical(part, as: element)) }
                return try vector(canonicalElements, of: element)
            default: return [UInt8](copying: bytes)
            }
        } catch let error as InvalidValue {
            throw error
        } catch {
            throw InvalidValue("Not enough bytes to read a \(type.cqlName)")
        }
    }

    private static func canonicalMap(_ bytes: RawSpan, _ key: CQLType, _ value: CQLType) throws -> [UInt8] {
        var reader = try CollectionReader(bytes, isMap: true)
        var entries: [(key: [UInt8], value: [UInt8])] = []
        while let keyBytes = try reader.next(), let valueBytes = try reader.next() {
            entries.append((key: try canonical(keyBytes, as: key), value: try canonical(valueBytes, as: value)))
        }
        return map(entries, keyType: key)
    }

    private static func elements(of bytes: RawSpan, as element: CQLType, isMap: Bool) throws -> [[UInt8]] {
        var reader = try CollectionReader(bytes, isMap: isMap)
        var parts: [[UInt8]] = []
        while let part = try reader.next() { parts.append(try canonical(part, as: element)) }
        return parts
    }

    private static func fields(of bytes: RawSpan, as types: [CQLType]) throws -> [[UInt8]?] {
        var reader = TupleReader(bytes)
        var parts: [[UInt8]?] = []
        for type in types where !reader.isAtEnd {
            if let part = try reader.next() { parts.append(try canonical(part, as: type)) } else { parts.append(nil) }
        }
        return parts
    }

    /// Sorts and keeps equal elements in their order, which the standard library's sort does not promise.
    private static func stablySorted<Element>(
        _ elements: [Element], by order: (Element, Element) -> Int
    ) -> [Element] {
        let indices: [Int] = elements.indices.sorted { left, right in
            let result: Int = order(elements[left], elements[right])
            return result == 0 ? left < right : result < 0
        }
        return indices.map { elements[$0] }
    }
}

extension CQLType {
    /// Whether a set or a map is in here, whose bytes could be in another order than their own.
    var hasUnorderedParts: Bool {
        kind == .set || kind == .map || parts.contains { $0.hasUnorderedParts }
    }
}
