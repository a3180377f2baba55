public import CQL
import Primitives

/// The rows of one page. They stay in the bytes of the answer; a value is decoded when it is asked for.
public struct ResultRows: Sequence, Sendable {
    public let columns: [ColumnSpecification]
    /// Where the next page starts; nil after the last.
    public let pagingState: [UInt8]?
    public let count: Int
    private let body: [UInt8]
    private let offset: Int

    static let none = ResultRows(columns: [], pagingState: nil, count: 0, body: [], offset: 0)

    private init(columns: [ColumnSpecification], pagingState: [UInt8]?, count: Int, body: [UInt8], offset: Int) {
        self.columns = columns
        self.pagingState = pagingState
        self.count = count
        self.body = body
        self.offset = offset
    }

    init(body: [UInt8], columns: [ColumnSpecification], _ rows: RowsResult) {
        self.init(
            columns: columns, pagingState: rows.metadata.pagingState, count: rows.rowCount, body: body,
            offset: rows.rowsOffset)
    }

    public var isEmpty: Bool { count == 0 }
    public var underestimatedCount: Int { count }

    public func makeIterator() -> Iterator {
        let cursor = ValueCursor(offset: offset, count: count &* columns.count, hasNames: false)
        return Iterator(columns: columns, body: body, cursor: cursor, left: count)
    }

    /// Walks the rows from the first to the last.
    public struct Iterator: IteratorProtocol {
        let columns: [ColumnSpecification]
        let body: [UInt8]
        var cursor: ValueCursor
        var left: Int

        public mutating func next() -> Row? {
            guard left > 0 else { return nil }
            left -= 1
            let bytes: [UInt8] = body
            var values: [WireValue] = []
            values.reserveCapacity(columns.count)
            for _ in columns {
                // A body that ends early ends the rows.
                guard let value = cursor.next(in: bytes.span.bytes) else {
                    left = 0
                    return nil
                }
                values.append(value)
            }
            return Row(columns: columns, body: body, values: values)
        }
    }
}
