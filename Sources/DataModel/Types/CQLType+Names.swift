/// How types are written in CQL, in `system_schema.columns.type` and in `DESCRIBE`.
extension CQLType {
    /// The type in CQL, frozen parts marked as such: `map<text, frozen<list<int>>>`.
    public var cqlName: String {
        switch self {
        case .list(let element, let isMultiCell):
            CQLType.marked("list<\(element.cqlName)>", isFrozen: !isMultiCell)
        case .set(let element, let isMultiCell):
            CQLType.marked("set<\(element.cqlName)>", isFrozen: !isMultiCell)
        case .map(let key, let value, let isMultiCell):
            CQLType.marked("map<\(key.cqlName), \(value.cqlName)>", isFrozen: !isMultiCell)
        case .tuple(let fields):
            "frozen<tuple<\(fields.map(\.cqlName).joined(separator: ", "))>>"
        case .userDefined(let type, let isMultiCell):
            CQLType.marked(CQLIdentifier.quotedIfNeeded(type.name), isFrozen: !isMultiCell)
        case .vector(let element, let dimension):
            "vector<\(element.cqlName), \(dimension)>"
        case .custom(let className):
            "'\(className)'"
        default: scalarName
        }
    }

    /// The name of a type without parts; empty for one with parts.
    var scalarName: String {
        switch self {
        case .ascii: "ascii"
        case .bigint: "bigint"
        case .blob: "blob"
        case .boolean: "boolean"
        case .counter: "counter"
        case .date: "date"
        case .decimal: "decimal"
        case .double: "double"
        case .duration: "duration"
        case .float: "float"
        case .inet: "inet"
        case .int: "int"
        case .smallint: "smallint"
        case .text: "text"
        case .time: "time"
        case .timestamp: "timestamp"
        case .timeuuid: "timeuuid"
        case .tinyint: "tinyint"
        case .uuid: "uuid"
        case .varint: "varint"
        default: ""
        }
    }

    /// The scalar type of this name, in lower case; `varchar` is another name of `text`. Nil for any other word.
    public static func scalar(named name: String) -> CQLType? {
        if name == "varchar" { return .text }
        return scalars.first { $0.scalarName == name }
    }

    /// Every type without parts, in the order of their names.
    public static let scalars: [CQLType] = [
        .ascii, .bigint, .blob, .boolean, .counter, .date, .decimal, .double, .duration, .float, .inet, .int,
        .smallint, .text, .time, .timestamp, .timeuuid, .tinyint, .uuid, .varint,
    ]

    private static func marked(_ name: String, isFrozen: Bool) -> String {
        isFrozen ? "frozen<\(name)>" : name
    }
}

/// Names of keyspaces, tables, columns and types as they are written in CQL.
public enum CQLIdentifier {
    /// The name as it stands, or between double quotes when CQL would otherwise read it differently.
    public static func quotedIfNeeded(_ name: String) -> String {
        isPlain(name) && !reservedWords.contains(name) ? name : quoted(name)
    }

    /// The name between double quotes, inner ones doubled.
    public static func quoted(_ name: String) -> String {
        var text = "\""
        for character in name.unicodeScalars {
            if character == "\"" { text += "\"" }
            text.unicodeScalars.append(character)
        }
        return text + "\""
    }

    /// Whether the name has the form that CQL reads back unchanged: a lower-case letter, then letters, digits and
    /// underscores.
    private static func isPlain(_ name: String) -> Bool {
        guard let first = name.utf8.first, first >= UInt8(ascii: "a"), first <= UInt8(ascii: "z") else { return false }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
    }

    /// The words that CQL never takes for a name unless they are quoted.
    public static let reservedWords: Set<String> = [
        "add", "allow", "alter", "and", "apply", "asc", "authorize", "batch", "begin", "by", "columnfamily",
        "create", "delete", "desc", "describe", "drop", "entries", "execute", "from", "full", "grant",
        "if", "in", "index", "infinity", "insert", "into", "is", "keyspace", "limit", "materialized",
        "modify", "nan", "norecursive", "not", "null", "of", "on", "or", "order", "primary", "rename",
        "revoke", "schema", "select", "set", "table", "to", "token", "truncate", "unlogged",
        "update", "use", "using", "view", "where", "with",
    ]
}
