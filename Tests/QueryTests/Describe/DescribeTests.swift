import CQL
import DataModel
import Testing

@testable import Query

/// DESCRIBE, to the character.
@Suite struct DescribeTests {
    static let options = """
        additional_write_policy = '99p'
            AND allow_auto_snapshot = true
            AND bloom_filter_fp_chance = 0.01
            AND caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}
            AND cdc = false
            AND comment = ''
            AND compaction = {'class': 'org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy', \
        'max_threshold': '32', 'min_threshold': '4'}
            AND compression = {'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}
            AND memtable = 'default'
            AND crc_check_chance = 1.0
            AND default_time_to_live = 0
            AND extensions = {}
            AND gc_grace_seconds = 864000
            AND incremental_backups = true
            AND max_index_interval = 2048
            AND memtable_flush_period_in_ms = 0
            AND min_index_interval = 128
            AND read_repair = 'BLOCKING'
            AND speculative_retry = '99p';
        """

    @Test func showsATableWithKeysStaticsAndCollections() throws {
        let sandbox = try SchemaSandbox(
            "CREATE TABLE \"Mixed\" (pk1 text, pk2 int, c1 int, \"select\" text, b list<int>, z int, a int, "
                + "s decimal static, PRIMARY KEY ((pk1, pk2), c1, \"select\")) "
                + "WITH CLUSTERING ORDER BY (c1 DESC, \"select\" ASC)")
        let expected = """
            CREATE TABLE ks."Mixed" (
                pk1 text,
                pk2 int,
                c1 int,
                "select" text,
                s decimal static,
                a int,
                z int,
                b list<int>,
                PRIMARY KEY ((pk1, pk2), c1, "select")
            ) WITH CLUSTERING ORDER BY (c1 DESC, "select" ASC)
                AND \(DescribeTests.options)
            """
        #expect(try sandbox.describe("DESCRIBE TABLE \"Mixed\"") == [["ks", "table", "\"Mixed\"", expected]])
    }

