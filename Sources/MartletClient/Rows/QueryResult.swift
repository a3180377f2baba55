public import CQL
public import Primitives

/// What came of a request.
public struct QueryResult: Sendable {
    public enum Outcome: Sendable {
        /// It was done, and there is nothing to tell.
        case void
        case rows(ResultRows)
        case setKeyspace(String)
        case schemaChange(SchemaChange)
    }

    public let outcome: Outcome
    /// The session under which the server recorded what it did, when that was asked for.
    public let tracingID: UUID?
    public let warnings: [String]

    init(_ reply: DecodedReply, knownColumns: [ColumnSpecification] = []) throws {
        self.tracingID = reply.prefix.tracingID
        self.warnings = reply.prefix.warnings
        switch reply.response {
        case .void: self.outcome = .void
        case .rows(let rows):
            let columns: [ColumnSpecification] = rows.metadata.columns.isEmpty ? knownColumns : rows.metadata.columns
            guard columns.count == rows.metadata.columnCount else {
                throw ClientError.malformedResponse("rows of other columns than were prepared")
            }
            self.outcome = .rows(ResultRows(body: reply.body, columns: columns, rows))
        case .setKeyspace(let name): self.outcome = .setKeyspace(name)
        case .schemaChange(let change): self.outcome = .schemaChange(change)
        default: throw ClientError.malformedResponse("an answer that is no result")
        }
    }

    /// The rows of this page; none for statements without a result.
    public var rows: ResultRows {
        if case .rows(let rows) = outcome { rows } else { ResultRows.none }
    }

    /// Where the next page starts; nil after the last.
    public var pagingState: [UInt8]? { rows.pagingState }

    /// What a conditional statement says in its column `[applied]`; nil for other statements.
    public var wasApplied: Bool? {
        guard let first = rows.first(where: { _ in true }), let index = first.index(of: "[applied]") else { return nil }
        return first.bytes(at: index).map { $0 != [0] }
    }
}
