"""Commission an agent: register its name at a client registry, show the pairing id, and keep the credentials.

Run it as ``python commission.py NAME REGISTRY_URL BROKER_HOST BROKER_PORT CREDENTIALS_FILE [CA_FILE]``. Whoever looks after
the registry compares the pairing id and grants the request; then this connects once and ends. Run again, it goes on with
the credentials in the file, so that the pairing id stays.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import ssl
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

from syncline.aio import Client
from syncline.core import (
    Ask,
    Config,
    Connect,
    Credentials,
    Delayed,
    Denied,
    Granted,
    Registration,
    StoreCredentials,
)
from syncline.errors import ConnectionFailedError

TIMEOUT = 20.0


def now_us() -> int:
    """Microseconds of the monotonic clock."""
    return time.monotonic_ns() // 1000


class Commissioning:
    """Drives a registration: it says what to do, this does it."""

    def __init__(self, name: str, registry: str, broker: tuple[str, int], file: Path, ca: str | None) -> None:
        """Go on with the credentials in the file, if it is there."""
        self.registry = urlsplit(registry)
        self.broker = broker
        self.file = file
        self.tls = ssl.create_default_context(cafile=ca)
        kept = Credentials(name, json.loads(file.read_text())["password"]) if file.exists() else None
        self.registration = Registration(name, kept, seed=os.urandom(32), mode="rest")

    async def run(self) -> bool:
        """Register until the broker lets this agent in; whether it did."""
        self.registration.start(now_us())
        while True:
            while (output := self.registration.poll()) is not None:
                match output:
                    case StoreCredentials():
                        self.store(output.credentials)
                    case Ask():
                        await self.ask(output)
                    case Connect():
                        if await self.connect(output.credentials):
                            return True
                    case Delayed():
                        print(f"pairing id {output.pairing_id}: {output}", flush=True)
                    case Granted():
                        print("granted", flush=True)
                    case Denied():
                        print(output, file=sys.stderr)
                        return False
            deadline = self.registration.poll_timeout()
            if deadline is not None:
                await asyncio.sleep(max(0, deadline - now_us()) / 1e6)
                self.registration.handle_timeout(now_us())

    def store(self, credentials: Credentials) -> None:
        """Keep new credentials where nobody else reads them, whole after any crash."""
        new = self.file.with_suffix(".new")
        with open(new, "x", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            json.dump({"username": credentials.username, "password": credentials.password}, out)
            out.flush()
            os.fsync(out.fileno())
        new.replace(self.file)
        self.registration.handle_stored(now_us())

    async def ask(self, ask: Ask) -> None:
        """Make the request in a thread, and report what came of it."""
        try:
            status, body, retry_after = await asyncio.to_thread(self.request, ask)
        except ssl.SSLCertVerificationError:
            self.registration.handle_failure(now_us(), ask, "untrusted")
        except TimeoutError:
            self.registration.handle_failure(now_us(), ask, "timed-out")
        except http.client.HTTPException:
            self.registration.handle_failure(now_us(), ask, "not-http")
        except OSError:
            self.registration.handle_failure(now_us(), ask, "unreachable")
        else:
            wall_ms = time.time_ns() // 1_000_000
            self.registration.handle_response(now_us(), wall_ms, ask, status, body, retry_after=retry_after)

    def request(self, ask: Ask) -> tuple[int, bytes, str | None]:
        """One HTTP request; redirects are not followed, for they would carry the password elsewhere."""
        host, port = self.registry.hostname or "localhost", self.registry.port
        connection = (
            http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self.tls)
            if self.registry.scheme == "https"
            else http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        )
        try:
            path = self.registry.path.rstrip("/") + ask.path
            connection.request(ask.method, path, ask.body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read(1 << 16), response.getheader("Retry-After")
        finally:
            connection.close()

    async def connect(self, credentials: Credentials | None) -> bool:
        """Try the credentials at the broker."""
        login = Config() if credentials is None else Config(username=credentials.username, password=credentials.password)
        try:
            async with Client(*self.broker, login):
                self.registration.handle_connected(now_us())
                return True
        except ConnectionFailedError as error:
            if error.reason == "refused":
                self.registration.handle_refused(now_us(), error.reason_code)
                return False
            raise


def main(name: str, registry: str, host: str, port: str, file: str, ca: str | None = None) -> int:
    """Run it from the command line."""
    commissioning = Commissioning(name, registry, (host, int(port)), Path(file), ca)
    if not asyncio.run(commissioning.run()):
        return 1
    print(f"{name} is let in")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
