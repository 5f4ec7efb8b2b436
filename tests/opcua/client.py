"""An OPC UA client on asyncua that is told what to do line by line, and tells line by line what became of it.

Each line of the input is a JSON object with an ``id`` and a task; all tasks run at once. Each line of the output has the
``id`` with ``ms``, the time that it took, and either ``result`` or ``error``, the name of a status code.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import random
import socket
import struct
import sys
import time
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyNone
from asyncua.ua.ua_binary import struct_from_binary, variant_to_binary
from cryptography.x509.oid import ExtendedKeyUsageOID

ASK_FOR_DIAGNOSTICS = 0x3FF


def node(text: str) -> ua.NodeId:
    return ua.NodeId.from_string(text)


def variant(typed: Sequence[Any]) -> ua.Variant:
    """A value from ``[type, value]``; a list is an array, and lists of lists have dimensions."""
    kind, value = typed
    return ua.Variant(value, ua.VariantType[kind])


class Session:
    """One connection with its session."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def send(self, request: Any, response: type, timeout: float) -> Any:
        protocol = self.client.uaclient.protocol
        request.RequestHeader.AuthenticationToken = self.client.uaclient.session.authentication_token
        request.RequestHeader.ReturnDiagnostics = ua.UInt32(ASK_FOR_DIAGNOSTICS)
        # The hint goes into the header; the client itself waits longer, to see what the server makes of the hint.
        answer = await asyncio.wait_for(protocol._send_request(request, timeout), 120)
        protocol.check_answer(answer, "")
        told = struct_from_binary(response, answer)
        told.ResponseHeader.ServiceResult.check()
        return told

    async def write(self, task: dict[str, Any]) -> Any:
        request = ua.WriteRequest()
        for target in task["nodes"]:
            write = ua.WriteValue()
            write.NodeId = node(target)
            write.AttributeId = ua.AttributeIds.Value
            write.Value = ua.DataValue(variant(task["value"]))
            request.Parameters.NodesToWrite.append(write)
        answer = await self.send(request, ua.WriteResponse, task.get("timeout", 60))
        return outcome(answer.Results, answer.DiagnosticInfos)

    async def call(self, task: dict[str, Any]) -> Any:
        request = ua.CallRequest()
        call = ua.CallMethodRequest()
        call.ObjectId, call.MethodId = node(task["object"]), node(task["method"])
        call.InputArguments = [variant(argument) for argument in task["arguments"]]
        request.Parameters.MethodsToCall = [call]
        answer = await self.send(request, ua.CallResponse, task.get("timeout", 60))
        (result,) = answer.Results
        told = outcome([result.StatusCode], answer.DiagnosticInfos)
        told["outputs"] = [output.Value for output in result.OutputArguments or []]
        told["arguments"] = [code.name for code in result.InputArgumentResults or []]
        return told

    async def read(self, task: dict[str, Any]) -> Any:
        request = ua.ReadRequest()
        read = ua.ReadValueId()
        read.NodeId = node(task["node"])
        read.AttributeId = ua.AttributeIds[task.get("attribute", "Value")]
        request.Parameters.NodesToRead.append(read)
        (value,) = (await self.send(request, ua.ReadResponse, task.get("timeout", 60))).Results
        return {"value": value.Value.Value if value.Value else None, "status": value.StatusCode.name}

    async def close(self, task: dict[str, Any]) -> str:
        """Ends the session, and goes on with the connection."""
        await self.client.uaclient.close_session(True)
        return "closed"

    async def browse(self, task: dict[str, Any]) -> Any:
        children = await self.client.get_node(task["node"]).get_children()
        return [child.nodeid.to_string() for child in children]


def same(one: ua.Variant, other: ua.Variant) -> bool:
    """Equal in type, dimensions and value, where a NaN is equal to a NaN."""
    return one.VariantType == other.VariantType and variant_to_binary(one) == variant_to_binary(other)


def random_variant(source: random.Random, kind: str, rank: int) -> ua.Variant:
    """A value of a type: of a Variant any other one, with the type that it has."""
    if kind == "Variant":
        simple = source.choice(["Boolean", "Int64", "Float", "String", "ByteString", "Guid", "LocalizedText"])
        return random_variant(source, simple, rank)
    scalar = ua.VariantType[kind]
    if rank == -1:
        return ua.Variant(random_scalar(source, kind), scalar)
    if rank == 1:
        return ua.Variant([random_scalar(source, kind) for _ in range(source.randrange(5))], scalar, is_array=True)
    rows, columns = source.randrange(1, 4), source.randrange(1, 4)
    return ua.Variant([[random_scalar(source, kind) for _ in range(columns)] for _ in range(rows)], scalar)


INTEGERS = {"SByte": (8, True), "Byte": (8, False), "Int16": (16, True), "UInt16": (16, False)}
INTEGERS |= {"Int32": (32, True), "UInt32": (32, False), "Int64": (64, True), "UInt64": (64, False)}


