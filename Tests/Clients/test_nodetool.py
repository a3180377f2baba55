"""`martlet cluster` and `martlet nodetool` as an operator types them."""

import json
import subprocess
import time
import urllib.error
import urllib.request

import pytest

from martlet_cluster import MartletCluster
from martlet_node import MartletNode, binary, free_port


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    shared = MartletCluster(tmp_path_factory.mktemp("nodetool") / "cluster").up("--nodes", 3)
    yield shared
    shared.destroy()


def nodetool(cluster, *arguments, number=1, status=0):
    done = subprocess.run(
        [binary(), "nodetool", "-h", f"127.0.0.{number}", "-p", str(cluster.admin_port()), *arguments],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout if status == 0 else done.stdout + done.stderr


def test_status_shows_every_node(cluster):
    text = nodetool(cluster, "status")
    assert text.count("UN  127.0.0.") == 3 and "Datacenter: dc1" in text
    report = json.loads(nodetool(cluster, "status", "--format", "json", number=2))
    assert "127.0.0.3" in json.dumps(report)


def test_a_killed_node_is_shown_down_within_ten_seconds_and_up_again_within_two(cluster):
    cluster.run("kill", 3)
    killed = time.monotonic()
    while "DN  127.0.0.3" not in nodetool(cluster, "status"):
        assert time.monotonic() - killed < 10
        time.sleep(0.1)
    cluster.run("start", 3)
    started = time.monotonic()
    while "UN  127.0.0.3" not in nodetool(cluster, "status"):
        assert time.monotonic() - started < 2
        time.sleep(0.1)


def test_a_stopped_node_is_shown_down_within_a_second(cluster):
    cluster.run("stop", 3)
    stopped = time.monotonic()
    while "DN  127.0.0.3" not in nodetool(cluster, "status", number=2):
        assert time.monotonic() - stopped < 1
        time.sleep(0.05)
    cluster.run("start", 3)


@pytest.mark.parametrize(
    "command",
    ["info", "ring", "describecluster", "gossipinfo", "netstats", "version", "statushandoff", "listpendinghints",
     "failuredetector"],
)
def test_every_command_answers_in_both_forms(cluster, command):
    assert nodetool(cluster, command).strip()
    json.loads(nodetool(cluster, command, "--format", "json"))


def test_handoff_can_be_switched_off_and_on(cluster):
    nodetool(cluster, "disablehandoff")
    assert "not running" in nodetool(cluster, "statushandoff")
    nodetool(cluster, "enablehandoff")
    assert "is running" in nodetool(cluster, "statushandoff")
    nodetool(cluster, "truncatehints")


def test_getendpoints_names_the_replicas(cluster):
    with cluster.session(1) as session:
        session.execute("CREATE KEYSPACE e WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 2}")
        session.execute("CREATE TABLE e.t (id int PRIMARY KEY, v int)")
        session.execute("INSERT INTO e.t (id, v) VALUES (5, 1)")
        key = session.prepare("SELECT v FROM e.t WHERE id = ?").bind((5,)).routing_key
        expected = {host.address for host in session.cluster.metadata.get_replicas("e", key)}
    assert set(nodetool(cluster, "getendpoints", "e", "t", "5").split()) == expected


def test_wrong_questions_get_a_sentence_and_a_status(cluster):
    assert "status" in nodetool(cluster, "statsu", status=1)
    assert "nothing" in nodetool(cluster, "getendpoints", "nothing", "t", "5", status=1)
    nobody = subprocess.run(
        [binary(), "nodetool", "-h", "127.0.0.1", "-p", "1", "status"], capture_output=True, text=True, timeout=30)
    assert nobody.returncode == 2 and "127.0.0.1" in nobody.stderr


# --- One node: tables, files, snapshots, settings ---


@pytest.fixture(scope="module")
def table(cluster):
    with cluster.session(1) as session:
        session.execute("CREATE KEYSPACE n WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        session.execute("CREATE TABLE n.t (id int, c int, v text, PRIMARY KEY (id, c))")
        for number in range(200):
            session.execute("INSERT INTO n.t (id, c, v) VALUES (%s, 1, 'x')", (number % 20,))
        session.execute("SELECT * FROM n.t WHERE id = 3")
    return "n", "t"


def report(cluster, *arguments, **options):
    return json.loads(nodetool(cluster, *arguments, "--format", "json", **options))


def figures(cluster):
    return report(cluster, "tablestats", "n.t")["n"]["tables"]["t"]


def test_tablestats_counts_what_was_done(cluster, table):
    found = figures(cluster)
    assert found["local_write_count"] == 200 and found["memtable_data_size"] > 0
    text = nodetool(cluster, "tablestats", "n")
    assert "Keyspace: n\n" in text and "\t\tTable: t\n" in text and "\t\tLocal write count: 200\n" in text
    assert "Table: n.t" in nodetool(cluster, "tablestats", "-s", "local_write_count", "-t", "1", "n")
    assert "Keyspace: n\n" not in nodetool(cluster, "tablestats", "-i", "n")
    assert "nothing" in nodetool(cluster, "cfstats", "nothing", status=1)
    assert "n:" in nodetool(cluster, "tablestats", "n", "-F", "yaml")


def test_flush_compact_and_what_they_leave_behind(cluster, table):
    with cluster.session(1) as session:
        for round_number in range(3):
            for number in range(20):
                session.execute("INSERT INTO n.t (id, c, v) VALUES (%s, 1, 'y')", (number,))
            nodetool(cluster, "flush", "n", "t")
    assert figures(cluster)["memtable_data_size"] == 0 and figures(cluster)["sstable_count"] >= 1
    assert nodetool(cluster, "getsstables", "n", "t", "3").strip().endswith(".sst")
    nodetool(cluster, "compact", "--progress", "n", "t")
    after = figures(cluster)
    assert after["compactions_completed"] >= 1 and after["compacted_partition_maximum_bytes"] > 0
    history = report(cluster, "compactionhistory")["compactions"]
    assert any(entry["columnfamily_name"] == "t" and entry["keyspace_name"] == "n" for entry in history)
    assert "columnfamily_name" in nodetool(cluster, "compactionhistory")
    for command in (["verify", "n"], ["scrub", "n", "t"], ["upgradesstables", "-a", "n"], ["garbagecollect", "n"],
                    ["compact", "-st", "0", "-et", "5", "n", "t"], ["compact", "--partition", "3", "n", "t"]):
        nodetool(cluster, *command)
    assert "pending tasks" in nodetool(cluster, "compactionstats")
    assert "cannot be split" in nodetool(cluster, "compact", "-s", "n", "t", status=1)
    assert any(entry["operation"] == "scrub" for entry in report(cluster, "operations")["operations"])
    nodetool(cluster, "stop", "COMPACTION")


def test_histograms_have_cassandras_form(cluster, table):
    text = nodetool(cluster, "tablehistograms", "n", "t")
    assert text.startswith("n/t histograms\nPercentile") and "99%" in text and "Partition Size" in text
    assert nodetool(cluster, "proxyhistograms").startswith("proxy histograms\nPercentile")
    assert report(cluster, "proxyhistograms")["write_latency_micros"]["count"] >= 200


def test_a_snapshot_is_made_listed_brought_back_and_removed(cluster, table):
    text = nodetool(cluster, "snapshot", "-t", "before", "n")
    assert "Snapshot directory: before" in text
    assert "before" in nodetool(cluster, "listsnapshots")
    found = [s for s in report(cluster, "listsnapshots")["snapshots"] if s["name"] == "before"]
    assert [s["table_name"] for s in found] == ["t"] and found[0]["size_on_disk"] > 0
    assert "exists already" in nodetool(cluster, "snapshot", "-t", "before", "n", status=1)
    with cluster.session(1) as session:
        session.execute("TRUNCATE n.t")
        assert not session.execute("SELECT id FROM n.t LIMIT 1").all()
        nodetool(cluster, "import", "n", "t", found[0]["directory"])
        assert len(session.execute("SELECT DISTINCT id FROM n.t").all()) == 20
        rows = session.execute("SELECT * FROM system_views.snapshots WHERE name = 'before'").all()
        assert rows[0].table_name == "t"
    nodetool(cluster, "clearsnapshot", "-t", "before")
    assert "before" not in nodetool(cluster, "listsnapshots")
    assert "snapshot name" in nodetool(cluster, "clearsnapshot", status=1)
    nodetool(cluster, "clearsnapshot", "--all")
    assert "There are no snapshots" in nodetool(cluster, "listsnapshots")


@pytest.mark.parametrize("name,value,shown", [
    ("compactionthroughput", "32", "32 MiB/s"), ("streamthroughput", "12", "12 MiB/s"),
    ("interdcstreamthroughput", "6", "6 MiB/s"), ("hintedhandoffthrottlekb", "512", "512 KiB"),
    ("batchlogreplaythrottle", "256", "256 KiB"), ("snapshotthrottle", "9", "9 links/s"),
    ("maxhintwindow", "5000", "5000 ms"), ("compactionthroughput", "0", "unlimited"),
])
def test_limits_are_set_and_shown(cluster, name, value, shown):
    nodetool(cluster, "set" + name, value)
    assert shown in nodetool(cluster, "get" + name)
    assert "number" in nodetool(cluster, "set" + name, "-1", status=1)


@pytest.mark.parametrize("kind", ["read", "range", "write", "counterwrite", "cascontention", "truncate", "misc"])
def test_timeouts_are_set_and_shown(cluster, kind):
    before = nodetool(cluster, "gettimeout", kind)
    nodetool(cluster, "settimeout", kind, "4321")
    assert nodetool(cluster, "gettimeout", kind) == f"Current timeout for type {kind}: 4321 ms\n"
    nodetool(cluster, "settimeout", kind, before.split()[-2])


def test_settings_logging_and_tracing(cluster):
    assert "cluster_name" in nodetool(cluster, "getsetting")
    assert "start" in nodetool(cluster, "setsetting", "cluster_name", "x", status=1)
    nodetool(cluster, "setlogginglevel", "schema", "DEBUG")
    assert "DEBUG" in nodetool(cluster, "getlogginglevels")
    nodetool(cluster, "setlogginglevel")
    assert "DEBUG" not in nodetool(cluster, "getlogginglevels")
    nodetool(cluster, "settraceprobability", "0.25")
    assert "0.25" in nodetool(cluster, "gettraceprobability")
    nodetool(cluster, "settraceprobability", "0")
    assert nodetool(cluster, "settraceprobability", "2", status=1)


@pytest.mark.parametrize("word", ["gossip", "backup", "autocompaction", "binary"])
def test_switches_go_off_and_on(cluster, word):
    usual = "not running" if word == "backup" else "running"
    assert nodetool(cluster, "status" + word, number=2).strip() == usual
    for verb, shown in (("disable", "not running"), ("enable", "running")):
        nodetool(cluster, verb + word, number=2)
        assert nodetool(cluster, "status" + word, number=2).strip() == shown
    if word == "backup":
        nodetool(cluster, "disablebackup", number=2)


@pytest.mark.parametrize("command", [
    ["tpstats"], ["clientstats"], ["clientstats", "--all"], ["clientstats", "--by-protocol"], ["getseeds"],
    ["describering", "n"], ["rangekeysample"], ["datapaths"], ["getconcurrentcompactors"],
    ["statusautocompaction", "-a", "n"], ["toppartitions", "n", "t", "200"], ["pausehandoff"], ["resumehandoff"],
    ["disablehintsfordc", "dc1"], ["enablehintsfordc", "dc1"], ["replaybatchlog"], ["gcstats"], ["reloadtriggers"],
    ["status", "-s", "load"], ["compactionstats", "-V"],
])
def test_more_commands_answer_in_both_forms(cluster, table, command):
    nodetool(cluster, *command)
    json.loads(nodetool(cluster, *command, "--format", "json"))


def test_what_cannot_be_done_says_so_in_a_sentence(cluster):
    assert "Java" in nodetool(cluster, "sjk", "ttop", status=2)
    assert "SIGTERM" in nodetool(cluster, "stopdaemon", status=2)
    assert "usage: nodetool" in nodetool(cluster, "help", "compact")


def test_the_tables_of_system_views_show_the_same(cluster, table):
    with cluster.session(1) as session:
        names = ["caches", "thread_pools", "sstable_tasks", "cql_metrics", "batch_metrics", "pending_hints",
                 "internode_outbound", "snapshots", "disk_usage", "max_partition_size", "max_sstable_size",
                 "local_read_latency", "local_write_latency", "local_scan_latency", "coordinator_read_latency",
                 "coordinator_write_latency", "coordinator_scan_latency", "rows_per_read", "tombstones_per_read",
                 "gossip_info", "internode_inbound", "queries", "system_logs", "streaming", "repairs"]
        for name in names:
            session.execute(f"SELECT * FROM system_views.{name}").all()
        rows = session.execute("SELECT address, dc, dc_version, tokens_version FROM system_views.gossip_info").all()
        assert sorted(row.address for row in rows) == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
        assert all(row.dc == "dc1" for row in rows)
        rows = session.execute("SELECT received_count FROM system_views.internode_inbound").all()
        assert len(rows) == 2 and all(row.received_count > 0 for row in rows)
        rows = session.execute("SELECT task, running_micros FROM system_views.queries").all()
        assert any("system_views.queries" in row.task for row in rows)
        row = session.execute(
            "SELECT count FROM system_views.local_write_latency WHERE keyspace_name='n' AND table_name='t'").one()
        assert row.count > 0
        nodetool(cluster, "settimeout", "read", "4999")
        row = session.execute("SELECT value FROM system_views.settings WHERE name = 'read_request_timeout'").one()
        assert row.value == "4999ms"


def test_metrics_and_readiness_are_there_for_who_watches(cluster, table):
    def get(path):
        return urllib.request.urlopen(f"http://127.0.0.1:{cluster.admin_port()}{path}", timeout=10)

    answer = get("/metrics")
    text = answer.read().decode()
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'martlet_table_writes_total{keyspace="n",table="t"}' in text
    assert 'martlet_client_request_latency_seconds_bucket{request="Write",le="+Inf"}' in text
    helps = [line.split()[2] for line in text.splitlines() if line.startswith("# HELP")]
    assert len(helps) == len(set(helps))
    assert get("/ready").status == 200 and get("/health").status == 200
    nodetool(cluster, "disablebinary")
    with pytest.raises(urllib.error.HTTPError) as refused:
        get("/ready")
    assert refused.value.code == 503
    nodetool(cluster, "enablebinary")
    assert get("/ready").status == 200


def test_a_drained_node_is_down_for_the_others_and_loses_nothing(cluster, table):
    nodetool(cluster, "drain", number=3)
    assert "DN  127.0.0.3" in nodetool(cluster, "status")
    assert "DRAINED" in nodetool(cluster, "netstats", number=3)
    assert nodetool(cluster, "drain", number=3, status=2)
    cluster.run("stop", 3)
    cluster.run("start", 3)
    assert "UN  127.0.0.3" in nodetool(cluster, "status", number=3)


# --- Who may ask ---


def test_the_admin_port_is_not_for_other_machines(tmp_path):
    done = subprocess.run(
        [binary(), "node", "--data-dir", str(tmp_path), "--native-port", "0", "--internode-port", "0",
         "--admin-port", "0", "--set", "admin_address=0.0.0.0"], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "admin_address" in done.stdout + done.stderr


def test_a_password_file_is_asked_for_names_and_passwords(tmp_path):
    passwords = tmp_path / "passwords"
    passwords.write_text("# who may ask\nanna  s3 cret\n")
    port = free_port()
    node = MartletNode(tmp_path / "node", admin_port=port, admin_password_file=passwords).start()
    try:
        def run(*arguments):
            return subprocess.run([binary(), "nodetool", "-p", str(port), *arguments], capture_output=True, text=True,
                                  timeout=30)

        # Clients can connect a moment before operators are told that they can.
        deadline = time.monotonic() + 10
        while run("-u", "anna", "-pw", "s3 cret", "info").returncode != 0:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert run("-u", "anna", "-pwf", str(passwords), "info").returncode == 0
        for wrong in ([], ["-u", "anna", "-pw", "other"], ["-u", "ben", "-pw", "s3 cret"], ["-u", "anna"]):
            done = run(*wrong, "info")
            assert done.returncode == 1 and "password" in done.stderr
        assert urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10).status == 200
    finally:
        node.stop()
