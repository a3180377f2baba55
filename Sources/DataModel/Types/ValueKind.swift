/// A `CQLType` without its parts: what a hot switch needs to know, in one byte.
public enum ValueKind: UInt8, Sendable, Hashable, CaseIterable {
    case ascii, bigint, blob, boolean, counter, date, decimal, double, duration, float, inet, int, smallint, text, time
    case timestamp, timeuuid, tinyint, uuid, varint
    case list, set, map, tuple, userDefined, vector, custom
}

extension CQLType {
    public var kind: ValueKind {
        switch self {
        case .ascii: .ascii
        case .bigint: .bigint
        case .blob: .blob
        case .boolean: .boolean
        case .counter: .counter
        case .date: .date
        case .decimal: .decimal
        case .double: .double
        case .duration: .duration
        case .float: .float
        case .inet: .inet
        case .int: .int
        case .smallint: .smallint
        case .text: .text
        case .time: .time
        case .timestamp: .timestamp
        case .timeuuid: .timeuuid
        case .tinyint: .tinyint
        case .uuid: .uuid
        case .varint: .varint
        case .list: .list
        case .set: .set
        case .map: .map
        case .tuple: .tuple
        case .userDefined: .userDefined
        case .vector: .vector
        case .custom: .custom
        }
    }

    /// The types directly inside this one: the element, the key and the value, or the fields.
    public var parts: [CQLType] {
        switch self {
        case .list(let element, _), .set(let element, _), .vector(let element, _): [element]
        case .map(let key, let value, _): [key, value]
        case .tuple(let fields): fields
        case .userDefined(let type, _): type.fieldTypes
        default: []
        }
    }

    /// Whether this type is `duration` or has one inside; such a type cannot be a key, since durations have no order.
    public var containsDuration: Bool { kind == .duration || parts.contains { $0.containsDuration } }

    /// Whether this type is `counter` or has one inside.
    public var containsCounter: Bool { kind == .counter || parts.contains { $0.containsCounter } }
}
