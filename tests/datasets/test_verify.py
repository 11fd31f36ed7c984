"""Verification before hours are spent, and the digest that comes of it."""

from __future__ import annotations

import hashlib
import logging
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from datasets.base import Clip, Dataset, DatasetError, Item, Sound
from datasets.loading import load_manifest
from datasets.verify import verify
from tests.datasets.tiny_files import (
    audio_item,
    image_item,
    pixels,
    video_item,
    write_picture,
    write_sound,
    write_video,
)


def digest(path: Path) -> str:
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()


def damage_unseen(path: Path) -> None:
    """Overwrite a file, keeping its size and its time of change."""
    before = path.stat()
    path.write_bytes(b"x" * before.st_size)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_good_files_have_digests_and_bad_ones_are_named(tmp_path: Path) -> None:
    good = [image_item(write_picture(tmp_path / f"{n}.png", n)) for n in range(3)]
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    bad = [image_item(tmp_path / name) for name in ("empty.png", "gone.png", "text.jpg")]
    found = verify([bad[0], *good, *bad[1:]], cache=tmp_path / "cache", workers=2)
    assert found.digests == {item.id: digest(tmp_path / f"{item.id}.png") for item in good}
    assert [(gap.item_id, gap.path.name, gap.reason) for gap in found.gaps] == [
        ("empty", "empty.png", "is empty (0 bytes)"),
        ("gone", "gone.png", "is missing"),
        ("text", "text.jpg", "is not a picture in a known format"),
    ]


def test_an_array_is_told_from_its_transpose(tmp_path: Path) -> None:
    array = pixels(0, 4, 6)
    items = [Item("a", "image", array), Item("b", "image", array.reshape(6, 4, 3))]
    found = verify(items, cache=tmp_path)
    assert found.digests["a"] != found.digests["b"]


def test_a_verified_file_is_not_decoded_again(tmp_path: Path) -> None:
    item = image_item(write_picture(tmp_path / "a.png"))
    first = verify([item], cache=tmp_path / "cache")
    damage_unseen(tmp_path / "a.png")
    assert verify([item], cache=tmp_path / "cache") == first
    assert verify([item], cache=tmp_path / "another").gaps[0].reason.startswith("is not a picture")
    os.utime(tmp_path / "a.png", ns=(1, 1))
    assert len(verify([item], cache=tmp_path / "cache").gaps) == 1


def test_a_bad_file_is_looked_at_again(tmp_path: Path) -> None:
    item = image_item(tmp_path / "a.png")
    assert verify([item], cache=tmp_path / "cache").gaps
    write_picture(tmp_path / "a.png")
    assert not verify([item], cache=tmp_path / "cache").gaps


def test_a_damaged_memory_is_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    item = image_item(write_picture(tmp_path / "a.png"))
    (tmp_path / "cache/verified").mkdir(parents=True)
    (tmp_path / "cache/verified/files.sqlite").write_bytes(b"not a database" * 100)
    with caplog.at_level(logging.WARNING):
        first = verify([item], cache=tmp_path / "cache")
    assert "is damaged" in caplog.text
    damage_unseen(tmp_path / "a.png")
    assert verify([item], cache=tmp_path / "cache") == first