def random_scalar(source: random.Random, kind: str) -> Any:
    if kind in INTEGERS:
        bits, signed = INTEGERS[kind]
        low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        return source.choice([low, high, 0, source.randint(low, high)])
    text = "".join(source.choice('aZ09 "\\\n\u00e4\u20ac\U0001f600;:=%/') for _ in range(source.randrange(12)))
    match kind:
        case "Boolean":
            return source.random() < 0.5
        case "Float":
            value = struct.unpack("<f", source.randbytes(4))[0]
            return float("nan") if math.isnan(value) else source.choice([value, math.inf, -math.inf, -0.0, 0.1])
        case "Double":
            value = struct.unpack("<d", source.randbytes(8))[0]
            return float("nan") if math.isnan(value) else source.choice([value, math.inf, -math.inf, -0.0, 0.1])
        case "String":
            return source.choice([text, None])
        case "XmlElement":
            return ua.XmlElement(f"<a>{source.randrange(100)}</a>")
        case "DateTime":
            return datetime(1700, 1, 1, tzinfo=timezone.utc) + timedelta(microseconds=source.randrange(10**16))
        case "Guid":
            return uuid.UUID(int=source.getrandbits(128))
        case "ByteString":
            return source.choice([source.randbytes(source.randrange(20)), None])
        case "NodeId":
            return random_node_id(source, text)
        case "ExpandedNodeId":
            plain = random_node_id(source, text)
            return ua.ExpandedNodeId(plain.Identifier, 0, plain.NodeIdType, "urn:a;b%c", source.randrange(1 << 32))
        case "StatusCode":
            return ua.StatusCode(ua.UInt32(source.choice([0, 0x80000000, 0x803C0000, 0x40000000])))
        case "QualifiedName":
            return ua.QualifiedName(text or "x", source.randrange(1 << 15))
        case "LocalizedText":
            # The server's library sends an empty text as none.
            return ua.LocalizedText(source.choice([text or "x", None]), source.choice(["de", None]))
        case "DataValue":
            value = random_variant(source, source.choice(["Int64", "String", "Float"]), -1)
            moment = random_scalar(source, "DateTime")
            return ua.DataValue(value, ua.StatusCode(ua.UInt32(0x40000000)), moment, moment)
    raise ValueError(kind)


def random_node_id(source: random.Random, text: str) -> ua.NodeId:
    namespace = source.randrange(1 << 16)
    identifiers = [source.randrange(1 << 32), text or "x", uuid.UUID(int=source.getrandbits(128)), source.randbytes(5)]
    types = [ua.NodeIdType.Numeric, ua.NodeIdType.String, ua.NodeIdType.Guid, ua.NodeIdType.ByteString]
    choice = source.randrange(4)
    return ua.NodeId(identifiers[choice], namespace, types[choice])


def outcome(codes: Sequence[ua.StatusCode], diagnostics: Sequence[ua.DiagnosticInfo] | None) -> dict[str, Any]:
    return {
        "codes": [code.name for code in codes],
        "texts": [diagnostic.AdditionalInfo for diagnostic in diagnostics or []],
    }


class Unprotected(Client):
    """Sends a password as it is, whatever the server has said of that."""

    def __init__(self, url: str, policy_id: str) -> None:
        super().__init__(url, timeout=60)
        self.policy_id = policy_id

    def _add_user_auth(self, params: ua.ActivateSessionParameters, username: str | None, password: str | None) -> None:
        params.UserIdentityToken = ua.UserNameIdentityToken()
        params.UserIdentityToken.PolicyId = self.policy_id
        params.UserIdentityToken.UserName = username
        params.UserIdentityToken.Password = (password or "").encode()


