package import CQL
package import Cluster
package import DataModel
package import Environment
package import Primitives
package import Storage

/// What statements need to know of the node they run on, beside the data.
///
/// `Sendable` is unchecked because everything that changes is set at start, before the first client comes.
public final class NodeContext: @unchecked Sendable {
    package let local: LocalNodeDescription
    package let settings: [String: String]
    package let time: any TimeSource
    package let limits: QueryLimits
    /// Asked for this node as it is now and for the others when somebody reads them. Set once, at start.
    package var present: @Sendable (Schema) -> (LocalNodeDescription, [PeerDescription])
    /// Asked for the connections of clients when somebody reads them. Set once, at start.
    package var clients: @Sendable () -> [ClientDescription] = { [] }
    /// Asked for the rows of a table of `system_views` that shows how the node is now. Set once, at start.
    package var liveRows: @Sendable (_ table: String) async -> [LiveViews.Row] = { _ in [] }
    /// Asked for the settings as they are now; nil for those of the start. Set once, at start.
    package var liveSettings: @Sendable () -> [String: String]? = { nil }
    /// Set once, at start.
    package private(set) var schemaChanges: SchemaChanges

    package init(
        local: LocalNodeDescription, settings: [String: String], host: Host, schemaChanges: SchemaChanges,
        limits: QueryLimits = QueryLimits()
    ) {
        self.local = local
        self.present = { _ in (local, []) }
        self.settings = settings
        self.time = host.time
        self.schemaChanges = schemaChanges
        self.limits = limits
    }

    package var hostID: UUID { local.hostID }

    /// Answers a DESCRIBE: one page of it, which holds only as long as the schema stays as it is.
    package func describe(
        _ statement: DescribeStatement, _ schema: Schema, _ context: RequestContext, _ topology: Topology
    ) throws(CQLError) -> QueryResult {
        let cluster: ClusterDescription = description(of: topology, schema, context)
        let describer = SchemaDescriber(schema: schema, sessionKeyspace: context.keyspace, cluster: cluster)
        let result = try describer.describe(statement)
        let first: Int = try DescribePage.firstRow(context.pagingState, schema)
        let pageSize: Int = context.pageSize > 0 ? context.pageSize : .max
        let rows = result.rows.dropFirst(first).prefix(pageSize)
        let columns: [ColumnSpecification] = result.columns.map { column in
            ColumnSpecification(
                keyspace: DescribeResult.keyspace, table: DescribeResult.table, name: column.name, type: column.type)
        }
        var page = QueryRows(columns: columns, rows: rows.map { row in row.map { Optional($0) } })
        if first + rows.count < result.rows.count {
            page.pagingState = DescribePage.state(nextRow: first + rows.count, schema)
        }
        return QueryResult(.rows(page))
    }

    private func description(
        of topology: Topology, _ schema: Schema, _ context: RequestContext
    ) -> ClusterDescription {
        var ownership: [String: [String]] = [:]
        if let name = context.keyspace, let keyspace = schema.keyspace(name), !keyspace.isVirtual,
            let placement = try? topology.placement(for: keyspace.replication)
        {
            for placed in placement.ranges {
                ownership[placed.range.end.description] = placed.replicas.natural.compactMap { id in
                    topology.member(id).map { $0.internode.hostText }
                }
            }
        }
        return ClusterDescription(
            clusterName: local.clusterName, partitioner: ServerVersions.partitioner, snitch: ServerVersions.snitch,
            rangeOwnership: ownership)
    }

    /// The rows of a table that is made up on reading, in the form that stored tables are read from.
    package func computedRows(_ table: CompiledTable, _ schema: Schema) async throws -> Memtable {
        let memtable = Memtable(table: table.definition.id)
        guard let computed = SystemTables.computedTable(table.keyspace, table.name) else { return memtable }
        let (local, peers) = present(schema)
        var context = SystemContext(
            schema: schema, local: local, peers: peers, settings: liveSettings() ?? settings, clients: clients())
        if LiveViews.contains(table.keyspace, table.name) { context.live = await liveRows(table.name) }
        for row in computed.rows(context) {
            var writer = ByteWriter()
            try ComputedRow.write(row, of: table, to: &writer)
            try memtable.apply(writer.span)
        }
        return memtable
    }
}

/// Turns a row of plain values into the mutation that would have written it.
enum ComputedRow {
    static func write(_ values: [[UInt8]?], of table: CompiledTable, to writer: inout ByteWriter) throws(CQLError) {
        let keys: [[UInt8]] = values.prefix(table.partitionKey.count).map { $0 ?? [] }
        var update = PartitionUpdate(table: table, key: try Restrictions.partitionKey(keys, table))
        var clustering: [UInt8] = []
        var place: Int = table.partitionKey.count
        for column in table.clustering {
            clustering = try Restrictions.appended(values[place] ?? [], column, to: clustering)
            place += 1
        }
        place += table.statics.count
        var cells: [PendingCell] = []
        for column in table.regulars {
            if let value = values[place] { try add(value, column, to: &cells) }
            place += 1
        }
        update.changeRow(clustering: clustering, marker: RowMarker(timestamp: 0), cells, timestamp: 0)
        try update.write(to: &writer)
    }

    private static func add(
        _ value: [UInt8], _ column: CompiledColumn, to cells: inout [PendingCell]
    ) throws(CQLError) {
        guard column.isMultiCell else {
            cells.append(PendingCell(column: column.definition.id, timestamp: 0, value: value))
            return
        }
        do throws(DecodingError) {
            var isMap = false
            if case .map = column.type { isMap = true }
            var reader = try CollectionReader(value.span.bytes, isMap: isMap)
            while let element = try reader.next() {
                var path = ByteWriter()
                try? ComparableEncoder.append(element, form: column.elementForm, descending: false, to: &path)
                var content: [UInt8] = []
                if isMap, let mapped = try reader.next() { content = [UInt8](copying: mapped) }
                cells.append(
                    PendingCell(column: column.definition.id, timestamp: 0, path: path.array(), value: content))
            }
        } catch { throw .serverError(message: "A computed value of column \(column.name) is malformed") }
    }
}
