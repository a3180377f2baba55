"""The Unicode character database, a real data set: through cqlsh and through the Python driver, and back."""

import csv
import os
import pathlib

import pytest
from cassandra.concurrent import execute_concurrent_with_args

from shell import cqlsh

DATABASE = pathlib.Path(os.environ.get("UNICODE_DATA", "/usr/share/unicode")) / "UnicodeData.txt"
COLUMNS = ("code_point", "symbol", "name", "category", "combining", "mirrored", "uppercase")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATABASE.exists(), reason="the package unicode-data is not installed"),
]


def characters():
    """What UnicodeData.txt says: code point, the character itself where text may hold it, and five more fields."""
    for line in DATABASE.read_text("ascii").splitlines():
        fields = line.split(";")
        point = int(fields[0], 16)
        symbol = None if fields[2] in ("Cs", "Cc") else chr(point)
        yield (
            point, symbol, fields[1], fields[2], int(fields[3]), fields[9] == "Y",
            int(fields[12], 16) if fields[12] else None,
        )


def create(new_table):
    return new_table(
        "category text, code_point int, symbol text, name text, combining int, mirrored boolean, uppercase int, "
        "PRIMARY KEY (category, code_point)"
    )


def stored(session, name):
    return sorted(tuple(row) for row in session.execute(f"SELECT {', '.join(COLUMNS)} FROM {name}"))


def test_the_database_goes_through_the_driver(session, new_table):
    name = create(new_table)
    marks = ", ".join("?" * len(COLUMNS))
    insert = session.prepare(f"INSERT INTO {name} ({', '.join(COLUMNS)}) VALUES ({marks})")
    expected = list(characters())
    execute_concurrent_with_args(session, insert, expected, concurrency=200)
    assert stored(session, name) == sorted(expected)
    greek = session.execute(
        f"SELECT name FROM {name} WHERE category = 'Lu' AND code_point >= 913 AND code_point <= 937"
    )
    names = [row.name for row in greek]
    assert names[0] == "GREEK CAPITAL LETTER ALPHA" and names[-1] == "GREEK CAPITAL LETTER OMEGA" and len(names) == 24


@pytest.mark.timeout(300)
def test_the_database_goes_through_copy(node, session, new_table, tmp_path):
    name = create(new_table)
    source = tmp_path / "unicode.csv"
    # The delimiters of CSV themselves, and what cqlsh strips from the ends of lines, go another way.
    special = {ord(","), ord('"'), ord("\\"), ord("\n"), ord("\r")}
    expected = [row for row in characters() if row[0] not in special]
    with open(source, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_ALL, escapechar="\\", doublequote=False)
        writer.writerows(["" if item is None else item for item in row] for row in expected)
    output = cqlsh(
        node, f"COPY tests.{name} ({', '.join(COLUMNS)}) FROM '{source}' WITH NUMPROCESSES = 2 AND MAXATTEMPTS = 1",
        timeout=240,
    )
    assert f"{len(expected)} rows imported" in output
    assert stored(session, name) == sorted(expected)
