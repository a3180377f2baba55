"""Drivers that were written independently of each other, each through schema, prepared statements and pages."""

import asyncio
import datetime
import ipaddress
import uuid

import acsylla
import pytest
import scyllapy
from cassandra.query import SimpleStatement

import connections

VALUES = {
    "bigint": [-(2**63), 2**63 - 1],
    "blob": [b"\x00\xff"],
    "boolean": [True, False],
    "double": [1.5, -2.25e300],
    "float": [1.5],
    "inet": [ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("2001:db8::1")],
    "int": [-(2**31), 0, 2**31 - 1],
    "smallint": [-(2**15), 2**15 - 1],
    "text": ["", "žluťoučký 🐦"],
    "tinyint": [-128, 127],
    "uuid": [uuid.UUID("cfd66ccc-d857-4e90-b1e5-df98a3d40cd6")],
    "list<int>": [[1, 2, 1]],
    "set<text>": [{"a", "b"}],
    "map<text, int>": [{"a": 1, "b": 2}],
}


def comparable(value):
    """Drivers choose different classes for the same value; their words are the same."""
    if isinstance(value, dict):
        return sorted((comparable(key), comparable(item)) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return [comparable(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(comparable(item) for item in value)
    return str(value)


@pytest.mark.parametrize("compression", [False, "lz4"])
@pytest.mark.parametrize("version", [3, 4, 5])
def test_python_driver(node, session, new_table, version, compression):
    name = new_table("p int, c int, v text, m map<text, int>, PRIMARY KEY (p, c)")
    with connections.connected(node, "tests", version=version, compression=compression) as other:
        assert other.cluster.protocol_version == version
        insert = other.prepare(f"INSERT INTO {name} (p, c, v, m) VALUES (?, ?, ?, ?)")
        for number in range(25):
            other.execute(insert, (1, number, f"v{number}" * 200, {"a": number}))
        rows = list(other.execute(SimpleStatement(f"SELECT * FROM {name} WHERE p = 1", fetch_size=10)))
        assert [(row.c, row.v, dict(row.m)) for row in rows] == [
            (number, f"v{number}" * 200, {"a": number}) for number in range(25)
        ]
        large = "x" * 3_000_000
        other.execute(insert, (2, 0, large, None))
        assert other.execute(f"SELECT v FROM {name} WHERE p = 2").one().v == large


def test_python_driver_steps_down_to_a_version_of_ours(node):
    with connections.connected(node, version=None) as other:
        assert other.cluster.protocol_version == 5


def test_python_driver_traces(session, new_table):
    name = new_table("k int PRIMARY KEY")
    result = session.execute(f"INSERT INTO {name} (k) VALUES (1)", trace=True)
    trace = result.get_query_trace(max_wait_sec=10)
    assert trace.coordinator == "127.0.0.1" and trace.duration is not None
    assert trace.events and all(event.description for event in trace.events)


def test_python_driver_is_warned(session, new_name):
    keyspace = new_name("ks")
    future = session.execute_async(
        f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 3}}"
    )
    future.result()
    assert any("replication" in warning.lower() for warning in future.warnings)


@pytest.fixture(params=["acsylla", "scyllapy"])
def client(request, node, session):
    """The same four verbs for both of the asynchronous drivers."""
    loop = asyncio.new_event_loop()
    each = {"acsylla": Acsylla, "scyllapy": Scyllapy}[request.param](loop, node.port)
    yield each
    each.close()
    loop.close()


class Acsylla:
    """DataStax' driver for C++."""

    def __init__(self, loop, port):
        self.run = loop.run_until_complete
        self.session = self.run(self._connect(port))

    async def _connect(self, port):
        cluster = acsylla.create_cluster(["127.0.0.1"], port=port, connect_timeout=20.0, request_timeout=20.0)
        return await cluster.create_session(keyspace="tests")

    def execute(self, text, values=None):
        return self.run(self._execute(text, values))

    async def _execute(self, text, values):
        if values is None:
            statement = acsylla.create_statement(text)
        else:
            statement = (await self.session.create_prepared(text)).bind()
            statement.bind_list(values)
        return [row.as_dict() for row in (await self.session.execute(statement)).all()]

    def pages(self, text, size):
        return self.run(self._pages(text, size))

    async def _pages(self, text, size):
        statement, rows = acsylla.create_statement(text, page_size=size), []
        while True:
            result = await self.session.execute(statement)
            rows += [row.as_dict() for row in result.all()]
            if not result.has_more_pages():
                return rows
            statement.set_page_state(result.page_state())

    def close(self):
        self.run(self.session.close())


class Scyllapy:
    """ScyllaDB's driver for Rust."""

    def __init__(self, loop, port):
        self.run = loop.run_until_complete
        self.session = scyllapy.Scylla([f"127.0.0.1:{port}"], keyspace="tests")
        self.run(self._start())

    async def _start(self):
        await self.session.startup()

    def execute(self, text, values=None):
        return self.run(self._execute(text, values))

    async def _execute(self, text, values):
        if values is None:
            return self._rows(await self.session.execute(text))
        return self._rows(await self.session.execute(await self.session.prepare(text), values))

    @staticmethod
    def _rows(result):
        # A result without rows refuses to give any.
        try:
            return result.all()
        except Exception:
            return []

    def pages(self, text, size):
        return self.run(self._pages(text))

    async def _pages(self, text):
        return [row async for row in await self.session.execute(text, paged=True)]

    def close(self):
        self.run(self._stop())

    async def _stop(self):
        await self.session.shutdown()


@pytest.mark.parametrize("kind", VALUES)
def test_values_come_back(client, new_table, kind):
    name = new_table(f"k int PRIMARY KEY, v {kind}")
    for key, expected in enumerate([*VALUES[kind], None]):
        client.execute(f"INSERT INTO {name} (k, v) VALUES (?, ?)", [key, expected])
        rows = client.execute(f"SELECT v FROM {name} WHERE k = {key}")
        assert comparable(rows[0]["v"]) == comparable(expected)


def test_dates_are_read(client, session, new_table):
    name = new_table("k int PRIMARY KEY, d date, t timestamp")
    session.execute(f"INSERT INTO {name} (k, d, t) VALUES (1, '2024-02-29', '2024-02-29T12:30:15.123Z')")
    row = client.execute(f"SELECT d, t FROM {name}")[0]
    assert str(row["d"]) == "2024-02-29"
    assert row["t"].replace(tzinfo=None) == datetime.datetime(2024, 2, 29, 12, 30, 15, 123_000)


def test_pages_hold_every_row(client, new_table):
    name = new_table("p int, c int, PRIMARY KEY (p, c)")
    for number in range(100):
        client.execute(f"INSERT INTO {name} (p, c) VALUES (?, ?)", [1, number])
    assert [row["c"] for row in client.pages(f"SELECT c FROM {name} WHERE p = 1", 7)] == list(range(100))


def test_schema_changes_and_errors(client, new_name):
    name = new_name()
    client.execute(f"CREATE TABLE {name} (k int PRIMARY KEY, v int)")
    client.execute(f"INSERT INTO {name} (k, v) VALUES (1, 2)")
    assert client.execute(f"SELECT v FROM {name}")[0]["v"] == 2
    client.execute(f"DROP TABLE {name}")
    with pytest.raises(Exception, match=name):
        client.run(client.session.execute(acsylla.create_statement(f"SELECT * FROM {name}"))
                   if isinstance(client, Acsylla) else client._execute(f"SELECT * FROM {name}", None))
