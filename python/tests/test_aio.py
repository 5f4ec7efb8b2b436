"""The asyncio client against a real broker: what is published arrives, what is subscribed to comes."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from syncline.aio import Client, SqliteStore, Subscription
from syncline.core import Config, Filter, Message, Properties, QoS, Reconnect, Will
from syncline.errors import (
    ClosingError,
    ConfigError,
    ConnectionFailedError,
    LostError,
    MisuseError,
    QueueFullError,
    RefusedError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

    from mosquitto import Mosquitto

AT_ONCE = Reconnect(first=0, shortest=0, longest=0.05)
HOST = "127.0.0.1"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    """A store for one client of a test."""
    made = SqliteStore(tmp_path / "session.db")
    yield made
    made.close()


@pytest.mark.parametrize("version", ["5", "3.1.1"])
@pytest.mark.parametrize("qos", QoS)
def test_messages_come_back_in_order_at_every_qos(
    broker: Mosquitto, run: Callable[..., Any], version: Any, qos: QoS
) -> None:
    async def main() -> None:
        topic = f"order/{version}/{qos}"
        async with (
            Client(HOST, broker.port, Config(version=version)) as client,
            client.subscribe(topic, qos=qos) as messages,
        ):
            assert messages.granted == (qos,)
            futures = [client.submit(topic, str(number), qos=qos) for number in range(500)]
            for number in range(500):
                message = await anext(messages)
                assert (message.topic, message.payload, message.qos) == (topic, str(number).encode(), qos)
            published = await asyncio.gather(*futures)
            assert not any(it.is_error for it in published)

    run(main())


def test_a_large_message_comes_back_whole(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        payload = bytes(range(256)) * 8000
        async with Client(HOST, broker.port) as client, client.subscribe("large", qos=1) as messages:
            await client.publish("large", payload, qos=1)
            assert (await anext(messages)).payload == payload

    run(main())


def test_properties_and_retained_messages_arrive(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        given = Properties(content_type="text/plain", response_topic="answers", user=[("unit", "bar"), ("unit", "psi")])
        async with Client(HOST, broker.port) as client:
            await client.publish("kept/a", "1.5", qos=1, retain=True, properties=given, expiry=60)
            async with client.subscribe("kept/+") as messages:
                message = await anext(messages)
                assert message.retain
                assert message.properties.user == [("unit", "bar"), ("unit", "psi")]
                assert message.properties.content_type == "text/plain"
                assert message.properties.message_expiry in (59, 60)
            await client.publish("kept/a", retain=True)

    run(main())


def test_each_message_goes_to_every_subscription_that_matches_and_is_acknowledged_once_by_all(
    broker: Mosquitto, run: Callable[..., Any], store: SqliteStore
) -> None:
    async def main() -> None:
        config = Config(client_id="routes")
        async with (
            Client(HOST, broker.port, config, store=store) as client,
            client.subscribe("route/a", qos=1) as first,
            client.subscribe(Filter("route/a", 1), Filter("route/+", 1)) as second,
        ):
            await client.publish("route/a", "1", qos=1)
            await client.publish("route/b", "2", qos=1)
            # The broker sends a message once for each filter that matches, or once for all.
            while len(second) < 2:
                await asyncio.sleep(0.01)
            copies = len(first)
            assert [(await anext(first)).payload for _ in range(copies)] == [b"1"] * copies
            assert [(await anext(second)).payload for _ in range(copies + 1)] == [b"1"] * copies + [b"2"]
            assert "open, 0 waiting" in repr(second)
            await client.publish("route/a", "end", qos=1)
            assert (await anext(first)).payload == b"end"
            assert (await anext(second)).payload == b"end"
        async with Client(HOST, broker.port, config, store=store) as client:
            async with client.subscribe("route/a", qos=1) as messages:
                await client.publish("route/a", "fresh", qos=1)
                assert (await anext(messages)).payload == b"fresh"

    run(main())


def test_after_unsubscribing_nothing_comes_and_the_iterator_ends(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, Client(HOST, broker.port) as other:
            subscription = await client.subscribe("gone")
            reader = asyncio.create_task(asyncio.wait_for(anext(subscription, None), 20))
            await asyncio.sleep(0)
            await subscription.close()
            assert await reader is None
            published = await other.publish("gone", qos=1)
            assert published.reason_code == 0x10, "no matching subscribers"
            with pytest.raises(StopAsyncIteration):
                await anext(subscription)

    run(main())


def test_a_message_whose_handling_failed_waits_for_the_next_subscription(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client:
            with pytest.raises(ZeroDivisionError):
                async with client.subscribe("task", qos=1) as messages:
                    for number in range(3):
                        await client.publish("task", str(number), qos=1)
                    async for message in messages:
                        if message.payload == b"1":
                            raise ZeroDivisionError
            async with client.subscribe("task", qos=1) as messages:
                assert [(await anext(messages)).payload for _ in range(2)] == [b"1", b"2"]

    run(main())


def test_what_was_not_handled_comes_again_in_the_next_run_of_the_program(
    broker: Mosquitto, run: Callable[..., Any], store: SqliteStore
) -> None:
    async def main() -> None:
        config = Config(client_id="restarted")
        async with Client(HOST, broker.port, config, store=store) as client:
            subscription = await client.subscribe("job", qos=1)
            for number in range(4):
                await client.publish("job", str(number), qos=1)
            assert (await anext(subscription)).payload == b"0"
            assert (await anext(subscription)).payload == b"1"
        async with Client(HOST, broker.port, config, store=store) as client:
            assert client.connection is not None
            assert client.connection.session_present
            subscription = await client.subscribe("job", qos=1)
            assert [(await anext(subscription)).payload for _ in range(3)] == [b"1", b"2", b"3"]
            await subscription.close()

    run(main())


@pytest.mark.parametrize(("ends", "comes_again"), [(True, []), (False, [b"0", b"1"])])
def test_after_a_break_the_end_of_the_subscription_acknowledges_the_last_message(
    broker: Mosquitto, run: Callable[..., Any], store: SqliteStore, ends: bool, comes_again: list[bytes]
) -> None:
    async def main() -> None:
        config = Config(client_id=f"break-{ends}")
        topic = f"break/{ends}"
        async with Client(HOST, broker.port, config, store=store) as client:
            subscription = await client.subscribe(topic, qos=1)
            await client.publish(topic, "0", qos=1)
            await client.publish(topic, "1", qos=1)
            async for message in subscription:
                assert message.payload == b"0"
                break
            while not len(subscription):
                await asyncio.sleep(0.01)
            if ends:
                await subscription.close()
        async with Client(HOST, broker.port, config, store=store) as client:
            async with client.subscribe(topic, qos=1) as messages:
                await client.publish(topic, "end", qos=1)
                seen = [message.payload async for message in until_the_end(messages)]
            assert seen == comes_again

    async def until_the_end(messages: Subscription) -> AsyncIterator[Message]:
        async for message in messages:
            if message.payload == b"end":
                return
            yield message

    run(main())


def test_a_subscription_has_properties_and_options_of_its_own(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as client, Client(HOST, broker.port) as other:
            await other.publish("options/kept", "old", qos=1, retain=True)
            given = Properties(subscription_identifier=42, user=[("from", "here")])
            own = Filter("options/+", 1, no_local=True, retain_as_published=True, retain_handling=2)
            async with client.subscribe(own, properties=given) as messages:
                assert messages.properties == given
                await client.publish("options/kept", "own", qos=1)
                await other.publish("options/kept", "new", qos=1, retain=True)
                message = await anext(messages)
                assert (message.payload, message.retain) == (b"new", True), "neither what was kept nor our own"
                assert message.properties.subscription_identifiers == [42]
            await other.publish("options/kept", qos=1, retain=True)

    run(main())


def test_with_manual_acknowledgement_it_is_the_callers_call_that_counts(
    broker: Mosquitto, run: Callable[..., Any], store: SqliteStore
) -> None:
    async def main() -> None:
        config = Config(client_id="manual")
        async with Client(HOST, broker.port, config, store=store) as client:
            subscription = await client.subscribe("manual", qos=2, acks="manual")
            for number in range(3):
                await client.publish("manual", str(number), qos=2)
            messages = [await anext(subscription) for _ in range(3)]
            subscription.acknowledge(messages[0])
            subscription.acknowledge(messages[0])
        async with Client(HOST, broker.port, config, store=store) as client:
            subscription = await client.subscribe("manual", qos=2)
            assert [(await anext(subscription)).payload for _ in range(2)] == [b"1", b"2"]
            await subscription.close()

    run(main())


def test_a_broker_that_restarts_is_found_again_and_asked_for_the_same(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        broker = brokers()
        config = Config(client_id="patient", reconnect=AT_ONCE)
        async with Client(HOST, broker.port, config) as client, client.subscribe("state", qos=1) as messages:
            for number in range(3):
                broker.kill()
                future = client.submit("state", str(number), qos=1)
                broker.start()
                assert not (await future).is_error
                # Without a memory of the Session the broker gets the message before the subscription.
                await client.wait_connected()
                await client.publish("state", f"again {number}", qos=1)
                seen = b""
                while seen != f"again {number}".encode():
                    seen = (await anext(messages)).payload
            assert client.last_disconnect is not None

    run(main())


def test_a_full_queue_makes_publishers_wait_and_loses_nothing(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        config = Config(queue_messages=4, max_in_flight=2)
        async with Client(HOST, broker.port, config) as client, client.subscribe("full", qos=1) as messages:
            publishers = [asyncio.create_task(client.publish("full", str(n), qos=1)) for n in range(200)]
            await asyncio.sleep(0)
            with pytest.raises(QueueFullError):
                client.submit("full", "too much", qos=1)
            for publisher in publishers[50:100]:
                publisher.cancel()
            seen = set[bytes]()
            await asyncio.wait(publishers)
            while len(seen) < 150:
                seen.add((await anext(messages)).payload)
            assert seen == {str(n).encode() for n in (*range(50), *range(100, 200))}

    run(main())


def test_a_message_larger_than_the_queue_is_refused_at_once(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        config = Config(queue_bytes=100, max_in_flight=1)
        async with Client(HOST, broker.port, config) as client:
            blocking = client.submit("big", "x", qos=1)
            with pytest.raises(QueueFullError):
                await client.publish("big", bytes(200), qos=1)
            await blocking

    run(main())


def test_where_there_is_no_server_entering_says_so(run: Callable[..., Any]) -> None:
    async def main() -> None:
        with socket.socket() as unused:
            unused.bind((HOST, 0))
            port = unused.getsockname()[1]
            client = Client(HOST, port)
            with pytest.raises(ConnectionFailedError, match=f"{HOST}:{port}: .*Connect call failed") as raised:
                async with client:
                    pass
            assert isinstance(raised.value.__cause__, OSError)
            assert raised.value.reason == "transport-failed"
            assert "failed" in repr(client)

    run(main())


def test_a_client_told_to_wait_finds_a_server_that_comes_later(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        broker = brokers()
        broker.kill()
        config = Config(reconnect=AT_ONCE)

        async def start() -> None:
            while client.last_disconnect is None:
                await asyncio.sleep(0.01)
            broker.start()

        client = Client(HOST, broker.port, config, wait_for_server=True)
        starter = asyncio.create_task(start())
        async with client:
            assert client.is_connected
        await starter

    run(main())


def test_a_refusal_ends_the_client_and_all_that_waits(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any]
) -> None:
    async def main() -> None:
        broker = brokers("allow_anonymous false")
        with pytest.raises(ConnectionFailedError, match="refused") as raised:
            async with Client(HOST, broker.port, Config(version="5")):
                pass
        assert (raised.value.reason, raised.value.reason_code) == ("refused", 0x87)

    run(main())


def test_a_refusal_of_a_client_that_was_connected_ends_all_that_waits(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        broker = brokers()
        config = Config(version="5", reconnect=AT_ONCE)
        async with Client(HOST, broker.port, config) as client, client.subscribe("over", qos=1) as messages:
            await client.publish("over", "last", qos=1)
            while not len(messages):
                await asyncio.sleep(0.01)
            broker.kill()
            waiting = client.submit("over", qos=1)
            brokers("allow_anonymous false", port=broker.port)
            with pytest.raises(ConnectionFailedError, match="not authorized"):
                await waiting
            # What came before is still there.
            assert (await anext(messages)).payload == b"last"
            with pytest.raises(ConnectionFailedError, match="not authorized"):
                await anext(messages)
            with pytest.raises(ConnectionFailedError):
                await client.publish("over")
            with pytest.raises(ConnectionFailedError):
                await client.wait_connected()

    run(main())
    assert "no further attempt" in caplog.text


def test_a_filter_that_the_server_refuses_raises_its_reason(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "acl").write_text("topic read allowed/#\ntopic write denied/#\n")



    async def main() -> None:
        broker = brokers(f"allow_anonymous true\nacl_file {tmp_path}/acl")
        async with Client(HOST, broker.port) as client:
            # Mosquitto grants any subscription and refuses the message.
            with pytest.raises(RefusedError, match="not authorized") as raised:
                await client.publish("secret", qos=1)
            assert raised.value.reason_code == 0x87

    run(main())


def test_leaving_waits_for_what_is_under_way(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        async with Client(HOST, broker.port) as listener, listener.subscribe("flush", qos=2) as messages:
            async with Client(HOST, broker.port) as client:
                futures = [client.submit("flush", str(n), qos=2) for n in range(300)]
            assert all(future.done() and not future.exception() for future in futures)
            assert [int((await anext(messages)).payload) for _ in range(300)] == list(range(300))

    run(main())


def test_the_will_is_published_when_the_client_dies_and_not_when_it_leaves(
    broker: Mosquitto, run: Callable[..., Any]
) -> None:
    async def main() -> None:
        config = Config(will=Will("wills", "gone", qos=1))
        async with Client(HOST, broker.port) as listener, listener.subscribe("wills", qos=1) as wills:
            async with Client(HOST, broker.port, config):
                pass
            await listener.publish("wills", "left", qos=1)
            assert (await anext(wills)).payload == b"left"
            async with Client(HOST, broker.port, config) as client:
                assert client._driver is not None  # pyright: ignore[reportPrivateUsage]
                client._driver.abort()  # pyright: ignore[reportPrivateUsage]
                assert (await anext(wills)).payload == b"gone"

    run(main())


def test_a_client_is_used_within_its_time_and_once(broker: Mosquitto, run: Callable[..., Any]) -> None:
    async def main() -> None:
        client = Client(HOST, broker.port)
        with pytest.raises(MisuseError, match="not entered"):
            await client.publish("a")
        with pytest.raises(MisuseError, match="at least one"):
            client.subscribe()
        odd: Any = "foo"
        with pytest.raises(MisuseError, match="acks is 'foo', expected 'on-next' or 'manual'"):
            client.subscribe("a", acks=odd)
        async with client:
            subscription = await client.subscribe("once")
            with pytest.raises(MisuseError, match="open already"):
                await subscription
            reader = asyncio.create_task(anext(subscription))
            await asyncio.sleep(0)
            with pytest.raises(MisuseError, match="one task at a time"):
                await anext(subscription)
            reader.cancel()
            await asyncio.wait([reader])
        with pytest.raises(ClosingError):
            await client.publish("a")
        with pytest.raises(MisuseError, match="entered once"):
            async with client:
                pass
        await client.close()

    run(main())
    with pytest.raises(ConfigError):
        Client(config=Config(keep_alive=-1))


def test_slow_readers_drop_the_oldest_qos_0_messages_and_say_so(
    broker: Mosquitto, run: Callable[..., Any], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("syncline.aio.subscription.MAX_WAITING_QOS_0", 10)

    async def main() -> None:
        async with Client(HOST, broker.port) as client, client.subscribe("fast", qos=1) as messages:
            for number in range(20):
                await client.publish("fast", str(number), qos=0)
            await client.publish("fast", "end", qos=1)
            while len(messages) < 11:
                await asyncio.sleep(0.01)
            assert messages.dropped == 10
            found = [(await anext(messages)).payload for _ in range(11)]
            assert found == [*(str(n).encode() for n in range(10, 20)), b"end"]

    run(main())
    assert caplog.text.count("drops QoS 0 messages") == 1


def test_messages_that_nobody_claims_wait_and_are_named_in_the_log(
    broker: Mosquitto,
    run: Callable[..., Any],
    store: SqliteStore,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("syncline.aio._router.UNCLAIMED_PATIENCE", 0.0)

    async def main() -> None:
        config = Config(client_id="forgetful")
        async with Client(HOST, broker.port, config, store=store) as client:
            await client.subscribe("old", qos=1)
        async with Client(HOST, broker.port) as other:
            await other.publish("old", "waits", qos=1)
        async with Client(HOST, broker.port, config, store=store) as client:
            while "no subscription claims" not in caplog.text:
                await asyncio.sleep(0.01)
            async with client.subscribe("old", qos=1) as messages:
                assert (await anext(messages)).payload == b"waits"

    run(main())


def test_what_was_published_without_a_connection_outlives_the_process_in_a_store(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any], tmp_path: Path
) -> None:
    broker = brokers()

    async def before() -> None:
        store = SqliteStore(tmp_path / "session.db")
        config = Config(client_id="stored", reconnect=AT_ONCE)
        async with Client(HOST, broker.port, config, store=store, settle=0.0) as client:
            broker.kill()
            futures = [client.submit("stored", str(number), qos=1) for number in range(5)]
        results = await asyncio.gather(*futures, return_exceptions=True)
        assert all(isinstance(it, LostError) for it in results)
        store.close()

    async def after() -> None:
        broker.start()
        store = SqliteStore(tmp_path / "session.db")
        async with Client(HOST, broker.port) as listener, listener.subscribe("stored", qos=1) as messages:
            async with Client(HOST, broker.port, Config(client_id="stored"), store=store):
                assert [int((await anext(messages)).payload) for _ in range(5)] == list(range(5))
        store.close()
        emptied = SqliteStore(tmp_path / "session.db")
        assert len(emptied.load()) == 1, "the session's own record"
        emptied.close()

    run(before())
    run(after())


def test_a_store_that_fails_ends_the_client(broker: Mosquitto, run: Callable[..., Any], tmp_path: Path) -> None:
    class Broken(SqliteStore):
        def apply(self, operations: Any) -> None:
            message = "disk is gone"
            raise OSError(message)

    async def main() -> None:
        store = Broken(tmp_path / "broken.db")
        with pytest.raises(ConnectionFailedError, match="disk is gone"):
            async with Client(HOST, broker.port, Config(client_id="broken"), store=store) as client:
                await client.publish("a", qos=1)
        store.close()

    run(main())


def certificate(folder: Path) -> None:
    """A key and a certificate of its own for 127.0.0.1."""
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)




def test_over_tls_it_is_the_same_and_an_unknown_certificate_is_refused(
    brokers: Callable[..., Mosquitto], run: Callable[..., Any], tmp_path: Path
) -> None:
    certificate(tmp_path)
    broker = brokers(
        f"allow_anonymous true\ncertfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem"
    )

    async def main() -> None:
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        async with (
            Client(HOST, broker.port, tls=context) as client,
            client.subscribe("tls", qos=1) as messages,
        ):
            payload = bytes(300_000)
            await client.publish("tls", payload, qos=1)
            assert (await anext(messages)).payload == payload
        with pytest.raises(ConnectionFailedError, match="CERTIFICATE_VERIFY_FAILED"):
            async with Client(HOST, broker.port, tls=True):
                pass

    run(main())
