"""What drivers do not send or do not show, frame by frame."""

import struct
import time
import uuid

import pytest

import wire
from wire import UNSET, WireClient, WireError, cells, result_kind

FIELDS = "k int PRIMARY KEY, v text, w text"


def number(value):
    return struct.pack(">i", value)


@pytest.fixture(params=[3, 4, 5])
def client(request, node, session):
    with WireClient(node.port, version=request.param) as each:
        yield each


@pytest.fixture
def table(new_table):
    return "tests." + new_table(FIELDS)


def test_queries_values_and_nulls(client, table):
    answer = client.query(f"INSERT INTO {table} (k, v, w) VALUES (?, ?, ?)", values=[number(1), b"a", None])
    assert result_kind(answer) == 1 and answer.version == client.version
    assert cells(client.query(f"SELECT k, v, w FROM {table}")) == [[number(1), b"a", None]]


def test_unset_values_change_nothing(client, table):
    client.query(f"INSERT INTO {table} (k, v, w) VALUES (1, 'a', 'b')")
    values = [b"c", UNSET, number(1)]
    client.query(f"UPDATE {table} SET v = ?, w = ? WHERE k = ?", values=values)
    # v3 does not know unset values: any negative length is null there.
    kept = None if client.version == 3 else b"b"
    assert cells(client.query(f"SELECT v, w FROM {table} WHERE k = 1")) == [[b"c", kept]]
    with pytest.raises(WireError) as refused:
        client.query(f"INSERT INTO {table} (k) VALUES (?)", values=[UNSET])
    assert refused.value.code == 0x2200


def test_values_by_name(client, table):
    client.query(
        f"INSERT INTO {table} (k, v, w) VALUES (:key, :v, :v)", values=[b"same", number(7)], names=["v", "key"]
    )
    assert cells(client.query(f"SELECT k, v, w FROM {table}")) == [[number(7), b"same", b"same"]]


def test_a_keyspace_for_one_query(node, table):
    keyspace, name = table.split(".")
    with WireClient(node.port, version=5) as client:
        client.query(f"INSERT INTO {name} (k, v) VALUES (1, 'a')", keyspace=keyspace)
        identifier, metadata = client.prepare(f"SELECT v FROM {name} WHERE k = ?", keyspace=keyspace)
        assert cells(client.execute(identifier, metadata, values=[number(1)])) == [[b"a"]]
        with pytest.raises(WireError) as refused:
            client.query(f"SELECT v FROM {name}")
        assert refused.value.code == 0x2200


def test_now_as_the_client_says(node, table):
    with WireClient(node.port, version=5) as client:
        now = 2_000_000_000
        client.query(f"INSERT INTO {table} (k, v) VALUES (1, 'a') USING TTL 100", now=now)
        text = f"SELECT ttl(v) FROM {table} WHERE k = 1"
        assert cells(client.query(text, now=now + 40)) == [[number(60)]]
        assert cells(client.query(text, now=now + 100)) in ([], [[None]])


def test_a_changed_result_brings_its_metadata(node, session, table):
    with WireClient(node.port, version=5) as client:
        client.query(f"INSERT INTO {table} (k, v) VALUES (1, 'a')")
        identifier, metadata = client.prepare(f"SELECT * FROM {table}")
        client.query(f"ALTER TABLE {table} ADD x int")
        # Somebody else prepares it again, so that the id is known while this client still has the old metadata.
        client.prepare(f"SELECT * FROM {table}")
        skip_metadata = 0x02
        answer = client.execute(identifier, metadata, extra_flags=skip_metadata)
        flags = struct.unpack(">i", answer.body[4:8])[0]
        assert flags & 0x08, "the client is told that the metadata has changed"
        assert len(cells(answer)[0]) == 4


def test_custom_payload_comes_back(client, table):
    if client.version < 4:
        pytest.skip("v3 has no custom payload")
    payload = {"key": b"\x00\x01", "empty": b"", "none": None}
    answer = client.query(f"INSERT INTO {table} (k, v) VALUES (1, 'a')", payload=payload)
    items = sorted(payload.items())
    front = struct.pack(">H", len(items)) + b"".join(wire.string(key) + wire.value(item) for key, item in items)
    assert answer.flags & 0x04
    assert answer.body == front + struct.pack(">i", 1)
    assert cells(client.query(f"SELECT v FROM {table}")) == [[b"a"]]


@pytest.mark.parametrize("state", [b"\x00", b"nonsense", b"\xff" * 100])
def test_a_strange_paging_state_is_an_error_or_a_start(client, table, state):
    text = wire.long_string(f"SELECT * FROM {table}")
    flags = struct.pack(">HI" if client.version >= 5 else ">HB", wire.ONE, 0x04 | 0x08)
    try:
        client.request(wire.QUERY, text + flags + struct.pack(">i", 5) + wire.value(state))
    except WireError as error:
        assert error.code in (0x000A, 0x2200)
    assert cells(client.query(f"SELECT v FROM {table}")) == []


