"""The nodes, sessions and tables that the tests share."""

import itertools

import pytest

import connections
from martlet_node import MartletNode


def pytest_terminal_summary(terminalreporter):
    """Prints the figures that tests have recorded."""
    figures = [
        (key, value)
        for report in terminalreporter.getreports("passed")
        for key, value in report.user_properties
    ]
    if figures:
        terminalreporter.section("figures")
        for key, value in figures:
            terminalreporter.write_line(f"{key}: {value}")


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """A node that most tests share."""
    shared = MartletNode(tmp_path_factory.mktemp("node")).start()
    yield shared
    shared.stop()


@pytest.fixture
def make_node(tmp_path):
    """Makes nodes, not yet started, that belong to one test."""
    nodes = []

    def make(name="node", **settings):
        nodes.append(MartletNode(tmp_path / name, **settings))
        return nodes[-1]

    yield make
    for each in nodes:
        each.kill()


@pytest.fixture(scope="session")
def session(node):
    """A session of the Python driver in the keyspace `tests`, on protocol v5."""
    with connections.connected(node) as shared:
        shared.execute(connections.CREATE_KEYSPACE)
        shared.set_keyspace(connections.KEYSPACE)
        yield shared


_numbers = itertools.count(1)


@pytest.fixture
def new_name():
    """Makes names that no other test has."""
    return lambda prefix="t": f"{prefix}{next(_numbers)}"


@pytest.fixture
def new_table(session, new_name):
    """Creates tables: `new_table("k int PRIMARY KEY, v text")` returns the name."""

    def create(columns, options=""):
        name = new_name()
        session.execute(f"CREATE TABLE {name} ({columns}) {options}")
        return name

    return create
