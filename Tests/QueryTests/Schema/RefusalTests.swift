import CQL
import Testing

@testable import Query

/// What is refused, and with which words: tools compare them with Cassandra's.
@Suite struct RefusalTests {
    struct Case: CustomTestStringConvertible, Sendable {
        let statement: String
        let error: CQLError
        init(_ statement: String, _ error: CQLError) {
            self.statement = statement
            self.error = error
        }
        var testDescription: String { statement }
    }

    static let tables: [Case] = [
        Case(
            "CREATE TABLE t (k int)", .invalid(message: "No PRIMARY KEY specifed for table 't' (exactly one required)")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v int, PRIMARY KEY (v))",
            .invalid(message: "Multiple PRIMARY KEY specified for table 't' (exactly one required)")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, k text)",
            .invalid(message: "Duplicate column 'k' declaration for table 't'")),
        Case(
            "CREATE TABLE t (k int, PRIMARY KEY (x))",
            .invalid(message: "Unknown column 'x' referenced in PRIMARY KEY for table 't'")),
        Case(
            "CREATE TABLE t (k int, PRIMARY KEY (k, k))",
            .invalid(message: "Duplicate column 'k' in PRIMARY KEY clause for table 't'")),
        Case(
            "CREATE TABLE t (k list<int> PRIMARY KEY)",
            .invalid(message: "Invalid non-frozen collection type list<int> for PRIMARY KEY column 'k'")),
        Case(
            "CREATE TABLE t (k address PRIMARY KEY)",
            .invalid(message: "Invalid non-frozen user-defined type ks.address for PRIMARY KEY column 'k'")),
        Case(
            "CREATE TABLE t (k counter PRIMARY KEY)",
            .invalid(message: "counter type is not supported for PRIMARY KEY column 'k'")),
        Case(
            "CREATE TABLE t (k frozen<list<duration>> PRIMARY KEY)",
            .invalid(message: "duration type is not supported for PRIMARY KEY column 'k'")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, s int static)",
            .invalid(
                message: "Static columns are only useful (and thus allowed) if the table has at least one "
                    + "clustering column")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, c counter, v int)",
            .invalid(message: "Cannot mix counter and non counter columns in the same table")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, c counter) WITH default_time_to_live = 5",
            .invalid(message: "Cannot set default_time_to_live on a table with counters")),
        Case(
            "CREATE TABLE t (k int, a int, b int, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (b ASC)",
            .invalid(message: "Missing CLUSTERING ORDER for column a")),
        Case(
            "CREATE TABLE t (k int, a int, b int, PRIMARY KEY (k, a, b)) WITH CLUSTERING ORDER BY (b ASC, a ASC)",
            .invalid(
                message: "The order of columns in the CLUSTERING ORDER directive must match that of the clustering "
                    + "columns (a must appear before b)")),
        Case(
            "CREATE TABLE t (k int, a int, PRIMARY KEY (k, a)) WITH CLUSTERING ORDER BY (k ASC)",
            .invalid(
                message: "Only clustering key columns can be defined in CLUSTERING ORDER directive: [k] are not "
                    + "clustering columns")),
        Case("CREATE TABLE other.t (k int PRIMARY KEY)", .invalid(message: "Keyspace 'other' doesn't exist")),
        Case(
            "CREATE TABLE taken (k int PRIMARY KEY)",
            .alreadyExists(
                message: "Cannot add already existing table \"taken\" to keyspace \"ks\"", keyspace: "ks",
                table: "taken")),
        Case(
            "CREATE TABLE system.t (k int PRIMARY KEY)",
            .unauthorized(message: "system keyspace is not user-modifiable.")),
        Case(
            "CREATE TABLE system_traces.t (k int PRIMARY KEY)",
            .unauthorized(message: "Cannot CREATE <all tables in system_traces>")),
        Case("DROP TABLE missing", .invalid(message: "Table 'ks.missing' doesn't exist")),
    ]

    static let alterations: [Case] = [
        Case("ALTER TABLE missing ADD v int", .invalid(message: "Table 'ks.missing' doesn't exist")),
        Case("ALTER TABLE taken ADD v int", .invalid(message: "Column with name 'v' already exists")),
        Case(
            "ALTER TABLE taken ADD c counter",
            .configError(message: "ks.taken: Cannot have a counter column (\"c\") in a non counter table")),
        Case("ALTER TABLE taken DROP x", .invalid(message: "Column x was not found in table 'ks.taken'")),
        Case("ALTER TABLE taken DROP k", .invalid(message: "Cannot drop PRIMARY KEY column k")),
        Case("ALTER TABLE taken RENAME v TO w", .invalid(message: "Cannot rename non PRIMARY KEY column v")),
        Case("ALTER TABLE taken RENAME x TO w", .invalid(message: "Column x was not found in table ks.taken")),
        Case(
            "ALTER TABLE taken RENAME k TO v",
            .invalid(
                message: "Cannot rename column k to v in table 'ks.taken'; another column with that name already "
                    + "exists")),
        Case("ALTER TABLE taken ALTER v TYPE text", .invalid(message: "Altering column types is no longer supported")),
    ]

    static let types: [Case] = [
        Case("CREATE TABLE t (k int PRIMARY KEY, v missing)", .invalid(message: "Unknown type ks.missing")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v list<list<int>>)",
            .invalid(message: "Non-frozen collections are not allowed inside collections: list<list<int>>")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v list<address>)",
            .invalid(message: "Non-frozen UDTs are not allowed inside collections: list<address>")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v list<counter>)",
            .invalid(message: "Counters are not allowed inside collections: list<counter>")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v tuple<counter>)",
            .invalid(message: "Counters are not allowed inside tuples")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v set<duration>)",
            .invalid(message: "Durations are not allowed inside sets: set<duration>")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v map<duration, int>)",
            .invalid(message: "Durations are not allowed as map keys: map<duration, int>")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v frozen<int>)",
            .invalid(
                message: "frozen<> is only allowed on collections, tuples, and user-defined types (got int)")),
        Case(
            "CREATE TABLE t (k int PRIMARY KEY, v other.address)",
            .invalid(
                message: "Statement on keyspace ks cannot refer to a user type in keyspace other; user types can "
                    + "only be used in the keyspace they are defined in")),
        Case("CREATE TYPE address (a int)", .invalid(message: "A user type with name 'address' already exists")),
        Case("CREATE TYPE u (a int, a int)", .invalid(message: "Duplicate field name 'a' in type 'u'")),
        Case("CREATE TYPE u (a counter)", .invalid(message: "A user type cannot contain counters")),
        Case("CREATE TYPE u (a address)", .invalid(message: "A user type cannot contain non-frozen UDTs")),
        Case(
            "ALTER TYPE address ADD street text",
            .invalid(
                message: "Cannot add field street to type ks.address: a field with name street already exists")),
        Case(
            "ALTER TYPE address ADD self frozen<address>",
            .invalid(
                message: "Cannot add new field self of type frozen<address> to user type ks.address as it would "
                    + "create a circular reference")),
        Case("ALTER TYPE missing ADD a int", .invalid(message: "Type ks.missing doesn't exist")),
        Case("ALTER TYPE address RENAME x TO y", .invalid(message: "Unkown field x in user type ks.address")),
        Case(
            "DROP TYPE address",
            .invalid(message: "Cannot drop user type 'ks.address' as it is still used by tables taken")),
        Case("DROP TYPE missing", .invalid(message: "Type 'ks.missing' doesn't exist")),
    ]

    static let keyspaces: [Case] = [
        Case(
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            .alreadyExists(message: "Cannot add existing keyspace \"ks\"", keyspace: "ks", table: "")),
        Case(
            "CREATE KEYSPACE a WITH durable_writes = true", .invalid(message: "Missing mandatory option 'replication'")),
        Case(
            "CREATE KEYSPACE a WITH replication = {'replication_factor': 1}",
            .configError(message: "Missing replication strategy class")),
        Case(
            "CREATE KEYSPACE a WITH replication = {'class': 'Nope'}",
            .configError(
                message: "Unable to find replication strategy class 'org.apache.cassandra.locator.Nope'")),
        Case(
            "CREATE KEYSPACE a WITH replication = {'class': 'LocalStrategy'}",
            .invalid(
                message: "Unable to use given strategy class: LocalStrategy is reserved for internal use.")),
        Case(
            "CREATE KEYSPACE a WITH replication = {'class': 'NetworkTopologyStrategy', 'nowhere': 1}",
            .configError(
                message: "Unrecognized strategy option {nowhere} passed to NetworkTopologyStrategy for keyspace a")),
        Case(
            "CREATE KEYSPACE a WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 'x'}",
            .configError(message: "For input string: \"x\"")),
        Case(
            "CREATE KEYSPACE a WITH replication = {'class': 'SimpleStrategy', 'replication_factor': -1}",
            .configError(message: "Replication factor must be non-negative, found -1")),
        Case(
            "CREATE KEYSPACE a WITH nonsense = 1 AND replication = {'class': 'SimpleStrategy'}",
            .syntaxError(message: "Unknown property 'nonsense'")),
        Case(
            "ALTER KEYSPACE missing WITH durable_writes = true", .invalid(message: "Keyspace 'missing' doesn't exist")),
        Case("DROP KEYSPACE missing", .invalid(message: "Keyspace 'missing' doesn't exist")),
        Case("DROP KEYSPACE system", .unauthorized(message: "system keyspace is not user-modifiable.")),
    ]

    @Test(arguments: tables + alterations + types + keyspaces)
    func refusesInCassandrasWords(_ example: Case) throws {
        var sandbox = try SchemaSandbox(
            "CREATE TYPE address (street text, number int)",
            "CREATE TABLE taken (k int PRIMARY KEY, v int, a frozen<address>)")
        let before = sandbox.schema
        #expect(sandbox.refusal(example.statement) == example.error)
        #expect(sandbox.schema == before)
    }

    @Test func namesHaveAtMost48Characters() throws {
        var sandbox = try SchemaSandbox()
        let longest = String(repeating: "a", count: 48)
        try sandbox.apply("CREATE TABLE \(longest) (k int PRIMARY KEY)")
        #expect(
            sandbox.refusal("CREATE TABLE a\(longest) (k int PRIMARY KEY)")
                == .configError(
                    message: "ks.a\(longest): Table name must not be empty, more than 48 characters long, or contain "
                        + "non-alphanumeric-underscore characters (got \"a\(longest)\")"))
        #expect(
            sandbox.refusal("CREATE KEYSPACE \"a-b\" WITH replication = {'class': 'SimpleStrategy'}")
                == .invalid(
                    message: "Keyspace name must not be empty, more than 48 characters long, or contain "
                        + "non-alphanumeric-underscore characters (got 'a-b')"))
    }

    @Test func needsAKeyspace() throws {
        var sandbox = try SchemaSandbox()
        sandbox.keyspace = nil
        #expect(
            sandbox.refusal("CREATE TABLE t (k int PRIMARY KEY)")
                == .invalid(
                    message: "No keyspace has been specified. USE a keyspace, or explicitly specify "
                        + "keyspace.tablename"))
    }

    @Test func typesThatDoubleWithEveryLevelStop() throws {
        var sandbox = try SchemaSandbox("CREATE TYPE t0 (a int)")
        var refusal: CQLError?
        for level in 1...40 where refusal == nil {
            refusal = sandbox.refusal("CREATE TYPE t\(level) (a frozen<t\(level - 1)>, b frozen<t\(level - 1)>)")
        }
        #expect(refusal?.code == 0x2200)
    }
}
