import CQL
import DataModel
import Primitives
import Testing

@testable import Query

/// The rows of the computed tables, as drivers read them.
@Suite struct SystemTableTests {
    private func context(_ schema: Schema) -> SystemContext {
        let endpoint = InetEndpoint(address: .loopback, port: 7000)
        var native = endpoint
        native.port = 9042
        return SystemContext(
            schema: schema,
            local: LocalNodeDescription(
                hostID: UUID(high: 1, low: 2), clusterName: "Test Cluster", dataCenter: "dc1", rack: "rack1",
                tokens: [Token(-5), Token(7)], generation: 9, broadcast: endpoint, listen: endpoint, native: native))
    }

    /// The rows of a table as texts by column, values of collections in hexadecimal; null left out.
    private func rows(_ keyspace: String, _ table: String, _ context: SystemContext) throws -> [[String: [UInt8]]] {
        let computed = try #require(SystemTables.computedTable(keyspace, table))
        let names = computed.definition.columns.map(\.name)
        return computed.rows(context).map { row in
            var values: [String: [UInt8]] = [:]
            for (name, value) in zip(names, row) { values[name] = value }
            return values
        }
    }

    private func text(_ value: [UInt8]?) -> String? { value.map { String(decoding: $0, as: UTF8.self) } }

    @Test func theLocalNodeShowsEverythingThatDriversNeed() throws {
        let sandbox = try SchemaSandbox()
        let rows = try rows("system", "local", context(sandbox.schema))
        #expect(rows.count == 1)
        let row = try #require(rows.first)
        #expect(text(row["key"]) == "local")
        #expect(text(row["bootstrapped"]) == "COMPLETED")
        #expect(text(row["cluster_name"]) == "Test Cluster")
        #expect(text(row["cql_version"]) == "3.4.7")
        #expect(text(row["native_protocol_version"]) == "5")
        #expect(text(row["partitioner"]) == "org.apache.cassandra.dht.Murmur3Partitioner")
        #expect(row["rpc_port"] == [0, 0, 0x23, 0x52])
        #expect(row["rpc_address"] == [127, 0, 0, 1])
        #expect(row["host_id"] == UUID(high: 1, low: 2).bytes)
        #expect(row["schema_version"] == sandbox.schema.version.bytes)
        #expect(row["tokens"] == CollectionValue.list([Array("-5".utf8), Array("7".utf8)]))
        #expect(row["truncated_at"] == nil)
        #expect(row["gossip_generation"] == [0, 0, 0, 9])
    }

    @Test func theLocalNodeShowsWhenTablesWereTruncatedAsCassandraDoes() throws {
        let sandbox = try SchemaSandbox()
        var context: SystemContext = context(sandbox.schema)
        let table = UUID(high: 3, low: 4)
        context.local.truncations = [table: 1_704_067_200_123_456]
        let row = try #require(try rows("system", "local", context).first)
        // A segment of −1 and no offset, then milliseconds.
        let value: [UInt8] = Array(repeating: 255, count: 8) + [0, 0, 0, 0, 0, 0, 1, 0x8C, 0xC2, 0x51, 0xF4, 0x7B]
        #expect(row["truncated_at"] == CollectionValue.map([(key: table.bytes, value: value)], keyType: .uuid))
    }

    @Test func idsOfSystemTablesAreCassandras() throws {
        // As every Cassandra since 3.0 has them in its data folders.
        let known: [(String, String, String)] = [
            ("system", "local", "7ad54392-bcdd-35a6-8417-4e047860b377"),
            ("system", "peers", "37f71aca-7dc2-383b-a706-72528af04d4f"),
            ("system_schema", "keyspaces", "abac5682-dea6-31c5-b535-b3d6cffd0fb6"),
            ("system_schema", "tables", "afddfb9d-bc1e-3068-8056-eed6c302ba09"),
            ("system_schema", "columns", "24101c25-a2ae-3af7-87c1-b40ee1aca33f"),
            ("system_traces", "sessions", "c5e99f16-8677-3914-b17e-960613512345"),
            ("system_distributed", "repair_history", "759fffad-624b-3181-80ee-fa9a52d1f627"),
            ("system_distributed", "parent_repair_history", "deabd734-b99d-3b9c-92e5-fd92eb5abf14"),
            ("system_distributed", "view_build_status", "5582b59f-8e4e-35e1-b913-3acada51eb04"),
        ]
        let schema = SystemTables.installed(in: Schema())
        for (keyspace, table, id) in known {
            #expect(schema.table(keyspace, table)?.id.description == id, "\(keyspace).\(table)")
        }
    }

