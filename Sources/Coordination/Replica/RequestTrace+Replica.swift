package import Cluster
import DataModel
package import Storage

/// What replicas tell of their part.
extension RequestTrace {
    /// A mutation was applied on this node.
    package func addWrite(to table: TableStore) {
        add("Appending to commitlog")
        add("Adding to \(table.definition.name) memtable")
    }

    /// A read of this node begins.
    package func addRead(_ command: ReadCommand, of table: TableStore) {
        let name: String = table.definition.name
        if case .one = command.partitions {
            add("Executing single-partition query on \(name)")
        } else {
            add("Executing seq scan across \(table.sstableCount) sstables for \(name)")
        }
    }

    /// A read of this node has taken all that it needs.
    package func addMerge(of cursor: ReadCursor, memtableCount: Int) {
        add("Merged data from memtables and \(max(0, cursor.sourceCount - memtableCount)) sstables")
    }

    /// What a read of this node has found.
    package func addRows(live: Int, tombstones: Int) {
        add("Read \(live) live rows and \(tombstones) tombstone cells")
    }
}
