"""Vectors kept on disk, so that what was encoded once is not encoded again."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from datasets.base import ByteArray, Clip, Item, Pairs, Sound
from retrievers.base import Encoder, FloatArray
from retrievers.progress import Bars

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

_KEY_BYTES = 16


def item_key(item: Item) -> bytes:
    """16 bytes that change with the item's content.

    A file is known by its absolute path, size and time of change; decoded media by their bytes.
    Raises OSError where the file is not there.
    """
    return _digest(item.modality.encode(), *_known_by(item.media))


def text_key(text: str) -> bytes:
    """16 bytes that change with the text."""
    return _digest(b"text", text.encode("utf-8", "surrogatepass"))


class EmbeddingCache:
    """Vectors by key in one folder, written a shard a batch.

    Each shard is written whole under a temporary name and renamed, so a run that is killed loses
    one batch at most, and several processes may share the folder. In memory are the keys that the
    folder holds (about 200 bytes each), the vectors asked for, and one batch.
    """

    def __init__(self, folder: Path, label: str, batch: int) -> None:
        self._folder = folder
        self._label = label
        self._batch = batch
        self._places: dict[bytes, tuple[Path, int]] | None = None

    def vectors(
        self, keys: Sequence[bytes], encode: Callable[[Sequence[int]], FloatArray]
    ) -> FloatArray:
        """The vectors [keys, dim]; ``encode`` is given the positions of those not yet kept."""
        places = self._load_places()
        first_of: dict[bytes, int] = {}
        for position, key in enumerate(keys):
            if key not in places:
                first_of.setdefault(key, position)
        self._encode_missing(list(first_of.items()), encode)
        return self._gather(keys, encode)

    def _encode_missing(
        self, missing: Sequence[tuple[bytes, int]], encode: Callable[[Sequence[int]], FloatArray]
    ) -> None:
        bars = Bars()
        with bars.shown() if len(missing) > self._batch else nullcontext():
            for start in range(0, len(missing), self._batch):
                batch = missing[start : start + self._batch]
                encoded = encode([position for _, position in batch])
                self._write([key for key, _ in batch], encoded)
                bars.step(self._label, start + len(batch), len(missing))

    def _write(self, keys: Sequence[bytes], encoded: FloatArray) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"{_digest(*keys).hex()}.safetensors"
        packed = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), _KEY_BYTES)
        handle, name = tempfile.mkstemp(dir=self._folder, suffix=".part")
        os.close(handle)
        save_file({"keys": packed, "vectors": np.ascontiguousarray(encoded, np.float32)}, name)
        Path(name).replace(path)
        self._load_places().update({key: (path, row) for row, key in enumerate(keys)})

    def _gather(
        self, keys: Sequence[bytes], encode: Callable[[Sequence[int]], FloatArray]
    ) -> FloatArray:
        places = self._load_places()
        wanted: dict[Path, list[tuple[int, int]]] = {}
        for position, key in enumerate(keys):
            path, row = places[key]
            wanted.setdefault(path, []).append((position, row))
        out: FloatArray | None = None
        for path, pairs in wanted.items():
            with safe_open(path, framework="numpy") as shard:
                vectors: FloatArray = shard.get_tensor("vectors")
            if out is None:
                out = np.empty((len(keys), vectors.shape[1]), np.float32)
            positions, rows = np.array(pairs).T
            out[positions] = vectors[rows]
        return encode([]) if out is None else out

    def _load_places(self) -> dict[bytes, tuple[Path, int]]:
        if self._places is None:
            self._places = {}
            for path in sorted(self._folder.glob("*.safetensors")):
                for row, key in enumerate(_keys_of(path)):
                    self._places[key] = (path, row)
        return self._places


class Tower(Protocol[T_contra]):
    """Turns things of one kind into vectors, the same for as long as the fingerprint is."""

    @property
    def fingerprint(self) -> str: ...

    def encode(self, things: Sequence[T_contra], /) -> FloatArray: ...


class CachedTower(Generic[T]):
    """A tower whose vectors are kept under ``folder`` by its fingerprint and ``key``."""

    def __init__(
        self, tower: Tower[T], key: Callable[[T], bytes], folder: Path, label: str, batch: int
    ) -> None:
        self._tower = tower
        self._key = key
        self._cache = EmbeddingCache(folder / tower.fingerprint, label, batch)

    @property
    def fingerprint(self) -> str:
        return self._tower.fingerprint

    def encode(self, things: Sequence[T], /) -> FloatArray:
        """[things, width]"""
        return self._cache.vectors(
            [self._key(thing) for thing in things],
            lambda rows: self._tower.encode([things[row] for row in rows]),
        )


class CachedEncoder:
    """An encoder whose vectors are kept under ``folder`` by fingerprint and content.

    Query vectors are kept too: measure the speed of a retriever with the bare encoder.
    """

    def __init__(
        self, encoder: Encoder, folder: Path, item_batch: int = 64, text_batch: int = 2048
    ) -> None:
        self._encoder = encoder
        self._folder = folder
        self._item_batch = item_batch
        self._text_batch = text_batch
        self._caches: dict[str, EmbeddingCache] = {}

    @property
    def dim(self) -> int:
        return self._encoder.dim

    @property
    def fingerprint(self) -> str:
        return self._encoder.fingerprint

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return self._encoder.fit(train, validation)

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]"""
        if not items:
            return self._encoder.encode_items(items)
        return self._cache("items", self._item_batch).vectors(
            [item_key(item) for item in items],
            lambda rows: self._encoder.encode_items([items[row] for row in rows]),
        )

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]"""
        if not texts:
            return self._encoder.encode_texts(texts)
        return self._cache("texts", self._text_batch).vectors(
            [text_key(text) for text in texts],
            lambda rows: self._encoder.encode_texts([texts[row] for row in rows]),
        )

    def save(self, folder: Path) -> None:
        self._encoder.save(folder)

    def load(self, folder: Path) -> None:
        self._encoder.load(folder)

    def _cache(self, kind: str, batch: int) -> EmbeddingCache:
        """The cache for what the encoder is now: fitting it changes its fingerprint."""
        name = f"{self._encoder.fingerprint}/{kind}"
        if name not in self._caches:
            self._caches[name] = EmbeddingCache(self._folder / name, f"encoding {kind}", batch)
        return self._caches[name]


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


def _keys_of(path: Path) -> list[bytes]:
    try:
        with safe_open(path, framework="numpy") as shard:
            packed = shard.get_tensor("keys")
    except (SafetensorError, OSError) as error:
        warnings.warn(f"the kept vectors {path} cannot be read ({error}): left out", stacklevel=2)
        return []
    return [row.tobytes() for row in packed]


def _digest(*parts: bytes) -> bytes:
    digest = hashlib.blake2b(digest_size=_KEY_BYTES)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.digest()
