/// A type of the CQL language.
///
/// Collections and user-defined types say whether they are *multi-cell*: a multi-cell column stores each element as a
/// cell of its own, so that elements are written and merged one by one; a frozen one is a single cell. Whatever is
/// nested inside another type is frozen. Tuples and vectors are always frozen.
public indirect enum CQLType: Hashable, Sendable {
    case ascii, bigint, blob, boolean, counter, date, decimal, double, duration, float, inet, int, smallint, text, time
    case timestamp, timeuuid, tinyint, uuid, varint
    case list(CQLType, isMultiCell: Bool)
    case set(CQLType, isMultiCell: Bool)
    case map(CQLType, CQLType, isMultiCell: Bool)
    case tuple([CQLType])
    case userDefined(UserDefinedType, isMultiCell: Bool)
    case vector(CQLType, dimension: Int)
    /// A marshalling class that we store as bytes and do not interpret.
    case custom(className: String)

    /// Whether a column of this type stores one cell for each element.
    @inlinable
    public var isMultiCell: Bool {
        switch self {
        case .list(_, let isMultiCell), .set(_, let isMultiCell), .map(_, _, let isMultiCell),
            .userDefined(_, let isMultiCell):
            isMultiCell
        default: false
        }
    }

    /// Whether this is a list, set or map, frozen or not.
    public var isCollection: Bool {
        switch self {
        case .list, .set, .map: true
        default: false
        }
    }

    /// The same type with every multi-cell part made frozen.
    public var frozen: CQLType {
        switch self {
        case .list(let element, _): .list(element.frozen, isMultiCell: false)
        case .set(let element, _): .set(element.frozen, isMultiCell: false)
        case .map(let key, let value, _): .map(key.frozen, value.frozen, isMultiCell: false)
        case .tuple(let fields): .tuple(fields.map(\.frozen))
        case .userDefined(let type, _): .userDefined(type, isMultiCell: false)
        case .vector(let element, let dimension): .vector(element.frozen, dimension: dimension)
        default: self
        }
    }

    /// The number of bytes of every non-empty value, when it is always the same; nil for variable lengths.
    @inlinable
    public var fixedByteCount: Int? {
        switch self {
        case .boolean, .tinyint: 1
        case .smallint: 2
        case .int, .float, .date: 4
        case .bigint, .counter, .double, .time, .timestamp: 8
        case .timeuuid, .uuid: 16
        case .vector(let element, let dimension): element.vectorByteCount(dimension)
        default: nil
        }
    }

    /// The number of bytes of an element inside a vector when elements lie end to end; nil when each has a length
    /// before it.
    ///
    /// Cassandra lays `tinyint`, `smallint`, `date`, `time` and `counter` out with lengths although they are all of one
    /// size, and drivers do the same.
    public var vectorElementByteCount: Int? {
        switch self {
        case .boolean: 1
        case .int, .float: 4
        case .bigint, .double, .timestamp: 8
        case .timeuuid, .uuid: 16
        case .vector(let element, let dimension): element.vectorByteCount(dimension)
        default: nil
        }
    }

    /// The size of a vector of `dimension` elements of this type; nil when it varies or is beyond any value.
    @usableFromInline
    func vectorByteCount(_ dimension: Int) -> Int? {
        guard let element = vectorElementByteCount else { return nil }
        let (byteCount, isTooLarge) = element.multipliedReportingOverflow(by: dimension)
        return isTooLarge || byteCount > Int(Int32.max) ? nil : byteCount
    }
}

/// A type made by `CREATE TYPE`: named fields in order.
public struct UserDefinedType: Hashable, Sendable {
    public var keyspace: String
    public var name: String
    public var fieldNames: [String]
    public var fieldTypes: [CQLType]

    public init(keyspace: String, name: String, fieldNames: [String], fieldTypes: [CQLType]) {
        self.keyspace = keyspace
        self.name = name
        self.fieldNames = fieldNames
        self.fieldTypes = fieldTypes
    }
}