def test_tracing_gives_the_identifier_of_a_session(client, table):
    answer = client.query(f"SELECT * FROM {table}", flags=0x02)
    assert answer.flags & 0x02
    identifier = uuid.UUID(bytes=answer.body[:16])
    text = f"SELECT request, duration FROM system_traces.sessions WHERE session_id = {identifier}"
    end = time.monotonic() + 5
    rows = []
    while not rows and time.monotonic() < end:
        rows = cells(client.query(text))
    assert rows and rows[0][0]


def test_prepared_statements_are_shared_between_connections(node, client, table):
    identifier, metadata = client.prepare(f"INSERT INTO {table} (k, v) VALUES (?, ?)")
    with WireClient(node.port, version=client.version) as other:
        other.execute(identifier, metadata, values=[number(5), b"x"])
    assert cells(client.query(f"SELECT v FROM {table} WHERE k = 5")) == [[b"x"]]


def test_an_unknown_prepared_statement_is_named(client):
    with pytest.raises(WireError) as refused:
        client.execute(b"0123456789abcdef")
    assert refused.value.code == 0x2500


def test_prepared_ids_survive_a_restart(make_node):
    own = make_node().start()
    with WireClient(own.port) as client:
        client.query("CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
        client.query(f"CREATE TABLE ks.t ({FIELDS})")
        identifier, _ = client.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)")
        select, _ = client.prepare("SELECT v FROM ks.t WHERE k = ?")
        client.execute(identifier, values=[number(1), b"before"])
    own.kill()
    own.start()
    with WireClient(own.port) as client:
        assert cells(client.execute(select, values=[number(1)])) == [[b"before"]]
        client.execute(identifier, values=[number(1), b"after"])
        assert cells(client.execute(select, values=[number(1)])) == [[b"after"]]


def test_events_tell_of_schema_changes(client, session, new_name):
    body = struct.pack(">H", 3) + b"".join(
        wire.string(name) for name in ("SCHEMA_CHANGE", "STATUS_CHANGE", "TOPOLOGY_CHANGE")
    )
    assert client.request(wire.REGISTER, body).opcode == wire.READY
    name = new_name()
    for text, change in {
        f"CREATE TABLE {name} (k int PRIMARY KEY)": "CREATED", f"ALTER TABLE {name} ADD v int": "UPDATED",
        f"DROP TABLE {name}": "DROPPED",
    }.items():
        session.execute(text)
        event = client.receive()
        assert (event.opcode, event.stream) == (wire.EVENT, -1)
        assert event.body == b"".join(
            wire.string(part) for part in ("SCHEMA_CHANGE", change, "TABLE", "tests", name)
        )


@pytest.mark.parametrize("version", [1, 2, 6, 65, 66, 127])
def test_other_versions_are_refused_in_words(node, version):
    # The header of versions 1 and 2 is a byte shorter, so the answer is looked at as it comes.
    with WireClient(node.port, options=False) as client:
        client.send_raw(wire.frame(version, wire.OPTIONS, b""))
        answer = client.socket.recv(4096)
    assert answer[0] & 0x80 and struct.pack(">i", 0x000A) in answer and b"version" in answer


def test_supported_options(node):
    with WireClient(node.port, options=False) as client:
        body = client.request(wire.OPTIONS, b"").body
        for word in (b"CQL_VERSION", b"COMPRESSION", b"lz4", b"PROTOCOL_VERSIONS", b"3/v3", b"4/v4", b"5/v5"):
            assert word in body


def test_a_query_before_startup_is_refused(node):
    with WireClient(node.port, options=False) as client:
        with pytest.raises(WireError) as refused:
            client.query("SELECT * FROM system.local")
        assert refused.value.code == 0x000A


def test_many_requests_on_one_connection_are_all_answered(client, table):
    for stream in range(500):
        body = wire.long_string(f"INSERT INTO {table} (k, v) VALUES ({stream}, 'x')") + wire.parameters(client.version)
        client.send(wire.QUERY, body, stream=stream)
    assert {client.receive().stream for _ in range(500)} == set(range(500))


def test_a_segment_with_a_wrong_checksum_ends_the_connection(node):
    with WireClient(node.port, version=5) as client:
        broken = bytearray(wire.segment(wire.frame(5, wire.OPTIONS, b"")))
        broken[-1] ^= 1
        client.send_raw(bytes(broken))
        with pytest.raises((ConnectionError, WireError)):
            client.receive()
            client.receive()
    with WireClient(node.port, version=5) as client:
        assert client.request(wire.OPTIONS, b"").opcode == wire.SUPPORTED


def test_a_large_request_in_several_segments(node, table):
    with WireClient(node.port, version=5) as client:
        text = "x" * 400_000
        body = wire.long_string(f"INSERT INTO {table} (k, v) VALUES (1, '{text}')") + wire.parameters(5)
        data = wire.frame(5, wire.QUERY, body)
        for start in range(0, len(data), 100_000):
            client.send_raw(wire.segment(data[start:start + 100_000], is_self_contained=False))
        assert result_kind(client.receive()) == 1
