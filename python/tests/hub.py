"""``syncline hub`` on free loopback ports, and its administrator."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from mosquitto import PATIENCE, free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Hub:
    """A running hub whose administrator is logged in."""

    def __init__(self, folder: Path) -> None:
        """Start it and log in."""
        program = os.environ.get("SYNCLINE_BIN")
        assert program, "SYNCLINE_BIN is not set: run the tests with `cargo xtask test`"
        self.http_port, self.https_port, self.mqtt_port = (free_port() for _ in range(3))
        self.authority = folder / "hub" / "ca.crt"
        self._log = folder / "hub.log"
        addresses = {"--http": self.http_port, "--https": self.https_port, "--mqtt": self.mqtt_port}
        options = [word for flag, port in addresses.items() for word in (flag, f"127.0.0.1:{port}")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "hub", "--data-dir", str(folder / "hub"), *options], stdout=log, stderr=log
            )
        self._cookie = ""
        password = self._wait(lambda: re.search(r"^password (\S+)$", self._log.read_text(), re.MULTILINE))
        self._wait(lambda: "--new-password" in self._log.read_text())
        self._post("/login", password=password.group(1))

    def unlock(self) -> None:
        """Open the registry for some minutes."""
        self._post("/unlock", csrf=self._token())

    def grant(self, pairing_id: str) -> None:
        """Wait until a request with this pairing id waits, and grant it."""

        def waiting() -> re.Match[str] | None:
            rows = [row for row in self._page().split("<tr>") if pairing_id in row]
            return re.search(r'/pending\?id=([^"]+)"', rows[0]) if rows else None

        number = self._wait(waiting).group(1)
        self._post("/grant", csrf=self._token(), id=number, permissions="readwrite services/#")

    def stop(self) -> None:
        """Take it away."""
        self._process.kill()
        self._process.wait()

    def _wait(self, look: Callable[[], re.Match[str] | None] | Callable[[], bool]) -> re.Match[str]:
        end = time.monotonic() + PATIENCE
        while not (found := look()):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < end, self._log.read_text()
            time.sleep(0.01)
        return found  # type: ignore[return-value]  # pyright: ignore[reportReturnType]

    def _token(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self._page())
        assert found, "the page has no form"
        return found.group(1)

    def _page(self) -> str:
        return self._request("GET", "/")

    def _post(self, path: str, **fields: str) -> None:
        self._request("POST", path, urlencode(fields))

    def _request(self, method: str, path: str, body: str | None = None) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE)
        headers = {"Cookie": self._cookie, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        text = response.read().decode()
        assert response.status in (200, 303), f"{path}: {response.status}: {text}"
        cookie = response.getheader("Set-Cookie")
        if cookie:
            self._cookie = cookie.split(";")[0]
        connection.close()
        return text
