"""A client without any comfort: frames of the native protocol, byte by byte.

It sends what drivers never send, and shows what drivers hide. Protocol v5 wraps frames into segments with checksums after
STARTUP; v3 and v4 do not. Responses are small here, so a segment always holds whole frames.
"""

import collections
import socket
import struct
import zlib

ERROR, STARTUP, READY, OPTIONS, SUPPORTED, QUERY, RESULT = 0x00, 0x01, 0x02, 0x05, 0x06, 0x07, 0x08
PREPARE, EXECUTE, REGISTER, EVENT, BATCH, AUTH_RESPONSE = 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x0F

ONE = 0x0001
UNSET = object()

Response = collections.namedtuple("Response", "version flags stream opcode body")


def crc24(data):
    crc = 0x875060
    for byte in data:
        crc ^= byte << 16
        for _ in range(8):
            crc <<= 1
            if crc & 0x1000000:
                crc ^= 0x1974F0B
    return crc


def crc32(data):
    return zlib.crc32(data, zlib.crc32(b"\xfa\x2d\x55\xca"))


def segment(payload, is_self_contained=True):
    header = (len(payload) | (1 << 17 if is_self_contained else 0)).to_bytes(3, "little")
    return header + crc24(header).to_bytes(3, "little") + payload + struct.pack("<I", crc32(payload))


def frame(version, opcode, body, stream=1, flags=0):
    return struct.pack(">BBhBI", version, flags, stream, opcode, len(body)) + body


def string(text):
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def long_string(text):
    data = text.encode()
    return struct.pack(">i", len(data)) + data


def value(item):
    if item is None:
        return struct.pack(">i", -1)
    if item is UNSET:
        return struct.pack(">i", -2)
    return struct.pack(">i", len(item)) + item


def parameters(version, values=(), names=(), keyspace=None, now=None, consistency=ONE, extra_flags=0):
    """What follows the text of QUERY and the identifiers of EXECUTE."""
    flags, rest = extra_flags, b""
    if values:
        flags |= 0x01 | (0x40 if names else 0)
        rest += struct.pack(">H", len(values))
        for index, item in enumerate(values):
            rest += (string(names[index]) if names else b"") + value(item)
    if keyspace is not None:
        flags |= 0x80
        rest += string(keyspace)
    if now is not None:
        flags |= 0x100
        rest += struct.pack(">i", now)
    return struct.pack(">HI" if version >= 5 else ">HB", consistency, flags) + rest


class WireError(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code:#06x}: {message}")
        self.code, self.message = code, message


class WireClient:
    def __init__(self, port, version=4, options=None):
        self.version = version
        self.is_framed = False
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.buffer = b""
        self.pending = b""
        if options is not False:
            self.start({"CQL_VERSION": "3.0.0", **(options or {})})

    def start(self, options):
        body = struct.pack(">H", len(options))
        for key, text in options.items():
            body += string(key) + string(text)
        answer = self.request(STARTUP, body)
        assert answer.opcode == READY, answer
        self.is_framed = self.version >= 5

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data):
        self.socket.sendall(data)

    def send(self, opcode, body, stream=1, flags=0):
        data = frame(self.version, opcode, body, stream, flags)
        self.send_raw(segment(data) if self.is_framed else data)

    def request(self, opcode, body, flags=0):
        self.send(opcode, body, flags=flags)
        return self.receive()

    def receive(self):
        """The next response; an ERROR is thrown."""
        header = self._bytes(9)
        version, flags, stream, opcode, count = struct.unpack(">BBhBI", header)
        response = Response(version & 0x7F, flags, stream, opcode, self._bytes(count))
        if opcode == ERROR:
            (code, length), body = struct.unpack(">iH", response.body[:6]), response.body
            raise WireError(code, body[6:6 + length].decode())
        return response

    def _bytes(self, count):
        while len(self.pending) < count:
            self.pending += self._segment() if self.is_framed else self._some()
        taken, self.pending = self.pending[:count], self.pending[count:]
        return taken

    def _some(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError("The node has closed the connection.")
        return data

    def _segment(self):
        while len(self.buffer) < 6:
            self.buffer += self._some()
        header = self.buffer[:3]
        assert int.from_bytes(self.buffer[3:6], "little") == crc24(header), "wrong checksum of a segment's header"
        count = int.from_bytes(header, "little") & 0x1FFFF
        while len(self.buffer) < 6 + count + 4:
            self.buffer += self._some()
        payload = self.buffer[6:6 + count]
        assert struct.unpack("<I", self.buffer[6 + count:10 + count])[0] == crc32(payload), "wrong checksum of a segment"
        self.buffer = self.buffer[10 + count:]
        return payload

    def query(self, text, flags=0, payload=None, **settings):
        front = b""
        if payload:
            flags |= 0x04
            front = struct.pack(">H", len(payload)) + b"".join(string(key) + value(item) for key, item in payload.items())
        return self.request(QUERY, front + long_string(text) + parameters(self.version, **settings), flags)

    def prepare(self, text, keyspace=None):
        """The identifier, and the identifier of the result's metadata (v5)."""
        body = long_string(text)
        if self.version >= 5:
            body += struct.pack(">I", 1 if keyspace else 0) + (string(keyspace) if keyspace else b"")
        answer = self.request(PREPARE, body).body
        count = struct.unpack(">H", answer[4:6])[0]
        identifier, rest = answer[6:6 + count], answer[6 + count:]
        metadata = rest[2:2 + struct.unpack(">H", rest[:2])[0]] if self.version >= 5 else b""
        return identifier, metadata

    def execute(self, identifier, metadata=b"", **settings):
        body = struct.pack(">H", len(identifier)) + identifier
        if self.version >= 5:
            body += struct.pack(">H", len(metadata)) + metadata
        return self.request(EXECUTE, body + parameters(self.version, **settings))


def result_kind(response):
    return struct.unpack(">i", response.body[:4])[0]


def cells(response):
    """The values of a Rows result, as bytes; simple column types only."""
    body, offset = response.body, 4

    def take(form):
        nonlocal offset
        found = struct.unpack_from(">" + form, body, offset)
        offset += struct.calcsize(">" + form)
        return found[0]

    def skip_string():
        nonlocal offset
        count = take("H")
        offset += count

    flags, columns = take("i"), take("i")
    if flags & 0x02:
        offset += max(0, take("i"))
    if flags & 0x08:
        skip_string()
    if not flags & 0x04:
        if flags & 0x01:
            skip_string()
            skip_string()
        for _ in range(columns):
            if not flags & 0x01:
                skip_string()
                skip_string()
            skip_string()
            kind = take("H")
            assert kind < 0x20, "only simple types can be read here"
            if kind == 0:
                skip_string()
    rows = []
    for _ in range(take("i")):
        row = []
        for _ in range(columns):
            count = take("i")
            row.append(None if count < 0 else body[offset:offset + count])
            offset += max(0, count)
        rows.append(row)
    return rows
