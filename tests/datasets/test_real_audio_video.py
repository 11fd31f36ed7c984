"""The published annotations of the sound and video datasets, and real sounds and videos."""

from __future__ import annotations

import csv
import os
import shutil
from collections import Counter
from pathlib import Path

import pytest

from datasets import audiocaps, clotho, loading, msrvtt, msvd, registry
from datasets.annotations import Annotated, count
from datasets.layouts import msrvtt_lists, msvd_captions
from datasets.protocol_card import SPLITS, Counts, achieved
from tests.datasets.table_files import touch, write_table

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real() -> Path:
    folder = os.environ.get("RETRIEVAL_TEST_DATA")
    if not folder:
        pytest.skip("RETRIEVAL_TEST_DATA names no folder of real data")
    return Path(folder)


def counts(annotated: Annotated) -> list[Counts]:
    found = count(annotated.items, annotated.protocol.max_captions_per_item)
    return [found[split] for split in SPLITS]


def name(annotated: Annotated) -> str:
    return achieved(annotated.protocol, count(annotated.items, None))[0]


def captions_of(annotated: Annotated, split: str) -> Counter[int]:
    """How many items of a split have how many captions."""
    return Counter(len(item.captions) for item in annotated.items if item.split == split)


def test_clotho(real: Path) -> None:
    read = clotho.read(real / "clotho", registry.card("clotho"))
    assert counts(read) == [Counts(3839, 19195), Counts(1045, 5225), Counts(1045, 5225, 5225)]
    assert (name(read), read.notes) == ("clotho-v2.1-1045", ())
    assert [captions_of(read, split) for split in SPLITS] == [{5: 3839}, {5: 1045}, {5: 1045}]
    names = Counter(item.path.name for item in read.items)
    assert sum(times > 1 for times in names.values()) == 4


def test_clotho_names_with_a_leading_space(real: Path, tmp_path: Path) -> None:
    """The tables of one public copy with the file names of another."""
    for table in (real / "clotho").glob("clotho_captions_*.csv"):
        shutil.copy(table, tmp_path)
    for split in ("development", "validation", "evaluation"):
        other = real / f"clotho/dcase2023_baseline/{split}_captions.csv"
        with other.open(encoding="utf-8", newline="") as stream:
            names = {row["fname"] for row in csv.DictReader(stream)}
        touch(*(tmp_path / split / one for one in names))
    read = clotho.read(tmp_path, registry.card("clotho"))
    found = [item.path for item in read.items if item.path.exists()]
    assert len(found) == len(set(found)) == 5929
    with (tmp_path / "clotho_captions_development.csv").open(encoding="utf-8") as stream:
        published = {row["file_name"] for row in csv.DictReader(stream)}
    assert (
        sum(path.parent.name == "development" and path.name not in published for path in found) == 2
    )


def test_audiocaps(real: Path) -> None:
    read = audiocaps.read(real / "audiocaps", registry.card("audiocaps"))
    assert counts(read) == [Counts(49838, 49838), Counts(495, 2475), Counts(975, 4875, 4875)]
    assert (name(read), read.notes) == ("audiocaps-975", ())
    assert captions_of(read, "train") == {1: 49838}
    assert captions_of(read, "validation") == {5: 495}
    assert captions_of(read, "test") == {5: 975}
    test = [item.id for item in read.items if item.split == "test"]
    assert sum(one.startswith("-") for one in test) == 19


def test_audiocaps_v2(real: Path) -> None:
    read = audiocaps.read(real / "audiocaps", registry.card("audiocaps:v2"))
    assert counts(read)[1:] == [Counts(495, 2475), Counts(975, 4875, 4875)]
    assert name(read) == "audiocaps-v2-975-train0captions"
    first = audiocaps.read(real / "audiocaps", registry.card("audiocaps:v1"))
    test = {item.id for item in first.items if item.split == "test"}
    assert {item.id for item in read.items if item.split == "test"} == test


def test_msrvtt_lists(real: Path) -> None:
    asked = msrvtt_lists.queries(real / "msrvtt/MSRVTT_JSFUSION_test.csv")
    nine = set(msrvtt_lists.video_ids(real / "msrvtt/MSRVTT_train.9k.csv"))
    seven = set(msrvtt_lists.video_ids(real / "msrvtt/MSRVTT_train.7k.csv"))
    assert (len(asked), len(nine), len(seven)) == (1000, 9000, 7010)
    assert seven < nine and not nine & asked.keys()
    assert nine | asked.keys() == {f"video{n}" for n in range(10_000)}
    texts = Counter(one.text for sentences in asked.values() for one in sentences)
    assert sum(texts.values()) == 1000
    assert sum(times - 1 for times in texts.values()) == 5


