"""The process: how soon it answers, what it takes when idle, how it is told what to do, how it ends."""

import subprocess
import time

import pytest

import wire
from martlet_node import ROOT, binary


def seconds_to_first_answer(node):
    started = time.monotonic()
    node.start()
    with wire.WireClient(node.port) as client:
        client.query("SELECT key FROM system.local WHERE key = 'local'")
    return time.monotonic() - started


def test_the_first_answer_comes_soon(make_node, record_property):
    node = make_node()
    first = seconds_to_first_answer(node)
    assert node.stop() == 0
    again = seconds_to_first_answer(node)
    record_property("start to first answered query, new folder", f"{first:.3f} s")
    record_property("start to first answered query, existing folder", f"{again:.3f} s")
    assert first < 5 and again < 5


def test_an_idle_node_is_small(make_node, record_property):
    node = make_node().start()
    with wire.WireClient(node.port) as client:
        client.query("SELECT key FROM system.local")
    time.sleep(1)
    size = node.resident_bytes
    record_property("resident memory when idle", f"{size / 2**20:.1f} MiB")
    assert size < 512 << 20


def test_an_unknown_setting_stops_the_start_with_a_suggestion(tmp_path):
    done = subprocess.run(
        [binary(), "node", "--data-dir", str(tmp_path), "--set", "commitlog_sinc=batch"], capture_output=True, text=True,
        timeout=30,
    )
    assert done.returncode != 0 and "commitlog_sync" in done.stdout + done.stderr


@pytest.mark.parametrize("setting", ["shards=many", "commitlog_sync=sometimes", "memtable_heap_space=3 apples"])
def test_a_wrong_value_stops_the_start(tmp_path, setting):
    done = subprocess.run(
        [binary(), "node", "--data-dir", str(tmp_path), "--set", setting], capture_output=True, text=True, timeout=30
    )
    assert done.returncode != 0 and setting.split("=")[0] in done.stdout + done.stderr


@pytest.mark.parametrize("admin_port", ["0", "-1"])
def test_the_documented_configuration_is_accepted(make_node, admin_port):
    node = make_node()
    node.process = subprocess.Popen(
        [binary(), "node", "--config", str(ROOT / "conf/martlet.yaml"), "--data-dir",
         str(node.folder / "data"), "--native-port", str(node.port), "--internode-port", "0",
         "--admin-port", admin_port],
        stdin=subprocess.DEVNULL, stdout=open(node.log, "ab"), stderr=subprocess.STDOUT,
    )
    node.wait_until_open()
    with wire.WireClient(node.port) as client:
        client.query("SELECT key FROM system.local")
    assert node.stop() == 0


def test_a_port_that_is_taken_is_named(make_node):
    first = make_node().start()
    second = make_node("second")
    second.port = first.port
    # The port is open already, so that waiting for it says nothing about the second process.
    second.start()
    assert second.process.wait(timeout=20) != 0
    assert str(first.port) in second.log.read_text()
    assert first.is_running


def test_the_shell_of_martlet_runs_statements(node, session, new_table):
    name = new_table("k int PRIMARY KEY, v text")
    address = f"127.0.0.1:{node.port}"

    def shell(*arguments, **settings):
        return subprocess.run(
            [binary(), "cql", address, *arguments], capture_output=True, text=True, timeout=30, **settings
        )

    done = shell("-k", "tests", "-e", f"INSERT INTO {name} (k, v) VALUES (1, 'žluť'); SELECT * FROM {name}")
    assert done.returncode == 0 and "žluť" in done.stdout, done
    done = shell("-k", "tests", input=f"SELECT v\nFROM {name};\n")
    assert done.returncode == 0 and "žluť" in done.stdout, done
    assert shell("-e", "SELECT * FROM nowhere.nothing").returncode != 0
