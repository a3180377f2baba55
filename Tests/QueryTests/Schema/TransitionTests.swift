import CQL
import DataModel
import Primitives
import Testing

@testable import Query

@Suite struct TransitionTests {
    @Test func everyChangeCountsUpAndHasItsOwnVersion() throws {
        var sandbox = try SchemaSandbox()
        let before = sandbox.schema
        let transition = try sandbox.apply("CREATE TABLE t (k int PRIMARY KEY, v int)")
        #expect(transition.schema.epoch == before.epoch + 1)
        #expect(transition.schema.version != before.version)
        #expect(transition.schema.version.version == 3)
        #expect(transition.event == SchemaChange(.created, keyspace: "ks", target: .table("t")))
        #expect(transition.createdTables.map(\.name) == ["t"])
    }

    @Test(arguments: [
        "CREATE TABLE IF NOT EXISTS t (k int PRIMARY KEY)", "DROP TABLE IF EXISTS x", "DROP TYPE IF EXISTS x",
        "CREATE TYPE IF NOT EXISTS u (a int)", "ALTER TABLE IF EXISTS x ADD v int", "DROP KEYSPACE IF EXISTS x",
        "CREATE KEYSPACE IF NOT EXISTS ks WITH replication = {'class': 'SimpleStrategy'}",
        "ALTER KEYSPACE IF EXISTS x WITH durable_writes = false", "ALTER TABLE t ADD IF NOT EXISTS v int",
        "ALTER TABLE t DROP IF EXISTS x", "ALTER TABLE t RENAME IF EXISTS x TO y", "ALTER TABLE t WITH comment = ''",
        "ALTER TYPE IF EXISTS x ADD a int", "ALTER TYPE u ADD IF NOT EXISTS a int",
    ])
    func nothingHappensWhenNothingHasTo(_ statement: String) throws {
        var sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY, v int)", "CREATE TYPE u (a int)")
        let before = sandbox.schema
        let transition = try sandbox.apply(statement)
        #expect(transition.isNoChange)
        #expect(transition.schema == before)
    }

    @Test func idsOfColumnsAreNeverGivenTwice() throws {
        var sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY, b int, a int)")
        #expect(try sandbox.table("t").regulars.map(\.id) == [1, 2])
        try sandbox.apply("ALTER TABLE t DROP b USING TIMESTAMP 5")
        try sandbox.apply("ALTER TABLE t ADD b int")
        let table = try sandbox.table("t")
        #expect(table.column(named: "b")?.id == 3)
        #expect(table.droppedColumns == [DroppedColumn(name: "b", id: 2, kind: .regular, type: .int, droppedAt: 5)])
        #expect(table.nextColumnID == 4)
    }

    @Test func aColumnComesBackOnlyWithATypeThatReadsItsCells() throws {
        var sandbox = try SchemaSandbox(
            "CREATE TABLE t (k int, c int, a ascii, i int, s int static, PRIMARY KEY (k, c))",
            "ALTER TABLE t DROP (a, i, s)")
        #expect(
            sandbox.refusal("ALTER TABLE t ADD i text")
                == .invalid(
                    message: "Cannot re-add previously dropped column 'i' of type text, incompatible with previous "
                        + "type int"))
        #expect(
            sandbox.refusal("ALTER TABLE t ADD s int")
                == .invalid(
                    message: "Cannot re-add previously dropped column 's' of kind REGULAR, incompatible with previous "
                        + "kind STATIC"))
        try sandbox.apply("ALTER TABLE t ADD a text")
        #expect(try sandbox.table("t").droppedColumns.count == 3)
    }

    @Test func aDroppedCounterNeverComesBack() throws {
        var sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY, c counter)", "ALTER TABLE t DROP c")
        #expect(
            sandbox.refusal("ALTER TABLE t ADD c counter")
                == .invalid(message: "Cannot re-add previously dropped counter column c"))
        try sandbox.apply("ALTER TABLE t ADD d counter")
    }

    @Test func aChangedTypeChangesEverythingThatUsesIt() throws {
        var sandbox = try SchemaSandbox(
            "CREATE TYPE inner_type (a int)", "CREATE TYPE outer_type (i frozen<inner_type>)",
            "CREATE TABLE t (k int PRIMARY KEY, v list<frozen<outer_type>>)")
        let transition = try sandbox.apply("ALTER TYPE inner_type ADD b text")
        #expect(transition.alteredTables.map(\.after.name) == ["t"])
        let keyspace = try #require(sandbox.schema.keyspace("ks"))
        let inner = try #require(keyspace.types["inner_type"])
        #expect(inner.fieldNames == ["a", "b"])
        let outer = try #require(keyspace.types["outer_type"])
        #expect(outer.fieldTypes == [.userDefined(inner, isMultiCell: false)])
        #expect(
            try sandbox.table("t").column(named: "v")?.type
                == .list(.userDefined(outer, isMultiCell: false), isMultiCell: true))
    }

    @Test func aTableThatIsMadeAgainIsAnother() throws {
        var sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY)")
        let id = try sandbox.table("t").id
        let dropped = try sandbox.apply("DROP TABLE t")
        #expect(dropped.droppedTables.map(\.id) == [id])
        #expect(dropped.event == SchemaChange(.dropped, keyspace: "ks", target: .table("t")))
        try sandbox.apply("CREATE TABLE t (k int PRIMARY KEY)")
        #expect(try sandbox.table("t").id != id)
    }

    @Test func aDroppedKeyspaceTakesItsTablesAlong() throws {
        var sandbox = try SchemaSandbox("CREATE TABLE t (k int PRIMARY KEY)")
        let transition = try sandbox.apply("DROP KEYSPACE ks")
        #expect(transition.droppedTables.map(\.name) == ["t"])
        #expect(transition.schema.keyspace("ks") == nil)
        #expect(transition.event == SchemaChange(.dropped, keyspace: "ks"))
    }

    @Test func aFactorForAllIsSpreadOverTheDataCentres() throws {
        var sandbox = try SchemaSandbox()
        sandbox.dataCenters = ["dc1": 3, "dc2": 1]
        let created = try sandbox.apply(
            "CREATE KEYSPACE a WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 2, "
                + "'dc1': 3}")
        #expect(
            sandbox.schema.keyspace("a")?.replication == [
                "class": "org.apache.cassandra.locator.NetworkTopologyStrategy", "dc1": "3", "dc2": "2",
            ])
        #expect(
            created.warnings == [
                "Your replication factor 2 for keyspace a is higher than the number of nodes 1 for datacenter dc2"
            ])
        let altered = try sandbox.apply(
            "ALTER KEYSPACE a WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': 1, "
                + "'dc2': 4}")
        #expect(sandbox.schema.keyspace("a")?.replication["dc1"] == "3")
        #expect(
            altered.warnings.last
                == "When increasing replication factor you need to run a full (-full) repair to distribute the data. "
                + "Run 'nodetool repair --full a'.")
    }

    /// Whoever lets nodes own data that they do not have is told of it, and nobody else.
    @Test(arguments: [
        (
            "'class': 'SimpleStrategy', 'replication_factor': 2", "'class': 'SimpleStrategy', 'replication_factor': 3",
            true
        ),
        (
            "'class': 'SimpleStrategy', 'replication_factor': 2", "'class': 'SimpleStrategy', 'replication_factor': 2",
            false
        ),
        (
            "'class': 'SimpleStrategy', 'replication_factor': 3", "'class': 'SimpleStrategy', 'replication_factor': 1",
            false
        ),
        ("'class': 'SimpleStrategy', 'replication_factor': 3", "'class': 'NetworkTopologyStrategy', 'dc1': 3", true),
        (
            "'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 1",
            "'class': 'NetworkTopologyStrategy', 'dc1': 2, 'dc2': 2", true
        ),
        (
            "'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 1",
            "'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 0", false
        ),
    ])
    func whoeverNeedsAFullRepairIsTold(before: String, after: String, isTold: Bool) throws {
        var sandbox = try SchemaSandbox()
        sandbox.dataCenters = ["dc1": 3, "dc2": 2]
        try sandbox.apply("CREATE KEYSPACE a WITH replication = {\(before)}")
        let altered = try sandbox.apply("ALTER KEYSPACE a WITH replication = {\(after)}")
        let told: [String] = altered.warnings.filter { $0.contains("nodetool repair --full a") }
        #expect(told.count == (isTold ? 1 : 0))
        #expect(told.allSatisfy { $0.contains("you need to run a full (-full) repair to distribute the data.") })
    }

    @Test func timeWindowsWithoutTimeToLiveAreWarnedOf() throws {
        var sandbox = try SchemaSandbox()
        let transition = try sandbox.apply(
            "CREATE TABLE t (k int PRIMARY KEY) WITH compaction = {'class': 'TimeWindowCompactionStrategy'}")
        #expect(transition.warnings.count == 1)
        #expect(transition.warnings.first?.hasPrefix("Guardrail zero_ttl_on_twcs violated: ") == true)
    }

    @Test func replicationOfTracesCanBeChangedAndSurvivesARestart() throws {
        var sandbox = try SchemaSandbox()
        try sandbox.apply(
            "ALTER KEYSPACE system_traces WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        let restarted = SystemTables.installed(in: sandbox.schema)
        #expect(restarted == sandbox.schema)
        #expect(restarted.keyspace("system_traces")?.replication["replication_factor"] == "3")
    }
}