def test_a_stopped_verification_keeps_what_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [image_item(write_picture(tmp_path / f"{n}.png", n)) for n in range(6)]
    stop = items[4].media
    real = Path.read_bytes

    def read(path: Path) -> bytes:
        if path == stop:
            raise KeyboardInterrupt
        return real(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", read)
        with pytest.raises(KeyboardInterrupt):
            verify(items, cache=tmp_path / "cache", workers=1)
    for item in items:
        assert isinstance(item.media, Path)
        damage_unseen(item.media)
    after = verify(items, cache=tmp_path / "cache")
    assert set(after.digests) == {"0", "1", "2", "3"}


def test_an_older_memory_is_begun_anew(tmp_path: Path) -> None:
    """One that was kept before there were signatures."""
    item = image_item(write_picture(tmp_path / "a.png"))
    (tmp_path / "cache/verified").mkdir(parents=True)
    with closing(sqlite3.connect(tmp_path / "cache/verified/files.sqlite")) as older, older:
        older.execute(
            "CREATE TABLE verified (path BLOB PRIMARY KEY, size INTEGER NOT NULL,"
            " mtime_ns INTEGER NOT NULL, digest TEXT NOT NULL) WITHOUT ROWID"
        )
        stamp = (tmp_path / "a.png").stat()
        row = (os.fsencode(tmp_path / "a.png"), stamp.st_size, stamp.st_mtime_ns, "old")
        older.execute("INSERT INTO verified VALUES (?, ?, ?, ?)", row)
    found = verify([item], cache=tmp_path / "cache")
    assert found.digests == {"a": digest(tmp_path / "a.png")}
    assert found.signatures.keys() == {"a"}


def test_every_modality_is_verified_and_remembered(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-1, 1, (1, 40_000)).astype(np.float32)
    items = [
        image_item(write_picture(tmp_path / "picture.png")),
        audio_item(write_sound(tmp_path / "sound.wav", noise)),
        video_item(write_video(tmp_path / "video.mp4", [10, 20, 30])),
    ]
    first = verify(items, cache=tmp_path / "cache")
    assert first.digests == {item.id: digest(Path(str(item.media))) for item in items}
    # The frames of this video are blank: no signature could tell them from others.
    assert first.signatures.keys() == {"picture", "sound"}
    for item in items:
        damage_unseen(Path(str(item.media)))
    assert verify(items, cache=tmp_path / "cache") == first


def test_sounds_and_clips_in_memory_are_told_apart(tmp_path: Path) -> None:
    samples = np.zeros((1, 100), np.float32)
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    items = [
        Item("a", "audio", Sound(samples, 100)),
        Item("b", "audio", Sound(samples, 200)),
        Item("c", "video", Clip(frames, np.array([0.0, 1.0]))),
        Item("d", "video", Clip(frames, np.array([0.0, 2.0]))),
    ]
    assert len(set(verify(items, cache=tmp_path).digests.values())) == 4


def test_damage_anywhere_in_a_sound_is_found(tmp_path: Path) -> None:
    samples = np.zeros((1, 700_000), np.float32)
    samples[0, 650_000] = np.nan
    item = audio_item(write_sound(tmp_path / "a.wav", samples))
    (gap,) = verify([item], cache=tmp_path / "cache").gaps
    assert gap.reason == "holds samples that are no numbers (NaN or infinite)"


def own_data(folder: Path, rows: list[str], *, header: str = "id,path,caption,split") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return folder / "own.csv"


ROWS = [
    *(f"t{n},t{n}.png,train {n},train" for n in range(3)),
    "v0,v0.png,validation,validation",
    *(f"g{n},g{n}.png,test {n} {j},test" for n in range(3) for j in range(2)),
]


def dataset(folder: Path, rows: list[str] = ROWS, *, skip_bad: bool = False) -> Dataset:
    return load_manifest(own_data(folder, rows), cache=folder / "cache", skip_bad=skip_bad)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for seed, name in enumerate(("t0", "t1", "t2", "v0", "g0", "g1", "g2")):
        write_picture(tmp_path / f"{name}.png", seed)
    return tmp_path


def test_a_whole_manifest(data: Path) -> None:
    loaded = dataset(data)
    assert (loaded.name, loaded.protocol, loaded.synthetic, loaded.notes) == (
        "own",
        "own-split",
        False,
        (),
    )
    assert [item.id for item in loaded.gallery] == ["g0", "g1", "g2"]
    assert [(q.id, q.text, q.relevant) for q in loaded.queries[:3]] == [
        ("g0#0", "test 0 0", ("g0",)),
        ("g0#1", "test 0 1", ("g0",)),
        ("g1#0", "test 1 0", ("g1",)),
    ]
    assert loaded.train.captions == ("train 0", "train 1", "train 2")
    assert loaded.train.rows == (0, 1, 2)
    assert [item.id for item in loaded.validation.items] == ["v0"]


def test_bad_files_end_the_run_by_name(data: Path) -> None:
    (data / "t1.png").unlink()
    (data / "g0.png").write_bytes((data / "g0.png").read_bytes()[:-60])
    with pytest.raises(DatasetError) as caught:
        dataset(data)
    said = str(caught.value)
    assert said.startswith("own: 2 of 7 media files cannot be used:")
    assert f"t1: {data / 't1.png'} is missing" in said
    assert f"g0: {data / 'g0.png'} is damaged or cut short" in said
    assert said.endswith("--skip-bad.")


def test_only_the_first_ten_bad_files_are_listed(tmp_path: Path) -> None:
    rows = [f"{n},{n}.png,text,test" for n in range(13)]
    with pytest.raises(DatasetError) as caught:
        dataset(tmp_path, rows)
    assert str(caught.value).count(" is missing") == 10
    assert "and 3 more" in str(caught.value)


def test_skipped_files_leave_pairs_gallery_and_queries(data: Path) -> None:
    whole = dataset(data)
    (data / "t1.png").unlink()
    (data / "g0.png").write_bytes(b"")
    partial = dataset(data, skip_bad=True)
    assert partial.protocol == "own-split-2of3-train2of3"
    assert [item.id for item in partial.gallery] == ["g1", "g2"]
    assert {query.relevant for query in partial.queries} == {("g1",), ("g2",)}
    assert partial.train.captions == ("train 0", "train 2") and partial.train.rows == (0, 1)
    assert partial.digest != whole.digest
    assert partial.notes[0] == (
        "2 items are left out, the media file unusable: t1 is missing, g0 is empty (0 bytes)."
    )


def test_nothing_left_to_search(data: Path) -> None:
    for name in ("g0", "g1", "g2"):
        (data / f"{name}.png").unlink()
    with pytest.raises(DatasetError, match="nothing to search"):
        dataset(data, skip_bad=True)


def test_duplicates_are_told(data: Path) -> None:
    for name in ("g1", "t0"):
        (data / f"{name}.png").write_bytes((data / "g0.png").read_bytes())
    rows = [row.replace("test 2 1", "test 2 0") for row in ROWS]
    assert dataset(data, rows).notes == (
        "2 of 6 queries have the same text as another.",
        "2 gallery files are byte for byte the same as another of them.",
        "2 gallery files are byte for byte the same as a file to learn from: "
        "the test is easier than it looks.",
    )


def test_near_duplicates_are_told(data: Path) -> None:
    whole = Image.fromarray(pixels(0, 8, 9)).resize((180, 160), Image.Resampling.BICUBIC)
    whole.save(data / "g0.png")
    whole.resize((90, 80)).save(data / "g2.png")
    assert dataset(data).notes == (
        "2 gallery files are nearly the same as another of them to eye or ear.",
    )


def test_digest_knows_content_and_not_place(
    data: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = dataset(data).digest
    moved = tmp_path_factory.mktemp("moved")
    for path in data.glob("*.png"):
        (moved / "pics").mkdir(exist_ok=True)
        (moved / "pics" / f"x{path.name}").write_bytes(path.read_bytes())
    rows = [row.replace(",", ",pics/x", 1) for row in ROWS]
    assert dataset(moved, rows).digest == whole
    others = {
        dataset(data, [row.replace("test 0 0", "test 0 O") for row in ROWS]).digest,
        dataset(data, [row.replace("t0,t0", "T0,t0") for row in ROWS]).digest,
        dataset(
            data, [row.replace("validation,validation", "validation,train") for row in ROWS]
        ).digest,
        dataset(data, [row.replace("t0.png", "t1.png") for row in ROWS]).digest,
    }
    assert len(others | {whole}) == 5
