"""Reading and writing, through the Python driver on v5."""

import time

import pytest
from cassandra import ConsistencyLevel, InvalidRequest
from cassandra.cluster import EXEC_PROFILE_DEFAULT
from cassandra.query import BatchStatement, BatchType, SimpleStatement, dict_factory, tuple_factory

WIDE = "p int, c int, v text, PRIMARY KEY (p, c)"


def fill(session, name, partitions, rows):
    insert = session.prepare(f"INSERT INTO {name} (p, c, v) VALUES (?, ?, ?)")
    futures = [
        session.execute_async(insert, (p, c, f"v{p}.{c}")) for p in range(partitions) for c in range(rows)
    ]
    for future in futures:
        future.result()


def column(session, text, parameters=None):
    return [row[0] for row in session.execute(text, parameters)]


@pytest.fixture
def wide(session, new_table):
    name = new_table(WIDE)
    fill(session, name, 3, 10)
    return name


def test_pages_hold_every_row_once(session, new_table):
    name = new_table(WIDE)
    fill(session, name, 7, 30)
    for size in (1, 7, 30, 31, 209, 210, 211, 5000):
        rows = list(session.execute(SimpleStatement(f"SELECT p, c FROM {name}", fetch_size=size)))
        assert sorted((row.p, row.c) for row in rows) == [(p, c) for p in range(7) for c in range(30)]
    one = session.execute(SimpleStatement(f"SELECT c FROM {name} WHERE p = 3 ORDER BY c DESC", fetch_size=4))
    assert [row.c for row in one] == list(range(30))[::-1]


def test_a_page_is_not_larger_than_asked(session, wide):
    result = session.execute(SimpleStatement(f"SELECT * FROM {wide}", fetch_size=7))
    assert result.has_more_pages and len(result.current_rows) <= 7 and result.paging_state
    rest = session.execute(SimpleStatement(f"SELECT * FROM {wide}", fetch_size=100), paging_state=result.paging_state)
    assert len(result.current_rows) + len(list(rest)) == 30


def test_clustering_ranges_orders_and_limits(session, wide):
    for condition, expected in {
        "c = 3": [3], "c > 7": [8, 9], "c >= 7": [7, 8, 9], "c < 2": [0, 1], "c > 2 AND c <= 4": [3, 4],
        "c IN (9, 1, 1)": [1, 9], "c > 5 LIMIT 2": [6, 7], "c < 0": [], "c > 2 AND c < 6 ORDER BY c DESC": [5, 4, 3],
        "c IN (1, 2) ORDER BY c DESC": [2, 1],
    }.items():
        assert column(session, f"SELECT c FROM {wide} WHERE p = 1 AND {condition}") == expected, condition


def test_partitions_by_in_token_and_limit(session, wide):
    assert sorted(column(session, f"SELECT p FROM {wide} WHERE p IN (0, 2, 7) PER PARTITION LIMIT 2")) == [0, 0, 2, 2]
    assert column(session, f"SELECT count(*) FROM {wide}") == [30]
    assert len(column(session, f"SELECT c FROM {wide} PER PARTITION LIMIT 3 LIMIT 8")) == 8
    assert sorted(column(session, f"SELECT DISTINCT p FROM {wide}")) == [0, 1, 2]
    tokens = {row[0]: row[1] for row in session.execute(f"SELECT DISTINCT p, token(p) FROM {wide}")}
    middle = sorted(tokens.values())[1]
    above = column(session, f"SELECT p FROM {wide} WHERE token(p) > %s PER PARTITION LIMIT 1", (middle,))
    below = column(session, f"SELECT p FROM {wide} WHERE token(p) <= %s PER PARTITION LIMIT 1", (middle,))
    assert (len(below), len(above)) == (2, 1) and set(above) | set(below) == {0, 1, 2}
    for p, token in tokens.items():
        assert session.cluster.metadata.token_map.token_class.from_key(p.to_bytes(4, "big")).value == token


def test_filtering_has_to_be_allowed(session, wide):
    with pytest.raises(InvalidRequest, match="ALLOW FILTERING"):
        session.execute(f"SELECT * FROM {wide} WHERE v = 'v1.1'")
    assert column(session, f"SELECT c FROM {wide} WHERE v = 'v1.1' ALLOW FILTERING") == [1]
    assert sorted(column(session, f"SELECT p FROM {wide} WHERE c = 4 ALLOW FILTERING")) == [0, 1, 2]


