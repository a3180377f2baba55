"""Connections of the Python driver with the settings that the tests want."""

import contextlib

from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile
from cassandra.policies import FallthroughRetryPolicy, WhiteListRoundRobinPolicy

KEYSPACE = "tests"
CREATE_KEYSPACE = (
    f"CREATE KEYSPACE IF NOT EXISTS {KEYSPACE} "
    "WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"
)


def cluster(node, version=5, compression=True, **settings):
    """Neither retries nor other hosts: what the node answers is what the test sees.

    Without a version the driver begins with its newest and steps down.
    """
    if version is not None:
        settings["protocol_version"] = version
    profile = ExecutionProfile(
        load_balancing_policy=WhiteListRoundRobinPolicy(["127.0.0.1"]), retry_policy=FallthroughRetryPolicy(),
        request_timeout=settings.pop("request_timeout", 20),
    )
    return Cluster(
        ["127.0.0.1"], port=node.port, compression=compression,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile}, connect_timeout=20, control_connection_timeout=20,
        max_schema_agreement_wait=20, **settings,
    )


@contextlib.contextmanager
def connected(node, keyspace=None, **settings):
    """A session that is closed at the end of the block."""
    connection = cluster(node, **settings)
    try:
        yield connection.connect(keyspace)
    finally:
        connection.shutdown()
