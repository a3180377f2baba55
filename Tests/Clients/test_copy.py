"""COPY FROM and COPY TO of cqlsh, with enough rows to keep several of its processes busy."""

import csv

import pytest

from shell import cqlsh

ROWS = 100_000
COLUMNS = ("k", "c", "name", "amount", "flag", "tags")


def row(number):
    return [
        str(number // 10), str(number % 10), f"name, with \"quotes\" and žluť {number}", f"{number}.25",
        str(number % 3 == 0), f"['t{number % 7}', 'x']",
    ]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_hundred_thousand_rows_go_in_and_come_out(node, session, new_table, tmp_path):
    name = "tests." + new_table(
        "k int, c int, name text, amount decimal, flag boolean, tags list<text>, PRIMARY KEY (k, c)"
    )
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    with open(source, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_MINIMAL, escapechar="\\", doublequote=False)
        writer.writerow(COLUMNS)
        writer.writerows(row(number) for number in range(ROWS))
    columns = ", ".join(COLUMNS)
    settings = "HEADER = true AND NUMPROCESSES = 2 AND MAXATTEMPTS = 1"
    output = cqlsh(node, f"COPY {name} ({columns}) FROM '{source}' WITH {settings}", timeout=300)
    assert f"{ROWS} rows imported from 1 files" in output and "0 skipped" in output
    assert session.execute(f"SELECT count(*) FROM {name}", timeout=60).one()[0] == ROWS
    output = cqlsh(node, f"COPY {name} ({columns}) TO '{target}' WITH {settings}", timeout=300)
    assert f"{ROWS} rows exported to 1 files" in output
    with open(target, newline="", encoding="utf-8") as file:
        lines = list(csv.reader(file, escapechar="\\", doublequote=False))
    assert lines[0] == list(COLUMNS)
    assert sorted(lines[1:]) == sorted(row(number) for number in range(ROWS))