def test_groups_and_aggregates(session, wide):
    rows = list(session.execute(f"SELECT p, count(*), min(c), max(c), sum(c), avg(c) FROM {wide} GROUP BY p"))
    assert sorted(tuple(row) for row in rows) == [(p, 10, 0, 9, 45, 4) for p in range(3)]
    assert session.execute(f"SELECT count(*), max(c), sum(c) FROM {wide} WHERE p = 99").one()[:] == (0, None, 0)


def test_distinct_partitions_can_be_counted(session, wide):
    assert column(session, f"SELECT DISTINCT COUNT(p) FROM {wide}") == [3]
    assert column(session, f"SELECT DISTINCT COUNT(p) FROM {wide} WHERE p IN (1, 2, 9)") == [2]
    counted = session.execute(f"SELECT DISTINCT p, COUNT(*) AS n FROM {wide} GROUP BY p")
    assert sorted((row.p, row.n) for row in counted) == [(0, 1), (1, 1), (2, 1)]
    assert column(session, f"SELECT DISTINCT MAX(p) FROM {wide} LIMIT 1") == [2]


def test_deletes_of_every_size(session, wide):
    session.execute(f"DELETE v FROM {wide} WHERE p = 0 AND c = 0")
    session.execute(f"DELETE FROM {wide} WHERE p = 0 AND c = 1")
    session.execute(f"DELETE FROM {wide} WHERE p = 0 AND c > 2 AND c <= 5")
    session.execute(f"DELETE FROM {wide} WHERE p = 0 AND c >= 8")
    session.execute(f"DELETE FROM {wide} WHERE p = 1")
    assert column(session, f"SELECT c FROM {wide} WHERE p = 0") == [0, 2, 6, 7]
    assert session.execute(f"SELECT v FROM {wide} WHERE p = 0 AND c = 0").one().v is None
    assert column(session, f"SELECT c FROM {wide} WHERE p = 1") == []
    session.execute(f"INSERT INTO {wide} (p, c, v) VALUES (0, 4, 'again')")
    assert column(session, f"SELECT c FROM {wide} WHERE p = 0 ORDER BY c DESC") == [7, 6, 4, 2, 0]
    session.execute(f"TRUNCATE {wide}")
    assert column(session, f"SELECT c FROM {wide}") == []


def test_static_columns_belong_to_the_partition(session, new_table):
    name = new_table("p int, c int, s text STATIC, v int, PRIMARY KEY (p, c)")
    session.execute(f"INSERT INTO {name} (p, s) VALUES (1, 'alone')")
    assert [row[:] for row in session.execute(f"SELECT p, c, s FROM {name}")] == [(1, None, "alone")]
    session.execute(f"INSERT INTO {name} (p, c, s, v) VALUES (1, 1, 'shared', 10)")
    session.execute(f"INSERT INTO {name} (p, c, v) VALUES (1, 2, 20)")
    assert [row[:] for row in session.execute(f"SELECT c, s, v FROM {name} WHERE p = 1")] == [
        (1, "shared", 10), (2, "shared", 20),
    ]
    session.execute(f"DELETE s FROM {name} WHERE p = 1")
    assert column(session, f"SELECT s FROM {name} WHERE p = 1") == [None, None]


def test_an_update_makes_no_row_marker(session, new_table):
    name = new_table("k int PRIMARY KEY, v int")
    session.execute(f"UPDATE {name} SET v = 1 WHERE k = 1")
    session.execute(f"INSERT INTO {name} (k, v) VALUES (2, 1)")
    session.execute(f"UPDATE {name} SET v = null WHERE k IN (1, 2)")
    assert column(session, f"SELECT k FROM {name}") == [2]


