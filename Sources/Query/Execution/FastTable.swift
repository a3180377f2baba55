import Coordination
import DataModel
import Storage

/// A table on this shard as the hot path sees it.
final class FastTable {
    let table: CompiledTable
    let store: TableStore
    let slots: RowSlots
    let speculation: SpeculativeRetry
    let graceSeconds: Int64
    /// The ids of all regular columns, ascending.
    let columns: [UInt16]

    init(_ table: CompiledTable, _ store: TableStore) {
        self.table = table
        self.store = store
        self.slots = RowSlots(columns: table.regulars, slotByID: table.regularSlots)
        self.speculation = SpeculativeRetry(table.definition.options.speculativeRetry)
        self.graceSeconds = Int64(table.definition.options.gcGraceSeconds)
        self.columns = table.regulars.map(\.definition.id).sorted()
    }
}
