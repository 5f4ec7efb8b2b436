"""The vectors of ``tests/vectors``, which the tests of Rust and C read as well."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import pytest

from syncline.core import (
    CloseTransport,
    Config,
    Connected,
    Disconnected,
    Filter,
    Lost,
    Message,
    OpenTransport,
    Output,
    Published,
    Session,
    Subscribed,
    Unsubscribed,
)
from syncline.errors import IncompatibleError, LimitError, MisuseError, ProtocolError, SynclineError
from syncline.packets import Publish, Version, peek

FOLDER = Path(__file__).parents[2] / "tests" / "vectors"
STALE_TOKEN = 2**64 - 1


@dataclass
class Line:
    """One line: its words, and those of them that are fields."""

    place: str
    text: str
    words: list[str] = field(default_factory=list[str])
    fields: dict[str, str] = field(default_factory=dict[str, str])

    def data(self) -> bytes:
        """The bytes to the line's end."""
        return bytes.fromhex("".join(self.words[1:]))


def read(path: Path) -> list[Line]:
    """The lines of a vector that say something."""
    lines: list[Line] = []
    for number, text in enumerate(path.read_text().splitlines(), 1):
        words: list[str] = []
        for word in text.split():
            if word.startswith("#"):
                break
            words.append(word)
        if words:
            line = Line(f"{path.name}:{number}", " ".join(words))
            for word in words:
                name, equals, value = word.partition("=")
                if equals:
                    line.fields[name] = value
                else:
                    line.words.append(word)
            lines.append(line)
    return lines


def vectors(kind: str) -> list[Any]:
    """The vectors of a kind, each a test."""
    paths = sorted(FOLDER.glob(f"{kind}-*.hex"))
    assert paths, f"no vectors in {FOLDER}"
    return [pytest.param(path, id=path.stem) for path in paths]


def hexadecimal(data: bytes) -> str:
    return data.hex() or "-"


def plain(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("-"))


def family(error: SynclineError) -> str:
    """The word of the vectors for what is wrong with a packet."""
    if isinstance(error, LimitError):
        return "too-large"
    assert isinstance(error, ProtocolError)
    return "malformed" if error.reason_code == 0x81 else "protocol"


@pytest.mark.parametrize("path", vectors("packet"))
def test_packets_are_as_the_vectors_say(path: Path) -> None:
    version, limit, packet = Version.V5, 268_435_460, b""
    for line in read(path):
        match line.words[0]:
            case "version":
                version = Version(int(line.words[1]))
            case "limit":
                limit = int(line.words[1])
            case "packet":
                packet = line.data()
            case "frame":
                assert frame(packet, version, limit) == line.text, line.place
            case "publish":
                assert publish(packet, version) == line.text, line.place
            case other:
                pytest.fail(f"{line.place}: unknown line {other}")


def frame(packet: bytes, version: Version, limit: int) -> str:
    try:
        found = peek(packet, version=version, max_packet_size=limit)
    except SynclineError as error:
        return f"frame refused={family(error)}"
    return f"frame type={found.packet_type} len={found.length}" if found else "frame incomplete"


def publish(packet: bytes, version: Version) -> str:
    try:
        it = Publish.decode(packet, version=version)
    except SynclineError as error:
        return f"publish refused={family(error)}"
    assert it.encode(version=version) == packet
    return (
        f"publish topic={it.topic} payload={hexadecimal(it.payload)} qos={it.qos} dup={it.dup:d} retain={it.retain:d} "
        f"id={it.packet_id or 0}"
    )


@pytest.mark.parametrize("piece", [1, 7, 10_000])
@pytest.mark.parametrize("path", vectors("session"))
def test_sessions_go_as_the_vectors_say_however_what_they_receive_is_cut(path: Path, piece: int) -> None:
    lines = read(path)
    Script(lines, piece).run()


