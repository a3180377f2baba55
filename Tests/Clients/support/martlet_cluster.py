"""Runs clusters of several nodes with `martlet cluster`."""

import contextlib
import itertools
import json
import os
import pathlib
import signal
import subprocess

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import RoundRobinPolicy, WhiteListRoundRobinPolicy

from martlet_node import binary, free_port

_used = itertools.count(1)


class MartletCluster:
    """A cluster in a folder of its own, at 127.0.0.1, 127.0.0.2 and so on, with ports of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.port = free_port()

    def run(self, *arguments, check=True):
        """Runs `martlet cluster` and returns what it has printed."""
        done = subprocess.run(
            [binary(), "cluster", str(arguments[0]), "--dir", str(self.folder), *map(str, arguments[1:])],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"martlet cluster {arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self, *arguments):
        self.run(
            "up", "--native-port", self.port, "--internode-port", free_port(), "--admin-port", free_port(), *arguments)
        return self

    def destroy(self):
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)
        self.run("destroy", check=False)

    def processes(self):
        return [int(file.read_text()) for file in sorted(self.folder.glob("node*/martlet.pid"))]

    def signal(self, number, what):
        """Sends a signal to the process of a node."""
        os.kill(int((self.folder / f"node{number}/martlet.pid").read_text()), what)

    def admin_port(self):
        return json.loads((self.folder / "cluster.json").read_text())["admin_port"]

    def cql(self, number, statements):
        """Runs statements in Martlet's shell at a node and returns what it has printed."""
        done = subprocess.run(
            [binary(), "cql", f"127.0.0.{number}:{self.port}", "-e", statements],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def session(self, *numbers, keyspace=None, timeout=20, **profile):
        """A session of the Python driver that uses these nodes only; without numbers, all of them."""
        addresses = [f"127.0.0.{number}" for number in numbers]
        policy = WhiteListRoundRobinPolicy(addresses) if addresses else RoundRobinPolicy()
        cluster = Cluster(
            addresses or ["127.0.0.1", "127.0.0.2", "127.0.0.3"], port=self.port, protocol_version=5,
            connect_timeout=10,
            execution_profiles={
                EXEC_PROFILE_DEFAULT: ExecutionProfile(
                    load_balancing_policy=policy, request_timeout=timeout, **profile)
            },
        )
        try:
            yield cluster.connect(keyspace)
        finally:
            cluster.shutdown()


def nodetool(cluster, *arguments, number=1, status=0):
    """Runs `martlet nodetool` at a node and returns what it has printed."""
    done = subprocess.run(
        [binary(), "nodetool", "-h", f"127.0.0.{number}", "-p", str(cluster.admin_port()), *map(str, arguments)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=170,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout
