"""Keys of kept towers: what they depend on, and what they must not."""

from __future__ import annotations

from pathlib import Path

import pytest

from datasets.base import Item, Pairs
from datasets.media.files import MediaError
from retrievers.encoders.tiny.kept_towers import KeptTowers


def key(path: Path) -> str:
    return KeptTowers.key("towers", [Pairs((Item("a", "video", path),), ("a clip",), (0,))])


def test_a_file_is_known_by_its_bytes_wherever_it_lies(tmp_path: Path) -> None:
    for name, content in (("one.mp4", b"same"), ("two.avi", b"same"), ("three.mp4", b"other")):
        (tmp_path / name).write_bytes(content)
    assert key(tmp_path / "one.mp4") == key(tmp_path / "two.avi")
    assert key(tmp_path / "one.mp4") != key(tmp_path / "three.mp4")


def test_a_file_too_large_to_be_read_at_once_has_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "long.mp4"
    path.write_bytes(b"0123456789")
    whole = key(path)
    monkeypatch.setattr("datasets.media.files.MAX_BYTES", 5)
    assert key(path) == whole


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="is missing"):
        key(tmp_path / "gone.mp4")
