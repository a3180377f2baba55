"""Frames that nobody should send: the node stays up, stays small, and goes on serving."""

import random
import socket
import struct

import pytest

import connections
import wire

FRAMES = 20_000
FRAMES_OF_A_CONNECTION = 20
MEMORY_GROWTH = 192 << 20


def valid_frames(version):
    """A frame of every kind, each correct."""
    startup = struct.pack(">H", 1) + wire.string("CQL_VERSION") + wire.string("3.0.0")
    settings = wire.parameters(version, values=[struct.pack(">i", 1), b"text", None])
    query = wire.long_string("INSERT INTO tests.hostile (k, v, w) VALUES (?, ?, ?)") + settings
    select = wire.long_string("SELECT * FROM tests.hostile WHERE k IN (1, 2, 3)") + wire.parameters(version)
    prepare = wire.long_string("SELECT * FROM tests.hostile WHERE k = ?")
    prepare += struct.pack(">I", 0) if version >= 5 else b""
    execute = struct.pack(">H", 16) + bytes(16) + (struct.pack(">H", 16) + bytes(16) if version >= 5 else b"") + settings
    statement = b"\x00" + wire.long_string("DELETE FROM tests.hostile WHERE k = ?") + struct.pack(">H", 1)
    statement += wire.value(struct.pack(">i", 9))
    batch = b"\x01" + struct.pack(">H", 2) + statement * 2 + struct.pack(">HI" if version >= 5 else ">HB", 1, 0)
    register = struct.pack(">H", 1) + wire.string("SCHEMA_CHANGE")
    token = wire.value(b"\x00user\x00password")
    bodies = (
        (wire.OPTIONS, b""), (wire.STARTUP, startup), (wire.QUERY, query), (wire.QUERY, select),
        (wire.PREPARE, prepare), (wire.EXECUTE, execute), (wire.BATCH, batch), (wire.REGISTER, register),
        (wire.AUTH_RESPONSE, token),
    )
    return [wire.frame(version, opcode, body) for opcode, body in bodies]


def mutated(data, choices):
    """The frame with one to four changes: bits, bytes, lengths, pieces lost, doubled, or made up."""
    data = bytearray(data)
    for _ in range(choices.randint(1, 4)):
        place = choices.randrange(len(data)) if data else 0
        kind = choices.randrange(8)
        if kind == 0 and data:
            data[place] ^= 1 << choices.randrange(8)
        elif kind == 1 and data:
            data[place] = choices.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == 2 and len(data) >= place + 4:
            data[place:place + 4] = struct.pack(">I", choices.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**28)))
        elif kind == 3:
            del data[place:place + choices.randint(1, 16)]
        elif kind == 4:
            data[place:place] = choices.randbytes(choices.randint(1, 16))
        elif kind == 5:
            data[place:place] = data[place:place + choices.randint(1, 32)]
        elif kind == 6 and len(data) >= 9:
            data[4] = choices.randrange(256)
        elif len(data) >= 9:
            # A length that fits again lets the change get past the frame and into the body.
            data[5:9] = struct.pack(">I", len(data) - 9)
    return bytes(data)


class Attacker:
    """One connection after the other; the first frames of some are a proper start."""

    def __init__(self, port, choices):
        self.port, self.choices = port, choices
        self.frames = {version: valid_frames(version) for version in (3, 4, 5)}

    def run(self, count):
        for _ in range(count // FRAMES_OF_A_CONNECTION):
            version = self.choices.choice((3, 4, 5))
            is_started = self.choices.random() < 0.7
            with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
                if is_started:
                    connection.sendall(self.frames[version][1])
                    connection.recv(4096)
                self.send(connection, version, is_framed=is_started and version == 5)

    def send(self, connection, version, is_framed):
        connection.settimeout(0.0005)
        for _ in range(FRAMES_OF_A_CONNECTION):
            data = mutated(self.choices.choice(self.frames[version]), self.choices)
            if is_framed and self.choices.random() < 0.8:
                # A correct segment around it, so that what is inside is looked at.
                data = wire.segment(data[:100_000], self.choices.random() < 0.9)
            try:
                connection.settimeout(5)
                connection.sendall(data)
                connection.settimeout(0.0005)
                connection.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                return


@pytest.mark.slow
def test_malformed_frames_do_no_harm(make_node, record_property):
    node = make_node().start()
    with connections.connected(node) as session:
        session.execute(connections.CREATE_KEYSPACE)
        session.execute("CREATE TABLE tests.hostile (k int PRIMARY KEY, v text, w text)")
        session.execute("INSERT INTO tests.hostile (k, v) VALUES (77, 'still here')")
        before = node.resident_bytes
        seed = random.randrange(2**32)
        print(f"seed {seed}")
        Attacker(node.port, random.Random(seed)).run(FRAMES)
        assert node.is_running, f"the node has died (seed {seed}):\n{node.end_of_log()}"
        growth = node.resident_bytes - before
        record_property("memory after 20,000 malformed frames", f"{growth / 2**20:+.1f} MiB")
        assert growth < MEMORY_GROWTH
        assert session.execute("SELECT v FROM tests.hostile WHERE k = 77").one().v == "still here"
    with wire.WireClient(node.port) as client:
        assert client.request(wire.OPTIONS, b"").opcode == wire.SUPPORTED


def test_a_promise_of_a_huge_body_takes_no_memory(node):
    before = node.resident_bytes
    held = []
    for _ in range(50):
        client = wire.WireClient(node.port)
        client.send_raw(struct.pack(">BBhBI", 4, 0, 1, wire.QUERY, 15 << 20))
        held.append(client)
    assert node.resident_bytes - before < 100 << 20
    for client in held:
        client.close()


def test_a_frame_beyond_the_limit_is_refused(node):
    with wire.WireClient(node.port) as client:
        client.send_raw(struct.pack(">BBhBI", 4, 0, 1, wire.QUERY, 2**31 - 1))
        with pytest.raises((wire.WireError, ConnectionError)):
            client.receive()


def test_deep_nesting_is_an_error(node):
    for text in ("SELECT " + "(" * 5000 + "k", "SELECT * FROM t WHERE k = " + "[" * 20_000, "SELECT " + "-" * 3000 + "1"):
        with wire.WireClient(node.port) as client, pytest.raises(wire.WireError) as refused:
            client.query(text)
        assert refused.value.code in (0x2000, 0x2200)


def test_many_connections_come_and_go(node):
    held = [wire.WireClient(node.port) for _ in range(300)]
    for client in held:
        client.send(wire.OPTIONS, b"")
    for client in held:
        assert client.receive().opcode == wire.SUPPORTED
        client.close()
