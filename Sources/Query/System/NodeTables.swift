internal import CQL
internal import DataModel

/// The computed tables of keyspace `system`: this node, the others, how large tables are.
enum NodeTables {
    static let all: [any ComputedTable] = [
        ComputedRows(SystemKeyspaceTables.local) { [local($0)] },
        ComputedRows(SystemKeyspaceTables.peersV2) { context in context.peers.map { peerV2($0) } },
        ComputedRows(SystemKeyspaceTables.peers) { context in context.peers.map { peer($0) } },
        ComputedRows(SystemKeyspaceTables.sizeEstimates) { context in context.sizeEstimates.map { estimate($0) } },
    ]

    private static func local(_ context: SystemContext) -> ComputedRows.Row {
        let node: LocalNodeDescription = context.local
        var row: ComputedRows.Row = [
            "key": NativeValue.text("local"),
            "bootstrapped": NativeValue.text(node.bootstrapState),
            "broadcast_address": NativeValue.inet(node.broadcast.address),
            "broadcast_port": NativeValue.int(node.broadcast.port),
            "cluster_name": NativeValue.text(node.clusterName),
            "cql_version": NativeValue.text(ServerVersions.cql),
            "data_center": NativeValue.text(node.dataCenter),
            "gossip_generation": NativeValue.int(node.generation),
            "host_id": NativeValue.uuid(node.hostID),
            "listen_address": NativeValue.inet(node.listen.address),
            "listen_port": NativeValue.int(node.listen.port),
            "native_protocol_version": NativeValue.text(ServerVersions.nativeProtocol),
            "partitioner": NativeValue.text(ServerVersions.partitioner),
            "rack": NativeValue.text(node.rack),
            "release_version": NativeValue.text(ServerVersions.release),
            "rpc_address": NativeValue.inet(node.native.address),
            "rpc_port": NativeValue.int(node.native.port),
            "schema_version": NativeValue.uuid(context.schema.version),
            "tokens": NativeValue.set(node.tokens.map(\.description)),
        ]
        row["truncated_at"] = NativeValue.truncations(node.truncations)
        return row
    }

    private static func common(_ peer: PeerDescription) -> ComputedRows.Row {
        var row: ComputedRows.Row = [
            "peer": NativeValue.inet(peer.broadcast.address),
            "data_center": NativeValue.text(peer.dataCenter),
            "host_id": NativeValue.uuid(peer.hostID),
            "rack": NativeValue.text(peer.rack),
            "release_version": NativeValue.text(peer.releaseVersion),
            "schema_version": NativeValue.uuid(peer.schemaVersion),
            "tokens": NativeValue.set(peer.tokens.map(\.description)),
        ]
        row["preferred_ip"] = peer.preferred.map { NativeValue.inet($0.address) }
        return row
    }

    private static func peerV2(_ peer: PeerDescription) -> ComputedRows.Row {
        var row: ComputedRows.Row = common(peer)
        row["peer_port"] = NativeValue.int(peer.broadcast.port)
        row["preferred_port"] = peer.preferred.map { NativeValue.int($0.port) }
        row["native_address"] = NativeValue.inet(peer.native.address)
        row["native_port"] = NativeValue.int(peer.native.port)
        return row
    }

    private static func peer(_ peer: PeerDescription) -> ComputedRows.Row {
        var row: ComputedRows.Row = common(peer)
        row["rpc_address"] = NativeValue.inet(peer.native.address)
        return row
    }

    private static func estimate(_ estimate: SizeEstimate) -> ComputedRows.Row {
        [
            "keyspace_name": NativeValue.text(estimate.keyspace),
            "table_name": NativeValue.text(estimate.table),
            "range_start": NativeValue.text(estimate.rangeStart.description),
            "range_end": NativeValue.text(estimate.rangeEnd.description),
            "mean_partition_size": NativeValue.bigint(estimate.meanPartitionByteCount),
            "partitions_count": NativeValue.bigint(estimate.partitionCount),
        ]
    }
}
