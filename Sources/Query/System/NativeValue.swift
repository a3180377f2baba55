internal import CQL
internal import DataModel
internal import Primitives

/// Values in the form in which the native protocol carries them.
enum NativeValue {
    static func text(_ value: String) -> [UInt8] { Array(value.utf8) }
    static func text(_ value: String?) -> [UInt8]? { value.map { Array($0.utf8) } }
    static func int(_ value: Int32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    static func bigint(_ value: Int64) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }
    static func double(_ value: Double) -> [UInt8] { bigint(Int64(bitPattern: value.bitPattern)) }
    static func boolean(_ value: Bool) -> [UInt8] { [value ? 1 : 0] }
    static func uuid(_ value: UUID) -> [UInt8] { value.bytes }
    static func inet(_ value: InetAddress) -> [UInt8] { value.bytes }

    static func set(_ values: [String]) -> [UInt8] {
        CollectionValue.set(values.map { Array($0.utf8) }, of: .text)
    }

    static func list(_ values: [String]) -> [UInt8] { CollectionValue.list(values.map { Array($0.utf8) }) }

    static func map(_ values: [String: String]) -> [UInt8] {
        CollectionValue.map(values.map { (key: Array($0.key.utf8), value: Array($0.value.utf8)) }, keyType: .text)
    }

    /// When tables were truncated, as Cassandra writes it: for each the place in its commit log (segment `i64`, offset
    /// `i32`), which is none here, and the time in milliseconds (`i64`). Nil when there are none.
    static func truncations(_ microseconds: [UUID: Int64]) -> [UInt8]? {
        if microseconds.isEmpty { return nil }
        let noPlace: [UInt8] = bigint(-1) + int(0)
        let values = microseconds.map { (key: $0.key.bytes, value: noPlace + bigint($0.value / 1_000)) }
        return CollectionValue.map(values, keyType: .uuid)
    }

    static func map(_ values: [String: [UInt8]]) -> [UInt8] {
        CollectionValue.map(values.map { (key: Array($0.key.utf8), value: $0.value) }, keyType: .text)
    }
}
