public import CQL
import Synchronization

/// A statement that servers have parsed already. It may be executed on every connection, any number of times.
public final class PreparedStatement: Sendable {
    private struct Result {
        var metadataID: [UInt8]
        var columns: [ColumnSpecification]
    }

    public let text: String
    /// The keyspace for unqualified names that was given when it was prepared.
    public let keyspace: String?
    public let statementID: [UInt8]
    /// The bind markers, with the types of their values.
    public let markers: PreparedMetadata
    private let known: Mutex<Result>

    init(text: String, keyspace: String?, _ prepared: PreparedResult) {
        self.text = text
        self.keyspace = keyspace
        self.statementID = prepared.statementID
        self.markers = prepared.markers
        self.known = Mutex(Result(metadataID: prepared.resultMetadataID, columns: prepared.result.columns))
    }

    /// The result's columns and their identifier (empty before v5), which change when the table does.
    public var result: (metadataID: [UInt8], columns: [ColumnSpecification]) {
        known.withLock { ($0.metadataID, $0.columns) }
    }

    /// The columns of the result; empty for statements without one.
    public var resultColumns: [ColumnSpecification] { result.columns }

    func setResult(resultMetadataID: [UInt8], columns: [ColumnSpecification]) {
        known.withLock { $0 = Result(metadataID: resultMetadataID, columns: columns) }
    }

    func learn(from other: PreparedStatement) {
        let (metadataID, columns) = other.result
        setResult(resultMetadataID: metadataID, columns: columns)
    }
}

/// One statement of a batch: a text or a prepared statement, and its values.
public struct BatchStatement: Sendable {
    private enum Source {
        case text(String)
        case prepared(PreparedStatement)
    }

    private let source: Source
    private let values: [(any CQLEncodable)?]
    /// The values as they are sent, when they are known as that.
    private var bound: [BoundValue]?

    public init(_ text: String, values: [(any CQLEncodable)?] = []) {
        self.source = .text(text)
        self.values = values
    }

    public init(_ statement: PreparedStatement, values: [(any CQLEncodable)?] = []) {
        self.source = .prepared(statement)
        self.values = values
    }

    /// - Parameter bound: values that were made for the statement's markers.
    package init(_ statement: PreparedStatement, bound: [BoundValue]) {
        self.source = .prepared(statement)
        self.values = []
        self.bound = bound
    }

    func encoded() throws -> BatchedStatement {
        var bound: [BoundValue] = []
        switch source {
        case .text(let text):
            for value in values { bound.append(try value?.boundValue(as: nil) ?? .null) }
            return BatchedStatement(.text(text), values: bound)
        case .prepared(let statement):
            if let bound = self.bound { return BatchedStatement(.prepared(statement.statementID), values: bound) }
            let columns: [ColumnSpecification] = statement.markers.columns
            guard columns.count == values.count else {
                throw ClientError.wrongValueCount(expected: columns.count, given: values.count)
            }
            for (value, column) in zip(values, columns) {
                bound.append(try value?.boundValue(as: column.type) ?? .null)
            }
            return BatchedStatement(.prepared(statement.statementID), values: bound)
        }
    }
}