    @Test func showsInternalsAndDroppedColumns() throws {
        var sandbox = try SchemaSandbox("CREATE TABLE t (pk text, v1 text, v3 int, PRIMARY KEY (pk))")
        let id = try sandbox.table("t").id
        let created = """
            CREATE TABLE ks.t (
                pk text PRIMARY KEY,
                v1 text,
                v3 int
            ) WITH ID = \(id)
                AND \(DescribeTests.options)
            """
        #expect(try sandbox.describe("DESCRIBE TABLE t WITH INTERNALS") == [["ks", "table", "t", created]])
        let drop = "ALTER TABLE ks.t DROP v3 USING TIMESTAMP 1589286942065000;"
        try sandbox.apply(drop)
        #expect(
            try sandbox.describe("DESCRIBE TABLE t WITH INTERNALS") == [["ks", "table", "t", created + "\n" + drop]])
        let add = "ALTER TABLE ks.t ADD v3 int;"
        try sandbox.apply(add)
        #expect(
            try sandbox.describe("DESCRIBE TABLE t WITH INTERNALS")
                == [["ks", "table", "t", created + "\n" + drop + "\n" + add]])
    }

    @Test func showsVirtualTablesInsideAComment() throws {
        let sandbox = try SchemaSandbox()
        let table = """
            /*
            Warning: Table system_virtual_schema.columns is a virtual table and cannot be recreated with CQL.
            Structure, for reference:
            VIRTUAL TABLE system_virtual_schema.columns (
                keyspace_name text,
                table_name text,
                column_name text,
                clustering_order text,
                column_name_bytes blob,
                kind text,
                position int,
                type text,
                PRIMARY KEY (keyspace_name, table_name, column_name)
            ) WITH CLUSTERING ORDER BY (table_name ASC, column_name ASC)
                AND comment = 'virtual column definitions';
            */
            """
        #expect(
            try sandbox.describe("DESCRIBE TABLE system_virtual_schema.columns")
                == [["system_virtual_schema", "table", "columns", table]])
        let keyspace = """
            /*
            Warning: Keyspace system_virtual_schema is a virtual keyspace and cannot be recreated with CQL.
            Structure, for reference:
            VIRTUAL KEYSPACE system_virtual_schema;
            */
            """
        #expect(
            try sandbox.describe("DESCRIBE ONLY KEYSPACE system_virtual_schema")
                == [["system_virtual_schema", "keyspace", "system_virtual_schema", keyspace]])
    }

    @Test func showsAKeyspaceAndWhatIsInIt() throws {
        let sandbox = try SchemaSandbox(
            "CREATE TYPE b (x int, \"Y\" list<text>)", "CREATE TYPE a (b frozen<b>)",
            "CREATE TABLE users (k int PRIMARY KEY)", "CREATE TABLE \"Test\" (k int PRIMARY KEY)")
        let rows = try sandbox.describe("DESCRIBE KEYSPACE ks")
        #expect(rows.map { $0[1] } == ["keyspace", "type", "type", "table", "table"])
        #expect(rows.map { $0[2] } == ["ks", "b", "a", "\"Test\"", "users"])
        #expect(
            rows[0][3]
                == "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': '1'}  "
                + "AND durable_writes = true;")
        #expect(rows[1][3] == "CREATE TYPE ks.b (\n    x int,\n    \"Y\" list<text>\n);")
        #expect(rows[2][3] == "CREATE TYPE ks.a (\n    b frozen<b>\n);")
        #expect(try sandbox.describe("DESCRIBE SCHEMA") == rows)
        #expect(try sandbox.describe("DESCRIBE ks") == rows)
        #expect(try sandbox.describe("DESCRIBE users") == [rows[4]])
        #expect(try sandbox.describe("DESCRIBE TABLES") == [["ks", "table", "\"Test\""], ["ks", "table", "users"]])
        #expect(try sandbox.describe("DESCRIBE TYPES") == [["ks", "type", "a"], ["ks", "type", "b"]])
        #expect(try sandbox.describe("DESCRIBE FUNCTIONS").isEmpty)
        #expect(
            try sandbox.describe("DESCRIBE KEYSPACES").map { $0[2] }
                == [
                    "ks", "system", "system_distributed", "system_schema", "system_traces", "system_views",
                    "system_virtual_schema",
                ])
        #expect(try sandbox.describe("DESCRIBE FULL SCHEMA").count > 40)
    }

    @Test func describesTheCluster() throws {
        var sandbox = try SchemaSandbox()
        let withKeyspace = try sandbox.describe("DESCRIBE CLUSTER")
        #expect(withKeyspace[0].prefix(3) == ["Test Cluster", "Murmur3Partitioner", "SimpleSnitch"])
        #expect(withKeyspace[0].count == 4)
        sandbox.keyspace = nil
        #expect(try sandbox.describe("DESCRIBE CLUSTER")[0].count == 3)
    }

    @Test(arguments: [
        ("DESCRIBE nothing", "'nothing' not found in keyspace 'ks'"),
        ("DESCRIBE ks.nothing", "'nothing' not found in keyspace 'ks'"),
        ("DESCRIBE KEYSPACE nothing", "'nothing' not found in keyspaces"),
        ("DESCRIBE TABLE nothing", "Table 'nothing' not found in keyspace 'ks'"),
        ("DESCRIBE TYPE nothing", "User defined type 'nothing' not found in 'ks'"),
        ("DESCRIBE INDEX nothing", "Table for existing index 'nothing' not found in 'ks'"),
        ("DESCRIBE MATERIALIZED VIEW nothing", "Materialized view 'nothing' not found in 'ks'"),
        ("DESCRIBE FUNCTION nothing", "User defined function 'nothing' not found in 'ks'"),
        ("DESCRIBE AGGREGATE nothing", "User defined aggregate 'nothing' not found in 'ks'"),
    ])
    func saysWhatIsMissing(_ statement: String, _ message: String) throws {
        #expect(try SchemaSandbox().describeRefusal(statement) == message)
    }

    @Test func needsAKeyspace() throws {
        var sandbox = try SchemaSandbox()
        sandbox.keyspace = nil
        #expect(sandbox.describeRefusal("DESCRIBE KEYSPACE") == "No keyspace specified and no current keyspace")
        #expect(sandbox.describeRefusal("DESCRIBE nothing") == "'nothing' not found in keyspaces")
    }

    @Test func whatIsShownMakesTheSameSchemaAgain() throws {
        var sandbox = try SchemaSandbox(
            "CREATE TYPE address (street text, numbers frozen<list<int>>)",
            "CREATE TABLE t (k int, c timeuuid, v map<text, frozen<address>>, w vector<float, 3>, x tuple<int, text>, "
                + "y frozen<address>, z address, s set<blob> static, PRIMARY KEY (k, c)) "
                + "WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s' AND extensions = {'a': 0x0102} "
                + "AND compaction = {'class': 'UnifiedCompactionStrategy', 'scaling_parameters': 'T4'} "
                + "AND speculative_retry = 'MIN(99p,50ms)' AND compression = {'enabled': false} "
                + "AND bloom_filter_fp_chance = 0.00025",
            "CREATE TABLE counters (k int PRIMARY KEY, c counter)")
        let before = sandbox.schema
        let rows = try sandbox.describe("DESCRIBE KEYSPACE ks WITH INTERNALS")
        try sandbox.apply("DROP KEYSPACE ks")
        for row in rows { try sandbox.apply(row[3]) }
        #expect(sandbox.schema.keyspaces == before.keyspaces)
        #expect(sandbox.schema.version == before.version)
        #expect(try sandbox.describe("DESCRIBE KEYSPACE ks WITH INTERNALS") == rows)
    }

    @Test func everyStoredSystemTableCanBeShownAndReadBack() throws {
        let sandbox = try SchemaSandbox()
        for row in try sandbox.describe("DESCRIBE FULL SCHEMA") where !row[3].hasPrefix("/*") {
            _ = try CQLParser.parse(row[3])
        }
    }
}
