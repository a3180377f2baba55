"""`martlet cluster` and `martlet nodetool` as an operator types them."""

import json
import subprocess
import time

import pytest

from martlet_cluster import MartletCluster
from martlet_node import binary


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