def test_time_to_live_and_timestamps(session, new_table):
    name = new_table("k int PRIMARY KEY, v text, w text")
    session.execute(f"INSERT INTO {name} (k, v) VALUES (1, 'short') USING TTL 2 AND TIMESTAMP 1000")
    session.execute(f"INSERT INTO {name} (k, v, w) VALUES (2, 'a', 'b') USING TTL 1000")
    session.execute(f"UPDATE {name} USING TIMESTAMP 7 SET w = 'old' WHERE k = 1")
    row = session.execute(f"SELECT ttl(v), writetime(v), ttl(w), writetime(w) FROM {name} WHERE k = 1").one()
    assert row[0] in (1, 2) and row[1:] == (1000, None, 7)
    assert 900 < session.execute(f"SELECT ttl(w) FROM {name} WHERE k = 2").one()[0] <= 1000
    session.execute(f"INSERT INTO {name} (k, v) VALUES (1, 'older') USING TIMESTAMP 999")
    assert session.execute(f"SELECT v FROM {name} WHERE k = 1").one().v == "short"
    deadline = time.monotonic() + 10
    while session.execute(f"SELECT v FROM {name} WHERE k = 1").one().v is not None:
        assert time.monotonic() < deadline, "the value outlives its time to live"
        time.sleep(0.1)
    assert session.execute(f"SELECT v, w FROM {name} WHERE k = 1").one()[:] == (None, "old")


def test_the_default_time_to_live_of_a_table(session, new_table):
    name = new_table("k int PRIMARY KEY, v text", "WITH default_time_to_live = 600")
    session.execute(f"INSERT INTO {name} (k, v) VALUES (1, 'a')")
    assert 500 < session.execute(f"SELECT ttl(v) FROM {name}").one()[0] <= 600


@pytest.mark.parametrize("kind", [BatchType.LOGGED, BatchType.UNLOGGED])
def test_batches_write_all_their_statements(session, new_table, kind):
    name = new_table(WIDE)
    insert = session.prepare(f"INSERT INTO {name} (p, c, v) VALUES (?, ?, ?)")
    batch = BatchStatement(batch_type=kind)
    for number in range(50):
        batch.add(insert, (number % 5, number, "x"))
    batch.add(f"UPDATE {name} SET v = 'y' WHERE p = 0 AND c = 0")
    batch.add(SimpleStatement(f"DELETE FROM {name} WHERE p = 1 AND c = %s"), (1,))
    session.execute(batch)
    rows = {(row.p, row.c): row.v for row in session.execute(f"SELECT * FROM {name}")}
    assert rows == {(n % 5, n): "y" if n == 0 else "x" for n in range(50) if n != 1}
    session.execute(
        f"BEGIN UNLOGGED BATCH USING TIMESTAMP 1 INSERT INTO {name} (p, c, v) VALUES (0, 0, 'lost'); "
        f"INSERT INTO {name} (p, c, v) VALUES (9, 9, 'kept'); APPLY BATCH"
    )
    assert column(session, f"SELECT v FROM {name} WHERE p IN (0, 9) AND c IN (0, 9)") in (["y", "kept"], ["kept", "y"])


def test_counters_count(session, new_table):
    name = new_table("k int, c text, n counter, PRIMARY KEY (k, c)")
    add = session.prepare(f"UPDATE {name} SET n = n + ? WHERE k = 1 AND c = ?")
    for future in [session.execute_async(add, (delta, "a")) for delta in range(1, 101)]:
        future.result()
    session.execute(f"UPDATE {name} SET n = n - 50 WHERE k = 1 AND c = 'a'")
    batch = BatchStatement(batch_type=BatchType.COUNTER)
    for letter in "bcb":
        batch.add(add, (2, letter))
    session.execute(batch)
    assert {row.c: row.n for row in session.execute(f"SELECT * FROM {name}")} == {"a": 5000, "b": 4, "c": 2}
    with pytest.raises(InvalidRequest):
        session.execute(f"INSERT INTO {name} (k, c, n) VALUES (1, 'a', 1)")
    session.execute(f"DELETE FROM {name} WHERE k = 1 AND c = 'b'")
    assert sorted(column(session, f"SELECT c FROM {name}")) == ["a", "c"]


