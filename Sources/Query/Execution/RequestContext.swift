package import CQL
package import Cluster
package import DataModel
package import Primitives

/// One request, apart from what it asks: how it wants to be carried out.
package struct RequestContext: Sendable {
    package var consistency: Consistency
    package var serialConsistency: Consistency
    /// Rows a page; 0 or less for all at once.
    package var pageSize: Int
    package var pagingState: [UInt8]?
    /// Microseconds since 1970; nil for the coordinator's own clock.
    package var timestamp: Int64?
    /// Seconds since 1970; nil for the coordinator's own clock.
    package var nowSeconds: Int64?
    package var keyspace: String?
    /// Told what is done, when the request is traced.
    package var trace: RequestTrace?

    package init(
        consistency: Consistency = .one, serialConsistency: Consistency = .serial, pageSize: Int = -1,
        pagingState: [UInt8]? = nil, timestamp: Int64? = nil, nowSeconds: Int64? = nil, keyspace: String? = nil,
        trace: RequestTrace? = nil
    ) {
        self.consistency = consistency
        self.serialConsistency = serialConsistency
        self.pageSize = pageSize
        self.pagingState = pagingState
        self.timestamp = timestamp
        self.nowSeconds = nowSeconds
        self.keyspace = keyspace
        self.trace = trace
    }
}

/// What a statement came to.
package struct QueryResult: Sendable {
    package enum Kind: Sendable {
        case void
        case rows(QueryRows)
        case setKeyspace(String)
        case schemaChange(SchemaChange)
    }

    package var kind: Kind
    package var warnings: [String] = []

    package init(_ kind: Kind, warnings: [String] = []) {
        self.kind = kind
        self.warnings = warnings
    }

    package static let void = QueryResult(.void)
}

/// The rows of a result, each value already in the protocol's encoding.
package struct QueryRows: Sendable {
    package var metadata: ResultMetadata
    package var rowCount: Int
    package var bytes: [UInt8]
    package var pagingState: [UInt8]?
    /// Whether the columns are not those that the statement was prepared with.
    package var hasOwnMetadata: Bool = false

    package init(
        metadata: ResultMetadata, rowCount: Int, bytes: [UInt8], pagingState: [UInt8]? = nil,
        hasOwnMetadata: Bool = false
    ) {
        self.metadata = metadata
        self.rowCount = rowCount
        self.bytes = bytes
        self.pagingState = pagingState
        self.hasOwnMetadata = hasOwnMetadata
    }

    /// Rows that were made up value by value.
    package init(columns: [ColumnSpecification], rows: [[[UInt8]?]], hasOwnMetadata: Bool = true) {
        var writer = ByteWriter()
        for row in rows {
            for value in row {
                writer.write(Int32(truncatingIfNeeded: value?.count ?? -1))
                if let value { writer.write(value) }
            }
        }
        self.init(
            metadata: ResultMetadata(columns: columns), rowCount: rows.count, bytes: writer.array(),
            hasOwnMetadata: hasOwnMetadata)
    }
}

extension UUID {
    /// For version 1: microseconds since 1970.
    package var unixMicroseconds: Int64 { (Int64(bitPattern: timestamp) - UUID.unixEpoch) / 10 }
}
