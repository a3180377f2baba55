"""Changes of the ring with real processes: nodes come, go and are replaced while clients read and write."""

import collections
import contextlib
import random
import shutil
import subprocess
import threading
import time

import pytest
from cassandra import ConsistencyLevel as Level
from cassandra.query import SimpleStatement

from martlet_cluster import MartletCluster, nodetool
from martlet_node import binary

KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"


@pytest.fixture
def cluster(tmp_path):
    made = MartletCluster(tmp_path / "cluster").up("--nodes", 3)
    yield made
    made.destroy()


def fill(session, count, value=lambda number: f"value {number}"):
    session.execute(KEYSPACE)
    session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
    insert.consistency_level = Level.QUORUM
    window = collections.deque()
    for number in range(count):
        window.append(session.execute_async(insert, (number, value(number))))
        if len(window) > 100:
            window.popleft().result()
    for each in window:
        each.result()


def ids(session, level=Level.QUORUM):
    return {row.id for row in session.execute(SimpleStatement("SELECT id FROM k.t", consistency_level=level))}


class Load:
    """Clients that write rows at QUORUM, read each back, and remember what went wrong."""

    def __init__(self, session, workers=4):
        self.session = session
        self.insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        self.select = session.prepare("SELECT v FROM k.t WHERE id = ?")
        for statement in (self.insert, self.select):
            statement.consistency_level = Level.QUORUM
            statement.is_idempotent = True
        self.failures, self.written, self.ending = [], set(), threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(workers)]

    def run(self, worker):
        number = 0
        while not self.ending.is_set():
            number += 1
            key = (worker + 1) * 10_000_000 + number
            try:
                self.session.execute(self.insert, (key, f"value {key}"))
                self.written.add(key)
                row = self.session.execute(self.select, (key,)).one()
                if row is None or row.v != f"value {key}":
                    self.failures.append(f"{key} was read as {row}")
            except Exception as error:
                self.failures.append(repr(error))

    @contextlib.contextmanager
    def running(self):
        for thread in self.threads:
            thread.start()
        try:
            yield self
        finally:
            self.ending.set()
            for thread in self.threads:
                thread.join()


def test_three_nodes_grow_to_six_and_shrink_to_three_under_load(cluster):
    with cluster.session(timeout=30) as session:
        fill(session, 3000)
        with Load(session).running() as load:
            for number in (4, 5, 6):
                cluster.run("add")
                assert f"UN  127.0.0.{number}" in nodetool(cluster, "status")
                time.sleep(1)
            for number in (6, 5, 4):
                nodetool(cluster, "decommission", number=number)
                assert f"127.0.0.{number}" not in nodetool(cluster, "status")
                time.sleep(1)
        assert not load.failures, load.failures[:5]
        assert len(load.written) > 300
        assert ids(session) >= load.written | set(range(3000))
    # Each node holds everything by itself again: with three nodes and three replicas nothing is elsewhere.
    for number in (1, 2, 3):
        for other in {1, 2, 3} - {number}:
            cluster.run("stop", other)
        with cluster.session(number) as session:
            missing = (load.written | set(range(3000))) - ids(session, Level.ONE)
            assert len(missing) == 0, f"node {number} lacks {len(missing)} rows"
        for other in {1, 2, 3} - {number}:
            cluster.run("start", other)


def test_a_joined_node_holds_its_share_and_serves_it(cluster):
    with cluster.session() as session:
        fill(session, 2000)
        cluster.run("add")
        rows = set(range(2000))
        assert ids(session, Level.ALL) == rows
        owners = {row.address for row in cluster_hosts(session)}
        assert "127.0.0.4" in owners
    for number in (1, 2):
        cluster.run("kill", number)
    # Two of four are dead: every row has a replica among the two that live, and each such replica has its rows.
    with cluster.session(4, 3) as session:
        assert ids(session, Level.ONE) == rows


def cluster_hosts(session):
    session.cluster.refresh_nodes(force_token_rebuild=True)
    return session.cluster.metadata.all_hosts()


def test_a_node_whose_folder_is_deleted_is_replaced(cluster):
    with cluster.session(1) as session:
        fill(session, 2000)
        cluster.run("kill", 3)
        shutil.rmtree(cluster.folder / "node3" / "data")
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        insert.consistency_level = Level.QUORUM
        for number in range(2000, 2200):
            session.execute(insert, (number, "while it was dead"))
    cluster.run("start", 3, "--replace")
    text = nodetool(cluster, "status")
    assert text.count("UN  ") == 3 and "DN" not in text
    for number in (1, 2):
        cluster.run("stop", number)
    with cluster.session(3) as session:
        assert ids(session, Level.ONE) == set(range(2200))


