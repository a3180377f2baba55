"""Errors: the code that drivers act on, and words that people can use."""

import pytest
from cassandra import AlreadyExists, ConsistencyLevel, InvalidRequest, Unavailable
from cassandra.query import BatchStatement, BatchType, SimpleStatement

from wire import WireClient, WireError

INVALID, SYNTAX, CONFIGURATION, EXISTS, UNAVAILABLE = 0x2200, 0x2000, 0x2300, 0x2400, 0x1000

CASES = {
    "nothing": (SYNTAX, ""),
    "no statement": (SYNTAX, "SELEC * FROM tests.e"),
    "half a statement": (SYNTAX, "SELECT * FROM tests.e WHERE"),
    "two statements": (SYNTAX, "SELECT * FROM tests.e; SELECT * FROM tests.e"),
    "no such keyspace": (INVALID, "SELECT * FROM nowhere.e"),
    "no such table": (INVALID, "SELECT * FROM tests.nowhere"),
    "no such column": (INVALID, "SELECT x FROM tests.e"),
    "no keyspace": (INVALID, "SELECT * FROM e"),
    "use of an unknown keyspace": (INVALID, "USE nowhere"),
    "wrong type": (INVALID, "INSERT INTO tests.e (k, c, v) VALUES ('a', 1, 'a')"),
    "number out of range": (INVALID, "INSERT INTO tests.e (k, c, v) VALUES (99999999999, 1, 'a')"),
    "missing key": (INVALID, "INSERT INTO tests.e (k, v) VALUES (1, 'a')"),
    "null key": (INVALID, "INSERT INTO tests.e (k, c, v) VALUES (null, 1, 'a')"),
    "part of a key": (INVALID, "UPDATE tests.e SET v = 'a' WHERE k = 1"),
    "key in SET": (INVALID, "UPDATE tests.e SET c = 2 WHERE k = 1 AND c = 1"),
    "filtering": (INVALID, "SELECT * FROM tests.e WHERE v = 'a'"),
    "clustering without partition": (INVALID, "SELECT * FROM tests.e WHERE c = 1"),
    "order without partition": (INVALID, "SELECT * FROM tests.e ORDER BY c"),
    "unknown function": (INVALID, "SELECT nothing(k) FROM tests.e"),
    "negative time to live": (INVALID, "INSERT INTO tests.e (k, c) VALUES (1, 1) USING TTL -1"),
    "time to live of centuries": (INVALID, "INSERT INTO tests.e (k, c) VALUES (1, 1) USING TTL 2000000000"),
    "limit zero": (INVALID, "SELECT * FROM tests.e LIMIT 0"),
    "counter beside others": (INVALID, "CREATE TABLE tests.x (k int PRIMARY KEY, n counter, v int)"),
    "table without key": (INVALID, "CREATE TABLE tests.x (k int)"),
    "table with an unknown type": (INVALID, "CREATE TABLE tests.x (k strange PRIMARY KEY)"),
    "keyspace without replication": (INVALID, "CREATE KEYSPACE x WITH durable_writes = true"),
    "unknown strategy": (
        CONFIGURATION, "CREATE KEYSPACE x WITH replication = {'class': 'Nowhere', 'replication_factor': 1}",
    ),
    "keyspace that exists": (
        EXISTS, "CREATE KEYSPACE tests WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    ),
    "table that exists": (EXISTS, "CREATE TABLE tests.e (k int PRIMARY KEY)"),
    "drop of nothing": (INVALID, "DROP TABLE tests.nowhere"),
    "index": (INVALID, "CREATE INDEX ON tests.e (v)"),
    "view": (
        INVALID,
        "CREATE MATERIALIZED VIEW tests.x AS SELECT * FROM tests.e WHERE k IS NOT NULL AND c IS NOT NULL "
        "PRIMARY KEY (c, k)",
    ),
    "function": (
        INVALID, "CREATE FUNCTION tests.f(x int) CALLED ON NULL INPUT RETURNS int LANGUAGE java AS $$return x;$$",
    ),
    "role": (INVALID, "CREATE ROLE r WITH PASSWORD = 'p' AND LOGIN = true"),
    "counter in a table of values": (INVALID, "UPDATE tests.e SET v = v + 1 WHERE k = 1 AND c = 1"),
}


@pytest.fixture(scope="module")
def client(node, session):
    session.execute("CREATE TABLE IF NOT EXISTS e (k int, c int, v text, PRIMARY KEY (k, c))")
    with WireClient(node.port) as each:
        yield each


@pytest.mark.parametrize("name", CASES)
def test_the_code_of_an_error(client, name):
    code, text = CASES[name]
    with pytest.raises(WireError) as refused:
        client.query(text)
    assert f"{refused.value.code:#06x}" == f"{code:#06x}", refused.value
    assert refused.value.message.strip()


def test_a_syntax_error_says_where(client):
    with pytest.raises(WireError, match="line 1:"):
        client.query("SELECT * FORM tests.e")


def test_more_replicas_than_nodes_are_unavailable(session, new_name):
    keyspace = new_name("ks")
    session.execute(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 3}}"
    )
    session.execute(f"CREATE TABLE {keyspace}.t (k int PRIMARY KEY)")
    session.execute(f"INSERT INTO {keyspace}.t (k) VALUES (1)")
    for text in (f"INSERT INTO {keyspace}.t (k) VALUES (1)", f"SELECT * FROM {keyspace}.t WHERE k = 1"):
        with pytest.raises(Unavailable) as refused:
            session.execute(SimpleStatement(text, consistency_level=ConsistencyLevel.QUORUM))
        assert (refused.value.required_replicas, refused.value.alive_replicas) == (2, 1)


