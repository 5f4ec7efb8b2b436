"""The loop around a session: the only code that touches it, between awaits and never across one."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, TypeVar

from syncline._argument import check_address
from syncline.aio._link import Link
from syncline.core import (
    AuthChallenge,
    Authenticated,
    CloseTransport,
    Config,
    Connected,
    Disconnected,
    Lost,
    Message,
    OpenTransport,
    Published,
    Session,
    StoreOperation,
    Subscribed,
    Unsubscribed,
)
from syncline.errors import LostError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Coroutine, Sequence

    from syncline.aio.store import Store
    from syncline.core import Output

__all__ = ["Driver", "Observer"]

logger = logging.getLogger("syncline")

Completed = TypeVar("Completed", Published, Subscribed, Unsubscribed, Authenticated)


class Observer:
    """What a driver tells its owner."""

    def handle_message(self, message: Message) -> None:
        """A message came."""
        raise NotImplementedError

    def handle_connected(self, connected: Connected) -> None:
        """A connection stands."""
        raise NotImplementedError

    def handle_disconnected(self, disconnected: Disconnected, cause: BaseException | None) -> None:
        """A connection ended, or could not be made."""
        raise NotImplementedError

    def handle_challenge(self, challenge: AuthChallenge) -> None:
        """The server asks for authentication data."""
        raise NotImplementedError

    def handle_room(self, completed: int) -> None:
        """So many operations are complete, and there may be room for others."""
        raise NotImplementedError

    def handle_failure(self, doing: str, error: BaseException) -> None:
        """The driver cannot go on: it failed in doing this."""
        raise NotImplementedError


def now_us() -> int:
    """Microseconds of the monotonic clock."""
    return time.monotonic_ns() // 1000


class Driver:
    """Session, transport and timer of one client. Each input is followed by :meth:`_run`, at the latest in the loop's next turn."""

    def __init__(
        self,
        config: Config,
        address: tuple[str, int],
        tls: ssl.SSLContext | None,
        observer: Observer,
        store: Store | None,
        records: Sequence[tuple[int, bytes]],
    ) -> None:
        """Make a session; with a store one that goes on with its records."""
        self._loop = asyncio.get_running_loop()
        self._config = config
        self._address = address
        self._tls = tls
        self._observer = observer
        self._store = store
        seed = os.urandom(32)
        if store is None:
            self.session = Session(config, seed)
        else:
            wall_ms = time.time_ns() // 1_000_000
            self.session, _ = Session.restore(config, seed, now_us(), wall_ms, records)
        self._link: Link | None = None
        self._closing_links: set[Link] = set()
        self._dialing: asyncio.Task[None] | None = None
        self._cause: BaseException | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._is_scheduled = False
        self._is_running = False
        self._is_changed = False
        self._backlog = b""
        self._completions: dict[int, asyncio.Future[object]] = {}
        self._operations: list[StoreOperation] = []
        self._storing: asyncio.Task[None] | None = None

    # Commands.

    def connect(self) -> None:
        """Ask for a connection, and for a new one whenever it is lost."""
        self.session.connect(now_us())
        self._run()

    def disconnect(self, settle: float, *, session_expiry: int | None, keep: bool) -> None:
        """End the connection when everything is acknowledged, or after so many seconds."""
        self.session.disconnect(now_us(), settle=settle, session_expiry=session_expiry, keep=keep)
        self._run()

    def completion(self, op: int, kind: type[Completed]) -> asyncio.Future[Completed]:
        """What becomes of an operation; the session works on it in the loop's next turn."""
        future: asyncio.Future[Completed] = self._loop.create_future()
        self._completions[op] = future  # type: ignore[assignment]
        self.schedule()
        return future

    def fail(self, error: Exception) -> None:
        """End everything that waits for a completion with this error."""
        waiting, self._completions = self._completions, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(error)

    def schedule(self) -> None:
        """See to the session in the loop's next turn, together with what else is asked for until then."""
        if not self._is_scheduled:
            self._is_scheduled = True
            self._loop.call_soon(self._scheduled)

    async def finish(self) -> None:
        """Wait until no transport, dialling or storing is left."""
        if self._dialing is not None:
            self._dialing.cancel()
            await asyncio.wait([self._dialing])
        while self._storing is not None:
            await asyncio.wait([self._storing])
        self.fail(LostError("the client was closed", "closed"))
        for link in list(self._closing_links):
            await link.closed
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Close what is open at once."""
        if self._link is not None:
            self._link.abort()
        for link in self._closing_links:
            link.abort()

    # What the link tells.

    def handle_received(self, data: memoryview) -> None:
        """Take bytes in; those that the session does not take wait, and reading pauses."""
        if self._backlog:
            self._backlog += data
            return
        taken = self.session.receive(data)
        self._run()
        while taken < len(data):
            more = self.session.receive(data, taken)
            if more == 0:
                break
            taken += more
            self._run()
        if taken < len(data) and self._link is not None:
            self._backlog = bytes(data[taken:])
            self._link.pause_reading()

    def handle_writable(self) -> None:
        """Write what has gathered, and take in what has waited for that."""
        self._run()
        backlog, self._backlog = self._backlog, b""
        if backlog and self._link is not None:
            self.handle_received(memoryview(backlog))
            if not self._backlog:
                self._link.resume_reading()

    def handle_transport_lost(self, link: Link, error: Exception | None) -> None:
        """The connection ended by the peer, or by an error."""
        if link is self._link:
            self._link = None
            self._backlog = b""
            self._cause = error
            self.session.handle_transport_closed(now_us())
            self._run()

    # The loop.

    def _scheduled(self) -> None:
        self._is_scheduled = False
        self._run()

    def _run(self) -> None:
        if self._is_running:
            # The owner's reaction to an output: the run that told it goes on until nothing is left.
            self._is_changed = True
            return
        self._is_running = True
        try:
            session = self.session
            before = len(self._completions)
            self._is_changed = True
            while self._is_changed:
                self._is_changed = False
                now = now_us()
                for output in session.drain(now):
                    self._handle(output)
                if self._write(now):
                    self._is_changed = True
            self._arm(session.poll_timeout())
            completed = before - len(self._completions)
            if completed > 0:
                self._observer.handle_room(completed)
        finally:
            self._is_running = False

    def _write(self, now: int) -> bool:
        link = self._link
        if link is None or not link.is_writable:
            return False
        unwritten = self.session.unwritten
        if unwritten == 0:
            return False
        link.write(self.session.transmit())
        self.session.tx_advance(now, unwritten)
        return True

    def _arm(self, deadline: int | None) -> None:
        """Wake up at the deadline. A timer that comes too early only arms itself again, which is cheaper than moving it."""
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        self._timer_at = deadline
        wait = max(0, deadline - now_us()) / 1e6
        self._timer = self._loop.call_later(wait, self._timed_out)

    def _timed_out(self) -> None:
        self._timer = None
        self.session.handle_timeout(now_us())
        self._run()

    def _handle(self, output: Output) -> None:
        kind = type(output)
        if kind is Message:
            self._observer.handle_message(output)  # type: ignore[arg-type]
        elif kind is Published:
            self._complete(output)  # type: ignore[arg-type]
        elif isinstance(output, (Subscribed, Unsubscribed, Authenticated)):
            self._complete(output)
        else:
            self._handle_rare(output)

    def _complete(self, output: Published | Subscribed | Unsubscribed | Authenticated) -> None:
        future = self._completions.pop(output.op, None)
        if future is not None and not future.done():
            future.set_result(output)

    def _handle_rare(self, output: Output) -> None:
        if isinstance(output, Lost):
            future = self._completions.pop(output.op, None)
            if future is not None and not future.done():
                future.set_exception(LostError(output.text, output.loss))
        elif isinstance(output, OpenTransport):
            self._dialing = self._start(self._dial(), "the client failed while it connected")
        elif isinstance(output, CloseTransport):
            self._close_transport()
        elif isinstance(output, Connected):
            self._observer.handle_connected(output)
        elif isinstance(output, Disconnected):
            cause, self._cause = self._cause, None
            self._follow(output)
            self._observer.handle_disconnected(output, cause)
        elif isinstance(output, StoreOperation):
            self._operations.append(output)
            if self._storing is None:
                self._storing = self._start(self._keep(), "the store cannot keep what is published")
        elif isinstance(output, AuthChallenge):
            self._observer.handle_challenge(output)

    def _close_transport(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
        link, self._link = self._link, None
        self._backlog = b""
        if link is not None:
            self._closing_links.add(link)
            link.closed.add_done_callback(lambda _: self._closing_links.discard(link))
            link.close(self._config.close_timeout)

    def _follow(self, disconnected: Disconnected) -> None:
        """Go where the server sends this client, if the configuration allows it."""
        reference = disconnected.properties.server_reference
        if reference and disconnected.retry_at is not None and self._config.reconnect.on_referral == "follow":
            host, _, port = reference.partition(":")
            try:
                self._address = check_address(host, int(port) if port else self._address[1], self._tls)
            except ValueError as error:
                logger.warning("the server names another one, which is no address: %s", error)

    def _start(self, work: Coroutine[object, object, None], doing: str) -> asyncio.Task[None]:
        """Have it done beside the loop. If it fails the owner hears of it, for nobody awaits the task."""
        task = self._loop.create_task(work)

        def done(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self._observer.handle_failure(doing, error)

        task.add_done_callback(done)
        return task

    async def _dial(self) -> None:
        host, port = self._address
        me = asyncio.current_task()
        try:
            _, link = await self._loop.create_connection(lambda: Link(self), host, port, ssl=self._tls)
        except Exception as error:  # noqa: BLE001 - beside OSError what a resolver, TLS or another event loop raises
            self._dialed(me)
            self._cause = error
            self.session.handle_transport_closed(now_us())
            self._run()
        except BaseException:
            self._dialed(me)
            raise
        else:
            self._dialed(me)
            self._link = link
            self.session.handle_transport_open(now_us())
            if link.closed.done():
                self.handle_transport_lost(link, None)
            else:
                self._run()

    def _dialed(self, task: asyncio.Task[object] | None) -> None:
        if self._dialing is task:
            self._dialing = None

    async def _keep(self) -> None:
        """Have the store carry out what has gathered, in a thread, for it waits for a disk."""
        store = self._store
        try:
            while self._operations and store is not None:
                operations, self._operations = self._operations, []
                await self._loop.run_in_executor(None, store.apply, operations)
                self.session.handle_persisted(operations[-1].seq)
                self._run()
        finally:
            self._storing = None
            self._operations.clear()