    @Test func aTableWithEveryFeatureHasExactRows() throws {
        var sandbox = try SchemaSandbox(
            "CREATE TYPE address (street text, numbers list<int>)",
            "CREATE TABLE t (k1 int, k2 text, c1 timeuuid, c2 int, v list<int>, w frozen<map<text, int>>, "
                + "a vector<float, 3>, u frozen<address>, s set<text> static, PRIMARY KEY ((k1, k2), c1, c2)) "
                + "WITH CLUSTERING ORDER BY (c1 DESC, c2 ASC) AND comment = 'all' AND gc_grace_seconds = 7 "
                + "AND cdc = true AND memtable = 'trie' AND allow_auto_snapshot = false "
                + "AND incremental_backups = false AND extensions = {'x': 0x01}")
        try sandbox.apply("ALTER TABLE t DROP u USING TIMESTAMP 1589286942065000")
        let context = context(sandbox.schema)
        let row = try #require(
            try rows("system_schema", "tables", context).first { text($0["table_name"]) == "t" })
        #expect(text(row["keyspace_name"]) == "ks")
        #expect(row["flags"] == NativeValue.set(["compound"]))
        #expect(row["gc_grace_seconds"] == [0, 0, 0, 7])
        #expect(row["cdc"] == [1])
        #expect(text(row["memtable"]) == "trie")
        #expect(row["allow_auto_snapshot"] == [0])
        #expect(row["incremental_backups"] == [0])
        #expect(row["dclocal_read_repair_chance"] == [UInt8](repeating: 0, count: 8))
        #expect(row["extensions"] == [0, 0, 0, 1, 0, 0, 0, 1, 0x78, 0, 0, 0, 1, 1])
        #expect(
            row["compaction"]
                == NativeValue.map([
                    "class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy",
                    "max_threshold": "32", "min_threshold": "4",
                ]))
        let columns = try rows("system_schema", "columns", context).filter { text($0["table_name"]) == "t" }
        let shown = columns.map { column in
            [
                text(column["column_name"]), text(column["kind"]),
                column["position"].map { "\(Int8(bitPattern: $0[3]))" },
                text(column["clustering_order"]), text(column["type"]),
            ].map { $0 ?? "" }.joined(separator: " ")
        }
        #expect(
            shown == [
                "a regular -1 none vector<float, 3>", "c1 clustering 0 desc timeuuid", "c2 clustering 1 asc int",
                "k1 partition_key 0 none int", "k2 partition_key 1 none text", "s static -1 none set<text>",
                "v regular -1 none list<int>", "w regular -1 none frozen<map<text, int>>",
            ])
        let dropped = try #require(
            try rows("system_schema", "dropped_columns", context).first { text($0["table_name"]) == "t" })
        #expect(text(dropped["column_name"]) == "u")
        #expect(text(dropped["type"]) == "frozen<tuple<text, list<int>>>")
        #expect(dropped["dropped_time"] == NativeValue.bigint(1_589_286_942_065))
        let type = try #require(try rows("system_schema", "types", context).first)
        #expect(type["field_types"] == NativeValue.list(["text", "list<int>"]))
    }

    @Test func optionsWithLateDefaultsAreNull() throws {
        let sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY, c counter)")
        let row = try #require(
            try rows("system_schema", "tables", context(sandbox.schema)).first { text($0["table_name"]) == "t" })
        for name in ["cdc", "memtable", "allow_auto_snapshot", "incremental_backups"] {
            #expect(row[name] == nil)
        }
        #expect(row["flags"] == NativeValue.set(["compound", "counter"]))
    }

    @Test func virtualKeyspacesAreInTheirOwnSchemaOnly() throws {
        let context = context(try SchemaSandbox().schema)
        let stored = try rows("system_schema", "keyspaces", context).compactMap { text($0["keyspace_name"]) }
        #expect(Set(stored) == ["ks", "system", "system_distributed", "system_schema", "system_traces"])
        let virtual = try rows("system_virtual_schema", "keyspaces", context).compactMap { text($0["keyspace_name"]) }
        #expect(virtual == ["system_views", "system_virtual_schema"])
        let columns = try rows("system_virtual_schema", "columns", context)
        #expect(columns.contains { text($0["table_name"]) == "settings" && text($0["column_name"]) == "value" })
    }

    @Test func everyComputedTableIsInTheSchemaAndGivesItsColumns() throws {
        var context = context(try SchemaSandbox().schema)
        let endpoint = InetEndpoint(address: .loopback, port: 7001)
        context.settings = ["b": "2", "a": "1"]
        context.clients = [
            ClientDescription(endpoint: endpoint, protocolVersion: 5, options: ["DRIVER_NAME": "driver"])
        ]
        context.peers = [
            PeerDescription(
                hostID: UUID(high: 3, low: 4), dataCenter: "dc1", rack: "rack2", tokens: [Token(1)],
                releaseVersion: "5.0.2", schemaVersion: context.schema.version, broadcast: endpoint, native: endpoint)
        ]
        for table in SystemTables.computed {
            let definition = table.definition
            #expect(context.schema.table(definition.keyspace, definition.name) == definition)
            for row in table.rows(context) {
                #expect(row.count == definition.columns.count)
                #expect(
                    row.prefix(definition.partitionKey.count + definition.clustering.count).allSatisfy { $0 != nil })
            }
        }
        #expect(try rows("system", "peers_v2", context).first?["native_port"] == [0, 0, 0x1B, 0x59])
        #expect(text(try rows("system_views", "clients", context).first?["driver_name"]) == "driver")
        #expect(try rows("system_views", "settings", context).map { text($0["name"]) } == ["a", "b"])
    }

    @Test func partitionsAreInTheOrderOfTheirTokens() throws {
        let sandbox = try SchemaSandbox(
            "CREATE KEYSPACE b WITH replication = {'class': 'SimpleStrategy'}",
            "CREATE KEYSPACE c WITH replication = {'class': 'SimpleStrategy'}")
        let names = try rows("system_schema", "keyspaces", context(sandbox.schema)).compactMap { $0["keyspace_name"] }
        let tokens = names.map { Token(ofKey: $0.span.bytes) }
        #expect(tokens == tokens.sorted())
    }
}
