public import CQL
import DataModel
import Primitives

/// One row of a result.
public struct Row: Sendable {
    public let columns: [ColumnSpecification]
    private let body: [UInt8]
    private let values: [WireValue]

    init(columns: [ColumnSpecification], body: [UInt8], values: [WireValue]) {
        self.columns = columns
        self.body = body
        self.values = values
    }

    public var count: Int { columns.count }

    /// The index of the first column of that name.
    public func index(of name: String) -> Int? {
        columns.firstIndex { $0.name == name }
    }

    /// The value of a column as a Swift type; nil for null.
    ///
    /// - Throws: `ClientError.noSuchColumn`, or `.invalidValue` when the value is none of that type.
    public subscript<Value: CQLDecodable>(_ name: String, as type: Value.Type) -> Value? {
        get throws {
            guard let index = index(of: name) else { throw ClientError.noSuchColumn(name) }
            return try self[index, as: type]
        }
    }

    /// The value of a column as a Swift type; nil for null.
    public subscript<Value: CQLDecodable>(_ index: Int, as type: Value.Type) -> Value? {
        get throws {
            guard index >= 0, index < values.count else { throw ClientError.noSuchColumn("\(index)") }
            guard values[index].hasBytes else { return nil }
            return try Value(cqlBytes: body.span.bytes.bytes(of: values[index]), type: columns[index].type)
        }
    }

    /// The bytes of a value as they came; nil for null and for columns that are not there.
    public func bytes(at index: Int) -> [UInt8]? {
        guard index >= 0, index < values.count else { return nil }
        return body.span.bytes.array(of: values[index])
    }

    public func bytes(_ name: String) -> [UInt8]? {
        index(of: name).flatMap { bytes(at: $0) }
    }

    public func isNull(at index: Int) -> Bool {
        index < 0 || index >= values.count || !values[index].hasBytes
    }

    /// A value as a constant in CQL; `null` for null.
    public func literal(at index: Int) -> String {
        guard let bytes = bytes(at: index) else { return "null" }
        return columns[index].type.cqlLiteral(of: bytes.span.bytes)
    }

    public func literal(_ name: String) -> String {
        index(of: name).map { literal(at: $0) } ?? "null"
    }
}
