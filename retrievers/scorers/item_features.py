"""Features of items that a pair scorer meets with one text after another, encoded once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from datasets.base import Item
from retrievers.embedding_cache import item_key
from retrievers.progress import Bars

_TENSOR = "features"


class TensorStore(Protocol):
    """Tensors by key; a dict is one."""

    def __contains__(self, key: bytes, /) -> bool: ...

    def __getitem__(self, key: bytes, /) -> Tensor: ...

    def __setitem__(self, key: bytes, tensor: Tensor, /) -> None: ...


class TensorFolder:
    """A file a tensor, mapped into memory where it is read.

    Each file is written whole under a temporary name and renamed: several processes may share
    the folder, and a run that is killed leaves nothing broken.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __contains__(self, key: bytes, /) -> bool:
        return self._path(key).is_file()

    def __getitem__(self, key: bytes, /) -> Tensor:
        with safe_open(self._path(key), framework="pt") as file:
            tensor: Tensor = file.get_tensor(_TENSOR)
        return tensor

    def __setitem__(self, key: bytes, tensor: Tensor, /) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
        os.close(handle)
        save_file({_TENSOR: tensor.contiguous()}, name)
        Path(name).replace(path)

    def _path(self, key: bytes) -> Path:
        name = key.hex()
        return self._folder / name[:2] / f"{name}.safetensors"


class ItemFeatures:
    """Features of items by content, encoded where the store lacks them.

    encode  items -> [items, ...] on the host, in the numbers in which they are kept
    batch   items encoded at once, and the most that are in memory
    """

    def __init__(
        self,
        encode: Callable[[Sequence[Item]], Tensor],
        store: TensorStore,
        label: str,
        batch: int = 16,
    ) -> None:
        self._encode = encode
        self._store = store
        self._label = label
        self._batch = batch

    def keep(self, items: Sequence[Item]) -> list[bytes]:
        """The key of each item, whose features are in the store from now on. Raises MediaError."""
        keys = [item_key(item) for item in items]
        first_of: dict[bytes, Item] = {}
        for key, item in zip(keys, items, strict=True):
            if key not in first_of and key not in self._store:
                first_of[key] = item
        missing = list(first_of.items())
        bars = Bars()
        # Who asks for a few at a time draws a bar of its own.
        with bars.shown() if len(missing) > 16 * self._batch else nullcontext():
            for start in range(0, len(missing), self._batch):
                part = missing[start : start + self._batch]
                encoded = self._encode([item for _, item in part])
                for (key, _), tensor in zip(part, encoded, strict=True):
                    self._store[key] = tensor
                bars.step(self._label, start + len(part), len(missing))
        return keys

    def read(self, keys: Sequence[bytes]) -> Tensor:
        """[keys, ...], of at least one key."""
        return torch.stack([self._store[key] for key in keys])
