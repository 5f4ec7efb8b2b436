"""The client: connect, publish, subscribe; what a program sees of MQTT."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from syncline._argument import check_address, check_flag, check_seconds, check_tls
from syncline.aio._driver import Driver, Observer, now_us
from syncline.aio._router import Router
from syncline.aio.subscription import Subscription
from syncline.core import (
    AuthChallenge,
    Authenticated,
    Config,
    Connected,
    Disconnected,
    Filter,
    Message,
    Properties,
    Published,
    Session,
    Subscribed,
    Unsubscribed,
    reason_text,
)
from syncline.errors import (
    ClosingError,
    ConnectionFailedError,
    LostError,
    MisuseError,
    NotConnectedError,
    QueueFullError,
    RefusedError,
    StaleTokenError,
    SynclineError,
)

if TYPE_CHECKING:
    import ssl
    from collections.abc import Awaitable, Callable, Coroutine, Iterable
    from types import TracebackType

    from typing_extensions import Buffer, Self

    from syncline.aio.store import Store

__all__ = ["Client"]

logger = logging.getLogger("syncline")

NO_SERVER = frozenset({"transport-failed", "connect-timeout", "connack-timeout"})
"""Reasons by which a first connection counts as impossible."""

FAILED = 0x80
"""The first Reason Code that is an error."""


class Client(Observer):
    """An MQTT client that stays connected from ``async with`` to its end.

    Entering waits for the first connection. It raises :exc:`~syncline.errors.ConnectionFailedError` where there is no
    server or it refuses this client, and after ``enter_timeout`` seconds where connections end before the server has
    accepted one, such as behind a proxy whose server is away; with ``wait_for_server`` it goes on trying instead, for ever.
    A connection that is lost later comes back by itself, at the intervals of :class:`~syncline.core.Reconnect`; what was
    published meanwhile waits, and subscriptions stay. Only a refusal ends the client: everything that waits then raises
    that error.

    Leaving waits until everything published is acknowledged, at most ``settle`` seconds.

    What is published and what is subscribed to outlives connections; with a ``store`` and a ``client_id`` it outlives the
    program, too: messages that were not acknowledged are sent by the next run, and what came meanwhile waits at the server.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int | None = None,
        config: Config = Config(),  # noqa: B008 - frozen
        *,
        tls: bool | ssl.SSLContext = False,
        store: Store | None = None,
        settle: float = 5.0,
        enter_timeout: float = 30.0,
        wait_for_server: bool = False,
        authenticate: Callable[[bytes | None], Awaitable[bytes]] | None = None,
    ) -> None:
        """Prepare; nothing happens before ``async with``.

        ``port`` is 1883, with ``tls`` 8883. ``tls=True`` trusts what the system trusts; give a context for anything else.
        ``authenticate`` answers the challenges of enhanced authentication. Raises :exc:`~syncline.errors.ConfigError` for
        what cannot be.
        """
        Session(config, bytes(32))  # raises ConfigError here, where the mistake is
        self._config = replace(config, acks="manual")
        self._tls = check_tls(tls)
        self._address = check_address(host, port, self._tls)
        self._store = store
        self._settle = check_seconds("settle", settle)
        self._enter_timeout = check_seconds("enter_timeout", enter_timeout)
        self._wait_for_server = check_flag("wait_for_server", wait_for_server)
        self._authenticate = authenticate
        self._driver: Driver | None = None
        self._first: asyncio.Future[None] | None = None
        self._ended: asyncio.Future[None] | None = None
        self._is_closing = False
        self._error: ConnectionFailedError | None = None
        self._connected = asyncio.Event()
        self._connection: Connected | None = None
        self._last_disconnect: Disconnected | None = None
        self._last_failure: ConnectionFailedError | None = None
        self._router = Router()
        self._left_filters: set[str] = set()
        self._room_waiters: deque[asyncio.Future[None]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    # What it is.

    @property
    def client_id(self) -> str:
        """Client Identifier, the assigned one where the server chose it."""
        return self._config.client_id if self._driver is None else self._driver.session.client_id

    @property
    def is_connected(self) -> bool:
        """Whether a connection stands now."""
        return self._connected.is_set()

    @property
    def connection(self) -> Connected | None:
        """The facts of the connection that stands, or stood last."""
        return self._connection

    @property
    def last_disconnect(self) -> Disconnected | None:
        """Why the last connection ended, or could not be made."""
        return self._last_disconnect

    def __repr__(self) -> str:
        """Show address and state."""
        host, port = self._address
        if self._driver is None:
            state = "not entered"
        elif self._error is not None:
            state = "failed"
        elif self._is_closing:
            state = "closed"
        else:
            state = "connected" if self.is_connected else "waiting for a connection"
        return f"<Client {self.client_id!r} of {host}:{port}, {state}>"

    # Life.

    async def __aenter__(self) -> Self:
        """Connect."""
        if self._driver is not None:
            message = "a client is entered once: make another one"
            raise MisuseError(message)
        loop = asyncio.get_running_loop()
        records = () if self._store is None else await loop.run_in_executor(None, self._store.load)
        self._driver = Driver(self._config, self._address, self._tls, self, self._store, records)
        self._first = loop.create_future()
        self._ended = loop.create_future()
        deadline = None if self._wait_for_server else loop.call_later(self._enter_timeout, self._entered_too_late)
        try:
            self._driver.connect()
            await self._first
        except BaseException:
            await self._shut(0.0)
            raise
        finally:
            if deadline is not None:
                deadline.cancel()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect."""
        await self.close()

    async def close(self) -> None:
        """Disconnect, once everything published is acknowledged, or after ``settle`` seconds.

        Cancelled, it disconnects at once.
        """
        await self._shut(self._settle)

    async def wait_connected(self) -> Connected:
        """Wait until a connection stands."""
        while True:
            self._require_open()
            if self._connection is not None and self._connected.is_set():
                return self._connection
            await self._connected.wait()

    async def _shut(self, settle: float) -> None:
        driver, ended = self._driver, self._ended
        if driver is None or ended is None:
            return
        try:
            if not self._is_closing:
                self._is_closing = True
                self._router.end(None)
                self._disconnect(settle)
            await asyncio.shield(ended)
        except BaseException:
            self._disconnect(0.0)
            driver.abort()
            raise
        finally:
            self._connected.set()  # wakes those that wait for a connection, to find the client closed
            for task in self._tasks:
                task.cancel()
            self._wake_all_for_room()
            await driver.finish()

    def _disconnect(self, settle: float) -> None:
        driver = self._driver
        if driver is None or (self._ended is not None and self._ended.done()):
            return
        # Without a store nobody will come back to this Session.
        session_expiry = None if self._store is not None else 0
        driver.disconnect(settle, session_expiry=session_expiry, keep=self._store is not None)

    def _require_open(self) -> Driver:
        if self._error is not None:
            raise self._error
        if self._driver is None:
            message = "the client is not entered: use it within `async with`"
            raise MisuseError(message)
        if self._is_closing:
            message = "the client is closed"
            raise ClosingError(message)
        return self._driver

    # Commands.

    async def publish(
        self,
        topic: str,
        payload: str | Buffer = b"",
        *,
        qos: int = 0,
        retain: bool = False,
        expiry: float | None = None,
        properties: Properties | None = None,
    ) -> Published:
        """Publish, and wait: at QoS 0 until it is on its way, at QoS 1 and 2 until the server has it.

        Without a connection the message waits for the next one, ``expiry`` seconds at most. With a full queue this waits
        for room. Cancelled after that, it does not take the message back.

        Raises :exc:`~syncline.errors.RefusedError` where the server acknowledges with an error,
        :exc:`~syncline.errors.LostError` where the message is given up, and what :meth:`submit` raises.
        """
        while True:
            try:
                future = self.submit(
                    topic, payload, qos=qos, retain=retain, expiry=expiry, properties=properties
                )
            except QueueFullError as error:
                await self._wait_for_room(error)
            else:
                published = await future
                if published.is_error:
                    raise refused(published.reason_code)
                return published

    def submit(
        self,
        topic: str,
        payload: str | Buffer = b"",
        *,
        qos: int = 0,
        retain: bool = False,
        expiry: float | None = None,
        properties: Properties | None = None,
    ) -> asyncio.Future[Published]:
        """Publish without waiting; the future tells what became of it.

        Raises :exc:`~syncline.errors.QueueFullError` where there is no room, and
        :exc:`~syncline.errors.IncompatibleError` for what the server does not accept.
        """
        driver = self._driver
        if driver is None or self._is_closing or self._error is not None:
            driver = self._require_open()
        op = driver.session.publish(
            now_us(), topic, payload, qos=qos, retain=retain, expiry=expiry, properties=properties
        )
        return driver.completion(op, Published)

    def subscribe(
        self,
        *filters: str | Filter,
        qos: int = 0,
        acks: Literal["on-next", "manual"] = "on-next",
        properties: Properties | None = None,
    ) -> Subscription:
        """Make a subscription, to be entered by ``async with`` or awaited.

        ``qos`` is for filters that are plain texts; a :class:`~syncline.core.Filter` has its own, with the other options of
        a subscription. ``acks`` says when a message counts as handled: when the loop asks for the next one, or by
        :meth:`Subscription.acknowledge`. ``properties`` may hold a Subscription Identifier and User Properties, which the
        server hears of at each subscribing; 3.1.1 has none. A message goes to every subscription that matches, and is
        acknowledged when it is handled in all of them. A server may send it once for each of its filters that match, as
        Mosquitto does over MQTT 5.0; so subscriptions of one client that overlap may see it as often.
        """
        if not filters:
            message = "no topic filter is given: name at least one"
            raise MisuseError(message)
        made = [Filter(each, qos) if isinstance(each, str) else each for each in filters]
        for each in made:
            if not isinstance(each, Filter):
                message = f"filter is of type {type(each).__name__}, expected str or syncline.core.Filter"
                raise TypeError(message)
        return Subscription(self, made, acks, properties)

    async def reauthenticate(self, data: Buffer) -> Authenticated:
        """Authenticate again on the standing connection, as when a token is about to expire."""
        driver = self._require_open()
        return await driver.completion(driver.session.reauthenticate(data), Authenticated)

    # Room in the queue.

    async def _wait_for_room(self, full: QueueFullError) -> None:
        driver = self._require_open()
        if driver.session.queued == 0:
            # The message is larger than the whole queue.
            raise full
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._room_waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self.handle_room(1)
            raise

    def handle_room(self, completed: int) -> None:
        """So many operations are complete: as many of those that wait for room may try again."""
        while completed > 0 and self._room_waiters:
            waiter = self._room_waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                completed -= 1

    def _wake_all_for_room(self) -> None:
        self.handle_room(len(self._room_waiters))

    # Subscriptions.

    async def _open_subscription(self, subscription: Subscription) -> None:
        self._require_open()
        if subscription._is_open:
            message = "the subscription is open already: make another one"
            raise MisuseError(message)
        subscription._is_open = True
        self._left_filters.difference_update(each.topic for each in subscription.filters)
        self._router.add(subscription)
        try:
            await self._subscribe(subscription)
        except BaseException:
            self._remove(subscription, is_handled=False)
            raise

    async def _subscribe(self, subscription: Subscription) -> None:
        """Subscribe on the connection that stands, or the next one."""
        while True:
            await self.wait_connected()
            driver = self._require_open()
            try:
                op = driver.session.subscribe(subscription.filters, properties=subscription.properties)
                subscribed = await driver.completion(op, Subscribed)
            except NotConnectedError:
                self._connected.clear()
            except LostError as error:
                if error.loss != "link-lost":
                    raise
            else:
                self._granted(subscription, subscribed)
                return

    def _granted(self, subscription: Subscription, subscribed: Subscribed) -> None:
        for code in subscribed.reason_codes:
            if code >= FAILED:
                raise refused(code)
        subscription._granted = tuple(subscribed.reason_codes)
        subscription._is_known = True

    async def _close_subscription(self, subscription: Subscription, *, is_handled: bool) -> None:
        if not subscription._is_open:
            return
        unsubscribed = self._remove(subscription, is_handled=is_handled)
        if unsubscribed is not None:
            try:
                await unsubscribed
            except SynclineError:
                logger.debug("the connection was lost before %r was answered", subscription)

    def _remove(self, subscription: Subscription, *, is_handled: bool) -> asyncio.Future[Unsubscribed] | None:
        unhandled = subscription._end(None)
        self._router.remove(subscription)
        if is_handled:
            for message in unhandled:
                self._acknowledge(message)
        else:
            self._router.hand_back(unhandled)
        topics = {each.topic for each in subscription.filters if not self._router.has_filter(each.topic)}
        return self._unsubscribe(sorted(topics))

    def _unsubscribe(self, topics: list[str]) -> asyncio.Future[Unsubscribed] | None:
        """Unsubscribe now, or from the next connection on."""
        driver = self._driver
        if driver is None or not topics or self._is_closing or self._error is not None:
            return None
        self._left_filters.update(topics)
        try:
            future = driver.completion(driver.session.unsubscribe(topics), Unsubscribed)
        except SynclineError:
            return None
        future.add_done_callback(lambda done: self._unsubscribed(topics, done))
        return future

    def _unsubscribed(self, topics: Iterable[str], done: asyncio.Future[Unsubscribed]) -> None:
        if not done.cancelled() and done.exception() is None:
            self._left_filters.difference_update(topics)

    def _acknowledge(self, message: Message) -> None:
        driver = self._driver
        if driver is None or message.ack_token is None or not self._router.is_handled(message):
            return
        try:
            driver.session.acknowledge(message.ack_token)
        except StaleTokenError:
            # The connection that it came by is gone: the server sends it again.
            return
        driver.schedule()

    # What the driver tells.

    def handle_message(self, message: Message) -> None:
        """Give it to the subscriptions that it is for."""
        self._router.deliver(message)

    def handle_connected(self, connected: Connected) -> None:
        """Go on, or subscribe again."""
        driver = self._require_driver()
        self._connection = connected
        self._connected.set()
        logger.info("connected to %s:%d: %r", *self._address, connected)
        if self._first is not None and not self._first.done():
            self._first.set_result(None)
        if connected.session_present:
            self._router.forget_stale()
            self._unsubscribe(list(self._left_filters))
        else:
            self._left_filters.clear()
            for subscription in self._router:
                subscription._is_known = False
        for subscription in self._router:
            # A resumed Session need not know all: the connection before may have ended ahead of a SUBACK.
            if subscription._granted and not subscription._is_known:
                self._subscribe_again(driver, subscription)

    def _subscribe_again(self, driver: Driver, subscription: Subscription) -> None:
        try:
            op = driver.session.subscribe(subscription.filters, properties=subscription.properties)
        except SynclineError as error:
            # The server is another one, or has changed: it does not offer what this subscription asks for.
            logger.warning("%r is over: %s", subscription, error)
            subscription._end(error)
            return
        future = driver.completion(op, Subscribed)
        future.add_done_callback(lambda done: self._subscribed_again(subscription, done))

    def _subscribed_again(self, subscription: Subscription, done: asyncio.Future[Subscribed]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        try:
            if error is None:
                self._granted(subscription, done.result())
        except RefusedError as refusal:
            logger.warning("%r is over: %s", subscription, refusal)
            subscription._end(refusal)

    def handle_disconnected(self, disconnected: Disconnected, cause: BaseException | None) -> None:
        """Wait for the next connection, or give up."""
        was_connected = self._connected.is_set()
        self._connected.clear()
        self._last_disconnect = disconnected
        if disconnected.reason == "requested":
            if self._ended is not None and not self._ended.done():
                self._ended.set_result(None)
            return
        host, port = self._address
        said = disconnected.properties.reason_string or (cause and words(cause))
        text = f"{host}:{port}: {disconnected}" + (f" ({said})" if said else "")
        error = ConnectionFailedError(text, disconnected.reason, disconnected.reason_code)
        error.__cause__ = cause
        self._last_failure = error
        is_first = self._first is not None and not self._first.done()
        gives_up = is_first and not self._wait_for_server and disconnected.reason in NO_SERVER
        if disconnected.retry_at is None or gives_up:
            self._fail(error)
        else:
            wait = max(0, disconnected.retry_at - now_us()) / 1e6
            level = logging.WARNING if was_connected else logging.INFO
            logger.log(level, "%s; next attempt in %.1f s", text, wait)

    def _entered_too_late(self) -> None:
        """Give up entering, and name why the last attempt failed."""
        if self._first is None or self._first.done():
            return
        host, port = self._address
        text = f"{host}:{port}: no connection within {self._enter_timeout:g} s"
        last = self._last_failure
        if last is None:
            error = ConnectionFailedError(text, "connect-timeout", 0)
        else:
            error = ConnectionFailedError(f"{text}; the last attempt: {last}", last.reason, last.reason_code)
            error.__cause__ = last.__cause__
        self._fail(error)

    def handle_challenge(self, challenge: AuthChallenge) -> None:
        """Answer it, by the function that the caller has given for it."""
        if self._authenticate is None:
            text = "the server asks for authentication data: give the client a function `authenticate`"
            self._fail(ConnectionFailedError(text, "other", 0))
        else:
            self._start(self._answer(self._authenticate, challenge))

    def handle_failure(self, doing: str, error: BaseException) -> None:
        """Give up: nothing can be promised any more."""
        failed = ConnectionFailedError(f"{doing}: {words(error)}", "other", 0)
        failed.__cause__ = error
        self._fail(failed)

    async def _answer(
        self, authenticate: Callable[[bytes | None], Awaitable[bytes]], challenge: AuthChallenge
    ) -> None:
        try:
            data = await authenticate(challenge.data)
            driver = self._require_driver()
            driver.session.authenticate(now_us(), data)
            driver.schedule()
        except Exception as error:
            failed = ConnectionFailedError(f"the challenge could not be answered: {error}", "other", 0)
            failed.__cause__ = error
            self._fail(failed)

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _require_driver(self) -> Driver:
        assert self._driver is not None, "a driver has told something"
        return self._driver

    def _fail(self, error: ConnectionFailedError) -> None:
        """There will be no connection any more: all that waits for one hears of it."""
        if self._error is not None or self._is_closing:
            return
        self._error = error
        driver = self._require_driver()
        driver.fail(error)
        self._disconnect(0.0)
        self._router.end(error)
        if self._first is not None and not self._first.done():
            self._first.set_exception(error)
        else:
            logger.error("%s; no further attempt", error)
        self._wake_all_for_room()
        self._connected.set()


def words(error: BaseException) -> str:
    """What an exception says, or what it is."""
    return str(error) or type(error).__name__


def refused(reason_code: int) -> RefusedError:
    """The server's no."""
    return RefusedError(f"the server refuses it: {reason_text(reason_code)}", reason_code)
