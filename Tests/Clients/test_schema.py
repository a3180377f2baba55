"""The schema, as statements change it and as other connections see it."""

import time
import uuid

import pytest

import connections


def until(condition, seconds=15):
    """Events come when they come; ten seconds of silence are a failure."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "nothing has changed"
        time.sleep(0.02)


def test_another_connection_is_told_of_changes(node, session, new_name):
    keyspace = new_name("ks")
    with connections.connected(node, schema_event_refresh_window=0) as other:
        known = other.cluster.metadata.keyspaces
        session.execute(
            f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}"
        )
        until(lambda: keyspace in known)
        session.execute(f"CREATE TABLE {keyspace}.t (k int, c text, v list<int>, PRIMARY KEY (k, c))")
        until(lambda: "t" in known[keyspace].tables)
        assert [column.name for column in known[keyspace].tables["t"].primary_key] == ["k", "c"]
        session.execute(f"ALTER TABLE {keyspace}.t ADD w map<text, int>")
        until(lambda: "w" in known[keyspace].tables["t"].columns)
        session.execute(f"CREATE TYPE {keyspace}.point (x int, y int)")
        until(lambda: "point" in known[keyspace].user_types)
        session.execute(f"DROP TYPE {keyspace}.point")
        until(lambda: "point" not in known[keyspace].user_types)
        session.execute(f"DROP TABLE {keyspace}.t")
        until(lambda: "t" not in known[keyspace].tables)
        session.execute(f"DROP KEYSPACE {keyspace}")
        until(lambda: keyspace not in known)


def test_columns_come_and_go(session, new_table):
    name = new_table("k int PRIMARY KEY, a text, b int")
    session.execute(f"INSERT INTO {name} (k, a, b) VALUES (1, 'a', 2)")
    session.execute(f"ALTER TABLE {name} DROP a")
    session.execute(f"ALTER TABLE {name} ADD (c int, d text)")
    assert session.execute(f"SELECT * FROM {name}").one()._asdict() == {"k": 1, "b": 2, "c": None, "d": None}
    session.execute(f"ALTER TABLE {name} ADD a text")
    assert session.execute(f"SELECT a FROM {name}").one().a is None
    session.execute(f"ALTER TABLE {name} RENAME k TO key")
    assert session.execute(f"SELECT b FROM {name} WHERE key = 1").one().b == 2


def test_if_exists_and_if_not_exists_do_nothing_quietly(session, new_table):
    name = new_table("k int PRIMARY KEY")
    session.execute(f"CREATE TABLE IF NOT EXISTS {name} (other int PRIMARY KEY)")
    session.execute(f"DROP TABLE IF EXISTS {name}_nowhere")
    session.execute("DROP KEYSPACE IF EXISTS nowhere")
    assert list(session.cluster.metadata.keyspaces["tests"].tables[name].columns) == ["k"]


def test_a_dropped_table_leaves_nothing_behind(session, new_table):
    name = new_table("k int PRIMARY KEY, v text")
    session.execute(f"INSERT INTO {name} (k, v) VALUES (1, 'old')")
    session.execute(f"DROP TABLE {name}")
    session.execute(f"CREATE TABLE {name} (k int PRIMARY KEY, v text)")
    assert session.execute(f"SELECT * FROM {name}").one() is None


def test_options_and_order_are_shown(session, new_table):
    name = new_table(
        "p int, a int, b text, PRIMARY KEY (p, a, b)",
        "WITH CLUSTERING ORDER BY (a DESC, b ASC) AND comment = 'it''s' AND gc_grace_seconds = 60",
    )
    table = session.cluster.metadata.keyspaces["tests"].tables[name]
    assert table.options["comment"] == "it's" and table.options["gc_grace_seconds"] == 60
    assert [column.is_reversed for column in table.clustering_key] == [True, False]
    session.execute(f"INSERT INTO {name} (p, a, b) VALUES (1, 1, 'x')")
    session.execute(f"INSERT INTO {name} (p, a, b) VALUES (1, 2, 'x')")
    assert [row.a for row in session.execute(f"SELECT a FROM {name} WHERE p = 1")] == [2, 1]


def test_names_in_quotes_keep_their_case(session, new_name):
    name = new_name("Mixed")
    session.execute(f'CREATE TABLE "{name}" ("Key" int PRIMARY KEY, "a b" text, "select" int)')
    session.execute(f'INSERT INTO "{name}" ("Key", "a b", "select") VALUES (1, \'x\', 2)')
    assert session.execute(f'SELECT "a b", "select" FROM "{name}" WHERE "Key" = 1').one()[:] == ("x", 2)
    assert name in session.cluster.metadata.keyspaces["tests"].tables


def test_use_selects_the_keyspace(node, session, new_table):
    name = new_table("k int PRIMARY KEY")
    with connections.connected(node) as other:
        other.execute("USE tests")
        assert list(other.execute(f"SELECT * FROM {name}")) == []
        with pytest.raises(Exception, match="nowhere"):
            other.execute("USE nowhere")


def test_the_node_describes_itself(node, session):
    row = session.execute("SELECT * FROM system.local WHERE key = 'local'").one()
    assert row.partitioner == "org.apache.cassandra.dht.Murmur3Partitioner"
    assert row.rpc_address == "127.0.0.1" and row.rpc_port == node.port
    assert row.cluster_name == "Test Cluster" and row.bootstrapped == "COMPLETED"
    assert len(row.tokens) == 16 and all(-(2**63) <= int(token) < 2**63 for token in row.tokens)
    assert isinstance(row.host_id, uuid.UUID)
    assert list(session.execute("SELECT * FROM system.peers_v2")) == []
    assert list(session.execute("SELECT * FROM system.peers")) == []


def test_all_tables_of_the_system_can_be_read(node, session):
    # On a connection of its own: the driver gives one up whose response it cannot read.
    with connections.connected(node) as other:
        read_all_tables(other)


def read_all_tables(session):
    for keyspace in (
        "system", "system_distributed", "system_schema", "system_traces", "system_virtual_schema", "system_views",
    ):
        tables = session.execute(
            "SELECT table_name FROM system_schema.tables WHERE keyspace_name = %s", (keyspace,)
        ) if not keyspace.startswith("system_v") else session.execute(
            "SELECT table_name FROM system_virtual_schema.tables WHERE keyspace_name = %s", (keyspace,)
        )
        names = [row.table_name for row in tables]
        assert names, keyspace
        for name in names:
            list(session.execute(f'SELECT * FROM {keyspace}."{name}"'))


def test_the_identity_and_the_schema_survive_a_restart(make_node):
    own = make_node(cluster_name="Kept").start()
    with connections.connected(own) as session:
        session.execute(connections.CREATE_KEYSPACE)
        session.execute("CREATE TABLE tests.t (k int PRIMARY KEY, v frozen<list<int>>) WITH comment = 'kept'")
        before = session.execute("SELECT host_id, tokens, schema_version FROM system.local").one()
    assert own.stop() == 0
    own.start()
    with connections.connected(own) as session:
        after = session.execute("SELECT host_id, tokens, schema_version FROM system.local").one()
        assert before[:] == after[:]
        assert session.cluster.metadata.keyspaces["tests"].tables["t"].options["comment"] == "kept"
