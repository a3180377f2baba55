package import DataModel

/// A table of the system that is stored nowhere: its rows are made when somebody reads it.
package protocol ComputedTable: Sendable {
    var definition: TableDefinition { get }

    /// All rows, values in the native protocol's form, in the order of `definition.columns`.
    ///
    /// Partitions are in the order of their tokens, or of their keys in virtual keyspaces; inside a partition rows
    /// are in clustering order.
    func rows(_ context: SystemContext) -> [[[UInt8]?]]
}

/// A computed table whose rows a closure makes, as values by column name; absent names are null.
struct ComputedRows: ComputedTable {
    typealias Row = [String: [UInt8]]

    let definition: TableDefinition
    let isVirtual: Bool
    let make: @Sendable (SystemContext) -> [Row]

    init(_ definition: TableDefinition, isVirtual: Bool = false, _ make: @escaping @Sendable (SystemContext) -> [Row]) {
        self.definition = definition
        self.isVirtual = isVirtual
        self.make = make
    }

    func rows(_ context: SystemContext) -> [[[UInt8]?]] {
        let columns: [ColumnDefinition] = definition.columns
        let rows: [[[UInt8]?]] = make(context).map { row in columns.map { row[$0.name] } }
        return sorted(rows)
    }

    private struct Position {
        let token: Token
        let key: [UInt8]
        let clustering: [UInt8]
        let row: [[UInt8]?]
    }

    /// The tables here have clustering columns of types whose bytes are in order. Where they have more than one column in
    /// the partition key, the order of the partitions does not matter: the reader sorts them.
    private func sorted(_ rows: [[[UInt8]?]]) -> [[[UInt8]?]] {
        let keyCount: Int = definition.partitionKey.count
        let clusteringRange: Range<Int> = keyCount..<(keyCount + definition.clustering.count)
        let positions: [Position] = rows.map { row in
            let key: [UInt8] = row.prefix(keyCount).flatMap { $0 ?? [] }
            // A zero byte between the parts keeps shorter names before longer ones.
            let clustering: [UInt8] = clusteringRange.flatMap { (row[$0] ?? []) + [0] }
            return Position(
                token: isVirtual ? .minimum : Token(ofKey: key.span.bytes), key: key, clustering: clustering, row: row)
        }
        return positions.sorted { left, right in
            if left.token != right.token { return left.token < right.token }
            if left.key != right.key { return left.key.lexicographicallyPrecedes(right.key) }
            return left.clustering.lexicographicallyPrecedes(right.clustering)
        }.map(\.row)
    }
}
