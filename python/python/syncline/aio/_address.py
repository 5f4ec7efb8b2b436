"""Where a server is: host, port and TLS, checked before anything is dialled."""

from __future__ import annotations

import math
import ssl

from syncline.errors import ConfigError

__all__ = ["check_address", "check_flag", "check_seconds", "check_tls"]

MQTT_PORT = 1883
MQTT_OVER_TLS_PORT = 8883
LARGEST_PORT = 65_535
LONGEST_SECONDS = 100 * 365 * 86_400.0
"""A century: what the core takes for a duration at most."""


def check_address(host: object, port: object, tls: ssl.SSLContext | None) -> tuple[str, int]:
    """Give host and port, that of the protocol where there is none.

    Raises :exc:`~syncline.errors.ConfigError` for what no resolver takes.
    """
    if not isinstance(host, str):
        message = f"host is of type {type(host).__name__}, expected str"
        raise ConfigError(message)
    try:
        is_name = bool(host.encode("idna")) and "\0" not in host
    except UnicodeError as error:
        message = f"host {host!r} is no host name: {error}"
        raise ConfigError(message) from error
    if not is_name:
        message = f"host {host!r} is no host name: give a name or an address, such as localhost"
        raise ConfigError(message)
    if port is None:
        return host, MQTT_PORT if tls is None else MQTT_OVER_TLS_PORT
    if not isinstance(port, int) or isinstance(port, bool):
        message = f"port is of type {type(port).__name__}, expected int"
        raise ConfigError(message)
    if not 1 <= port <= LARGEST_PORT:
        message = f"port is {port}, expected 1 to {LARGEST_PORT}"
        raise ConfigError(message)
    return host, port


def check_tls(tls: object) -> ssl.SSLContext | None:
    """Give the context by which to connect; ``True`` is one that trusts what the system trusts."""
    if tls is True:
        return ssl.create_default_context()
    if tls is False or tls is None:
        return None
    if not isinstance(tls, ssl.SSLContext):
        message = f"tls is of type {type(tls).__name__}, expected bool or ssl.SSLContext"
        raise ConfigError(message)
    if tls.protocol == ssl.PROTOCOL_TLS_SERVER:
        message = "tls is a context for servers: make one by ssl.create_default_context()"
        raise ConfigError(message)
    return tls


def check_seconds(name: str, given: object) -> float:
    """Give a duration in seconds."""
    if not isinstance(given, (int, float)) or isinstance(given, bool):
        message = f"{name} is of type {type(given).__name__}, expected seconds"
        raise ConfigError(message)
    if math.isnan(given) or not 0 <= given <= LONGEST_SECONDS:
        message = f"{name} is {given}, expected seconds, 0 or more"
        raise ConfigError(message)
    return float(given)


def check_flag(name: str, given: object) -> bool:
    """Give a flag."""
    if not isinstance(given, bool):
        message = f"{name} is of type {type(given).__name__}, expected bool"
        raise ConfigError(message)
    return given
