"""What was encoded once is not encoded again, and what changed is."""

from __future__ import annotations

import json
import mmap
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from datasets.base import Clip, Item, Sound
from retrievers.base import FloatArray, IntArray
from retrievers.embedding_cache import CachedTower, item_key, text_key
from retrievers.vector_shards import KEY, LIMITS, Limits, VectorShards
from tests.retrievers.toys import HashEncoder, items, picture

ROOT = Path(__file__).parents[2]
# Shards of a few rows are merged, and a merged one soon holds enough.
MERGES_OFTEN = Limits(merged=2000, small=3)


class Texts:
    """Encodes texts as HashEncoder does, and counts them; ``broken_off`` at one of them."""

    def __init__(self, seed: int = 0, broken_off: str | None = None) -> None:
        self.encoder = HashEncoder(seed)
        self.fingerprint = self.encoder.fingerprint
        self.broken_off = broken_off

    @property
    def encoded(self) -> list[object]:
        return self.encoder.encoded

    def encode(self, things: Sequence[str], /) -> FloatArray:
        if self.broken_off in things:
            raise KeyboardInterrupt
        return self.encoder.encode_texts(things)


class Items:
    """Encodes items as HashEncoder does."""

    def __init__(self) -> None:
        self.encoder = HashEncoder()
        self.fingerprint = "items"

    def encode(self, things: Sequence[Item], /) -> FloatArray:
        return self.encoder.encode_items(things)


def kept_texts(
    tower: Texts, folder: Path, batch: int = 2, limits: Limits = LIMITS
) -> CachedTower[str]:
    return CachedTower(tower, text_key, folder, "encoding texts", batch, limits)


def kept_items(tower: Items, folder: Path) -> CachedTower[Item]:
    return CachedTower(tower, item_key, folder, "encoding items", batch=3)


def texts(count: int, start: int = 0) -> list[str]:
    return [f"text {number}" for number in range(start, start + count)]


def shards(folder: Path) -> list[Path]:
    """The files of a cache, none of them a part of one."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert {path.suffix for path in files} <= {".safetensors"}
    return files


def expected(asked: Sequence[str]) -> FloatArray:
    return HashEncoder().encode_texts(asked)


def test_vectors_are_those_of_the_tower_in_the_order_asked(tmp_path: Path) -> None:
    kept = kept_items(Items(), tmp_path)
    for order in ([0, 1, 2, 3, 4], [4, 2, 7, 2, 0], [9]):
        wanted = items(*order)
        np.testing.assert_array_equal(kept.encode(wanted), HashEncoder().encode_items(wanted))
    asked = ["b", "a", "", "b"]
    np.testing.assert_array_equal(kept_texts(Texts(), tmp_path).encode(asked), expected(asked))
    assert kept.encode([]).shape == (0, 8)


def test_each_content_is_encoded_once_even_by_a_new_process(tmp_path: Path) -> None:
    first, second = Items(), Items()
    kept_items(first, tmp_path).encode([*items(0, 1, 0), Item("same", "image", picture(1))])
    assert first.encoder.encoded == ["item-0", "item-1"]
    kept_items(second, tmp_path).encode(items(1, 2, 0))
    assert second.encoder.encoded == ["item-2"]
    tower = Texts()
    kept_texts(tower, tmp_path).encode(["x", "x", "y"])
    kept_texts(tower, tmp_path).encode(["y", "x"])
    assert tower.encoded == ["x", "y"]


def test_another_fingerprint_shares_nothing(tmp_path: Path) -> None:
    kept_texts(Texts(0), tmp_path).encode(["a"])
    other = Texts(1)
    found = kept_texts(other, tmp_path).encode(["a"])
    assert other.encoded == ["a"]
    np.testing.assert_array_equal(found, HashEncoder(1).encode_texts(["a"]))


def file_item(folder: Path, name: str, content: bytes) -> Item:
    path = folder / f"{name}.bin"
    path.write_bytes(content)
    return Item(name, "image", path)


def test_a_file_that_changes_is_encoded_again(tmp_path: Path) -> None:
    item = file_item(tmp_path, "one", b"before")
    kept = kept_items(Items(), tmp_path / "cache")
    before = kept.encode([item])
    state = (tmp_path / "one.bin").stat()
    (tmp_path / "one.bin").write_bytes(b"behind")
    os.utime(tmp_path / "one.bin", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert not np.allclose(kept.encode([item]), before)


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


def test_what_earlier_runs_kept_is_found(tmp_path: Path) -> None:
    """Keys and layout stay as they are, so that no one has to encode a gallery again."""
    keys = ["eb731800ec9cf528a55d64280228f24d", "5d8ab626031318896a320ea782845214"]
    assert [text_key("a").hex(), text_key("b").hex()] == keys
    assert item_key(items(3)[0]).hex() == "d0d25ccf4b4fbd0ba3ef70d4ee7c6e41"
    packed = np.array([list(bytes.fromhex(key)) for key in keys], np.uint8)
    vectors = np.eye(2, 8, dtype=np.float32)
    (tmp_path / "hash-0").mkdir()
    save_file({"keys": packed, "vectors": vectors}, tmp_path / "hash-0" / "any.safetensors")
    tower = Texts()
    found = kept_texts(tower, tmp_path).encode(["b", "a"])
    np.testing.assert_array_equal(found, vectors[::-1])
    assert tower.encoded == []


def test_a_run_that_is_broken_off_goes_on_where_it_stopped(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        kept_texts(Texts(broken_off="text 7"), tmp_path).encode(texts(10))
    second = Texts()
    np.testing.assert_array_equal(
        kept_texts(second, tmp_path).encode(texts(10)), expected(texts(10))
    )
    assert second.encoded == texts(10)[6:]
    assert shards(tmp_path)


CHILD = """
import json, os, signal, sys
from pathlib import Path
from retrievers.embedding_cache import CachedTower, text_key
from retrievers.vector_shards import Limits
from tests.retrievers.toys import HashEncoder

