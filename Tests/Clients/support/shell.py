"""Runs cqlsh from PyPI, the shell that people know."""

import os
import pathlib
import subprocess
import sys

PROGRAM = pathlib.Path(sys.executable).parent / "cqlsh"


def cqlsh(node, text=None, *, file=None, stdin=None, options=(), status=0, timeout=150):
    """Runs statements and returns what was printed; fails when the exit status is another than wanted."""
    command = [str(PROGRAM), "127.0.0.1", str(node.port), "--no-color", "--connect-timeout", "30",
               "--request-timeout", "60", "--encoding", "utf-8", *options]
    if text is not None:
        command += ["-e", text]
    if file is not None:
        command += ["-f", str(file)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        command, input=stdin, capture_output=True, encoding="utf-8", timeout=timeout, env=environment
    )
    # cqlsh remarks on every server whose release is not its own.
    lines = (done.stdout + done.stderr).splitlines(keepends=True)
    output = "".join(line for line in lines if not line.startswith("WARNING: cqlsh was built against"))
    assert done.returncode == status, f"cqlsh ended with {done.returncode}:\n{output[-4000:]}"
    return output
