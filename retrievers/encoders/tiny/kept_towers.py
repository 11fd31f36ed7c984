"""Trained towers on disk, known by all that decides them, for whichever retriever asks."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from datasets.base import Pairs
from datasets.media.content_digest import content_digest

_SECONDS = "seconds.json"


class KeptTowers:
    """One folder, in it a folder for each tower, by its key."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @staticmethod
    def key(made_by: str, learned_from: Iterable[Pairs]) -> str:
        """32 hexadecimal digits over settings, captions and the bytes of every item.

        Raises MediaError for a file that cannot be read.
        """
        digest = hashlib.blake2b(digest_size=16)
        digest.update(made_by.encode())
        for pairs in learned_from:
            digest.update(json.dumps([pairs.captions, pairs.rows]).encode())
            for item in pairs.items:
                digest.update(bytes.fromhex(content_digest(item)))
        return digest.hexdigest()

    def folder(self, key: str) -> Path:
        """Where the towers of a key are, or would be."""
        return self._root / key

    def seconds(self, key: str) -> Mapping[str, float] | None:
        """What training them took, by phase; None where they are not kept."""
        path = self.folder(key) / _SECONDS
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def keep(self, key: str, save: Callable[[Path], object], seconds: Mapping[str, float]) -> None:
        """Write to a temporary name first: a killed run leaves no half of a tower."""
        self._root.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self._root))
        save(part)
        (part / _SECONDS).write_text(json.dumps(seconds), encoding="utf-8")
        try:
            part.replace(self.folder(key))
        except OSError:
            shutil.rmtree(part)
            # Another process may have kept the same towers meanwhile; anything else is an error.
            if self.seconds(key) is None:
                raise