class Tasks:
    """Everything that is under way, and the sessions by their names."""

    def __init__(self) -> None:
        self.sessions: dict[str, Session] = {}

    async def connect(self, task: dict[str, Any]) -> str:
        """With ``security``, such as ``Basic256Sha256,Sign``, by the certificate of that ``name`` in ``folder``, made if missing."""
        client = Unprotected(task["url"], task["policy_id"]) if "policy_id" in task else Client(task["url"], timeout=60)
        client.set_max_concurrent_requests(100_000)
        if task.get("user"):
            client.set_user(task["user"])
            client.set_password(task["password"])
        if "security" in task:
            client.application_uri = f"urn:syncline:tests:{task['name']}"
            key, certificate = (Path(task["folder"]) / f"{task['name']}.{kind}" for kind in ("pem", "der"))
            names = {"commonName": task["name"]}
            await setup_self_signed_certificate(
                key, certificate, client.application_uri, socket.gethostname(), [ExtendedKeyUsageOID.CLIENT_AUTH], names
            )
            await client.set_security_string(f"{task['security']},{certificate},{key}")
        if "lifetime" in task:
            client.secure_channel_timeout = task["lifetime"]
        try:
            await client.connect()
        except BaseException:
            client.disconnect_socket()
            raise
        self.sessions[task["session"]] = Session(client)
        return "connected"

    async def endpoints(self, task: dict[str, Any]) -> list[str]:
        """The URLs of what a server offers, each once, as who searches for one by ``url`` is told."""
        offered = await Client(task["url"], timeout=60).connect_and_get_server_endpoints()
        return sorted({endpoint.EndpointUrl for endpoint in offered})

    async def crowd(self, task: dict[str, Any]) -> str:
        """Asks for ``count`` sessions by the policy None, which are never activated, and stays connected."""
        client = Client(task["url"], timeout=60)
        await client.connect_socket()
        await client.send_hello()
        await client.open_secure_channel()
        for _ in range(task["count"]):
            # Without an endpoint for the policy None asyncua complains, when the server has made the session.
            with contextlib.suppress(Exception):
                await client.create_session()
        self.sessions[task["session"]] = Session(client)
        return "asked"

    async def keys(self, task: dict[str, Any]) -> int:
        """How many sets of keys the channel has had."""
        return self.sessions[task["session"]].client.uaclient.protocol._connection.security_token.TokenId

    async def downgrade(self, task: dict[str, Any]) -> str:
        """Renews the keys of a protected channel by the policy None, as somebody on the way would to take the session over."""
        client = self.sessions[task["session"]].client
        client.security_policy = client.uaclient.protocol._connection.security_policy = SecurityPolicyNone()
        await client.open_secure_channel(renew=True)
        return "renewed"

    async def drop(self, task: dict[str, Any]) -> str:
        """Lets go of the connection without a word."""
        session = self.sessions.pop(task["session"])
        session.client.uaclient.protocol.transport.abort()
        return "dropped"

    async def many(self, task: dict[str, Any]) -> Any:
        """As many writes of single values as there shall be, all at once; how many ended with which code."""
        session = self.sessions[task["session"]]
        writes = [session.write(task) for _ in range(task["count"])]
        counts: dict[str, int] = {}
        for told in await asyncio.gather(*writes):
            (code,) = told["codes"]
            counts[code] = counts.get(code, 0) + 1
        return counts

    async def follow(self, task: dict[str, Any]) -> Any:
        """Monitors a node until it has had the last of the expected values; all that was told, of what is bad the status."""
        told: list[Any] = []
        done = asyncio.Event()

        class Handler:
            def datachange_notification(self, _node: Any, value: Any, data: Any) -> None:
                status = data.monitored_item.Value.StatusCode
                told.append(value if status is None or status.is_good() else status.name)
                if told[-1] == task["until"]:
                    done.set()

        client = self.sessions[task["session"]].client
        subscription = await client.create_subscription(50, Handler())
        await subscription.subscribe_data_change(client.get_node(task["node"]), queuesize=100)
        await asyncio.wait_for(done.wait(), 60)
        await subscription.delete()
        return told

    async def round_trips(self, task: dict[str, Any]) -> Any:
        """Writes random values of each type and rank to ``out_…``, and waits for the same at ``in_…``."""
        seed = random.randrange(1 << 32)
        print(f"seed {seed}", file=sys.stderr)
        source = random.Random(seed)
        client = self.sessions[task["session"]].client
        differences = []
        values = 0
        for kind in task["types"]:
            for rank in task["ranks"]:
                out, back = (client.get_node(f"ns=1;s={way}_{kind}{rank + 1}") for way in ("out", "in"))
                for _ in range(task["count"]):
                    sent = random_variant(source, kind, rank)
                    values += 1
                    await out.write_value(ua.DataValue(sent))
                    deadline = time.monotonic() + 5
                    while True:
                        got = await back.read_data_value(raise_on_bad_status=False)
                        if got.Value is not None and same(got.Value, sent):
                            break
                        if time.monotonic() > deadline:
                            differences.append([kind, rank, repr(sent), repr(got.Value)])
                            break
        return {"values": values, "differences": differences}

    async def run(self, task: dict[str, Any]) -> None:
        begun = time.monotonic()
        answer: dict[str, Any] = {"id": task["id"]}
        try:
            own = getattr(self, task["do"], None)
            action = own or getattr(self.sessions[task["session"]], task["do"])
            answer["result"] = await action(task)
        except Exception as error:
            # Each has a class of its own, as have those of asyncua for what the server has said.
            answer["error"] = type(error).__name__
            answer["text"] = str(error)
        answer["ms"] = (time.monotonic() - begun) * 1000
        print(json.dumps(answer, default=str), flush=True)


async def main() -> None:
    tasks = Tasks()
    running = set()
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        task = asyncio.create_task(tasks.run(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(main())
