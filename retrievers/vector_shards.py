"""Vectors by key in a folder of files that several processes may share."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from retrievers.base import FloatArray, IntArray

# 16 bytes a key, compared as bytes. NumPy takes zeros at the end for padding, which makes no two
# keys alike since all are of one length.
KEY = np.dtype("S16")
KeyArray = npt.NDArray[np.bytes_]

_READ_AT_ONCE = 2 << 20


@dataclass(frozen=True)
class Limits:
    """When shards are merged, and when vectors are mapped from a file.

    merged  bytes that a merged shard reaches; those below half of it are small
    small   small shards there must be before they are merged
    mapped  bytes of vectors from which ``read`` fills a file and maps it into memory
    """

    merged: int = 32 << 20
    small: int = 128
    mapped: int = 1 << 30


LIMITS = Limits()


class VectorShards:
    """Vectors of one width, each call of ``append`` written as a shard.

    A shard is written whole under a temporary name and renamed, and no name is used twice. Small
    shards are merged, and removed once the merged one is there: wherever a process is killed, and
    whatever the others do meanwhile, each vector is in some shard. In memory are 24 bytes a key,
    and the shards that are being merged (at most 1.5 times ``Limits.merged``, twice).
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self._folder = folder
        self._limits = limits
        self._width: int | None = None
        # A shard is known by its number, its place among the paths.
        self._paths: list[Path] = []
        self._numbers: dict[Path, int] = {}
        self._broken: set[Path] = set()
        # In the order of the keys; beside each its shard and its row there.
        self._keys: KeyArray = np.empty(0, KEY)
        self._places: npt.NDArray[np.int32] = np.empty((0, 2), np.int32)

    def find(self, keys: KeyArray) -> IntArray:
        """For each key a number that ``read`` understands until the next call, or -1.

        A shard that cannot be read, or whose vectors are of another width, is left out with a
        warning.
        """
        self._look_again()
        found = np.full(len(keys), -1, np.int64)
        if len(self._keys):
            # Keys that ascend are searched several times faster.
            order = np.argsort(keys)
            at = np.searchsorted(self._keys, keys[order])
            at[at == len(self._keys)] = 0
            found[order] = np.where(self._keys[at] == keys[order], at, -1)
        return found

    def read(self, found: IntArray) -> FloatArray:
        """The vectors [found, width] of at least one key that ``find`` found.

        Raises FileNotFoundError where a shard was merged or removed since.
        """
        shards, rows = self._places[found].T
        out = self._room(len(found))
        order = np.lexsort((rows, shards))
        begins = np.flatnonzero(np.diff(shards[order], prepend=-1))
        for positions in np.split(order, begins[1:]):
            self._fill(out, positions, self._paths[shards[positions[0]]], rows[positions])
        return out

    def append(self, keys: KeyArray, vectors: FloatArray) -> None:
        """Write a shard. Raises ValueError where the vectors do not fit the keys or the folder."""
        width = vectors.shape[-1] if self._width is None else self._width
        if vectors.shape != (len(keys), width):
            raise ValueError(
                f"{len(keys)} things were encoded as an array of shape {vectors.shape}, and "
                f"{self._folder} keeps vectors of {width} dimensions"
            )
        self._width = width
        self._write(keys, vectors)
        self._merge_small()

    def _look_again(self) -> None:
        """Know the shards that are there now, whoever wrote them."""
        before = None
        # While others merge, a listing can miss the old shards and the new one as well.
        while (there := set(self._folder.glob("*.safetensors"))) != before:
            if gone := self._numbers.keys() - there:
                self._forget(gone)
            if new := there - self._numbers.keys() - self._broken:
                self._learn(new)
            before = there

    def _forget(self, paths: Collection[Path]) -> None:
        gone = [self._numbers.pop(path) for path in paths]
        kept = ~np.isin(self._places[:, 0], gone)
        self._keys, self._places = self._keys[kept], self._places[kept]

    def _learn(self, paths: Collection[Path]) -> None:
        keys, places = [self._keys[:0]], [self._places[:0]]
        for path in sorted(paths):
            with suppress(FileNotFoundError):
                here = self._keys_of(path)
                number = np.full(len(here), len(self._paths))
                keys.append(here)
                places.append(np.stack([number, np.arange(len(here))], axis=1).astype(np.int32))
                self._numbers[path] = len(self._paths)
                self._paths.append(path)
        fresh = np.concatenate(keys)
        order = np.argsort(fresh)
        fresh = fresh[order]
        at = np.searchsorted(self._keys, fresh)
        self._keys = np.insert(self._keys, at, fresh)
        self._places = np.insert(self._places, at, np.concatenate(places)[order], axis=0)

    def _keys_of(self, path: Path) -> KeyArray:
        """Raises FileNotFoundError."""
        try:
            keys, width = _read_keys(path)
            if self._width not in (None, width):
                raise ValueError(f"its vectors have {width} dimensions, others {self._width}")
        except FileNotFoundError:
            raise
        except (SafetensorError, OSError, ValueError) as error:
            warnings.warn(
                f"the kept vectors {path} cannot be read ({error}): left out", stacklevel=2
            )
            self._broken.add(path)
            return np.empty(0, KEY)
        self._width = width
        return keys

    def _fill(
        self, out: FloatArray, positions: IntArray, path: Path, rows: npt.NDArray[np.int32]
    ) -> None:
        """Read ``rows``, which ascend, to ``positions`` of ``out``."""
        step = max(1, _READ_AT_ONCE // out[:1].nbytes)
        with safe_open(path, framework="numpy") as shard:
            stored = shard.get_slice("vectors")
            for low in range(int(rows[0]), int(rows[-1]) + 1, step):
                here = slice(*np.searchsorted(rows, (low, low + step)))
                if here.start < here.stop:
                    block = stored[low : int(rows[here.stop - 1]) + 1]
                    out[positions[here]] = block[rows[here] - low]

    def _room(self, rows: int) -> FloatArray:
        """[rows, width], not filled."""
        assert self._width is not None
        shape = (rows, self._width)
        size = 4 * rows * self._width
        if size < self._limits.mapped:
            return np.empty(shape, np.float32)
        with tempfile.TemporaryFile(dir=self._folder) as file:
            if hasattr(os, "posix_fallocate"):
                # A full disk is an error here; where a mapped page is written it is a crash.
                os.posix_fallocate(file.fileno(), 0, size)
            return np.asarray(np.memmap(file, np.float32, "r+", shape=shape))

    def _write(self, keys: KeyArray, vectors: FloatArray) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        name = uuid4().hex
        part = self._folder / f"{name}.part"
        packed = np.ascontiguousarray(keys).view(np.uint8).reshape(len(keys), KEY.itemsize)
        try:
            save_file({"keys": packed, "vectors": np.ascontiguousarray(vectors, np.float32)}, part)
            return part.replace(part.with_suffix(".safetensors"))
        finally:
            part.unlink(missing_ok=True)

    def _merge_small(self) -> None:
        sizes: dict[Path, int] = {}
        for path in set(self._folder.glob("*.safetensors")) - self._broken:
            with suppress(FileNotFoundError):
                sizes[path] = path.stat().st_size
        small = [path for path, size in sizes.items() if size < self._limits.merged // 2]
        if len(small) < self._limits.small:
            return
        group: list[Path] = []
        for path in sorted(small, key=sizes.__getitem__):
            group.append(path)
            if sum(sizes[one] for one in group) >= self._limits.merged:
                self._merge(group)
                group = []
        self._merge(group)

    def _merge(self, group: Sequence[Path]) -> None:
        """Put one shard in place of several; each key is kept once."""
        if len(group) < 2:
            return
        try:
            parts = [_read(path) for path in group]
        except FileNotFoundError:
            return  # another process merges them
        keys = np.concatenate([keys for keys, _ in parts])
        vectors = np.concatenate([vectors for _, vectors in parts])
        del parts
        _, first = np.unique(keys, return_index=True)
        if len(first) < len(keys):
            keys, vectors = keys[first], vectors[first]
        # Of two processes that have read the same shards, the later one leaves it at that.
        if not all(path.exists() for path in group):
            return
        merged = self._write(keys, vectors)
        with merged.open("rb") as file:
            os.fsync(file.fileno())
        for path in group:
            path.unlink(missing_ok=True)


def _read_keys(path: Path) -> tuple[KeyArray, int]:
    """The keys of a shard and the width of its vectors.

    Raises FileNotFoundError, OSError, SafetensorError, and ValueError for another kind of file.
    """
    with safe_open(path, framework="numpy") as shard:
        packed = shard.get_tensor("keys")
        stored = shard.get_slice("vectors")
        shape, dtype = stored.get_shape(), stored.get_dtype()
    if (packed.dtype, packed.shape) != (np.uint8, (len(packed), KEY.itemsize)):
        raise ValueError(f"its keys are {packed.dtype} {packed.shape}")
    if dtype != "F32" or len(shape) != 2 or shape[0] != len(packed):
        raise ValueError(f"{len(packed)} keys have vectors {dtype} {shape}")
    return packed.view(KEY).ravel(), shape[1]


def _read(path: Path) -> tuple[KeyArray, FloatArray]:
    with safe_open(path, framework="numpy") as shard:
        return shard.get_tensor("keys").view(KEY).ravel(), shard.get_tensor("vectors")
