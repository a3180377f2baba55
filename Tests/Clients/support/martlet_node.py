"""Runs martlet nodes as processes of their own."""

import os
import pathlib
import signal
import socket
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_SECONDS = 30


def binary():
    """The executable under test: MARTLET_BINARY, or that of the release build."""
    path = pathlib.Path(os.environ.get("MARTLET_BINARY") or ROOT / ".build-release/release/martlet")
    if not path.exists():
        raise RuntimeError(f"There is no {path}: run tools/test clients, or set MARTLET_BINARY.")
    return str(path)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class MartletNode:
    """One node on 127.0.0.1 with a folder and a port of its own; both stay the same over restarts."""

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.settings = settings
        self.process = None

    @property
    def log(self):
        return self.folder / "martlet.log"

    def start(self, **settings):
        """Starts the process and returns when it accepts connections."""
        self.settings.update(settings)
        command = [
            binary(), "node", "--data-dir", str(self.folder / "data"), "--listen", "127.0.0.1",
            "--native-port", str(self.port), "--internode-port", "0", "--admin-port", "0",
        ]
        for key, value in self.settings.items():
            command += ["--set", f"{key}={value}"]
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.wait_until_open()
        return self

    def wait_until_open(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                pass
            status = self.process.poll()
            if status is not None:
                raise RuntimeError(f"The node ended with status {status} at its start:\n{self.end_of_log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"The node does not answer after {START_SECONDS} s:\n{self.end_of_log()}")
            time.sleep(0.01)

    def stop(self):
        """Asks the node to end and returns its exit status."""
        return self._end(signal.SIGTERM)

    def kill(self):
        """Ends the node at once, as a crash would."""
        self._end(signal.SIGKILL)

    def _end(self, number):
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"The node has not ended within 30 s:\n{self.end_of_log()}") from None

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    @property
    def resident_bytes(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("The node's memory is not known.")

    def end_of_log(self):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])