class Script:
    """A session in the hands of a vector."""

    def __init__(self, lines: list[Line], piece: int) -> None:
        options: dict[str, Any] = {}
        while lines[0].words[0] in ("version", "set", "credentials"):
            options |= configured(lines.pop(0))
        self.session = Session(Config(client_id="vector", **options), bytes(32))
        self.lines = lines
        self.piece = piece
        self.now = 0
        self.outputs: deque[str] = deque()
        self.token = STALE_TOKEN
        self.refused: str | None = None

    def run(self) -> None:
        for line in self.lines:
            if not self.expects(line):
                self.must_be_settled(line.place)
                try:
                    self.input(line)
                except SynclineError as error:
                    self.refused = blame(error)
                self.drain()
        self.must_be_settled("the end")

    def must_be_settled(self, place: str) -> None:
        assert not self.outputs, place
        assert not self.session.unwritten, f"{place}: {self.unwritten().hex(' ')}"
        assert self.refused is None, place

    def unwritten(self) -> bytes:
        return b"".join(self.session.transmit())

    def drain(self) -> None:
        for output in self.session.drain(self.now):
            if isinstance(output, Message) and output.ack_token is not None:
                self.token = output.ack_token
            self.outputs.append(f"output {shown(output)}")

    def expects(self, line: Line) -> bool:
        match line.words[0]:
            case "output":
                assert self.outputs, f"{line.place}: nothing came"
                assert self.outputs.popleft() == line.text, line.place
            case "tx":
                unwritten = self.unwritten()
                assert unwritten == line.data(), f"{line.place}: {unwritten.hex(' ')}"
                self.session.tx_advance(self.now, len(unwritten))
                self.drain()
            case "refused":
                assert self.refused == line.words[1], line.place
                self.refused = None
            case "deadline":
                deadline = self.session.poll_timeout()
                assert ("none" if deadline is None else str(deadline)) == line.words[1], line.place
            case _:
                return False
        return True

    def input(self, line: Line) -> None:
        session, now, fields = self.session, self.now, line.fields
        match line.words[0]:
            case "connect":
                session.connect(now)
            case "disconnect":
                session.disconnect(now)
            case "transport-open":
                session.handle_transport_open(now)
            case "transport-closed":
                session.handle_transport_closed(now)
            case "at":
                self.now = int(line.words[1])
                session.handle_timeout(self.now)
            case "rx":
                self.receive(line.data())
            case "publish":
                session.publish(
                    now,
                    fields["topic"],
                    plain(fields["payload"]),
                    qos=int(fields["qos"]),
                    retain=fields["retain"] == "1",
                )
            case "subscribe":
                session.subscribe([Filter(fields["filter"], int(fields["qos"]))])
            case "unsubscribe":
                session.unsubscribe([fields["filter"]])
            case "acknowledge":
                session.acknowledge(self.token)
            case other:
                pytest.fail(f"{line.place}: unknown line {other}")

    def receive(self, data: bytes) -> None:
        for start in range(0, len(data), self.piece):
            piece = data[start : start + self.piece]
            assert self.session.receive(piece) == len(piece)
            self.drain()


def configured(line: Line) -> dict[str, Any]:
    """One line of configuration as arguments of ``Config``."""
    match line.words[0]:
        case "version":
            versions = {"0": "auto", "4": "3.1.1", "5": "5"}
            return {"version": cast("Literal['auto', '3.1.1', '5']", versions[line.words[1]])}
        case "credentials":
            return {"username": line.fields["username"], "password": plain(line.fields["password"])}
        case _:
            ((name, value),) = line.fields.items()
    match name:
        case "clean-start":
            return {"clean_start": value == "1"}
        case "keep-alive-seconds":
            return {"keep_alive": int(value)}
        case "manual-acks":
            return {"acks": "manual" if value == "1" else "automatic"}
        case "session-lost":
            return {"on_session_lost": "report" if value == "1" else "republish"}
        case _:
            return {name.replace("-", "_"): int(value)}


def blame(error: SynclineError) -> str:
    for kind, word in ((MisuseError, "misuse"), (LimitError, "limit"), (IncompatibleError, "incompatible")):
        if isinstance(error, kind):
            return word
    raise error


def shown(output: Output) -> str:
    """An output as the vectors write it."""
    match output:
        case OpenTransport():
            return "open-transport"
        case CloseTransport():
            return "close-transport"
        case Connected():
            version = {"3.1.1": 4, "5": 5}[output.version]
            return f"connected version={version} present={output.session_present:d}"
        case Disconnected():
            retry = "none" if output.retry_at is None else output.retry_at
            return f"disconnected reason={output.reason} code={output.reason_code:02x} retry={retry}"
        case Message():
            return (
                f"message topic={output.topic} payload={hexadecimal(output.payload)} qos={output.qos} "
                f"retain={output.retain:d} dup={output.dup:d} ack={output.ack_token is not None:d}"
            )
        case Published():
            return f"published op={output.op} code={output.reason_code:02x}"
        case Subscribed():
            return f"subscribed op={output.op} codes={hexadecimal(bytes(output.reason_codes))}"
        case Unsubscribed():
            return f"unsubscribed op={output.op} codes={hexadecimal(bytes(output.reason_codes))}"
        case Lost():
            return f"lost op={output.op} loss={output.loss}"
        case other:
            pytest.fail(f"no vector has {other!r}")
