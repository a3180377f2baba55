/// A type as a statement spells it, before anybody has looked up what it means.
package indirect enum TypeName: Hashable, Sendable {
    case native(NativeTypeName)
    case list(TypeName)
    case set(TypeName)
    case map(key: TypeName, value: TypeName)
    case tuple([TypeName])
    case vector(element: TypeName, dimension: Int)
    case frozen(TypeName)
    /// The name of a user-defined type.
    case userDefined(QualifiedName)
    /// The name of a class, which is written as a string.
    case custom(String)
}

/// A built-in scalar type; the raw value is its spelling.
///
/// `varchar` stays apart from `text` here because column names of a result repeat what was written.
package enum NativeTypeName: String, Hashable, Sendable, CaseIterable {
    case ascii, bigint, blob, boolean, counter, date, decimal, double, duration, float, inet, int, smallint, text
    case time, timestamp, timeuuid, tinyint, uuid, varchar, varint
}
