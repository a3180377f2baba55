import CQL
import DataModel
import MartletClient

/// The bytes of a value that is bound as it is.
struct BoundBytes: CQLEncodable {
    let value: BoundValue

    func boundValue(as type: CQLType?) -> BoundValue { value }
}

/// A row of a file, ready to be written.
struct CopyRow: Sendable {
    let fields: [String]
    let values: [BoundValue]

    var byteCount: Int {
        values.reduce(0) { sum, value in
            if case .bytes(let bytes) = value { sum + bytes.count + 4 } else { sum + 4 }
        }
    }
}

/// Makes the values of an insertion from the fields of a row.
struct CopyRows {
    private let values: CopyValues
    private let options: CopyOptions
    private let fieldCount: Int
    let isCounter: Bool
    private let partitionKeyIndexes: [Int]
    /// For each marker, the field it takes, its type, and its column.
    private var markers: [(index: Int, type: CQLType, column: CopyColumn)] = []

    init(table: CopyTable, columns: [CopyColumn], statement: PreparedStatement, options: CopyOptions) {
        self.values = CopyValues(options)
        self.options = options
        self.fieldCount = table.columns.count
        self.isCounter = columns.contains { $0.isCounter }
        self.partitionKeyIndexes = statement.markers.partitionKeyIndexes.map { Int($0) }
        for (marker, index) in zip(statement.markers.columns, CopyTable.markerOrder(columns)) {
            let column: CopyColumn = columns[index]
            let place: Int = table.columns.firstIndex(of: column) ?? index
            markers.append((index: place, type: marker.type, column: column))
        }
    }

    /// - Parameter timestamp: microseconds since 1970; counters go without.
    func row(_ fields: [String], timestamp: Int64) throws(CopyValues.Fault) -> CopyRow {
        guard fields.count == fieldCount else {
            throw CopyValues.Fault(message: "Invalid row length \(fields.count) should be \(fieldCount)")
        }
        var bound: [BoundValue] = []
        bound.reserveCapacity(markers.count + 1)
        for marker in markers {
            if let bytes = try values.value(of: fields[marker.index], type: marker.type) {
                bound.append(.bytes(bytes))
            } else if marker.column.isCounter {
                bound.append(.bytes([UInt8](repeating: 0, count: 8)))
            } else if marker.column.kind == .plain {
                bound.append(.null)
            } else {
                throw CopyValues.Fault(
                    message: "Cannot insert null value for primary key column '\(marker.column.name)'. If you want to "
                        + "insert empty strings, consider using the WITH NULL=<marker> option for COPY.")
            }
        }
        if !isCounter {
            let bytes: [UInt8] = withUnsafeBytes(of: timestamp.bigEndian) { [UInt8]($0) }
            bound.append(.bytes(bytes))
        }
        return CopyRow(fields: fields, values: bound)
    }

    func isSamePartition(_ left: CopyRow, _ right: CopyRow) -> Bool {
        partitionKeyIndexes.allSatisfy { index in
            index < left.values.count && index < right.values.count
                && left.values[index] == right.values[index]
        }
    }
}

/// Gathers rows that are written with one request.
///
/// Servers warn of requests that write to more than ten partitions or take more than 5 KiB.
struct CopyBatch {
    private static let rowLimit: Int = 50
    private static let byteLimit: Int = 4 * 1_024

    private let source: CopyRows
    private let partitionLimit: Int
    private(set) var rows: [CopyRow] = []
    private var byteCount = 0
    private var partitionCount = 0

    init(_ source: CopyRows, partitionLimit: Int) {
        self.source = source
        self.partitionLimit = partitionLimit
    }

    /// Adds a row; returns the rows before it when there is no room for it with them.
    mutating func add(_ row: CopyRow) -> [CopyRow]? {
        let size: Int = row.byteCount
        let isSame: Bool = rows.last.map { source.isSamePartition($0, row) } ?? false
        let isFull: Bool =
            rows.count >= CopyBatch.rowLimit || byteCount + size > CopyBatch.byteLimit
            || !isSame && partitionCount >= partitionLimit
        let full: [CopyRow]? = isFull && !rows.isEmpty ? take() : nil
        if !isSame || rows.isEmpty { partitionCount += 1 }
        rows.append(row)
        byteCount += size
        return full
    }

    mutating func take() -> [CopyRow] {
        defer {
            rows = []
            byteCount = 0
            partitionCount = 0
        }
        return rows
    }
}