def test_a_driver_knows_what_exists(session, new_table):
    name = new_table("k int PRIMARY KEY")
    with pytest.raises(AlreadyExists) as refused:
        session.execute(f"CREATE TABLE {name} (k int PRIMARY KEY)")
    assert (refused.value.keyspace, refused.value.table) == ("tests", name)


def test_counters_do_not_mix_in_batches(session, new_table):
    counters = new_table("k int PRIMARY KEY, n counter")
    values = new_table("k int PRIMARY KEY, v int")
    batch = BatchStatement(batch_type=BatchType.COUNTER)
    batch.add(f"UPDATE {counters} SET n = n + 1 WHERE k = 1")
    batch.add(f"INSERT INTO {values} (k, v) VALUES (1, 1)")
    with pytest.raises(Exception, match="code=2200"):
        session.execute(batch)
    assert session.execute(f"SELECT * FROM {counters}").one() is None


def test_an_error_leaves_the_connection_usable(client):
    for _ in range(100):
        with pytest.raises(WireError):
            client.query("nonsense")
    client.query("SELECT * FROM tests.e")


def test_too_many_combinations_of_in_are_refused(session, new_table):
    name = new_table("a int, b int, c int, v int, PRIMARY KEY ((a, b), c)")
    many = ", ".join(str(number) for number in range(1000))
    with pytest.raises(InvalidRequest, match="combinations"):
        session.execute(f"SELECT * FROM {name} WHERE a IN ({many}) AND b IN ({many}) AND c = 1")
    with pytest.raises(InvalidRequest, match="combinations"):
        session.execute(f"UPDATE {name} SET v = 1 WHERE a IN ({many}) AND b = 1 AND c IN ({many})")
    session.execute(f"UPDATE {name} SET v = 1 WHERE a IN (1, 2) AND b = 1 AND c IN (3, 4)")
    assert session.execute(f"SELECT count(*) FROM {name}").one()[0] == 4


def test_the_ends_of_time_do_not_hurt(session, new_table):
    name = new_table("k int PRIMARY KEY, t timestamp")
    for moment in (-(2**63), 2**63 - 1):
        session.execute(f"INSERT INTO {name} (k, t) VALUES (1, {moment})")
        session.execute(f"SELECT to_unix_timestamp(t) FROM {name}").one()
        session.execute(f"SELECT blob_as_int(int_as_blob(k)), CAST(to_date(t) AS text) FROM {name}").one()
        session.execute(f"SELECT JSON t FROM {name}").one()
        session.execute(f"SELECT CAST(t AS text), min_timeuuid(t) FROM {name}").one()
    assert session.execute(f"SELECT k FROM {name}").one()[0] == 1
