package import Primitives
import Synchronization

/// How each table of the schema is replicated, by its id: for what comes from other nodes or from this node's disk, and so
/// without a statement that knows its table.
///
/// Asked on any loop; told of each new schema.
package final class TableDirectory: Sendable {
    private let tables = Mutex<[UUID: TableReplication]>([:])

    package init() {}

    /// Knows these tables from now on, and no others.
    package func take(_ tables: [UUID: TableReplication]) {
        self.tables.withLock { $0 = tables }
    }

    package func find(_ table: UUID) -> TableReplication? {
        tables.withLock { $0[table] }
    }
}
