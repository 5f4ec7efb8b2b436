"""Debian's Mosquitto on a free loopback port, for one test or for many."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 20.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Mosquitto:
    """A broker of its own; both versions, anonymous unless the configuration says otherwise."""

    def __init__(self, folder: Path, configuration: str = "allow_anonymous true", port: int | None = None) -> None:
        """Start it, and wait until it accepts connections."""
        self.port = port or free_port()
        self._file = folder / f"mosquitto-{self.port}.conf"
        self._file.write_text(f"user root\nlistener {self.port} 127.0.0.1\n{configuration}\n")
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it on its port, without memory of before."""
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        assert program, "mosquitto is missing: `cargo xtask test` installs it"
        command = [program, "-c", str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while True:
            assert self._process.poll() is None, "mosquitto has ended: is its configuration valid?"
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            assert time.monotonic() < end, "mosquitto does not accept connections"
            time.sleep(0.01)

    def kill(self) -> None:
        """Take it away in the middle of whatever it does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