def test_msrvtt(real: Path) -> None:
    read = msrvtt.read(real / "msrvtt", registry.card("msrvtt"))
    assert counts(read) == [Counts(0, 0), Counts(0, 0), Counts(1000, 1000, 1000)]
    assert "MSRVTT_data.json" in read.notes[0]


@pytest.mark.parametrize("source", ["captions_msvd.json", "sents_*_lc_nopunc.txt"])
def test_msvd(real: Path, tmp_path: Path, source: str) -> None:
    for pattern in ("*_list.txt", "youtube_mapping.txt", source):
        for path in (real / "msvd").glob(pattern):
            shutil.copy(path, tmp_path)
    read = msvd.read(tmp_path, registry.card("msvd"))
    assert counts(read) == [Counts(1200, 48774), Counts(100, 4290), Counts(670, 27763, 27763)]
    assert name(read) == "msvd-670"
    ranges = [(min(many), max(many)) for split in SPLITS if (many := captions_of(read, split))]
    assert ranges == [(18, 66), (25, 62), (21, 81)]


def test_both_sources_of_msvd_hold_the_same_captions(real: Path) -> None:
    folder = real / "msvd"
    sentences = sorted(folder.glob("sents_*_lc_nopunc.txt"))
    listed = msvd_captions.from_json(folder / "captions_msvd.json")
    mapped = msvd_captions.from_sentences(sentences, folder / "youtube_mapping.txt")
    assert len(listed) == 1970 and mapped == listed


def test_msvd_clips(real: Path, tmp_path: Path) -> None:
    """Eleven real videos of the 1,970."""
    for path in (*(real / "msvd").glob("*_list.txt"), real / "msvd/captions_msvd.json"):
        shutil.copy(path, tmp_path)
    (tmp_path / "YouTubeClips").symlink_to(real / "video_msvd_real")
    loaded = loading.load("msvd", root=tmp_path, cache=tmp_path / "cache", skip_bad=True, workers=1)
    assert loaded.protocol == "msvd-4of670-train7of1200-val0of100"
    assert {item.id for item in loaded.gallery} == {
        "qvg9eM4Hmzk_4_10",
        "ufFT2BWh3BQ_0_8",
        "j2Dhf-xFUxU_13_20",
        "klteYv1Uv9A_27_33",
    }
    assert len(loaded.queries) + len(loaded.train.captions) == 406


def test_msvd_clips_as_own_data(real: Path, tmp_path: Path) -> None:
    folder = real / "video_msvd_real"
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as stream:
        clips = {row["video_id"]: row for row in csv.DictReader(stream)}
    with (folder / "captions.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            [
                row["video_id"],
                folder / clips[row["video_id"]]["file"],
                row["caption"],
                clips[row["video_id"]]["split"],
            ]
            for row in csv.DictReader(stream)
        ]
    manifest = write_table(tmp_path / "clips.csv", ["id", "path", "caption", "split"], rows)
    loaded = loading.load_manifest(manifest, cache=tmp_path / "cache", workers=1)
    assert (loaded.name, loaded.protocol, loaded.modality) == ("clips", "own-split", "video")
    assert (len(loaded.train.items), len(loaded.gallery)) == (7, 4)
    assert len(loaded.train.captions) + len(loaded.queries) == len(rows) == 406


def test_clotho_sounds_as_own_data(real: Path, tmp_path: Path) -> None:
    folder = real / "audio_clotho_real"
    with (folder / "clips.csv").open(encoding="utf-8", newline="") as stream:
        rows = [
            [Path(row["file_name"]).stem, folder / "audio" / row["file_name"], row[f"caption_{n}"]]
            for row in csv.DictReader(stream)
            for n in range(1, 6)
        ]
    manifest = write_table(tmp_path / "sounds.csv", ["id", "path", "caption"], rows)
    loaded = loading.load_manifest(manifest, cache=tmp_path / "cache", workers=1)
    assert (loaded.name, loaded.protocol, loaded.modality) == ("sounds", "seeded-split-0", "audio")
    assert (len(loaded.train.items), len(loaded.gallery), len(loaded.queries)) == (7, 1, 5)


def test_clotho_sounds_through_the_loader(real: Path, tmp_path: Path) -> None:
    """Eight real sounds of the 1,045 of the evaluation split."""
    for table in (real / "clotho").glob("clotho_captions_*.csv"):
        shutil.copy(table, tmp_path)
    (tmp_path / "evaluation").symlink_to(real / "audio_clotho_real/audio")
    loaded = loading.load(
        "clotho", root=tmp_path, cache=tmp_path / "cache", skip_bad=True, workers=1
    )
    assert loaded.protocol == "clotho-v2.1-8of1045-train0of3839-val0of1045"
    with (real / "audio_clotho_real/clips.csv").open(encoding="utf-8", newline="") as stream:
        captions = {row[f"caption_{n}"] for row in csv.DictReader(stream) for n in range(1, 6)}
    assert {query.text for query in loaded.queries} == captions
