"""Values of every type, through the Python driver."""

import uuid

import pytest

import connections
from values import COMPOSITES, EMPTY_IS_A_VALUE, SCALARS, literal, plain

TYPES = {**SCALARS, **COMPOSITES}


@pytest.fixture(scope="module", params=[3, 4, 5])
def versioned(request, node, session):
    with connections.connected(node, connections.KEYSPACE, version=request.param) as each:
        each.version = request.param
        yield each


def create(session, new_name, kind):
    name = new_name("v")
    session.execute(f"CREATE TABLE {name} (k int PRIMARY KEY, v {kind})")
    return name


@pytest.mark.parametrize("kind", TYPES)
def test_prepared_values_come_back(versioned, new_name, kind):
    name = create(versioned, new_name, kind)
    insert = versioned.prepare(f"INSERT INTO {name} (k, v) VALUES (?, ?)")
    select = versioned.prepare(f"SELECT v FROM {name} WHERE k = ?")
    for key, expected in enumerate([*TYPES[kind], None]):
        versioned.execute(insert, (key, expected))
        assert plain(versioned.execute(select, (key,)).one().v) == plain(expected)


@pytest.mark.parametrize("kind", TYPES)
def test_literals_come_back(session, new_name, kind):
    name = create(session, new_name, kind)
    for key, expected in enumerate([*TYPES[kind], None]):
        text = literal(expected)
        if len(text) > 20_000 or "\x00" in text:
            continue
        session.execute(f"INSERT INTO {name} (k, v) VALUES ({key}, {text})")
        assert plain(session.execute(f"SELECT v FROM {name} WHERE k = {key}").one().v) == plain(expected)


@pytest.mark.parametrize("kind", [kind for kind in SCALARS if kind != "duration"])
def test_values_as_keys_come_back_in_order(session, new_name, kind):
    name = new_name("v")
    session.execute(f"CREATE TABLE {name} (k {kind}, c {kind}, n int, PRIMARY KEY (k, c))")
    insert = session.prepare(f"INSERT INTO {name} (k, c, n) VALUES (?, ?, ?)")
    select = session.prepare(f"SELECT c, n FROM {name} WHERE k = ?")
    written = [value for value in SCALARS[kind] if value not in ("", b"") and len(str(value)) < 20_000]
    for number, value in enumerate(written):
        session.execute(insert, (written[0], value, number))
    rows = list(session.execute(select, (written[0],)))
    assert {row.n: plain(row.c) for row in rows} == {number: plain(value) for number, value in enumerate(written)}
    reverse = session.execute(f"SELECT n FROM {name} WHERE k = %s ORDER BY c DESC" % literal(written[0]))
    assert [row.n for row in reverse] == [row.n for row in rows][::-1]
    if kind in ("tinyint", "smallint", "int", "bigint", "varint", "decimal", "double", "float", "boolean"):
        assert [row.c for row in rows] == sorted(row.c for row in rows)


@pytest.mark.parametrize("kind", sorted(set(SCALARS) - EMPTY_IS_A_VALUE - {"varchar", "duration", "boolean"}))
def test_zero_bytes_are_refused_or_kept_but_never_crash(session, new_table, kind):
    name = new_table(f"k int PRIMARY KEY, v {kind}")
    try:
        session.execute(f"INSERT INTO {name} (k, v) VALUES (1, blob_as_{kind}(0x))")
    except Exception as error:
        assert "code=2200" in str(error)
        return
    session.execute(f"SELECT v FROM {name} WHERE k = 1").one()


def test_user_types_come_back(session, new_name):
    inner, outer, table = new_name("u"), new_name("u"), new_name()
    session.execute(f"CREATE TYPE {inner} (street text, number int)")
    session.execute(f"CREATE TYPE {outer} (name text, homes frozen<list<frozen<{inner}>>>, note blob)")
    session.execute(f"CREATE TABLE {table} (k int PRIMARY KEY, loose {inner}, fixed frozen<{outer}>)")
    session.execute(
        f"INSERT INTO {table} (k, loose, fixed) VALUES (1, {{street: 'a', number: 7}}, "
        "{name: 'x', homes: [{street: 'b', number: 1}, {street: 'c'}]})"
    )
    row = session.execute(f"SELECT * FROM {table}").one()
    assert (row.loose.street, row.loose.number) == ("a", 7)
    assert (row.fixed.name, row.fixed.note) == ("x", None)
    assert [(home.street, home.number) for home in row.fixed.homes] == [("b", 1), ("c", None)]
    session.execute(f"UPDATE {table} SET loose.number = 8 WHERE k = 1")
    insert = session.prepare(f"INSERT INTO {table} (k, fixed) VALUES (?, ?)")
    session.execute(insert, (1, row.fixed))
    again = session.execute(f"SELECT loose.street, loose.number, fixed FROM {table} WHERE k = 1").one()
    assert (again[0], again[1], again.fixed) == ("a", 8, row.fixed)


def test_collections_change_in_place(session, new_table):
    name = new_table("k int PRIMARY KEY, l list<int>, s set<int>, m map<text, int>")
    for change in (
        "l = [1, 2]", "l = l + [3]", "l = [0] + l", "l[1] = 9", "s = s + {1, 2, 3}", "s = s - {2}",
        "m = m + {'a': 1, 'b': 2}", "m['c'] = 3", "m = m - {'a'}",
    ):
        session.execute(f"UPDATE {name} SET {change} WHERE k = 1")
    session.execute(f"DELETE l[2], m['b'] FROM {name} WHERE k = 1")
    row = session.execute(f"SELECT l, s, m FROM {name} WHERE k = 1").one()
    assert (list(row.l), set(row.s), dict(row.m)) == ([0, 9, 3], {1, 3}, {"c": 3})
    session.execute(f"UPDATE {name} SET l = [], s = {{}}, m = {{}} WHERE k = 1")
    assert session.execute(f"SELECT * FROM {name} WHERE k = 1").one() is None


def test_a_null_inside_a_collection_is_refused(session, new_table):
    name = new_table("k int PRIMARY KEY, l list<int>")
    with pytest.raises(Exception, match="null is not supported inside collections"):
        session.execute(f"INSERT INTO {name} (k, l) VALUES (1, [1, null])")


def test_identifiers_made_by_the_node_differ(session, new_table):
    name = new_table("k uuid PRIMARY KEY, t timeuuid")
    for _ in range(20):
        session.execute(f"INSERT INTO {name} (k, t) VALUES (uuid(), now())")
    rows = list(session.execute(f"SELECT k, t FROM {name}"))
    assert len({row.k for row in rows}) == len({row.t for row in rows}) == 20
    assert {row.t.version for row in rows} == {1}
    assert all(isinstance(row.k, uuid.UUID) for row in rows)
