"""TLS as people meet it: drivers, cqlsh, the shell, nodetool and curl's kin against real processes."""

import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request

import pytest
from cassandra.cluster import NoHostAvailable

import connections
import shell
from martlet_cluster import MartletCluster
from martlet_node import ROOT, MartletNode, binary, free_port

CERTIFICATES = ROOT / "Tests/TLSHostTests/Resources"
AUTHORITY = CERTIFICATES / "authority.pem"
STRANGER = CERTIFICATES / "stranger-authority.pem"
PREFIX = "client_encryption_options."
ENCRYPTED = {
    PREFIX + "enabled": "true",
    PREFIX + "certificate": CERTIFICATES / "server.pem",
    PREFIX + "key": CERTIFICATES / "server.key",
}


def context(authority=AUTHORITY, certificate=None):
    made = ssl.create_default_context(cafile=str(authority))
    if certificate:
        made.load_cert_chain(CERTIFICATES / f"{certificate}.pem", CERTIFICATES / f"{certificate}.key")
    return made


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory):
    node = MartletNode(tmp_path_factory.mktemp("tls") / "node", **ENCRYPTED).start()
    yield node
    node.stop()


def martlet(*arguments, status=0, text=None, environment=None):
    done = subprocess.run(
        [binary(), *map(str, arguments)], input=text or "", capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


# Clients


@pytest.mark.parametrize("version", [3, 4, 5])
def test_the_driver_connects_with_tls(encrypted, version):
    with connections.connected(encrypted, version=version, ssl_context=context()) as session:
        session.execute(connections.CREATE_KEYSPACE)
        session.execute(f"CREATE TABLE IF NOT EXISTS {connections.KEYSPACE}.tls (id int PRIMARY KEY, v text)")
        insert = session.prepare(f"INSERT INTO {connections.KEYSPACE}.tls (id, v) VALUES (?, ?)")
        long = "x" * 300_000
        pending = [session.execute_async(insert, (key, long)) for key in range(20)]
        for each in pending:
            each.result()
        rows = session.execute(f"SELECT id, v FROM {connections.KEYSPACE}.tls")
        assert {row.id: row.v for row in rows} == {key: long for key in range(20)}
        row = session.execute("SELECT ssl_enabled, ssl_protocol FROM system_views.clients").one()
        assert row.ssl_enabled and row.ssl_protocol == "TLSv1.3"


def test_tls_1_2_is_spoken_and_nothing_before_it(encrypted):
    older = context()
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    with connections.connected(encrypted, ssl_context=older) as session:
        row = session.execute("SELECT ssl_protocol FROM system_views.clients").one()
        assert row.ssl_protocol == "TLSv1.2"
    oldest = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    oldest.set_ciphers("ALL:@SECLEVEL=0")
    oldest.minimum_version = ssl.TLSVersion.TLSv1
    oldest.maximum_version = ssl.TLSVersion.TLSv1_1
    oldest.load_verify_locations(AUTHORITY)
    with socket.create_connection(("127.0.0.1", encrypted.port), timeout=10) as stream:
        with pytest.raises(ssl.SSLError):
            oldest.wrap_socket(stream, server_hostname="127.0.0.1")


def test_a_driver_that_trusts_another_authority_does_not_connect(encrypted):
    with pytest.raises(NoHostAvailable, match="CERTIFICATE_VERIFY_FAILED"):
        with connections.connected(encrypted, ssl_context=context(STRANGER)):
            pass


def test_a_driver_without_tls_does_not_connect(encrypted):
    with pytest.raises(NoHostAvailable):
        with connections.connected(encrypted):
            pass


def test_garbage_and_connections_that_break_off_end_nothing_else(encrypted):
    with connections.connected(encrypted, ssl_context=context()) as session:
        for data in [b"", b"\x04\x00\x00\x00\x05\x00\x00\x00\x00", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 500]:
            with socket.create_connection(("127.0.0.1", encrypted.port), timeout=10) as stream:
                stream.sendall(data)
        raw = context().wrap_socket(
            socket.create_connection(("127.0.0.1", encrypted.port), timeout=10), server_hostname="127.0.0.1")
        raw.sendall(b"\x04\x00\x00")
        raw.close()
        assert session.execute("SELECT key FROM system.local").one().key == "local"
    assert encrypted.is_running


def test_with_optional_both_kinds_of_drivers_connect(make_node):
    node = make_node(**ENCRYPTED, **{PREFIX + "optional": "true"}).start()
    for settings in [{}, {"ssl_context": context()}]:
        with connections.connected(node, **settings) as session:
            row = session.execute("SELECT ssl_enabled FROM system_views.clients").one()
            assert row.ssl_enabled == bool(settings)


def test_clients_show_certificates_where_that_is_wanted(make_node):
    node = make_node(**ENCRYPTED, **{
        PREFIX + "require_client_auth": "true", PREFIX + "trusted_certificates": AUTHORITY}).start()
    with connections.connected(node, ssl_context=context(certificate="client")) as session:
        session.execute("SELECT key FROM system.local")
    for certificate in [None, "stranger"]:
        with pytest.raises(NoHostAvailable):
            with connections.connected(node, ssl_context=context(certificate=certificate)):
                pass


# Shells


def test_cqlsh_connects_with_tls(encrypted, tmp_path):
    settings = tmp_path / "cqlshrc"
    settings.write_text(f"[ssl]\ncertfile = {AUTHORITY}\nvalidate = true\n")
    query = "SELECT ssl_protocol FROM system_views.clients"
    assert "TLSv1.3" in shell.cqlsh(encrypted, query, options=["--ssl", "--cqlshrc", str(settings)])
    # The same file does for the shell of this project.
    place = f"127.0.0.1:{encrypted.port}"
    assert "TLSv1.3" in martlet("cql", place, "--ssl", "--cqlshrc", settings, "-e", query)
    settings.write_text(f"[connection]\nssl = true\n[ssl]\ncertfile = {STRANGER}\n")
    assert "not trusted" in martlet("cql", place, "--cqlshrc", settings, "-e", query, status=1)
    settings.write_text(f"[connection]\nssl = true\n[ssl]\ncertfile = {STRANGER}\nvalidate = false\n")
    assert "TLSv1.3" in martlet("cql", place, "--cqlshrc", settings, "-e", query)


def test_the_shell_connects_with_tls(encrypted):
    query = "SELECT ssl_protocol FROM system_views.clients"
    for host in ["127.0.0.1", "localhost"]:
        place = f"{host}:{encrypted.port}"
        assert "TLSv1.3" in martlet("cql", place, "--ssl", "--cafile", AUTHORITY, "-e", query)
    assert "not trusted" in martlet("cql", place, "--ssl", "--cafile", STRANGER, "-e", query, status=1)
    assert "not trusted" in martlet("cql", place, "--ssl", "-e", query, status=1)
    assert "--ssl" in martlet("cql", place, "-e", query, status=1)
    nothing = martlet("cql", place, "--ssl", "--cafile", "/no/such.pem", "-e", query, status=1)
    assert "cannot read the file '/no/such.pem'" in nothing


def test_the_shell_shows_a_certificate(make_node, tmp_path):
    node = make_node(**ENCRYPTED, **{
        PREFIX + "require_client_auth": "true", PREFIX + "trusted_certificates": AUTHORITY}).start()
    settings = tmp_path / "cqlshrc"
    lines = f"[ssl]\ncertfile = {AUTHORITY}\n"
    settings.write_text(lines)
    place = f"127.0.0.1:{node.port}"
    query = "SELECT key FROM system.local"
    refused = martlet("cql", place, "--ssl", "--cqlshrc", settings, "-e", query, status=1)
    assert "certificate required" in refused
    settings.write_text(lines + f"usercert = {CERTIFICATES}/client.pem\nuserkey = {CERTIFICATES}/client.key\n")
    assert "local" in martlet("cql", place, "--ssl", "--cqlshrc", settings, "-e", query)


def test_bench_puts_load_on_a_port_with_tls(encrypted):
    report = martlet(
        "bench", "mixed", f"127.0.0.1:{encrypted.port}", "--ssl", "--cafile", AUTHORITY, "--count", 500, "--rows", 100,
        "--warmup", "0s", "--connections", 2, "--format", "json")
    assert json.loads(next(line for line in report.splitlines() if line.startswith("{")))


# The admin port


@pytest.fixture(scope="module")
def admin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls-admin")
    passwords = folder / "passwords"
    passwords.write_text("anna s3cret\n")
    node = MartletNode(
        folder / "node", admin_address="0.0.0.0", admin_port=free_port(), admin_password_file=passwords,
        admin_tls_certificate=CERTIFICATES / "server.pem", admin_tls_key=CERTIFICATES / "server.key").start()
    deadline = time.monotonic() + 10
    while True:
        done = subprocess.run([binary(), "nodetool", *tool(node), "-u", "anna", "-pw", "s3cret", "info"],
                              capture_output=True, text=True, timeout=30)
        if done.returncode == 0:
            break
        assert time.monotonic() < deadline, done.stderr
        time.sleep(0.1)
    yield node
    node.stop()


def tool(node, *arguments, secure=True):
    options = ["-h", "127.0.0.1", "-p", str(node.settings["admin_port"]), *arguments]
    return options + (["--ssl", "--cafile", str(AUTHORITY)] if secure else [])


def test_nodetool_asks_with_tls_and_a_password(admin):
    login = ["-u", "anna", "-pw", "s3cret"]
    assert "UN " in martlet("nodetool", *tool(admin, *login), "status")
    martlet("nodetool", *tool(admin, *login), "flush")
    assert "password" in martlet("nodetool", *tool(admin, "-u", "anna", "-pw", "other"), "status", status=1)
    assert "give --ssl" in martlet("nodetool", *tool(admin, *login, secure=False), "status", status=2)
    assert "is not trusted" in martlet("nodetool", *tool(admin, *login, "--ssl", secure=False), "status", status=2)
    assert "UN " in martlet("nodetool", *tool(admin, *login, "--ssl", "--insecure-no-verify", secure=False), "status")


def test_the_admin_port_can_be_reached_at_every_address_of_the_machine(admin):
    port = str(admin.settings["admin_port"])
    martlet("nodetool", "-h", "127.0.0.2", "-p", port, "--ssl", "--cafile", AUTHORITY, "-u", "anna", "-pw", "s3cret", "info")
    words = martlet(
        "nodetool", "-h", "127.0.0.9", "-p", port, "--ssl", "--cafile", AUTHORITY, "-u", "anna", "-pw", "s3cret", "info",
        status=2)
    assert "is not made for 127.0.0.9" in words


def test_http_clients_ask_the_admin_port_with_tls(admin):
    url = f"https://localhost:{admin.settings['admin_port']}/health"
    assert urllib.request.urlopen(url, timeout=10, context=context()).status == 200


# Between nodes


INTERNODE = {
    "internode_encryption": "all", "certificate": CERTIFICATES / "server.pem", "key": CERTIFICATES / "server.key",
    "trusted_certificates": AUTHORITY,
}


def test_nodes_speak_tls_with_one_another_and_with_nobody_else(tmp_path):
    settings = [item for key, value in INTERNODE.items()
                for item in ("--set", f"server_encryption_options.{key}={value}")]
    cluster = MartletCluster(tmp_path / "cluster")
    try:
        cluster.up("--nodes", 3, "--set", "server_encryption_options.require_endpoint_verification=true", *settings)
        cluster.cql(1, "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 3};"
                       "CREATE TABLE k.t (id int PRIMARY KEY, v text);"
                       "CONSISTENCY ALL; INSERT INTO k.t (id, v) VALUES (1, 'one');")
        assert "one" in cluster.cql(3, "CONSISTENCY ALL; SELECT v FROM k.t WHERE id = 1;")
        port = json.loads((cluster.folder / "cluster.json").read_text())["internode_port"]
        # A greeting without TLS, TLS without a certificate, and with that of a stranger.
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
            stream.sendall(b"MRTI" + bytes(200))
            assert not stream.recv(100).startswith(b"MRTA")
        for certificate in [None, "stranger"]:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as stream, pytest.raises(ssl.SSLError):
                wrapped = context(certificate=certificate).wrap_socket(stream, server_hostname="127.0.0.1")
                wrapped.recv(1)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as stream:
            context(certificate="client").wrap_socket(stream, server_hostname="127.0.0.1").close()
        log = (cluster.folder / "node1/martlet.log").read_text()
        assert log.count("A connection between nodes is not secure") == 1 and "TLS failed" in log
    finally:
        cluster.destroy()


def test_a_cluster_changes_over_to_tls_node_by_node(tmp_path):
    cluster = MartletCluster(tmp_path / "cluster")
    files = [item for key, value in INTERNODE.items() if key != "internode_encryption"
             for item in ("--set", f"server_encryption_options.{key}={value}")]
    try:
        cluster.up("--nodes", 2, "--set", "server_encryption_options.optional=true", *files)
        cluster.cql(1, "CREATE KEYSPACE k WITH replication = {'class': 'NetworkTopologyStrategy', 'dc1': 2};"
                       "CREATE TABLE k.t (id int PRIMARY KEY);")
        plan = cluster.folder / "cluster.json"
        changed = json.loads(plan.read_text())
        cluster.run("stop", 1)
        changed["settings"].append("server_encryption_options.internode_encryption=all")
        plan.write_text(json.dumps(changed))
        cluster.run("start", 1)
        # One node calls with TLS now and the other without.
        for number in [1, 2]:
            cluster.cql(number, f"CONSISTENCY ALL; INSERT INTO k.t (id) VALUES ({number});")
        assert "2 rows" in cluster.cql(2, "CONSISTENCY ALL; SELECT id FROM k.t;")
    finally:
        cluster.destroy()


def test_certificates_are_read_anew(tmp_path):
    for suffix in ["pem", "key"]:
        shutil.copy(CERTIFICATES / f"server.{suffix}", tmp_path / f"own.{suffix}")
    node = MartletNode(tmp_path / "node", admin_port=free_port(), **{
        PREFIX + "enabled": "true", PREFIX + "certificate": tmp_path / "own.pem", PREFIX + "key": tmp_path / "own.key"})
    node.start()
    tool = ["nodetool", "-p", node.settings["admin_port"]]
    try:
        with connections.connected(node, ssl_context=context()) as session:
            shutil.copy(CERTIFICATES / "stranger.pem", tmp_path / "own.pem")
            assert "is not that of the certificate" in martlet(*tool, "reloadssl", status=2)
            with connections.connected(node, ssl_context=context()) as other:
                other.execute("SELECT key FROM system.local")
            shutil.copy(CERTIFICATES / "stranger.key", tmp_path / "own.key")
            martlet(*tool, "reloadssl")
            with connections.connected(node, ssl_context=context(STRANGER)) as other:
                other.execute("SELECT key FROM system.local")
            with pytest.raises(NoHostAvailable):
                with connections.connected(node, ssl_context=context()):
                    pass
            session.execute("SELECT key FROM system.local")
    finally:
        node.stop()


def test_without_certificates_there_is_nothing_to_be_read(make_node):
    node = make_node(admin_port=free_port()).start()
    words = martlet("nodetool", "-p", node.settings["admin_port"], "reloadssl", status=1)
    assert "No port of this node has a certificate" in words


# Starts that are refused


@pytest.mark.parametrize("changed, words", [
    ({"key": CERTIFICATES / "client.key"}, "is not that of the certificate"),
    ({"key": "/no/such.key"}, "it is not there"),
    ({"certificate": CERTIFICATES / "expired.pem"}, "has expired, on 2002-02-02"),
    ({"certificate": CERTIFICATES / "server.key"}, "There is no certificate in PEM"),
    ({"require_client_auth": "true"}, "trusted_certificates"),
    ({"keystore": "node.jks"}, "files in PEM instead of a keystore of Java"),
])
def test_a_node_does_not_start_with_what_cannot_be_used(tmp_path, changed, words):
    settings = {**ENCRYPTED, **{PREFIX + key: value for key, value in changed.items()}}
    arguments = [item for key, value in settings.items() for item in ("--set", f"{key}={value}")]
    done = subprocess.run(
        [binary(), "node", "--data-dir", str(tmp_path / "data"), "--native-port", "0", "--internode-port", "0",
         "--admin-port=-1", *arguments], capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and words in done.stdout + done.stderr


def test_the_file_may_have_the_keys_below_one_another(make_node, tmp_path):
    lines = ["client_encryption_options:"]
    lines += [f"  {key.removeprefix(PREFIX)}: {value}" for key, value in ENCRYPTED.items()]
    file = tmp_path / "martlet.yaml"
    file.write_text("\n".join(lines) + "\n")
    node = make_node()
    with open(node.log, "ab") as output:
        node.process = subprocess.Popen(
            [binary(), "node", "--config", str(file), "--data-dir", str(node.folder / "data"), "--native-port",
             str(node.port), "--internode-port", "0", "--admin-port=-1"], stdout=output, stderr=output)
    node.wait_until_open()
    with connections.connected(node, ssl_context=context()) as session:
        session.execute("SELECT key FROM system.local")
