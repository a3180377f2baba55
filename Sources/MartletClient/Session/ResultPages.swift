import CQL

/// The pages of a result, one after the other.
///
///     for try await page in session.pages("SELECT * FROM events") {
///         for row in page.rows { … }
///     }
public struct ResultPages: AsyncSequence, Sendable {
    enum Source: Sendable {
        case text(String)
        case prepared(PreparedStatement)
    }

    public typealias Element = QueryResult

    let session: CQLSession
    let source: Source
    let values: [(any CQLEncodable)?]
    var options: QueryOptions
    let pageSize: Int32

    /// All rows, page after page.
    public var rows: AsyncRows { AsyncRows(pages: self) }

    public func makeAsyncIterator() -> Iterator {
        var options: QueryOptions = self.options
        options.pageSize = pageSize
        return Iterator(pages: self, options: options)
    }

    /// Fetches a page when asked for the next one.
    public struct Iterator: AsyncIteratorProtocol {
        let pages: ResultPages
        var options: QueryOptions
        var isFinished = false

        public mutating func next() async throws -> QueryResult? {
            if isFinished { return nil }
            let page: QueryResult
            switch pages.source {
            case .text(let text):
                page = try await pages.session.query(text, values: pages.values, options: options)
            case .prepared(let statement):
                page = try await pages.session.execute(statement, values: pages.values, options: options)
            }
            options.pagingState = page.pagingState
            isFinished = page.pagingState == nil
            return page
        }
    }
}

/// The rows of a result, fetched page by page.
public struct AsyncRows: AsyncSequence, Sendable {
    public typealias Element = Row

    let pages: ResultPages

    public func makeAsyncIterator() -> Iterator {
        Iterator(pages: pages.makeAsyncIterator(), rows: ResultRows.none.makeIterator())
    }

    /// Walks one page and fetches the next.
    public struct Iterator: AsyncIteratorProtocol {
        var pages: ResultPages.Iterator
        var rows: ResultRows.Iterator

        public mutating func next() async throws -> Row? {
            while true {
                if let row = rows.next() { return row }
                guard let page = try await pages.next() else { return nil }
                rows = page.rows.makeIterator()
            }
        }
    }
}
