"""Captions kept on disk, so that what was captioned once is not captioned again."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

# Others may be writing: each does so for milliseconds.
_SECONDS_WAITED = 60.0


class KeptCaptions:
    """The captions of things by a key of theirs, in one file that several processes may share.

    What was added is there whole or not at all, wherever a process is killed. Raises OSError
    where the file is something else or damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, keys: Iterable[bytes]) -> dict[bytes, tuple[str, ...]]:
        """What is kept of these keys."""
        if not self._path.exists():
            return {}
        found = {}
        with self._opened() as connection:
            for key in keys:
                row = connection.execute("SELECT texts FROM said WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = tuple(map(str, json.loads(row[0])))
        return found

    def add(self, said: Mapping[bytes, Sequence[str]]) -> None:
        """Keep captions by their keys, in place of those that were there."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        rows = [(key, json.dumps(list(texts))) for key, texts in said.items()]
        with self._opened() as connection:
            connection.executemany("INSERT OR REPLACE INTO said VALUES (?, ?)", rows)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            opened = closing(sqlite3.connect(self._path, timeout=_SECONDS_WAITED))
            with opened as connection, connection:
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS said (key BLOB PRIMARY KEY, texts TEXT)"
                )
                yield connection
        except (sqlite3.Error, ValueError) as error:
            raise OSError(
                f"the kept captions {self._path} cannot be used ({error}): delete the file"
            ) from error