folder, start, stop, killed_at = Path(sys.argv[1]), *map(int, sys.argv[2:])

class Tower:
    fingerprint = "hash-0"
    encoded = []

    def encode(self, things, /):
        if f"text {killed_at}" in things:
            os.kill(os.getpid(), signal.SIGKILL)
        self.encoded += things
        return HashEncoder().encode_texts(things)

kept = CachedTower(Tower(), text_key, folder, "encoding", 3, Limits(merged=2000, small=3))
vectors = [kept.encode([f"text {n}" for n in range(start, stop)]).tolist() for _ in range(2)]
print(json.dumps([Tower.encoded, *vectors]))
"""


def started(folder: Path, start: int, stop: int, killed_at: int = -1) -> subprocess.Popen[str]:
    """A process that has the texts from ``start`` to ``stop`` encoded, and tells what came."""
    numbers = [str(number) for number in (start, stop, killed_at)]
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-c", CHILD, str(folder), *numbers],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_after_sigkill_only_what_was_not_written_is_encoded(tmp_path: Path) -> None:
    first = started(tmp_path, 0, 60, killed_at=47)
    first.communicate()
    assert first.returncode == -signal.SIGKILL
    second = started(tmp_path, 0, 60)
    encoded, *vectors = json.loads(second.communicate()[0])
    assert encoded == texts(15, start=45)
    for found in vectors:
        np.testing.assert_array_equal(np.array(found, np.float32), expected(texts(60)))


def test_processes_share_a_folder_while_all_of_them_merge(tmp_path: Path) -> None:
    """What overlaps may be encoded by each of them, and each gets the right vectors."""
    children = [started(tmp_path, start, start + 90) for start in (0, 30, 60)]
    for start, child in zip((0, 30, 60), children, strict=True):
        _, *vectors = json.loads(child.communicate()[0])
        for found in vectors:
            np.testing.assert_array_equal(np.array(found, np.float32), expected(texts(90, start)))
    last = Texts()
    found = kept_texts(last, tmp_path).encode(texts(150))
    np.testing.assert_array_equal(found, expected(texts(150)))
    assert last.encoded == []
    assert shards(tmp_path)


def test_who_knew_the_shards_before_they_were_merged_finds_the_vectors(tmp_path: Path) -> None:
    tower = Texts()
    early = kept_texts(tower, tmp_path)
    early.encode(texts(8))
    known = shards(tmp_path)
    kept_texts(Texts(), tmp_path, limits=MERGES_OFTEN).encode(["another"])
    assert not set(known) & set(shards(tmp_path))
    np.testing.assert_array_equal(early.encode(texts(8)), expected(texts(8)))
    assert tower.encoded == texts(8)


def remove_all(folder: Path) -> None:
    for path in shards(folder):
        path.unlink()


def read_after(monkeypatch: pytest.MonkeyPatch, events: Iterable[Callable[[], None]]) -> None:
    """Have one event after another happen when vectors were found and are not yet read."""
    read, left = VectorShards.read, iter(events)

    def late(self: VectorShards, found: IntArray) -> FloatArray:
        if event := next(left, None):
            event()
        return read(self, found)

    monkeypatch.setattr(VectorShards, "read", late)


def test_shards_that_go_between_finding_and_reading_are_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tower = Texts()
    kept = kept_texts(tower, tmp_path)
    kept.encode(texts(8))
    other = VectorShards(tmp_path / "hash-0", MERGES_OFTEN)
    read_after(
        monkeypatch,
        [
            lambda: other.append(np.array([text_key("x")], KEY), expected(["x"])),
            lambda: remove_all(tmp_path),
        ],
    )
    np.testing.assert_array_equal(kept.encode(texts(8)), expected(texts(8)))
    # Once more since all was removed, not since it was merged.
    assert tower.encoded == [*texts(8), *texts(8)]


def test_a_folder_that_loses_all_that_is_written_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_after(monkeypatch, repeat(lambda: remove_all(tmp_path)))
    with pytest.raises(OSError, match="gone before they are read"):
        kept_texts(Texts(), tmp_path).encode(texts(2))


@pytest.mark.parametrize("removed", range(4))
def test_a_merge_that_is_broken_off_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, removed: int
) -> None:
    kept_texts(Texts(), tmp_path).encode(texts(6))
    old = len(shards(tmp_path))
    unlink, left = Path.unlink, [removed]

    def broken_off(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".safetensors":
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", broken_off)
        with pytest.raises(KeyboardInterrupt):
            kept_texts(Texts(), tmp_path, limits=MERGES_OFTEN).encode(["last"])
    assert len(shards(tmp_path)) == old + 2 - removed
    for limits in (LIMITS, MERGES_OFTEN):
        tower = Texts()
        asked = [*texts(6), "last", f"new {limits.small}"]
        found = kept_texts(tower, tmp_path, limits=limits).encode(asked)
        np.testing.assert_array_equal(found, expected(asked))
        assert tower.encoded == asked[-1:]


def test_files_are_few_and_none_is_large(tmp_path: Path) -> None:
    limits = Limits(merged=2000, small=4)
    kept_texts(Texts(), tmp_path, batch=1).encode(texts(100))
    assert len(shards(tmp_path)) == 100
    kept_texts(Texts(), tmp_path, batch=1, limits=limits).encode(texts(200))
    sizes = [path.stat().st_size for path in shards(tmp_path)]
    assert sum(size < 1000 for size in sizes) < 4
    assert max(sizes) < 3000


def test_what_several_processes_encoded_is_kept_once_after_a_merge(tmp_path: Path) -> None:
    folder = VectorShards(tmp_path, Limits(small=3))
    for asked in (["a", "b"], ["b", "c"], ["c", "d"]):
        folder.append(np.array([text_key(text) for text in asked], KEY), expected(asked))
    (merged,) = shards(tmp_path)
    asked = ["d", "c", "b", "a"]
    found = folder.find(np.array([text_key(text) for text in asked], KEY))
    np.testing.assert_array_equal(folder.read(found), expected(asked))
    assert len(load_file(merged)["keys"]) == 4


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.booleans(), st.lists(st.integers(0, 30), max_size=20)),
        min_size=1,
        max_size=6,
    ),
    st.tuples(st.integers(1, 7), st.integers(1, 7)),
    st.tuples(st.integers(100, 3000), st.integers(2, 4)),
)
def test_any_calls_give_the_vectors_of_the_tower(
    calls: list[tuple[bool, list[int]]], batches: tuple[int, int], sizes: tuple[int, int]
) -> None:
    """Two caches of one folder, of which one merges at the sizes drawn and one hardly ever."""
    with TemporaryDirectory() as folder:
        tower = Texts()
        kept = [
            kept_texts(tower, Path(folder), batch, limits)
            for batch, limits in zip(batches, (LIMITS, Limits(*sizes, mapped=100)), strict=True)
        ]
        for which, numbers in calls:
            asked = [f"text {number}" for number in numbers]
            np.testing.assert_array_equal(kept[which].encode(asked), expected(asked))
        assert sorted(map(str, tower.encoded)) == sorted(
            {f"text {number}" for _, numbers in calls for number in numbers}
        )


def test_many_vectors_are_mapped_from_a_file_that_has_no_name(tmp_path: Path) -> None:
    limits = Limits(mapped=32 * 10)
    kept = kept_texts(Texts(), tmp_path, limits=limits)
    assert not mapped(kept.encode(texts(9)))
    found = kept.encode(texts(10))
    assert mapped(found)
    found *= 2
    np.testing.assert_array_equal(found, 2 * expected(texts(10)))
    np.testing.assert_array_equal(kept.encode(texts(10)), expected(texts(10)))
    assert shards(tmp_path)


def mapped(array: object) -> bool:
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, mmap.mmap)


def test_memory_is_the_vectors_and_few_bytes_a_thing(tmp_path: Path) -> None:
    count, width = 20_000, 8
    limits = Limits(merged=1 << 18)
    vectors = np.random.default_rng(0).standard_normal((count, width)).astype(np.float32)

    class Rows:
        fingerprint = "rows"

        def encode(self, things: Sequence[int], /) -> FloatArray:
            return vectors[list(things)]

    def kept() -> CachedTower[int]:
        def key(row: int) -> bytes:
            return text_key(str(row))

        return CachedTower(Rows(), key, tmp_path, "encoding", 500, limits)

    kept().encode(range(count))
    tracemalloc.start()
    try:
        np.testing.assert_array_equal(kept().encode(range(count)), vectors)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < vectors.nbytes + 120 * count + (1 << 20)


def test_a_broken_shard_is_left_out_and_encoded_again(tmp_path: Path) -> None:
    kept_texts(Texts(), tmp_path).encode(["a", "b"])
    (shard,) = shards(tmp_path)
    shard.write_bytes(shard.read_bytes()[:20])
    again = Texts()
    kept = kept_texts(again, tmp_path, limits=MERGES_OFTEN)
    with pytest.warns(UserWarning, match="cannot be read"):
        found = kept.encode(["a", "b"])
    np.testing.assert_array_equal(found, expected(["a", "b"]))
    assert again.encoded == ["a", "b"]
    np.testing.assert_array_equal(kept.encode(texts(9)), expected(texts(9)))
    assert shard.exists()


@pytest.mark.parametrize(
    "tensors",
    [
        {"keys": np.zeros((2, 16), np.uint8), "vectors": np.zeros((3, 8), np.float32)},
        {"keys": np.zeros((2, 15), np.uint8), "vectors": np.zeros((2, 8), np.float32)},
        {"keys": np.zeros((2, 16), np.int8), "vectors": np.zeros((2, 8), np.float32)},
        {"keys": np.zeros((2, 16), np.uint8), "vectors": np.zeros((2, 8), np.float16)},
        {"keys": np.zeros((2, 16), np.uint8), "vectors": np.zeros(2, np.float32)},
        {"keys": np.zeros((2, 16), np.uint8), "vectors": np.zeros((2, 9), np.float32)},
        {"keys": np.zeros((2, 16), np.uint8)},
    ],
)
def test_a_file_of_another_make_is_left_out(tmp_path: Path, tensors: dict[str, np.ndarray]) -> None:
    kept_texts(Texts(), tmp_path).encode(["a"])
    save_file(tensors, tmp_path / "hash-0" / "zzz.safetensors")
    tower = Texts()
    with pytest.warns(UserWarning, match="zzz.safetensors cannot be read"):
        found = kept_texts(tower, tmp_path).encode(["a", "b"])
    np.testing.assert_array_equal(found, expected(["a", "b"]))
    assert tower.encoded == ["b"]


class Widens(Texts):
    """A tower whose fingerprint should have changed."""

    def encode(self, things: Sequence[str], /) -> FloatArray:
        return np.ones((len(things), 9), np.float32)


class LosesOne(Texts):
    """A tower that gives no vector for the last of the things."""

    def encode(self, things: Sequence[str], /) -> FloatArray:
        return super().encode(things)[:-1]


@pytest.mark.parametrize(("tower", "shape"), [(Widens(), r"\(2, 9\)"), (LosesOne(), r"\(1, 8\)")])
def test_vectors_that_do_not_fit_are_not_kept(tmp_path: Path, tower: Texts, shape: str) -> None:
    kept_texts(Texts(), tmp_path).encode(["a"])
    with pytest.raises(ValueError, match=f"2 things were encoded as an array of shape {shape}"):
        kept_texts(tower, tmp_path).encode(["a", "b", "c"])
    assert len(shards(tmp_path)) == 1
