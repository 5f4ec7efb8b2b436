"""An OPC UA server on asyncua, a machine to be read, written and followed, that is told line by line what happens in it.

It is started with its options as one JSON object: ``port``; ``users``, passwords by name; ``own``, a folder for its key
pair, which makes it offer encryption alone; ``trusted``, a folder of client certificates, all others being refused.
Each line of the input is a JSON object with an ``id`` and a task, each line of the output the ``id`` with its ``result``.
The first line of the output tells that it takes connections. It ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.crypto.truststore import TrustStore
from asyncua.crypto.validator import CertificateValidator, CertificateValidatorOptions
from cryptography.x509.oid import ExtendedKeyUsageOID

URI = "urn:syncline:test:machine"

VARIABLES: dict[str, tuple[Any, ua.VariantType]] = {
    "speed": (1.5, ua.VariantType.Double),
    "level": (7, ua.VariantType.Int16),
    "count": (9007199254740993, ua.VariantType.Int64),
    "name": ("press", ua.VariantType.String),
    "list": ([1, 2], ua.VariantType.UInt16),
    "matrix": ([[1, 2], [3, 4]], ua.VariantType.Int32),
    "running": (True, ua.VariantType.Boolean),
    "since": (datetime(2026, 11, 22, 2), ua.VariantType.DateTime),
    "label": (ua.LocalizedText("Säge", "de"), ua.VariantType.LocalizedText),
    "mode": (1, ua.VariantType.Int32),
    "patience": (250.0, ua.VariantType.Double),
    "any": (2.5, ua.VariantType.Float),
    "free": (5, ua.VariantType.UInt16),
    "range": (ua.Range(0, 10), ua.VariantType.ExtensionObject),
    "locked": (1, ua.VariantType.Int32),
}


class Users:
    def __init__(self, passwords: dict[str, str]) -> None:
        self.passwords = passwords

    def get_user(
        self, _server: Any, username: str | None = None, password: str | None = None, certificate: Any = None
    ) -> User | None:
        if username is not None and self.passwords.get(username) == password:
            return User(role=UserRole.User)
        return None


async def machine(options: dict[str, Any]) -> Server:
    users = Users(options["users"]) if "users" in options else None
    server = Server(user_manager=users)
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{options['port']}/machine")
    await server.set_application_uri(URI)
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    if "own" in options:
        await encrypt(server, options)
    if users:
        server.set_identity_tokens([ua.UserNameIdentityToken])
    index = await server.register_namespace("urn:plant")
    line = await server.nodes.objects.add_folder(ua.NodeId("line", index), ua.QualifiedName("Line", index))
    modes = await server.nodes.enum_data_type.add_data_type(ua.NodeId("modes", index), ua.QualifiedName("Modes", index))
    types = {"mode": modes.nodeid, "patience": ua.NodeId(ua.ObjectIds.Duration), "any": ua.NodeId(ua.ObjectIds.Number)}
    types["range"] = ua.NodeId(ua.ObjectIds.Range)
    types["free"] = ua.NodeId(ua.ObjectIds.BaseDataType)
    for name, (value, kind) in VARIABLES.items():
        variable = await line.add_variable(
            ua.NodeId(name, index), ua.QualifiedName(name, index), value, kind, types.get(name)
        )
        if name != "locked":
            await variable.set_writable()
    return server


async def encrypt(server: Server, options: dict[str, Any]) -> None:
    own = Path(options["own"])
    key, certificate = own / "key.pem", own / "certificate.der"
    await setup_self_signed_certificate(key, certificate, URI, "127.0.0.1", [ExtendedKeyUsageOID.SERVER_AUTH], {})
    await server.load_certificate(str(certificate))
    await server.load_private_key(str(key))
    server.set_security_policy(
        [ua.SecurityPolicyType.Basic256Sha256_Sign, ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt]
    )
    if "trusted" in options:
        store = TrustStore([Path(options["trusted"])], [])
        await store.load()
        checks = CertificateValidatorOptions.URI | CertificateValidatorOptions.TRUSTED
        server.set_certificate_validator(CertificateValidator(checks, store))


async def carry_out(server: Server, task: dict[str, Any]) -> Any:
    node = server.get_node(ua.NodeId(task["node"], 2))
    match task["do"]:
        case "get":
            value = (await node.read_data_value()).Value
            return [value.VariantType.name, value.Value]
        case "set":
            value, kind = task["value"], VARIABLES[task["node"]][1]
            at = datetime.fromisoformat(task["at"]) if "at" in task else None
            status = ua.StatusCode(ua.UInt32(getattr(ua.StatusCodes, task.get("status", "Good"))))
            await server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(value, kind), status, at, at))
            return None
        case "subscriptions":
            return len(server.iserver.subscription_service.subscriptions)
    raise ValueError(task["do"])


async def main() -> None:
    server = await machine(json.loads(sys.argv[1]))
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with server:
        print(json.dumps({"id": None, "result": "serving"}), flush=True)
        while line := await reader.readline():
            task = json.loads(line)
            result = await carry_out(server, task)
            print(json.dumps({"id": task["id"], "result": result}, default=str), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
