"""What constructors are given, checked where it is given: each error is a ConfigError that names the argument."""

from __future__ import annotations

import ssl

from syncline.errors import ConfigError

__all__ = ["check_address", "check_count", "check_flag", "check_seconds", "check_tls"]

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
    return host, check_count("port", port, 1, LARGEST_PORT)


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


def check_seconds(name: str, given: object, shortest: float = 0, longest: float = LONGEST_SECONDS) -> float:
    """Give a duration in seconds."""
    if not isinstance(given, (int, float)) or isinstance(given, bool):
        message = f"{name} is of type {type(given).__name__}, expected seconds"
        raise ConfigError(message)
    if not shortest <= given <= longest:  # false for NaN as well
        message = f"{name} is out of range, expected {shortest:g} to {longest:g} seconds"
        raise ConfigError(message)
    return float(given)


def check_count(name: str, given: object, smallest: int, largest: int) -> int:
    """Give a whole number."""
    if not isinstance(given, int) or isinstance(given, bool):
        message = f"{name} is of type {type(given).__name__}, expected int"
        raise ConfigError(message)
    if not smallest <= given <= largest:
        message = f"{name} is out of range, expected {smallest} to {largest}"
        raise ConfigError(message)
    return int(given)


def check_flag(name: str, given: object) -> bool:
    """Give a flag."""
    if not isinstance(given, bool):
        message = f"{name} is of type {type(given).__name__}, expected bool"
        raise ConfigError(message)
    return given
