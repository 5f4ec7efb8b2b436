"""One transport: bytes from the event loop to the driver, and back as fast as the peer reads."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from syncline.aio._driver import Driver

__all__ = ["Link"]

READ_SIZE = 64 << 10


class Link(asyncio.BufferedProtocol):
    """The protocol of one connection. It tells the driver of nothing once the driver has let go of it."""

    def __init__(self, driver: Driver) -> None:
        """Belong to a driver, until :meth:`close`."""
        self._driver: Driver | None = driver
        self._transport: asyncio.Transport | None = None
        self._buffer = memoryview(bytearray(READ_SIZE))
        self._abort: asyncio.TimerHandle | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_writable = True

    def write(self, runs: list[bytes | memoryview]) -> None:
        """Hand over what is to be sent."""
        transport = self._transport
        if transport is None:
            return
        if len(runs) == 1:
            transport.write(runs[0])
        else:
            transport.writelines(runs)

    def pause_reading(self) -> None:
        """Let TCP slow the peer down."""
        if self._transport is not None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Go on."""
        if self._transport is not None:
            self._transport.resume_reading()

    def close(self, patience: float) -> None:
        """Close when everything is written, or after so many seconds."""
        self._driver = None
        if self._transport is not None and not self.closed.done():
            self._transport.close()
            self._abort = asyncio.get_running_loop().call_later(patience, self._transport.abort)

    def abort(self) -> None:
        """Close at once."""
        self._driver = None
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on, unless this side has closed."""
        if self._abort is not None:
            self._abort.cancel()
        if not self.closed.done():
            self.closed.set_result(None)
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.handle_transport_lost(self, exc)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Lend the same memory for every read."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Pass on what was read."""
        if self._driver is not None:
            self._driver.handle_received(self._buffer[:nbytes])

    def pause_writing(self) -> None:
        """Keep further bytes in the session."""
        self.is_writable = False

    def resume_writing(self) -> None:
        """Write what has gathered."""
        self.is_writable = True
        if self._driver is not None:
            self._driver.handle_writable()