def test_a_dead_node_is_removed_and_nothing_is_lost(cluster):
    with cluster.session(1) as session:
        session.execute("CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v text)")
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, 'v')")
        insert.consistency_level = Level.ALL
        for number in range(1000):
            session.execute(insert, (number,))
        cluster.run("kill", 3)
        dead = next(line for line in wait_for(cluster, "DN  127.0.0.3").splitlines() if "127.0.0.3" in line)
        identity = next(word for word in dead.split() if word.count("-") == 4)
        # With one of two replicas of its ranges gone, the one that is left is no majority: this has to be asked for.
        nodetool(cluster, "removenode", "--force", identity)
        assert "127.0.0.3" not in nodetool(cluster, "status")
        assert ids(session, Level.ALL) == set(range(1000))


def wait_for(cluster, words, seconds=20, command="status"):
    end = time.monotonic() + seconds
    while words not in (text := nodetool(cluster, command)):
        assert time.monotonic() < end, text
        time.sleep(0.1)
    return text


@pytest.fixture
def slow_cluster(tmp_path):
    """Streams take a few seconds here, so that something can happen in the middle."""
    made = MartletCluster(tmp_path / "cluster").up("--nodes", 3, "--set", "stream_throughput_outbound=200KiB/s")
    with made.session() as session:
        fill(session, 3000, lambda number: random.Random(number).randbytes(500).hex())
    yield made
    made.destroy()


@contextlib.contextmanager
def under_way(cluster, *command):
    """Runs a command of `martlet` beside what is done in the block, and waits for it."""
    process = subprocess.Popen(
        [binary(), *map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield
        process.communicate(timeout=90)
    finally:
        process.kill()
        process.communicate()


def whole(cluster, level=Level.ALL):
    with cluster.session(1) as session:
        return ids(session, level) == set(range(3000))


def test_a_join_goes_on_where_it_was_when_the_node_is_killed(slow_cluster):
    with under_way(slow_cluster, "cluster", "add", "--dir", slow_cluster.folder):
        wait_for(slow_cluster, "UJ  127.0.0.4")
        time.sleep(1)
        slow_cluster.run("kill", 4)
        wait_for(slow_cluster, "DJ  127.0.0.4")
    assert "join 127.0.0.4" in nodetool(slow_cluster, "ringchanges")
    assert whole(slow_cluster)
    slow_cluster.run("start", 4)
    assert wait_for(slow_cluster, "UN  127.0.0.4").count("UN  ") == 4
    assert whole(slow_cluster)


def test_a_join_is_taken_back_by_another_node(slow_cluster):
    with under_way(slow_cluster, "cluster", "add", "--dir", slow_cluster.folder):
        identity = next(
            word for line in wait_for(slow_cluster, "UJ  127.0.0.4").splitlines() if "127.0.0.4" in line
            for word in line.split() if word.count("-") == 4)
        time.sleep(1)
        slow_cluster.run("kill", 4)
        wait_for(slow_cluster, "DJ  127.0.0.4")
        nodetool(slow_cluster, "abortbootstrap", "--node", identity)
        text = nodetool(slow_cluster, "status")
        assert text.count("UN  ") == 3 and "127.0.0.4" not in text
    assert whole(slow_cluster)
    # It is told so when it comes back.
    slow_cluster.run("start", 4, check=False)
    assert "will not rejoin the ring" in (slow_cluster.folder / "node4/martlet.log").read_text()


def test_a_decommission_goes_on_when_the_node_is_killed(slow_cluster):
    slow_cluster.run("add")
    command = ["nodetool", "-h", "127.0.0.4", "-p", slow_cluster.admin_port(), "decommission"]
    with under_way(slow_cluster, *command):
        wait_for(slow_cluster, "UL  127.0.0.4")
        time.sleep(1)
        slow_cluster.run("kill", 4)
        wait_for(slow_cluster, "DL  127.0.0.4")
    assert whole(slow_cluster, Level.QUORUM)
    slow_cluster.run("start", 4, check=False)
    end = time.monotonic() + 60
    while "127.0.0.4" in nodetool(slow_cluster, "status"):
        assert time.monotonic() < end
        time.sleep(0.2)
    assert whole(slow_cluster)


def test_a_decommission_is_taken_back(slow_cluster):
    slow_cluster.run("add")
    command = ["nodetool", "-h", "127.0.0.4", "-p", slow_cluster.admin_port(), "decommission"]
    with under_way(slow_cluster, *command):
        wait_for(slow_cluster, "UL  127.0.0.4")
        time.sleep(1)
        nodetool(slow_cluster, "abortdecommission", number=4)
        assert wait_for(slow_cluster, "UN  127.0.0.4").count("UN  ") == 4
    assert whole(slow_cluster)

