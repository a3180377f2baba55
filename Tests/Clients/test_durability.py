"""What was acknowledged is there after `kill -9`, round after round, in every mode of the commit log."""

import random
import threading
import time

import pytest

import connections

ROUNDS = 10
WRITERS = 3
IN_FLIGHT = 32
SECONDS_OF_LOAD = 0.7


class Acknowledged:
    """What one writer was told: rows that are there, rows that are gone, and the least version of a register."""

    def __init__(self, writer):
        self.writer = writer
        self.rows = {}
        self.deleted = set()
        # A deletion that was not acknowledged may have happened or not.
        self.doubtful = set()
        self.version = 0
        self.next = 0

    def write_until(self, session, stopped, seed):
        """Writes in waves of statements that are in flight together, until told to stop or until the node dies."""
        choices = random.Random(seed)
        insert = session.prepare("INSERT INTO tests.rows (p, c, v) VALUES (?, ?, ?)")
        delete = session.prepare("DELETE FROM tests.rows WHERE p = ? AND c = ?")
        update = session.prepare("UPDATE tests.registers SET version = ? WHERE p = ?")
        while not stopped.is_set():
            wave = []
            for _ in range(IN_FLIGHT):
                key, text = self.next, "x" * choices.randrange(1, 400)
                self.next += 1
                wave.append((session.execute_async(insert, (self.writer, key, text)), "row", (key, text)))
            if self.rows and choices.random() < 0.5:
                key = choices.choice(list(self.rows)[-500:])
                self.doubtful.add(key)
                wave.append((session.execute_async(delete, (self.writer, key)), "delete", key))
            version = self.next
            wave.append((session.execute_async(update, (version, self.writer)), "version", version))
            if not self.note(wave):
                return

    def note(self, wave):
        """Waits for a wave and keeps what was acknowledged; false when something was not."""
        is_complete = True
        for future, kind, value in wave:
            try:
                future.result()
            except Exception:
                is_complete = False
                continue
            if kind == "row":
                self.rows[value[0]] = value[1]
            elif kind == "delete":
                self.deleted.add(value)
                self.doubtful.discard(value)
                self.rows.pop(value, None)
            else:
                self.version = max(self.version, value)
        return is_complete

    def check(self, session):
        found = {row.c: row.v for row in session.execute("SELECT c, v FROM tests.rows WHERE p = %s", (self.writer,))}
        missing = [key for key in self.rows if key not in found and key not in self.doubtful]
        assert not missing, f"writer {self.writer}: {len(missing)} acknowledged rows are missing, such as {missing[:5]}"
        wrong = [key for key, text in self.rows.items() if key in found and found[key] != text]
        assert not wrong, f"writer {self.writer}: rows with other contents: {wrong[:5]}"
        risen = [key for key in self.deleted if key in found]
        assert not risen, f"writer {self.writer}: deleted rows are back: {risen[:5]}"
        register = session.execute("SELECT version FROM tests.registers WHERE p = %s", (self.writer,)).one()
        assert (register.version if register else 0) >= self.version


def create(session):
    session.execute(connections.CREATE_KEYSPACE)
    session.execute("CREATE TABLE IF NOT EXISTS tests.rows (p int, c int, v text, PRIMARY KEY (p, c))")
    session.execute("CREATE TABLE IF NOT EXISTS tests.registers (p int PRIMARY KEY, version int)")


def load_and_kill(node, writers, seconds, seed):
    """Starts the writers, kills the node under them, and returns when they have noticed."""
    with connections.connected(node) as session:
        create(session)
        stopped = threading.Event()
        threads = [
            threading.Thread(target=writer.write_until, args=(session, stopped, seed + writer.writer))
            for writer in writers
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        node.kill()
        stopped.set()
        for thread in threads:
            thread.join(timeout=60)
            assert not thread.is_alive(), "a writer waits for an answer that cannot come"


def check(node, writers):
    with connections.connected(node) as session:
        for writer in writers:
            writer.check(session)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("mode", ["batch", "periodic"])
def test_nothing_acknowledged_is_lost(make_node, mode):
    # Small memtables and segments, so that kills also meet flushes and new segments.
    node = make_node(commitlog_sync=mode, commitlog_segment_size="1MiB", memtable_heap_space="2MiB")
    writers = [Acknowledged(number) for number in range(WRITERS)]
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    moments = random.Random(seed)
    node.start()
    for round_number in range(ROUNDS):
        load_and_kill(node, writers, SECONDS_OF_LOAD * moments.random() + 0.1, seed + round_number * 100)
        node.start()
        check(node, writers)
    assert sum(len(writer.rows) for writer in writers) > 100, "too little was written to say anything"
    assert node.stop() == 0
    node.start()
    check(node, writers)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_another_number_of_shards_loses_nothing(make_node):
    node = make_node(shards=1, memtable_heap_space="2MiB", commitlog_segment_size="1MiB").start()
    writers = [Acknowledged(number) for number in range(40)]
    with connections.connected(node) as session:
        create(session)
        for shards, is_killed in ((3, False), (2, True), (1, True), (4, False)):
            for writer in writers:
                writer.note([
                    (session.execute_async(
                        "INSERT INTO tests.rows (p, c, v) VALUES (%s, %s, %s)", (writer.writer, shards * 100 + key, "x" * 200)
                    ), "row", (shards * 100 + key, "x" * 200))
                    for key in range(50)
                ])
            session.cluster.shutdown()
            if is_killed:
                node.kill()
            else:
                assert node.stop() == 0
            node.start(shards=shards)
            check(node, writers)
            session = connections.cluster(node).connect()
        session.cluster.shutdown()


def test_a_folder_serves_one_node_at_a_time(make_node):
    first = make_node().start()
    second = make_node("other")
    (second.folder / "data").symlink_to(first.folder / "data")
    with pytest.raises(RuntimeError, match="ended with status"):
        second.start()
    assert first.is_running
