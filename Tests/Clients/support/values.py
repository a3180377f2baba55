"""Values of every type, the edges first: what goes in must come out."""

import datetime
import decimal
import struct
import uuid

from cassandra.util import Date, Duration, Time

MAX = {"tinyint": 7, "smallint": 15, "int": 31, "bigint": 63}


def integers(bits):
    return [-(2**bits), -(2**bits) + 1, -1, 0, 1, 2**bits - 1]


def single(value):
    """The nearest value that four bytes can hold."""
    return struct.unpack(">f", struct.pack(">f", value))[0]


SCALARS = {
    "ascii": ["", "a", "\x00\x7f", "it's", "x" * 10_000],
    "bigint": integers(63),
    "blob": [b"", b"\x00", bytes(range(256)), b"\xff" * 100_000],
    "boolean": [True, False],
    "date": [Date(-(2**31)), Date(-1), Date(0), Date("2024-02-29"), Date(2**31 - 1)],
    "decimal": [
        decimal.Decimal(text)
        for text in ("0", "-0.000000001", "1E+30", "12345678901234567890.0987654321", "-1E-400", "0.10")
    ],
    "double": [0.0, -1.5, 1.7976931348623157e308, 5e-324, float("inf"), float("-inf")],
    "duration": [
        Duration(0, 0, 0), Duration(1, 2, 3), Duration(-14, -29, -1_000_000_001), Duration(2**31 - 1, 2**31 - 1, 2**63 - 1),
    ],
    "float": [0.0, -1.5, single(3.4028234663852886e38), single(1.4e-45), float("inf"), float("-inf")],
    "inet": ["0.0.0.0", "127.0.0.1", "255.255.255.255", "::", "::1", "2001:db8::ff00:42:8329"],
    "int": integers(31),
    "smallint": integers(15),
    "text": ["", "a", "it's; -- \"quoted\"", "\x00", "žluťoučký 🐦 𝔐", "line\nline\ttab", "x" * 100_000],
    "time": [Time(0), Time(1), Time(86_399_999_999_999)],
    "timestamp": [
        datetime.datetime(1, 1, 1), datetime.datetime(1969, 12, 31, 23, 59, 59, 999_000), datetime.datetime(1970, 1, 1),
        datetime.datetime(2024, 2, 29, 12, 30, 15, 123_000), datetime.datetime(9999, 12, 31, 23, 59, 59),
    ],
    "timeuuid": [uuid.UUID("00000000-0000-1000-8080-808080808080"), uuid.uuid1()],
    "tinyint": integers(7),
    "uuid": [uuid.UUID(int=0), uuid.UUID("cfd66ccc-d857-4e90-b1e5-df98a3d40cd6"), uuid.UUID(int=2**128 - 1)],
    "varchar": ["", "same as text"],
    "varint": [0, -1, 127, 128, -128, -129, 255, 256, 2**63, -(2**63) - 1, 10**100, -(10**100)],
}

# Types whose empty value (zero bytes) is not the same as null.
EMPTY_IS_A_VALUE = {"ascii", "blob", "text", "varchar"}

COMPOSITES = {
    "list<int>": [[1], [3, 1, 2, 1], list(range(1000))],
    "set<text>": [{"a"}, {"", "b", "a", "ž"}],
    "map<text, int>": [{"a": 1}, {"b": -1, "a": 2**31 - 1, "": 0}],
    "map<int, frozen<list<text>>>": [{1: ["a", "b"], 2: []}],
    "frozen<list<text>>": [[], ["", "a"]],
    "frozen<set<int>>": [set(), {3, -1, 2}],
    "frozen<map<uuid, boolean>>": [{}, {uuid.UUID(int=7): True}],
    "list<frozen<map<text, frozen<set<int>>>>>": [[{"a": {1, 2}}, {}]],
    "tuple<int, text, blob>": [(1, "a", b"\x00"), (None, None, None), (0, "", b""), (5, None, b"x")],
    "frozen<tuple<int, frozen<list<tuple<text, double>>>>>": [(1, [("a", 1.5), ("b", -0.5)])],
    "vector<float, 3>": [[1.0, -2.5, 0.0]],
    "vector<int, 1>": [[-(2**31)]],
    "vector<text, 2>": [["", "longer than the other"]],
}


def plain(value):
    """Without the driver's own classes, so that values can be compared with those that were written."""
    if isinstance(value, (str, bytes, bytearray)):
        return bytes(value) if isinstance(value, bytearray) else value
    if hasattr(value, "items"):
        return sorted((plain(key), plain(item)) for key, item in value.items())
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)) or type(value).__name__ == "SortedSet":
        return sorted(plain(item) for item in value)
    return value


def literal(value):
    """The value as CQL text."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, float):
        return {float("inf"): "Infinity", float("-inf"): "-Infinity"}.get(value, repr(value))
    if isinstance(value, Date):
        return str(value.days_from_epoch + 2**31)
    if isinstance(value, Time):
        return str(value.nanosecond_time)
    if isinstance(value, datetime.datetime):
        return str((value - datetime.datetime(1970, 1, 1)) // datetime.timedelta(milliseconds=1))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{literal(key)}: {literal(item)}" for key, item in value.items()) + "}"
    if isinstance(value, (set, list, tuple)):
        opening, closing = {set: "{}", list: "[]", tuple: "()"}[type(value)]
        return opening + ", ".join(literal(item) for item in value) + closing
    return str(value)