def test_lightweight_transactions(session, new_table):
    name = new_table("k int PRIMARY KEY, v int, w text")

    def ask(text):
        session_row = session.execute(text).one()
        return session_row[:]

    assert ask(f"INSERT INTO {name} (k, v, w) VALUES (1, 1, 'a') IF NOT EXISTS") == (True,)
    assert ask(f"INSERT INTO {name} (k, v, w) VALUES (1, 2, 'b') IF NOT EXISTS") == (False, 1, 1, "a")
    assert ask(f"UPDATE {name} SET v = 3 WHERE k = 1 IF v = 2")[0] is False
    assert ask(f"UPDATE {name} SET v = 3 WHERE k = 1 IF v = 1 AND w IN ('a', 'z')") == (True,)
    assert ask(f"UPDATE {name} SET v = 4 WHERE k = 2 IF EXISTS") == (False,)
    assert ask(f"DELETE FROM {name} WHERE k = 1 IF v > 5")[0] is False
    serial = SimpleStatement(f"SELECT v FROM {name} WHERE k = 1", consistency_level=ConsistencyLevel.SERIAL)
    assert session.execute(serial).one().v == 3
    assert ask(f"DELETE FROM {name} WHERE k = 1 IF EXISTS") == (True,)
    assert session.execute(serial).one() is None


def test_only_one_of_many_transactions_wins(session, new_table):
    name = new_table("k int PRIMARY KEY, v int")
    insert = session.prepare(f"INSERT INTO {name} (k, v) VALUES (?, ?) IF NOT EXISTS")
    answers = [session.execute_async(insert, (1, number)) for number in range(50)]
    applied = [number for number, answer in enumerate(answers) if answer.result().one()[0]]
    assert len(applied) == 1
    assert session.execute(f"SELECT v FROM {name} WHERE k = 1").one().v == applied[0]


def test_a_conditional_batch_is_all_or_nothing(session, new_table):
    name = new_table(WIDE)
    session.execute(f"INSERT INTO {name} (p, c, v) VALUES (1, 1, 'a')")
    batch = (
        f"BEGIN BATCH UPDATE {name} SET v = 'b' WHERE p = 1 AND c = 1 IF v = '%s'; "
        f"INSERT INTO {name} (p, c, v) VALUES (1, 2, 'new'); APPLY BATCH"
    )
    assert session.execute(batch % "wrong").one()[0] is False
    assert column(session, f"SELECT v FROM {name} WHERE p = 1") == ["a"]
    assert session.execute(batch % "a").one()[0] is True
    assert column(session, f"SELECT v FROM {name} WHERE p = 1") == ["b", "new"]


def test_json_in_and_out(session, new_table):
    name = new_table("k int PRIMARY KEY, v text, l list<int>")
    session.execute(f"INSERT INTO {name} JSON %s", ('{"k": 1, "v": "a\\u00e9", "l": [1, 2]}',))
    assert session.execute(f"SELECT JSON * FROM {name}").one()[0] == '{"k": 1, "l": [1, 2], "v": "aé"}'


def test_functions_and_names_of_columns(session, new_table):
    name = new_table("k int PRIMARY KEY, v text, m map<text, int>")
    session.execute(f"INSERT INTO {name} (k, v, m) VALUES (1, 'a', {{'x': 5}})")
    row = session.execute(f"SELECT count(*), max(k) AS top FROM {name} WHERE k = 1").one()
    assert row[:] == (1, 1) and row._fields == ("count", "top")
    row = session.execute(f"SELECT k AS key, k + 1 AS more, m['x'] AS x, text_as_blob(v) AS b FROM {name}").one()
    assert (row.key, row.more, row.x, row.b) == (1, 2, 5, b"a")


def test_rows_in_other_shapes(session, wide):
    for factory, expected in ((dict_factory, {"p": 1, "c": 1}), (tuple_factory, (1, 1))):
        profile = session.execution_profile_clone_update(EXEC_PROFILE_DEFAULT, row_factory=factory)
        row = session.execute(f"SELECT p, c FROM {wide} WHERE p = 1 AND c = 1", execution_profile=profile).one()
        assert row == expected


def test_a_large_value_and_many_columns(session, new_table):
    name = new_table("k int PRIMARY KEY, v blob")
    large = bytes(range(256)) * 20_000
    insert = session.prepare(f"INSERT INTO {name} (k, v) VALUES (?, ?)")
    session.execute(insert, (1, large))
    assert session.execute(f"SELECT v FROM {name} WHERE k = 1").one().v == large
    many = new_table("k int PRIMARY KEY, " + ", ".join(f"c{number} int" for number in range(300)))
    names = ", ".join(f"c{number}" for number in range(300))
    session.execute(
        session.prepare(f"INSERT INTO {many} (k, {names}) VALUES (?{', ?' * 300})"), [1, *range(300)]
    )
    assert session.execute(f"SELECT {names} FROM {many} WHERE k = 1").one()[:] == tuple(range(300))
