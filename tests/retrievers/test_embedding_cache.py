"""What was encoded once is not encoded again, and what changed is."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from datasets.base import Clip, Item, Sound
from retrievers.base import FloatArray
from retrievers.embedding_cache import CachedEncoder, CachedTower, item_key, text_key
from tests.retrievers.toys import HashEncoder, items, picture


def file_item(folder: Path, name: str, content: bytes) -> Item:
    path = folder / f"{name}.bin"
    path.write_bytes(content)
    return Item(name, "image", path)


def test_vectors_are_those_of_the_encoder_in_the_order_asked(tmp_path: Path) -> None:
    cached = CachedEncoder(HashEncoder(), tmp_path, item_batch=3)
    for order in ([0, 1, 2, 3, 4], [4, 2, 7, 2, 0], [9]):
        wanted = items(*order)
        np.testing.assert_array_equal(
            cached.encode_items(wanted), HashEncoder().encode_items(wanted)
        )
    texts = ["b", "a", "", "b"]
    np.testing.assert_array_equal(cached.encode_texts(texts), HashEncoder().encode_texts(texts))
    assert cached.encode_items([]).shape == cached.encode_texts([]).shape == (0, 8)


def test_each_content_is_encoded_once_even_by_a_new_process(tmp_path: Path) -> None:
    first, second = HashEncoder(), HashEncoder()
    CachedEncoder(first, tmp_path).encode_items(
        [*items(0, 1, 0), Item("same", "image", picture(1))]
    )
    assert first.encoded == ["item-0", "item-1"]
    again = CachedEncoder(second, tmp_path)
    again.encode_items(items(1, 2, 0))
    again.encode_texts(["x", "x", "y"])
    again.encode_texts(["y", "x"])
    assert second.encoded == ["item-2", "x", "y"]


def test_another_fingerprint_shares_nothing(tmp_path: Path) -> None:
    CachedEncoder(HashEncoder(0), tmp_path).encode_items(items(1))
    other = HashEncoder(1)
    found = CachedEncoder(other, tmp_path).encode_items(items(1))
    assert other.encoded == ["item-1"]
    np.testing.assert_array_equal(found, HashEncoder(1).encode_items(items(1)))


def test_an_encoder_that_changes_is_asked_again(tmp_path: Path) -> None:
    encoder = HashEncoder(0)
    cached = CachedEncoder(encoder, tmp_path)
    before = cached.encode_texts(["a"])
    encoder.seed = 5
    assert not np.allclose(cached.encode_texts(["a"]), before)


def test_a_file_that_changes_is_encoded_again(tmp_path: Path) -> None:
    item = file_item(tmp_path, "one", b"before")
    cached = CachedEncoder(HashEncoder(), tmp_path / "cache")
    before = cached.encode_items([item])
    state = (tmp_path / "one.bin").stat()
    (tmp_path / "one.bin").write_bytes(b"behind")
    os.utime(tmp_path / "one.bin", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert not np.allclose(cached.encode_items([item]), before)


def test_keys_depend_on_all_that_decides_the_content(tmp_path: Path) -> None:
    one, two = (file_item(tmp_path, name, b"x") for name in ("one", "two"))
    array, samples = picture(3), np.zeros((1, 5), np.float32)
    others = [
        item_key(one),
        item_key(two),
        item_key(Item("a", "image", array)),
        item_key(Item("a", "image", array.reshape(2, 8, 3))),
        item_key(Item("a", "image", picture(4))),
        item_key(Item("a", "video", array)),
        item_key(Item("a", "audio", Sound(samples, 8000))),
        item_key(Item("a", "audio", Sound(samples, 16000))),
        item_key(Item("a", "audio", Sound(samples + 1, 8000))),
        item_key(Item("a", "video", Clip(array[None], np.zeros(1)))),
        item_key(Item("a", "video", Clip(array[None], np.ones(1)))),
        text_key("one"),
        text_key(""),
    ]
    assert len(set(others)) == len(others)
    assert item_key(Item("b", "image", array.copy())) == item_key(Item("a", "image", array))
    strided = np.repeat(array, 2, axis=1)[:, ::2]
    assert item_key(Item("c", "image", strided)) == item_key(Item("a", "image", array))
    with pytest.raises(FileNotFoundError):
        item_key(Item("gone", "image", tmp_path / "gone.bin"))


class DiesAt:
    """A tower that is killed when it comes to one text."""

    fingerprint = "dies"

    def __init__(self, text: str | None) -> None:
        self.text = text
        self.encoded: list[str] = []

    def encode(self, things: Sequence[str], /) -> FloatArray:
        if self.text in things:
            raise KeyboardInterrupt
        self.encoded += things
        return HashEncoder().encode_texts(things)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(10)]

    def cached(tower: DiesAt) -> CachedTower[str]:
        return CachedTower(tower, text_key, tmp_path, "encoding", batch=2)

    with pytest.raises(KeyboardInterrupt):
        cached(DiesAt("text 7")).encode(texts)
    second = DiesAt(None)
    np.testing.assert_array_equal(cached(second).encode(texts), HashEncoder().encode_texts(texts))
    assert second.encoded == texts[6:]
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".safetensors"}


def test_a_broken_shard_is_left_out_and_encoded_again(tmp_path: Path) -> None:
    CachedEncoder(HashEncoder(), tmp_path).encode_texts(["a", "b"])
    (shard,) = tmp_path.rglob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:20])
    again = HashEncoder()
    with pytest.warns(UserWarning, match="cannot be read"):
        found = CachedEncoder(again, tmp_path).encode_texts(["a", "b"])
    np.testing.assert_array_equal(found, HashEncoder().encode_texts(["a", "b"]))
    assert again.encoded == ["a", "b"]
