"""Vectors kept on disk, so that what was encoded once is not encoded again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from datasets.base import ByteArray, Clip, Item, Sound
from retrievers.base import FloatArray, IntArray
from retrievers.progress import Bars
from retrievers.vector_shards import KEY, LIMITS, KeyArray, Limits, VectorShards

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

_ATTEMPTS = 10


def item_key(item: Item) -> bytes:
    """16 bytes that change with the item's content.

    Decoded media are known by their bytes. A file is not read: it is known by its absolute path,
    size and time of change, as the verified files of ``datasets`` are. One that was moved or
    touched is encoded again; one that was replaced by another of the same size and the same time
    to the nanosecond is taken for what it was. Raises OSError where the file is not there.
    """
    return _digest(item.modality.encode(), *_known_by(item.media))


def text_key(text: str) -> bytes:
    """16 bytes that change with the text."""
    return _digest(b"text", text.encode("utf-8", "surrogatepass"))


class Tower(Protocol[T_contra]):
    """Turns things of one kind into vectors, the same for as long as the fingerprint is."""

    @property
    def fingerprint(self) -> str: ...

    def encode(self, things: Sequence[T_contra], /) -> FloatArray:
        """[things, width], an array that is the caller's to write over."""
        ...


class CachedTower(Generic[T]):
    """A tower whose vectors are kept under ``folder`` by its fingerprint and ``key``.

    What is not kept is encoded ``batch`` things at a time, each content once, and written batch
    by batch: a run that is killed goes on where it stopped. In memory are 40 bytes a thing, one
    batch, and what ``encode`` returns.

    key  16 bytes for each thing, which change with its content
    """

    def __init__(
        self,
        tower: Tower[T],
        key: Callable[[T], bytes],
        folder: Path,
        label: str,
        batch: int,
        limits: Limits = LIMITS,
    ) -> None:
        self._tower = tower
        self._key = key
        self._folder = folder / tower.fingerprint
        self._label = label
        self._batch = batch
        self._shards = VectorShards(self._folder, limits)

    @property
    def fingerprint(self) -> str:
        return self._tower.fingerprint

    def encode(self, things: Sequence[T], /) -> FloatArray:
        """[things, width]; from 1 GiB on in a file of the folder, mapped into memory.

        Raises ValueError where the width is not that of the vectors kept before, OSError where
        the folder cannot be used, and what ``key`` and the tower raise.
        """
        if not len(things):
            return self._tower.encode(things)
        keys = np.fromiter(map(self._key, things), KEY, len(things))
        for _ in range(_ATTEMPTS):
            found = self._shards.find(keys)
            missing = np.flatnonzero(found < 0)
            if len(missing):
                _, first = np.unique(keys[missing], return_index=True)
                self._encode_anew(things, keys, missing[np.sort(first)])
                continue
            with suppress(FileNotFoundError):
                return self._shards.read(found)
        raise OSError(
            f"the vectors kept in {self._folder} are gone before they are read, "
            f"{_ATTEMPTS} times in a row: see that nothing else removes files there"
        )

    def _encode_anew(self, things: Sequence[T], keys: KeyArray, rows: IntArray) -> None:
        bars = Bars()
        with bars.shown() if len(rows) > self._batch else nullcontext():
            bars.step(self._label, 0, len(rows))
            for start in range(0, len(rows), self._batch):
                batch = rows[start : start + self._batch]
                self._shards.append(keys[batch], self._tower.encode([things[row] for row in batch]))
                bars.step(self._label, start + len(batch), len(rows))


def _known_by(media: Path | ByteArray | Sound | Clip) -> tuple[bytes, ...]:
    match media:
        case Path():
            state = media.stat()
            known_by = f"file\0{media.absolute()}\0{state.st_size}\0{state.st_mtime_ns}"
            return (known_by.encode("utf-8", "surrogateescape"),)
        case Sound(samples, rate):
            return (f"sound\0{rate}".encode(), *_array(samples))
        case Clip(frames, seconds):
            return (b"clip", *_array(frames), *_array(seconds))
        case pixels:
            return _array(pixels)


def _array(array: npt.NDArray[Any]) -> tuple[bytes, bytes]:
    return f"array\0{array.shape}".encode(), np.ascontiguousarray(array).tobytes()


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=KEY.itemsize)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
