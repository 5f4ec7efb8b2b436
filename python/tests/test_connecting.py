"""How a client's connection comes to be or fails: what cannot be dialled, who never answers, and what is said about it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest

from syncline.aio import Client
from syncline.core import Config, Reconnect
from syncline.errors import ConfigError, ConnectionFailedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mosquitto import Mosquitto

AT_ONCE = Reconnect(first=0, shortest=0, longest=0.01)
HOST = "127.0.0.1"


class Server:
    """Accepts connections in a thread, does one thing with each, and counts them."""

    def __init__(self, handle: Callable[[socket.socket], None]) -> None:
        self.handle = handle
        self.connections = 0
        self._listener = socket.create_server((HOST, 0))
        self._thread = threading.Thread(target=self._accept)

    def __enter__(self) -> int:
        self._thread.start()
        port: int = self._listener.getsockname()[1]
        return port

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.settimeout(5)
                self.connections += 1
                self.handle(connection)


def reset(connection: socket.socket) -> None:
    """End a connection at its CONNECT, as a proxy does whose server is away."""
    with connection:
        connection.recv(4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"port": 70_000}, "port is out of range, expected 1 to 65535"),
        ({"port": 0}, "port is out of range, expected 1 to 65535"),
        ({"port": "21871"}, "port is of type str, expected int"),
        ({"port": True}, "port is of type bool, expected int"),
        ({"host": f"{'a' * 64}.example"}, "is no host name: .*label"),
        ({"host": "a..b"}, "is no host name: .*label"),
        ({"host": ""}, "host '' is no host name: give a name"),
        ({"host": "a\0b"}, "is no host name"),
        ({"host": b"localhost"}, "host is of type bytes, expected str"),
        ({"tls": "yes"}, "tls is of type str, expected bool or ssl.SSLContext"),
        ({"tls": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)}, "tls is a context for servers"),
        ({"settle": float("nan")}, "settle is out of range, expected 0 to"),
        ({"settle": 10**400}, "settle is out of range, expected 0 to"),
        ({"enter_timeout": -1}, "enter_timeout is out of range, expected 0 to"),
        ({"wait_for_server": 5}, "wait_for_server is of type int, expected bool"),
        ({"config": 5}, "config is of type int"),
    ],
)
def test_what_can_never_be_dialled_is_refused_where_it_is_given(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        Client(**arguments)


@pytest.mark.parametrize("error", [UnicodeError("label too long"), ValueError("no such family"), TimeoutError()])
def test_a_dialling_that_fails_by_any_exception_is_a_failed_attempt(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    async def main() -> None:
        async def create_connection(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
        text = f"{HOST}:1: transport could not be opened \\({str(error) or 'TimeoutError'}\\)"
        with pytest.raises(ConnectionFailedError, match=text) as raised:
            async with Client(HOST, 1):
                pass
        assert raised.value.__cause__ is error
        assert raised.value.reason == "transport-failed"

    run(main())


def test_after_a_dialling_that_failed_by_any_exception_the_client_tries_again(
    broker: Mosquitto, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        dial = loop.create_connection
        failures = iter([UnicodeError("label too long"), ValueError("no such family")])

        async def create_connection(*arguments: Any, **options: Any) -> Any:
            for error in failures:
                raise error
            return await dial(*arguments, **options)

        monkeypatch.setattr(loop, "create_connection", create_connection)
        async with Client(HOST, broker.port, Config(reconnect=AT_ONCE), wait_for_server=True) as client:
            assert client.last_disconnect is not None
            assert client.last_disconnect.reason == "transport-failed"

    run(main())


def test_the_death_of_the_dialling_task_reaches_the_user(
    run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Panic(BaseException):
        """As what the compiled module raises where it has a bug."""

    async def main() -> None:
        async def create_connection(*_: object, **__: object) -> None:
            raise Panic("a bug")

        monkeypatch.setattr(asyncio.get_running_loop(), "create_connection", create_connection)
        with pytest.raises(ConnectionFailedError, match="the client failed while it connected: a bug") as raised:
            async with Client(HOST, 1, wait_for_server=True):
                pass
        assert isinstance(raised.value.__cause__, Panic)

    run(main())


@pytest.mark.parametrize("version", ["auto", "5", "3.1.1"])
def test_entering_ends_where_every_connection_is_reset_before_its_connack(
    run: Callable[..., Any], version: Any
) -> None:
    async def main() -> None:
        server = Server(reset)
        config = Config(version=version, reconnect=AT_ONCE)
        with server as port:
            client = Client(HOST, port, config, enter_timeout=0.3)
            text = f"{HOST}:{port}: no connection within 0.3 s; the last attempt: .*connection closed by the server"
            with pytest.raises(ConnectionFailedError, match=text) as raised:
                async with client:
                    pass
            assert raised.value.reason == "transport-closed"
            assert "failed" in repr(client)
        assert server.connections > 2, "a server of 3.1.1 alone is found at the third attempt"

    run(main())


def test_entering_ends_where_the_server_never_says_anything(run: Callable[..., Any]) -> None:
    connections = list[socket.socket]()

    async def main() -> None:
        with Server(connections.append) as port:
            client = Client(HOST, port, enter_timeout=0.1)
            with pytest.raises(ConnectionFailedError, match="no connection within 0.1 s") as raised:
                async with client:
                    pass
            assert raised.value.reason == "connect-timeout"
            for connection in connections:
                connection.close()

    run(main())


def test_a_client_told_to_wait_outlasts_connections_that_are_reset(
    broker: Mosquitto, run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        server = Server(reset)
        loop = asyncio.get_running_loop()
        dial = loop.create_connection

        async def create_connection(protocol: Any, host: str, port: int, **options: Any) -> Any:
            # As where a proxy stands before the broker: the same address, and one day it answers.
            return await dial(protocol, host, broker.port if server.connections > 5 else port, **options)

        monkeypatch.setattr(loop, "create_connection", create_connection)
        with server as port:
            config = Config(reconnect=AT_ONCE)
            async with Client(HOST, port, config, enter_timeout=0, wait_for_server=True) as client:
                assert client.is_connected
        assert server.connections > 5

    run(main())


def test_a_subscription_that_was_cut_off_is_asked_for_again_in_a_resumed_session(run: Callable[..., Any]) -> None:
    """The second connection ends before its SUBACK, and the third finds the Session without the subscription."""

    def serve(connection: socket.socket) -> None:
        number = server.connections
        with connection:
            assert packet(connection)[0] == 0x10, "CONNECT"
            connection.sendall(bytes([0x20, 2, number == 3, 0]))
            kind, body = packet(connection)
            assert kind == 0x82, "SUBSCRIBE"
            if number == 2:
                return
            connection.sendall(bytes([0x90, 3, *body[:2], 0]))
            if number == 3:
                connection.sendall(b"\x30\x06\x00\x03cuth")
                assert packet(connection)[0] in (0xA2, 0xE0), "UNSUBSCRIBE or DISCONNECT"

    server = Server(serve)

    async def main() -> None:
        config = Config(client_id="cut", version="3.1.1", reconnect=AT_ONCE)
        with server as port:
            async with Client(HOST, port, config, settle=0) as client:
                subscription = await client.subscribe("cut")
                assert (await anext(subscription)).payload == b"h"

    run(main())
    assert server.connections == 3


def packet(connection: socket.socket) -> tuple[int, bytes]:
    """The next packet, a short one: first byte and body."""
    kind, length = connection.recv(2, socket.MSG_WAITALL)
    return kind, connection.recv(length, socket.MSG_WAITALL)
