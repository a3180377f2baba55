"""Repair with real processes, as an operator runs it."""

import collections
import json
import time

import pytest
from cassandra import ConsistencyLevel as Level
from cassandra.query import SimpleStatement

from martlet_cluster import MartletCluster, nodetool

ROWS = 20_000


@pytest.fixture
def cluster(tmp_path):
    made = MartletCluster(tmp_path / "cluster").up("--nodes", 3)
    yield made
    made.destroy()


def repair(cluster, *arguments, number=1, status=0):
    return json.loads(nodetool(cluster, "repair", "--format", "json", *arguments, number=number, status=status))


def write(session, statement, values):
    window = collections.deque()
    for each in values:
        window.append(session.execute_async(statement, each))
        if len(window) > 200:
            window.popleft().result()
    for each in window:
        each.result()


def make(session):
    session.execute(
        "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3}")
    session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
    insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
    insert.consistency_level = Level.ALL
    write(session, insert, ((number, number) for number in range(ROWS)))
    return insert


def alone(cluster, number):
    """What one node has, asked of it alone."""
    for other in {1, 2, 3} - {number}:
        cluster.run("stop", other)
    with cluster.session(number, timeout=60) as session:
        rows = session.execute(SimpleStatement("SELECT id, v FROM k.t", consistency_level=Level.ONE))
        found = {row.id: row.v for row in rows}
    for other in {1, 2, 3} - {number}:
        cluster.run("start", other)
    return found


def test_only_what_a_node_missed_is_streamed(cluster):
    with cluster.session(1, timeout=30) as session:
        insert = make(session)
        for number in (1, 2, 3):
            nodetool(cluster, "disablehandoff", number=number)
            # It would bring what was missed by itself, and some of it before the repair counts.
            nodetool(cluster, "repair", "--off", number=number)
        cluster.run("stop", 3)
        insert.consistency_level = Level.QUORUM
        write(session, insert, ((number, -number) for number in range(0, 20_000, 100)))
        delete = session.prepare("DELETE FROM k.t WHERE id = ?")
        delete.consistency_level = Level.QUORUM
        write(session, delete, ((number,) for number in range(50, 10_050, 100)))
        cluster.run("start", 3)
        nodetool(cluster, "repair", "--off", number=3)
        summary = repair(cluster, "k")
        assert summary["rows_streamed"] <= 3000 and summary["differences"] >= 300, summary
        again = repair(cluster, "k")
        assert again["rows_streamed"] == 0 and again["differences"] == 0, again
    expected = {number: number for number in range(ROWS)}
    expected.update({number: -number for number in range(0, 20_000, 100)})
    for number in range(50, 10_050, 100):
        del expected[number]
    assert alone(cluster, 3) == expected


def test_equal_replicas_stream_nothing_and_read_no_data(cluster):
    with cluster.session(1, timeout=30) as session:
        make(session)
    first = repair(cluster, "k", "t")
    assert first["rows_streamed"] == 0 and first["differences"] == 0
    second = repair(cluster, "k", "t")
    assert second["rows_streamed"] == 0 and second["bytes_read"] == 0, second
    fresh = repair(cluster, "--full", "k", "t")
    assert fresh["rows_streamed"] == 0 and fresh["rows_compared"] >= ROWS, fresh


def test_a_repair_says_what_it_cannot_do(cluster):
    with cluster.session(1, timeout=30) as session:
        session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
    nodetool(cluster, "repair", "nothing", status=1)
    cluster.run("kill", 3)
    nodetool(cluster, "repair", "k", status=2)
    end = time.monotonic() + 20
    while "DN  127.0.0.3" not in nodetool(cluster, "status"):
        assert time.monotonic() < end
        time.sleep(0.1)
    nodetool(cluster, "repair", "--force", "k")
