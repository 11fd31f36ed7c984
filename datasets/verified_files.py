"""Remember which media files were decoded whole, so that it is done once."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from datasets.base import DatasetError

_LOG = logging.getLogger(__name__)
_TABLE = """
CREATE TABLE IF NOT EXISTS verified (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True)
class Stamp:
    """A file as it was when it was looked at: absolute path, bytes, time of its last change."""

    path: Path
    size: int
    mtime_ns: int

    @staticmethod
    def of(path: Path) -> Stamp:
        """Raises OSError or ValueError where there is no such file."""
        status = path.stat()
        return Stamp(path.absolute(), status.st_size, status.st_mtime_ns)


class VerifiedFiles:
    """Content digests of files that decoded whole, on disk under ``folder``.

    A file that was changed since (another size or time) is not known. Several processes may use
    one folder. A store that is damaged is begun anew: it only saves time.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "files.sqlite"
        try:
            self._connection = _connect(path)
        except sqlite3.OperationalError as error:
            raise DatasetError(
                f"{path} cannot be used: {error}; name a cache folder that can be written to"
            ) from error
        except sqlite3.DatabaseError as error:
            _LOG.warning("%s is damaged (%s); media files are verified anew", path, error)
            path.replace(path.with_suffix(".damaged"))
            self._connection = _connect(path)

    def get(self, stamp: Stamp) -> str | None:
        """The content digest of an unchanged file, None where it is not known."""
        row = self._connection.execute(
            "SELECT digest FROM verified WHERE path = ? AND size = ? AND mtime_ns = ?",
            (os.fsencode(stamp.path), stamp.size, stamp.mtime_ns),
        ).fetchone()
        return None if row is None else str(row[0])

    def add(self, verified: Iterable[tuple[Stamp, str]]) -> None:
        """Store digests at once; what was known of these paths is replaced."""
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO verified VALUES (?, ?, ?, ?)",
                [(os.fsencode(s.path), s.size, s.mtime_ns, digest) for s, digest in verified],
            )

    def close(self) -> None:
        self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60)
    try:
        connection.execute(_TABLE)
        state = connection.execute("PRAGMA quick_check").fetchone()[0]
        if state != "ok":
            raise sqlite3.DatabaseError(state)
    except BaseException:
        connection.close()
        raise
    return connection
