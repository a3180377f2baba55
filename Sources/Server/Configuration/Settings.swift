import Primitives

/// All keys that the configuration has. `conf/martlet.yaml` documents each; a test holds the two together.
package enum Settings {
    package static let all: [Setting] = [
        Setting(
            name: "cluster_name", kind: .text, standard: "Test Cluster",
            meaning: "The cluster's name. A node keeps the name of its first start."),
        Setting(
            name: "num_tokens", kind: .integer(1...1536), standard: "16",
            meaning: "Tokens that a new node takes on the ring."),
        Setting(
            name: "data_center", kind: .text, standard: "datacenter1", meaning: "The datacenter that the node is in."),
        Setting(name: "rack", kind: .text, standard: "rack1", meaning: "The rack that the node is in."),
        Setting(
            name: "shards", kind: .integer(0...1024), standard: "0",
            meaning: "Shards, each with a thread of its own; 0 for one a core."),
        Setting(
            name: "data_file_directories", kind: .text, standard: "data",
            meaning: "The folder of everything that the node keeps."),
        Setting(
            name: "commitlog_directory", kind: .text, standard: "",
            meaning: "The folder of the commit log; empty for commitlog below the data folder."),
        Setting(
            name: "seeds", kind: .text, standard: "",
            meaning: "Where a new node looks for its cluster: host or host:port, with commas between."),
        Setting(
            name: "auto_bootstrap", kind: .boolean, standard: "true",
            meaning: "Whether a new node fetches the data of its tokens before it takes clients."),
        Setting(
            name: "replace_address_first_boot", kind: .text, standard: "",
            meaning: "The address of the dead node whose place a new node takes at its first start."),
        Setting(name: "listen_address", kind: .text, standard: "127.0.0.1", meaning: "The address for other nodes."),
        Setting(
            name: "storage_port", kind: .integer(0...65535), standard: "7000", meaning: "The port for other nodes."),
        Setting(
            name: "broadcast_address", kind: .text, standard: "",
            meaning: "The address at which other nodes reach this one; empty for listen_address."),
        Setting(
            name: "internode_compression", kind: .oneOf(["all", "dc", "none"]), standard: "dc",
            meaning: "Which messages between nodes are compressed: all, those to other datacenters, none."),
        Setting(
            name: "server_encryption_options.internode_encryption", kind: .oneOf(["none", "all"]), standard: "none",
            meaning: "Whether this node speaks TLS with all other nodes, or with none."),
        Setting(
            name: "server_encryption_options.optional", kind: .boolean, standard: "false",
            meaning: "Whether other nodes may connect with TLS and without it, at the same port."),
        Setting(
            name: "server_encryption_options.certificate", kind: .text, standard: "",
            meaning: "The file of the certificate that other nodes see, in PEM, with those that it stands on."),
        Setting(
            name: "server_encryption_options.key", kind: .text, standard: "",
            meaning: "The file of the certificate's private key, in PEM."),
        Setting(
            name: "server_encryption_options.trusted_certificates", kind: .text, standard: "",
            meaning: "The file of the certificates, in PEM, that those of other nodes must stand on."),
        Setting(
            name: "server_encryption_options.require_client_auth", kind: .oneOf(["false", "optional", "true"]),
            standard: "true",
            meaning: "Whether nodes that connect must show a certificate."),
        Setting(
            name: "server_encryption_options.require_endpoint_verification", kind: .boolean, standard: "false",
            meaning: "Whether the certificate of a node must be made for its address."),
        Setting(
            name: "internode_tcp_connect_timeout", kind: .duration, standard: "2s",
            meaning: "How long a connection to another node may take to come up."),
        Setting(
            name: "phi_convict_threshold", kind: .integer(5...16), standard: "8",
            meaning: "How sure the failure detector is before it takes a silent node to be down."),
        Setting(
            name: "hinted_handoff_enabled", kind: .boolean, standard: "true",
            meaning: "Whether writes are kept for replicas that are down."),
        Setting(
            name: "hinted_handoff_disabled_datacenters", kind: .text, standard: "",
            meaning: "Datacenters for which no hints are kept, with commas between."),
        Setting(
            name: "max_hint_window", kind: .duration, standard: "3h",
            meaning: "How long a replica may be down before no more hints are kept for it."),
        Setting(
            name: "hinted_handoff_throttle", kind: .size, standard: "1024KiB",
            meaning: "Bytes of hints a second that are delivered, split by the number of other nodes; 0 for no limit."),
        Setting(
            name: "batchlog_replay_throttle", kind: .size, standard: "1024KiB",
            meaning: "Bytes of batches a second that are written once more; 0 for no limit."),
        Setting(
            name: "max_hints_file_size", kind: .size, standard: "128MiB", meaning: "The size of a file of hints."),
        Setting(
            name: "max_hints_size_per_host", kind: .size, standard: "0B",
            meaning: "Bytes of hints that are kept for a replica; 0 for no limit."),
        Setting(
            name: "hints_flush_period", kind: .duration, standard: "10s",
            meaning: "How often hints in memory are written."),
        Setting(
            name: "hints_directory", kind: .text, standard: "",
            meaning: "The folder of the hints; empty for hints below the data folder."),
        Setting(
            name: "continuous_repair", kind: .boolean, standard: "true",
            meaning: "Whether the node compares its data with the other copies of it, all the time and slowly."),
        Setting(
            name: "continuous_repair_window", kind: .duration, standard: "24h",
            meaning: "Within which time every range is compared once."),
        Setting(
            name: "repair_throughput", kind: .rate, standard: "16MiB/s",
            meaning: "Bytes of rows a second that are read to be compared; 0 for no limit."),
        Setting(
            name: "rpc_address", kind: .text, standard: "127.0.0.1", meaning: "The address that clients connect to."),
        Setting(
            name: "broadcast_rpc_address", kind: .text, standard: "",
            meaning: "The address at which clients reach this node; empty for rpc_address."),
        Setting(
            name: "native_transport_port", kind: .integer(0...65535), standard: "9042",
            meaning: "The port that clients connect to; 0 chooses a free one."),
        Setting(
            name: "admin_address", kind: .text, standard: "",
            meaning: "The address of the admin port; empty for listen_address if it is loopback, else 127.0.0.1."),
        Setting(
            name: "admin_port", kind: .integer(-1...65535), standard: "7199",
            meaning: "The port for nodetool and monitoring; 0 chooses a free one, -1 opens none."),
        Setting(
            name: "admin_password_file", kind: .text, standard: "",
            meaning: "The file of the names and passwords that the admin port asks for; empty for none."),
        Setting(
            name: "admin_tls_certificate", kind: .text, standard: "",
            meaning: "The file of the admin port's certificate, in PEM; empty for no encryption."),
        Setting(
            name: "admin_tls_key", kind: .text, standard: "",
            meaning: "The file of the key of admin_tls_certificate, in PEM."),
        Setting(
            name: "client_encryption_options.enabled", kind: .boolean, standard: "false",
            meaning: "Whether clients connect with TLS."),
        Setting(
            name: "client_encryption_options.optional", kind: .boolean, standard: "false",
            meaning: "Whether clients may also connect without TLS, at the same port."),
        Setting(
            name: "client_encryption_options.certificate", kind: .text, standard: "",
            meaning: "The file of the certificate that clients see, in PEM, with those that it stands on."),
        Setting(
            name: "client_encryption_options.key", kind: .text, standard: "",
            meaning: "The file of the certificate's private key, in PEM."),
        Setting(
            name: "client_encryption_options.require_client_auth", kind: .oneOf(["false", "optional", "true"]),
            standard: "false",
            meaning: "Whether clients must show a certificate; with optional, one that is shown must be good."),
        Setting(
            name: "client_encryption_options.trusted_certificates", kind: .text, standard: "",
            meaning: "The file of the certificates, in PEM, that those of clients must stand on."),
        Setting(
            name: "native_transport_max_frame_size", kind: .size, standard: "16MiB", meaning: "The largest request."),
        Setting(
            name: "native_transport_max_concurrent_connections", kind: .integer(-1...1_000_000), standard: "-1",
            meaning: "Connections of all clients; -1 for no limit."),
        Setting(
            name: "native_transport_max_concurrent_connections_per_ip", kind: .integer(-1...1_000_000), standard: "-1",
            meaning: "Connections from one address; -1 for no limit."),
        Setting(
            name: "native_transport_max_request_data_in_flight", kind: .size, standard: "128MiB",
            meaning: "Bytes of requests that the node works on at once."),
        Setting(
            name: "native_transport_max_request_data_in_flight_per_ip", kind: .size, standard: "16MiB",
            meaning: "Bytes of requests of one address that the node works on at once."),
        Setting(
            name: "native_transport_allow_older_protocols", kind: .boolean, standard: "true",
            meaning: "Whether clients may speak versions of the protocol before the newest."),
        Setting(
            name: "native_transport_idle_timeout", kind: .duration, standard: "0ms",
            meaning: "How long a connection may be silent before it is closed; 0 for ever."),
        Setting(
            name: "native_transport_timeout", kind: .duration, standard: "12s",
            meaning: "How long a request may wait before its work begins."),
        Setting(
            name: "prepared_statements_cache_size", kind: .size, standard: "10MiB",
            meaning: "Memory of prepared statements, for each shard."),
        Setting(
            name: "read_request_timeout", kind: .duration, standard: "5s",
            meaning: "How long a read of named partitions may take."),
        Setting(
            name: "range_request_timeout", kind: .duration, standard: "10s",
            meaning: "How long a read of a range of partitions may take."),
        Setting(
            name: "write_request_timeout", kind: .duration, standard: "2s", meaning: "How long a write may take."),
        Setting(
            name: "counter_write_request_timeout", kind: .duration, standard: "5s",
            meaning: "How long a write of counters may take."),
        Setting(
            name: "cas_contention_timeout", kind: .duration, standard: "1800ms",
            meaning: "How long a conditional write waits for others in its partition."),
        Setting(
            name: "truncate_request_timeout", kind: .duration, standard: "60s", meaning: "How long TRUNCATE may take."),
        Setting(
            name: "request_timeout", kind: .duration, standard: "10s",
            meaning: "How long other requests, such as changes of the schema, may take."),
        Setting(
            name: "commitlog_sync", kind: .oneOf(["batch", "group", "periodic"]), standard: "batch",
            meaning: "When a write is acknowledged: synced (batch, group) or in the system's memory (periodic)."),
        Setting(
            name: "commitlog_sync_period", kind: .duration, standard: "10s",
            meaning: "How often the log is synced in periodic mode."),
        Setting(
            name: "commitlog_sync_group_window", kind: .duration, standard: "1ms",
            meaning: "How long writes are gathered in group mode."),
        Setting(
            name: "commitlog_segment_size", kind: .size, standard: "32MiB",
            meaning: "The size of the log's files; half of it is the largest mutation."),
        Setting(
            name: "commitlog_total_space", kind: .size, standard: "1024MiB",
            meaning: "The log's size from which on the oldest memtables are flushed."),
        Setting(
            name: "commit_failure_policy", kind: .oneOf(["stop", "ignore"]), standard: "stop",
            meaning: "What a damaged commit log does at start: stop it, or be passed over with a warning."),
        Setting(
            name: "memtable_heap_space", kind: .size, standard: "256MiB",
            meaning: "Memory of writes that are not in files yet."),
        Setting(
            name: "memtable_cleanup_threshold", kind: .integer(1...100), standard: "40",
            meaning: "The percentage of memtable_heap_space at which the largest memtable is flushed."),
        Setting(name: "file_cache_size", kind: .size, standard: "64MiB", meaning: "Memory of blocks read from files."),
        Setting(
            name: "compaction_throughput", kind: .rate, standard: "64MiB/s",
            meaning: "Bytes a second that compaction of each shard writes; 0 for no limit."),
        Setting(
            name: "batch_size_warn_threshold", kind: .size, standard: "5KiB",
            meaning: "The size of a batch over several partitions from which on clients are warned."),
        Setting(
            name: "batch_size_fail_threshold", kind: .size, standard: "50KiB",
            meaning: "The size of a batch over several partitions from which on it is refused."),
        Setting(
            name: "unlogged_batch_across_partitions_warn_threshold", kind: .integer(0...1_000_000), standard: "10",
            meaning: "Partitions of an unlogged batch from which on clients are warned."),
        Setting(
            name: "tombstone_warn_threshold", kind: .integer(0...2_147_483_647), standard: "1000",
            meaning: "Tombstones that a page of a read passes from which on clients are warned."),
        Setting(
            name: "tombstone_failure_threshold", kind: .integer(0...2_147_483_647), standard: "100000",
            meaning: "Tombstones that a page of a read passes from which on it fails."),
        Setting(
            name: "maximum_timestamp_fail_threshold", kind: .duration, standard: "1d",
            meaning: "How far ahead of the node's clock the timestamp of a write may be; 0 for no limit."),
        Setting(
            name: "incremental_backups", kind: .boolean, standard: "false",
            meaning: "Whether every file that a flush writes is linked into the folder backups."),
        Setting(
            name: "snapshot_links_per_second", kind: .integer(0...1_000_000), standard: "0",
            meaning: "Files of snapshots that are linked each second; 0 for no limit."),
        Setting(
            name: "stream_throughput_outbound", kind: .rate, standard: "24MiB/s",
            meaning: "Bytes a second that are streamed to other nodes; 0 for no limit."),
        Setting(
            name: "inter_dc_stream_throughput_outbound", kind: .rate, standard: "24MiB/s",
            meaning: "Bytes a second that are streamed to nodes of other datacenters; 0 for no limit."),
        Setting(
            name: "auto_snapshot", kind: .boolean, standard: "true",
            meaning: "Whether a table is kept as a snapshot when it is dropped or truncated."),
        Setting(
            name: "log_level", kind: .oneOf(LogLevels.names), standard: "info",
            meaning: "From which level on the node writes into its log."),
        Setting(
            name: "log_level_overrides", kind: .text, standard: "",
            meaning: "Other levels for parts of the node, as part=level with commas between."),
        Setting(
            name: "log_file", kind: .text, standard: "", meaning: "The file of the log; empty for standard error."),
    ]

    package static func named(_ name: String) -> Setting? { all.first { $0.name == name } }

    /// What to do about a key of cassandra.yaml that there cannot be here; nil for other names.
    static func advice(on name: String) -> String? {
        guard let dot = name.lastIndex(of: "."), name[..<dot].hasSuffix("_encryption_options") else { return nil }
        let parent: Substring = name[..<dot]
        switch name[name.index(after: dot)...] {
        case "keystore", "keystore_password":
            return "certificate and key of \(parent) name files in PEM instead of a keystore of Java."
        case "truststore", "truststore_password":
            return "trusted_certificates of \(parent) names a file in PEM instead of a keystore of Java."
        case "protocol", "accepted_protocols", "cipher_suites", "algorithm", "store_type":
            return "TLS 1.2 and 1.3 are spoken, with the ciphers that are safe."
        default: return nil
        }
    }

    /// The known name that is nearest to an unknown one.
    package static func nearest(to name: String) -> String {
        EditDistance.nearest(to: name, among: all.map(\.name)) ?? ""
    }
}
