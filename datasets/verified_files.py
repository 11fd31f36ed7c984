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
# A table has a name of its own for what it holds: one of another layout is begun anew.
_TABLE = """
CREATE TABLE IF NOT EXISTS verified_signed (
    path BLOB PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    digest TEXT NOT NULL, signature BLOB
) WITHOUT ROWID
"""
_OLDER = "DROP TABLE IF EXISTS verified"


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


@dataclass(frozen=True)
class Content:
    """What a file holds: a hash of its bytes, and what it looks or sounds like.

    signature  64 bits (see ``datasets.media.signatures``); None where it has too few features
    """

    digest: str
    signature: int | None


class VerifiedFiles:
    """The contents of files that decoded whole, on disk under ``folder``.

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

    def get(self, stamp: Stamp) -> Content | None:
        """The content of an unchanged file, None where it is not known."""
        row = self._connection.execute(
            "SELECT digest, signature FROM verified_signed"
            " WHERE path = ? AND size = ? AND mtime_ns = ?",
            (os.fsencode(stamp.path), stamp.size, stamp.mtime_ns),
        ).fetchone()
        if row is None:
            return None
        return Content(str(row[0]), None if row[1] is None else int.from_bytes(row[1]))

    def add(self, verified: Iterable[tuple[Stamp, Content]]) -> None:
        """Store contents at once; what was known of these paths is replaced."""
        rows = [
            (
                os.fsencode(stamp.path),
                stamp.size,
                stamp.mtime_ns,
                content.digest,
                None if content.signature is None else content.signature.to_bytes(8),
            )
            for stamp, content in verified
        ]
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO verified_signed VALUES (?, ?, ?, ?, ?)", rows
            )

    def close(self) -> None:
        self._connection.close()


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60)
    try:
        with connection:
            connection.execute(_OLDER)
            connection.execute(_TABLE)
        state = connection.execute("PRAGMA quick_check").fetchone()[0]
        if state != "ok":
            raise sqlite3.DatabaseError(state)
    except BaseException:
        connection.close()
        raise
    return connection
