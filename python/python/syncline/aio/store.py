"""Where QoS 1 and 2 messages outlive the process: an interface, and one that keeps them in a file."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Protocol

from syncline.core import StoreOperation

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

__all__ = ["SqliteStore", "Store"]


class Store(Protocol):
    """Records by number. Both methods block, and are called one at a time, in a thread of the event loop's executor."""

    def load(self) -> Sequence[tuple[int, bytes]]:
        """Give every record."""
        ...

    def apply(self, operations: Sequence[StoreOperation]) -> None:
        """Put, or delete where there is no record, in this order; return when it would survive a power cut.

        A crash may leave the first of them done and the later ones not, never the other way round.
        """
        ...


class SqliteStore:
    """A store in a file of SQLite's, for one client at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open the file, or make it."""
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._database.execute("CREATE TABLE IF NOT EXISTS record (key INTEGER PRIMARY KEY, value BLOB NOT NULL)")

    def load(self) -> list[tuple[int, bytes]]:
        """Give every record."""
        return self._database.execute("SELECT key, value FROM record").fetchall()

    def apply(self, operations: Sequence[StoreOperation]) -> None:
        """Carry the operations out in one transaction."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            for operation in operations:
                if operation.record is None:
                    self._database.execute("DELETE FROM record WHERE key = ?", (operation.key,))
                else:
                    self._database.execute(
                        "INSERT OR REPLACE INTO record VALUES (?, ?)", (operation.key, operation.record)
                    )
            self._database.execute("COMMIT")
        except BaseException:
            self._database.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self._database.close()
