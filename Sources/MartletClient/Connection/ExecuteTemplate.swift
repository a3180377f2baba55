public import CQL
import Primitives

/// The body of an EXECUTE without its values, written once and copied for every request.
public struct ExecuteTemplate: Sendable {
    /// What comes before the first value.
    let head: [UInt8]
    /// What comes behind the last value.
    let tail: [UInt8]
    /// How many values each request must write.
    public let valueCount: Int

    /// - Parameter version: the version of the connections that will use it.
    public init(_ statement: PreparedStatement, options: QueryOptions, version: ProtocolVersion) {
        let (resultMetadataID, _) = statement.result
        var writer = ByteWriter()
        writer.writeExecuteStart(
            statementID: statement.statementID, resultMetadataID: resultMetadataID, version: version)
        var split = 0
        options.write(into: &writer, version: version, valueCount: statement.markers.columns.count) { writer in
            split = writer.count
        }
        let bytes: [UInt8] = writer.array()
        self.valueCount = statement.markers.columns.count
        self.head = valueCount > 0 ? [UInt8](bytes[..<split]) : bytes
        self.tail = valueCount > 0 ? [UInt8](bytes[split...]) : []
    }
}
