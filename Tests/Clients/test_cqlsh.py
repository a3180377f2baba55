"""cqlsh 6.2 from PyPI."""

import pytest

from shell import cqlsh


@pytest.fixture(scope="module")
def filled(node, session):
    """A keyspace with something of everything."""
    for text in (
        "CREATE KEYSPACE IF NOT EXISTS shell WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TYPE IF NOT EXISTS shell.address (street text, number int)",
        "CREATE TABLE IF NOT EXISTS shell.t (p int, c text, s text STATIC, v frozen<address>, m map<text, int>, "
        "PRIMARY KEY (p, c)) WITH CLUSTERING ORDER BY (c DESC) AND comment = 'it''s a table'",
        "CREATE TABLE IF NOT EXISTS shell.counts (k int PRIMARY KEY, n counter)",
        "INSERT INTO shell.t (p, c, s, v, m) VALUES (1, 'a', 'static', {street: 'x', number: 7}, {'one': 1})",
        "INSERT INTO shell.t (p, c) VALUES (1, 'b')",
    ):
        session.execute(text)
    return node


def test_version_and_host(filled):
    assert f"127.0.0.1:{filled.port}" in cqlsh(filled, "SHOW HOST")
    assert "Native protocol v5" in cqlsh(filled, "SHOW VERSION")


def test_rows_are_printed(filled):
    output = cqlsh(filled, "SELECT * FROM shell.t")
    assert "{street: 'x', number: 7}" in output and "{'one': 1}" in output and "null" in output
    assert "(2 rows)" in output


def test_describe_knows_everything(filled):
    assert "shell" in cqlsh(filled, "DESCRIBE KEYSPACES")
    assert "counts" in cqlsh(filled, "DESCRIBE TABLES", options=("-k", "shell"))
    assert "address" in cqlsh(filled, "DESCRIBE TYPES", options=("-k", "shell"))
    keyspace = cqlsh(filled, "DESCRIBE KEYSPACE shell")
    for part in ("CREATE KEYSPACE shell", "CREATE TYPE shell.address", "CREATE TABLE shell.t", "CREATE TABLE shell.counts"):
        assert part in keyspace
    table = cqlsh(filled, "DESCRIBE TABLE shell.t")
    assert "CLUSTERING ORDER BY (c DESC)" in table and "comment = 'it''s a table'" in table and "static" in table.lower()
    assert "CREATE TYPE shell.address" in cqlsh(filled, "DESCRIBE TYPE shell.address")
    assert "CREATE TABLE shell.t" in cqlsh(filled, "DESCRIBE SCHEMA")
    assert "CREATE TABLE system_schema.tables" in cqlsh(filled, "DESCRIBE FULL SCHEMA")
    assert "Test Cluster" in cqlsh(filled, "DESCRIBE CLUSTER")
    assert "CREATE TABLE system.local" in cqlsh(filled, "DESCRIBE TABLE system.local")
    assert "not found" in cqlsh(filled, "DESCRIBE TABLE shell.nowhere", status=2)


def test_what_describe_prints_makes_the_same_again(filled):
    first = cqlsh(filled, "DESCRIBE KEYSPACE shell")
    again = first.replace("shell.", "shell_again.").replace("KEYSPACE shell ", "KEYSPACE shell_again ")
    cqlsh(filled, stdin=again)
    second = cqlsh(filled, "DESCRIBE KEYSPACE shell_again; DROP KEYSPACE shell_again")
    assert second.strip() == again.strip()


def test_tracing_shows_what_the_node_did(filled):
    output = cqlsh(filled, "TRACING ON; SELECT * FROM shell.t WHERE p = 1; TRACING OFF")
    assert "Tracing session:" in output and "source_elapsed" in output
    assert "Execute CQL3 query" in output and "Request complete" in output
    session = output.split("Tracing session: ")[1].split()[0]
    assert "Request complete" in cqlsh(filled, f"SHOW SESSION {session}")


def test_paging_and_expand(filled):
    output = cqlsh(filled, "PAGING 1; SELECT c FROM shell.t; PAGING OFF; SELECT c FROM shell.t")
    assert "(2 rows)" in output
    expanded = cqlsh(filled, "EXPAND ON; SELECT p, c FROM shell.t")
    assert "@ Row 1" in expanded and "@ Row 2" in expanded


def test_consistency(filled):
    output = cqlsh(filled, "CONSISTENCY QUORUM; SERIAL CONSISTENCY LOCAL_SERIAL; SELECT c FROM shell.t; CONSISTENCY")
    assert "QUORUM" in output and "(2 rows)" in output


def test_errors_and_exit_status(filled):
    output = cqlsh(filled, "SELECT * FROM shell.nowhere", status=2)
    assert 'InvalidRequest: Error from server: code=2200 [Invalid query] message="' in output
    output = cqlsh(filled, "SELEKT 1", status=2)
    assert "SyntaxException" in output and "line 1:0" in output


def test_statements_from_a_file_and_from_a_pipe(filled, tmp_path):
    script = tmp_path / "script.cql"
    script.write_text("USE shell;\n-- a remark\nINSERT INTO counts (k) VALUES (1);\nSELECT c FROM t;\n")
    assert "code=2200" in cqlsh(filled, file=script, status=2)
    script.write_text("USE shell;\nUPDATE counts SET n = n + 1 WHERE k = 1;\nSELECT c FROM t;\n")
    assert "(2 rows)" in cqlsh(filled, file=script)
    assert "(2 rows)" in cqlsh(filled, stdin=script.read_text())
    assert "(2 rows)" in cqlsh(filled, f"SOURCE '{script}'")


def test_an_older_protocol(filled):
    for version in ("3", "4"):
        assert "(2 rows)" in cqlsh(filled, "SELECT * FROM shell.t", options=("--protocol-version", version))


def test_a_node_that_is_not_there(tmp_path):
    class Nowhere:
        port = 1

    assert "Connection error" in cqlsh(Nowhere, "SHOW HOST", status=1)
