import Cluster
import Coordination
import DataModel
import Primitives
import Storage

/// How ranges of tables come to this node and go from it, for changes of the ring: keyspaces become the tables that they
/// have now.
struct NodeStreams: RangeReceiver, RangeKeeper {
    let source: StreamSource
    let receiver: StreamReceiver
    let engine: StorageEngine
    let metadata: MetadataLog
    let local: NodeID

    func pull(
        _ pull: RangePull, held: @escaping @Sendable (_ part: Int, _ ranges: RangeSet) async -> Void
    ) async throws {
        let schema: Schema = metadata.current?.schema ?? Schema()
        let parts: [StreamReceiver.Part] = pull.parts.map { part in
            StreamReceiver.Part(
                tables: part.keyspaces.flatMap { tables(of: $0, schema) }, ranges: part.ranges.ranges,
                sources: part.sources)
        }
        let change: RingChange? = metadata.current?.change(pull.id)
        let isNew: Bool = change.map { ($0.kind == .join || $0.kind == .replace) && $0.node == local } ?? false
        try await receiver.pull(
            StreamReceiver.Pull(
                id: pull.id, title: pull.title, parts: parts, includesPaxos: pull.includesPaxos,
                adoptsTruncations: isNew)
        ) { part, ranges in
            await held(part, RangeSet(ranges))
        }
    }

    func keepOnly(_ owned: [String: RangeSet]?) async {
        let schema: Schema = metadata.current?.schema ?? Schema()
        for keyspace in schema.sortedKeyspaces where !keyspace.isVirtual {
            let ranges: TokenRanges? = owned?[keyspace.name].map { TokenRanges($0.ranges) }
            do {
                try await engine.setOwnedRanges(ranges, tables: tables(of: keyspace.name, schema))
            } catch {
                // The node is stopping; what it keeps is said again at its next start.
            }
        }
    }

    func cleanup(_ keyspaces: [String]?) async throws {
        let schema: Schema = metadata.current?.schema ?? Schema()
        let names: [String] = keyspaces ?? schema.sortedKeyspaces.filter { !$0.isVirtual }.map(\.name)
        try await engine.cleanup(tables: names.flatMap { tables(of: $0, schema) })
    }

    private func tables(of keyspace: String, _ schema: Schema) -> [UUID] {
        schema.keyspace(keyspace)?.sortedTables.map(\.id) ?? []
    }

    func stop() async { await source.stop() }
}
