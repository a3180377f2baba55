"""Clusters of real processes: what the levels promise while nodes die, come back, stand still and restart."""

import collections
import concurrent.futures
import signal
import threading
import time

import pytest
from cassandra import ConsistencyLevel as Level
from cassandra import InvalidRequest, Unavailable
from cassandra.policies import FallthroughRetryPolicy
from cassandra.query import QueryTrace, SimpleStatement

from martlet_cluster import MartletCluster

KEYSPACE = "CREATE KEYSPACE k WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}"
NAMES = {
    "ONE": (1, 1), "TWO": (2, 2), "THREE": (3, 3), "QUORUM": (2, 2), "ALL": (3, 3), "LOCAL_QUORUM": (2, 2),
    "LOCAL_ONE": (1, 1), "EACH_QUORUM": (2, 2),
}


@pytest.fixture
def make_cluster(tmp_path):
    """Starts clusters that belong to one test."""
    clusters = []

    def make(*arguments):
        clusters.append(MartletCluster(tmp_path / f"cluster{len(clusters)}"))
        return clusters[-1].up(*(arguments or ("--nodes", 3)))

    yield make
    for each in clusters:
        each.destroy()


@pytest.fixture
def cluster(make_cluster):
    return make_cluster()


def until(condition, seconds=30):
    """Waits for a condition that takes an unknown time to come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it has not come true"
        time.sleep(0.05)


def wait_until_down(session, count):
    """Waits until the coordinator sees no more than so many nodes up."""

    def is_seen():
        try:
            session.execute(SimpleStatement("SELECT v FROM k.t WHERE id = 0", consistency_level=Level.ALL))
        except Unavailable as error:
            return error.alive_replicas == count
        except Exception:  # the node that has just died is still believed to be up
            return False
        return False

    until(is_seen)


@pytest.mark.parametrize("dead", [0, 1, 2])
def test_every_level_answers_as_its_arithmetic_says(cluster, dead):
    with cluster.session(1, retry_policy=FallthroughRetryPolicy()) as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        for number in range(dead):
            cluster.run("kill", 3 - number)
        alive = 3 - dead
        if dead:
            wait_until_down(session, alive)
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        select = session.prepare("SELECT v FROM k.t WHERE id = ?")
        scan = session.prepare("SELECT id, v FROM k.t")
        for name, (needed, _) in NAMES.items():
            statements = [(insert, (7, needed)), (select, (7,)), (scan, ())]
            for statement, values in statements:
                statement.consistency_level = getattr(Level, name)
                if needed <= alive:
                    session.execute(statement, values)
                else:
                    with pytest.raises(Unavailable) as failure:
                        session.execute(statement, values)
                    assert (failure.value.required_replicas, failure.value.alive_replicas) == (needed, alive), name
        insert.consistency_level = Level.ANY
        session.execute(insert, (8, 1))
        with pytest.raises(InvalidRequest):
            select.consistency_level = Level.ANY
            session.execute(select, (8,))
        conditional = SimpleStatement(
            "INSERT INTO k.t (id, v) VALUES (9, 9) IF NOT EXISTS", consistency_level=Level.ONE,
            serial_consistency_level=Level.SERIAL)
        if alive >= 2:
            assert session.execute(conditional).one().applied
            assert not session.execute(conditional).one().applied
            serial = SimpleStatement("SELECT v FROM k.t WHERE id = 9", consistency_level=Level.SERIAL)
            assert session.execute(serial).one().v == 9
        else:
            with pytest.raises(Unavailable):
                session.execute(conditional)


def test_hints_bring_a_dead_node_up_to_date(cluster):
    with cluster.session(1) as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        cluster.run("kill", 3)
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        insert.consistency_level = Level.QUORUM
        for number in range(500):
            session.execute(insert, (number, number))
    cluster.run("start", 3)
    with cluster.session(3) as session:
        count = SimpleStatement("SELECT id FROM k.t", consistency_level=Level.NODE_LOCAL if hasattr(Level, "NODE_LOCAL") else Level.ONE)
        until(lambda: len(list(session.execute(count))) == 500)


def test_a_table_that_two_nodes_make_at_once_is_one(cluster):
    with cluster.session(1) as first, cluster.session(2) as second:
        first.execute(KEYSPACE)
        for number in range(5):
            statement = f"CREATE TABLE IF NOT EXISTS k.t{number} (id int PRIMARY KEY, v int)"
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for done in [pool.submit(first.execute, statement), pool.submit(second.execute, statement)]:
                    done.result()
        select = "SELECT table_name, id FROM system_schema.tables WHERE keyspace_name = 'k'"
        assert set(first.execute(select)) == set(second.execute(select))
        assert len(list(first.execute(select))) == 5


def test_the_driver_knows_who_has_what(cluster):
    with cluster.session() as session:
        session.execute(
            "CREATE KEYSPACE one WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 1}")
        session.execute("CREATE TABLE one.t (id int PRIMARY KEY, v int)")
        metadata = session.cluster.metadata
        assert len(metadata.all_hosts()) == 3
        insert = session.prepare("INSERT INTO one.t (id, v) VALUES (?, ?)")
        for number in range(300):
            session.execute(insert, (number, number))
        held = collections.defaultdict(set)
        for number in range(300):
            (replica,) = metadata.get_replicas("one", insert.bind((number, 0)).routing_key)
            held[replica.address].add(number)
        assert all(len(numbers) > 20 for numbers in held.values()) and len(held) == 3
        numbers = [row.id for row in session.execute("SELECT id FROM one.t")]
        assert sorted(numbers) == list(range(300))


def test_a_result_goes_on_at_another_coordinator(cluster):
    with cluster.session(1) as first, cluster.session(2) as second:
        first.execute(KEYSPACE)
        first.execute("CREATE TABLE k.r (p int, c int, v text, PRIMARY KEY (p, c))")
        insert = first.prepare("INSERT INTO k.r (p, c, v) VALUES (?, ?, ?)")
        for partition in range(4):
            for row in range(100):
                first.execute(insert, (partition, row, "v" * 20))
        found, state, sessions = [], None, [first, second]
        while True:
            statement = SimpleStatement("SELECT p, c FROM k.r", fetch_size=37, consistency_level=Level.QUORUM)
            page = sessions[0].execute(statement, paging_state=state)
            found += page.current_rows
            state = page.paging_state
            sessions.reverse()
            if not state:
                break
        assert len(found) == 400 and len(set(found)) == 400


def test_a_node_that_stands_still_is_gone_around(cluster):
    with cluster.session(1) as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        select = session.prepare("SELECT v FROM k.t WHERE id = ?")
        for statement in (insert, select):
            statement.consistency_level = Level.QUORUM
        for number in range(300):
            session.execute(insert, (number, number))
            session.execute(select, (number,))
        cluster.signal(2, signal.SIGSTOP)
        try:
            for number in range(300):
                session.execute(insert, (number, number + 1))
                assert session.execute(select, (number,)).one().v == number + 1
        finally:
            cluster.signal(2, signal.SIGCONT)


def test_one_datacenter_goes_on_without_the_other(make_cluster):
    cluster = make_cluster("--dc", "dc1:3,dc2:3")
    with cluster.session(1, retry_policy=FallthroughRetryPolicy()) as session:
        session.execute(
            "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3, 'dc2': 3}")
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        select = session.prepare("SELECT v FROM k.t WHERE id = ?")
        insert.consistency_level = Level.EACH_QUORUM
        session.execute(insert, (1, 1))
        for number in (4, 5, 6):
            cluster.run("kill", number)
        insert.consistency_level = select.consistency_level = Level.LOCAL_QUORUM
        for number in range(200):
            session.execute(insert, (number, number))
            assert session.execute(select, (number,)).one().v == number
        insert.consistency_level = Level.EACH_QUORUM

        def is_refused():
            try:
                session.execute(insert, (1, 2))
            except Unavailable as error:
                return (error.required_replicas, error.alive_replicas) == (2, 0)
            except Exception:
                return False
            return False

        until(is_refused)
    for number in (4, 5, 6):
        cluster.run("start", number)
    with cluster.session(4) as session:
        count = SimpleStatement("SELECT id FROM k.t", consistency_level=Level.LOCAL_QUORUM)
        until(lambda: len(list(session.execute(count))) == 200)


def test_a_rolling_restart_under_load_loses_no_request(cluster):
    with cluster.session(timeout=30) as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        select = session.prepare("SELECT v FROM k.t WHERE id = ?")
        for statement in (insert, select):
            statement.consistency_level = Level.QUORUM
            statement.is_idempotent = True
        ending = threading.Event()
        failures, counts = [], collections.Counter()

        def load(worker):
            number = 0
            while not ending.is_set():
                number += 1
                key = worker * 1_000_000 + number
                try:
                    session.execute(insert, (key, number))
                    assert session.execute(select, (key,)).one().v == number
                    counts["done"] += 1
                except Exception as error:
                    failures.append(repr(error))

        workers = [threading.Thread(target=load, args=(number,)) for number in range(4)]
        for worker in workers:
            worker.start()
        try:
            for number in (1, 2, 3):
                cluster.run("stop", number)
                cluster.run("start", number)
                time.sleep(1)
        finally:
            ending.set()
            for worker in workers:
                worker.join()
        assert not failures, failures[:5]
        assert counts["done"] > 100


def test_what_every_node_acknowledged_survives_the_death_of_two(cluster):
    with cluster.session() as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        insert = session.prepare("INSERT INTO k.t (id, v) VALUES (?, ?)")
        insert.consistency_level = Level.ALL
        for number in range(200):
            session.execute(insert, (number, number))
    cluster.run("kill", 1)
    cluster.run("kill", 2)
    with cluster.session(3) as session:
        rows = session.execute(SimpleStatement("SELECT id FROM k.t", consistency_level=Level.ONE))
        assert len(list(rows)) == 200


def traced(session, text, level, node=1):
    """The events of a statement by the address of the node that told of them."""
    result = session.execute(SimpleStatement(text, consistency_level=level), trace=True)
    identifier = result.get_query_trace(max_wait_sec=10).trace_id
    found = collections.defaultdict(list)

    def is_told():
        # Of replicas that the level does not need some tell later.
        found.clear()
        trace = QueryTrace(identifier, session)
        trace.populate(10)
        assert trace.coordinator == f"127.0.0.{node}" and trace.duration is not None
        for event in trace.events:
            found[event.source].append(event.description)
        return len(found) == 3

    until(is_told)
    return found


def test_a_trace_tells_what_each_replica_did(cluster):
    with cluster.session(1) as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        written = traced(session, "INSERT INTO k.t (id, v) VALUES (1, 1)", Level.QUORUM)
        assert "Determining replicas for mutation" in written["127.0.0.1"]
        for other in ("127.0.0.2", "127.0.0.3"):
            assert any(text.startswith(f"Sending MUTATION_REQ message to /{other}:") for text in written["127.0.0.1"])
            assert any(text.startswith("MUTATION_REQ message received from /127.0.0.1:") for text in written[other])
            assert "Appending to commitlog" in written[other] and "Adding to t memtable" in written[other]
            assert any(text.startswith("Enqueuing response to /127.0.0.1:") for text in written[other])
        read = traced(session, "SELECT v FROM k.t WHERE id = 1", Level.ALL)
        for source in read:
            assert "Executing single-partition query on t" in read[source]
            assert "Read 1 live rows and 0 tombstone cells" in read[source]
        decided = traced(session, "UPDATE k.t SET v = 2 WHERE id = 1 IF v = 1", Level.ALL)
        assert any(text.startswith("Accepting proposal") for text in decided["127.0.0.3"])


def test_a_trace_is_read_through_any_node(cluster):
    with cluster.session(1) as first:
        first.execute(KEYSPACE)
        first.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
        result = first.execute("INSERT INTO k.t (id, v) VALUES (1, 1)", trace=True)
        identifier = result.get_query_trace(max_wait_sec=10).trace_id
    for node in (1, 2, 3):
        with cluster.session(node) as session:
            text = f"SELECT duration FROM system_traces.sessions WHERE session_id = {identifier}"
            until(lambda: session.execute(text).one() is not None)
            events = f"SELECT activity FROM system_traces.events WHERE session_id = {identifier}"
            until(lambda: "Determining replicas for mutation" in [row.activity for row in session.execute(events)])


def test_the_shell_shows_a_trace_of_all_nodes(cluster):
    with cluster.session(1) as session:
        session.execute(KEYSPACE)
        session.execute("CREATE TABLE k.t (id int PRIMARY KEY, v int)")
    statements = "CONSISTENCY ALL; TRACING ON; INSERT INTO k.t (id, v) VALUES (1, 1); SHOW CONSISTENCY"
    output = cluster.cql(1, statements)
    assert "Tracing session: " in output and "Request complete" in output
    assert "Current consistency level is ALL." in output and "Current serial consistency level is SERIAL." in output
    for source in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
        assert f"| {source} |" in output
