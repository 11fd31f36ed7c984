"""MSR-VTT and MSVD from small written files; only ``load`` opens a video."""

from __future__ import annotations

import json
import pickle
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets import loading, msrvtt, msvd, registry
from datasets.annotations import Annotated
from datasets.base import DatasetError
from datasets.layouts import msrvtt_json, msvd_captions
from tests.datasets.table_files import touch, write_lines, write_msrvtt, write_table
from tests.datasets.tiny_files import write_video

QUERIES = [("ret0", "msr1", "video1", "a dog runs"), ("ret1", "msr2", "video2", "a dog runs")]


def read_msrvtt(folder: Path, name: str = "msrvtt") -> Annotated:
    return msrvtt.read(folder, registry.card(name))


def read_msvd(folder: Path) -> Annotated:
    return msvd.read(folder, registry.card("msvd"))


def split_ids(annotated: Annotated, split: str) -> list[str]:
    return [item.id for item in annotated.items if item.split == split]


def texts(annotated: Annotated, item_id: str) -> list[str]:
    (item,) = (item for item in annotated.items if item.id == item_id)
    return [caption.text for caption in item.captions]


def write_queries(folder: Path, rows: Sequence[Sequence[str]] = QUERIES) -> None:
    header = ["key", "vid_key", "video_id", "sentence"]
    write_table(folder / "MSRVTT_JSFUSION_test.csv", header, rows)


def train_list(folder: Path, name: str, ids: Sequence[str]) -> None:
    write_table(folder / f"MSRVTT_train.{name}.csv", ["video_id"], ([one] for one in ids))


def videos(count: int) -> dict[str, tuple[str, list[str]]]:
    """video0, video1 ...: two captions each; every tenth validate, every fifth test."""
    return {
        f"video{n}": (
            "validate" if n % 10 == 9 else "test" if n % 5 == 3 else "train",
            [f"caption {n}", f"another {n}"],
        )
        for n in range(count)
    }


def one_k_a(folder: Path, train: int = 40) -> None:
    """A small 1k-A: two test videos, ``train`` in the 9k list and half of them in the 7k list."""
    write_queries(folder)
    write_msrvtt(folder / "MSRVTT_data.json", videos(train + 3))
    ids = [f"video{n}" for n in range(train + 3) if n not in (1, 2)]
    train_list(folder, "9k", ids)
    train_list(folder, "7k", ids[: train // 2])


@pytest.mark.parametrize("tables", [".", "annotations", "annotation", "msrvtt_data"])
@pytest.mark.parametrize(
    "place", ["MSRVTT_Videos/", "videos/all/", "videos/", "TrainValVideo/", "TestVideo/", ""]
)
def test_msrvtt_layouts(tmp_path: Path, tables: str, place: str) -> None:
    one_k_a(tmp_path / tables)
    touch(tmp_path / f"{place}video1.mp4", tmp_path / f"{place}video2.webm")
    found = msrvtt.find(tmp_path, registry.card("msrvtt"))
    assert found == tmp_path / tables / "MSRVTT_JSFUSION_test.csv"
    read = read_msrvtt(tmp_path)
    test = [item for item in read.items if item.split == "test"]
    assert [item.path.relative_to(tmp_path).as_posix() for item in test] == [
        f"{place}video1.mp4",
        f"{place}video2.webm",
    ]
    assert [(c.id, c.text) for item in test for c in item.captions] == [
        ("ret0", "a dog runs"),
        ("ret1", "a dog runs"),
    ]
    assert {item.modality for item in read.items} == {"video"}


def test_msrvtt_draws_validation_out_of_the_training_list(tmp_path: Path) -> None:
    one_k_a(tmp_path)
    read = read_msrvtt(tmp_path)
    train, drawn = split_ids(read, "train"), split_ids(read, "validation")
    assert (read.protocol.name, len(train), len(drawn)) == ("1k-A-9k", 37, 4)
    assert set(train) | set(drawn) == {f"video{n}" for n in range(43)} - {"video1", "video2"}
    assert texts(read, drawn[0]) == [
        drawn[0].replace("video", "caption "),
        drawn[0].replace("video", "another "),
    ]
    assert read.notes == (
        "No validation videos are published with MSRVTT_train.9k.csv: 4 of its 41 were drawn with "
        "seed 0 and are not trained on.",
    )


def test_msrvtt_variants(tmp_path: Path) -> None:
    one_k_a(tmp_path)
    seven = read_msrvtt(tmp_path, "msrvtt:7k")
    assert (seven.protocol.name, len(split_ids(seven, "train"))) == ("1k-A-7k", 18)
    assert "MSRVTT_train.7k.csv" in seven.notes[0]
    full = read_msrvtt(tmp_path, "msrvtt:full")
    assert (full.protocol.name, full.notes) == ("full-2990", ())
    assert split_ids(full, "test") == [f"video{n}" for n in range(43) if n % 5 == 3]
    assert split_ids(full, "validation") == ["video9", "video19", "video29", "video39"]
    assert texts(full, "video3") == ["caption 3", "another 3"]
    (tmp_path / "MSRVTT_train.9k.csv").unlink()
    assert read_msrvtt(tmp_path).protocol.name == "1k-A-7k"


def test_msrvtt_original_release(tmp_path: Path) -> None:
    one_k_a(tmp_path)
    (tmp_path / "MSRVTT_data.json").unlink()
    parts = videos(43)
    test = {name: one for name, one in parts.items() if one[0] == "test"}
    write_msrvtt(tmp_path / "test_videodatainfo.json", test)
    others = {name: one for name, one in parts.items() if name not in test}
    write_msrvtt(tmp_path / "train_val_videodatainfo.json", others)
    whole = read_msrvtt(tmp_path)
    assert len(split_ids(whole, "train")) == 37 and len(whole.notes) == 1
    full = registry.card("msrvtt:full")
    assert msrvtt.find(tmp_path, full) == tmp_path / "test_videodatainfo.json"
    assert sorted(split_ids(msrvtt.read(tmp_path, full), "test")) == sorted(test)
    (tmp_path / "test_videodatainfo.json").unlink()
    assert msrvtt.find(tmp_path, full) is None
    assert read_msrvtt(tmp_path).notes[1] == (
        "8 videos of MSRVTT_train.9k.csv are not in train_val_videodatainfo.json and are left out."
    )
    write_msrvtt(tmp_path / "test_videodatainfo.json", {**test, "video0": ("train", ["x"])})
    with pytest.raises(DatasetError, match="'video0' stands in train_val_"):
        read_msrvtt(tmp_path)


def test_msrvtt_test_split_alone(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no MSRVTT_JSFUSION_test\.csv.*https://"):
        read_msrvtt(tmp_path)
    write_queries(tmp_path)
    read = read_msrvtt(tmp_path)
    assert {item.split for item in read.items} == {"test"}
    assert read.notes == (
        "MSRVTT_train.9k.csv and MSRVTT_data.json or train_val_videodatainfo.json was not found "
        "beside MSRVTT_JSFUSION_test.csv: there is nothing to train on.",
    )
    write_msrvtt(tmp_path / "MSRVTT_data.json", videos(9))
    read = read_msrvtt(tmp_path)
    assert (read.protocol.name, len(read.items)) == ("1k-A-9k", 2)
    assert read.notes[0].startswith("MSRVTT_train.9k.csv was not found")


def test_msrvtt_test_video_in_the_training_list_is_refused(tmp_path: Path) -> None:
    one_k_a(tmp_path)
    train_list(tmp_path, "9k", ["video0", "video1"])
    with pytest.raises(DatasetError, match="'video1' stands in train and again in test"):
        read_msrvtt(tmp_path)


VIDEO = {"video_id": "video1", "split": "train"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([], "holds a list, not an object"),
        ({"videos": []}, "holds no list 'sentences'"),
        ({"videos": {}, "sentences": []}, "holds no list 'videos'"),
        ({"videos": [7], "sentences": []}, r"videos\[0\] has no 'video_id' or no 'split'"),
        ({"videos": [VIDEO, VIDEO], "sentences": []}, r"videos\[1\]: 'video1' stands twice"),
        ({"videos": [{**VIDEO, "video_id": "../x"}], "sentences": []}, "is not the id of a video"),
        ({"videos": [VIDEO], "sentences": [{"caption": "a"}]}, r"sentences\[0\] has no"),
        (
            {"videos": [VIDEO], "sentences": [{"video_id": "video2", "caption": "a"}]},
            r"sentences\[0\]: 'video2' is not among the videos",
        ),
        (
            {"videos": [{**VIDEO, "split": "dev"}], "sentences": []},
            "'video1' has split 'dev', none of train, validate, test",
        ),
    ],
)
def test_bad_msrvtt_files(tmp_path: Path, table: object, said: str) -> None:
    (tmp_path / "MSRVTT_data.json").write_text(json.dumps(table), encoding="utf-8")
    with pytest.raises(DatasetError, match=said):
        read_msrvtt(tmp_path, "msrvtt:full")


def test_bad_msrvtt_lists(tmp_path: Path) -> None:
    one_k_a(tmp_path)
    train_list(tmp_path, "9k", ["video0", "video0"])
    with pytest.raises(DatasetError, match="line 3: video 'video0' stands twice"):
        read_msrvtt(tmp_path)
    train_list(tmp_path, "9k", ["a/b"])
    with pytest.raises(DatasetError, match="line 2: 'a/b' is not the id of a video"):
        read_msrvtt(tmp_path)
    write_queries(tmp_path, [QUERIES[0], QUERIES[0]])
    with pytest.raises(DatasetError, match="line 3: key 'ret0' stands twice"):
        read_msrvtt(tmp_path)


def cleaned(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
MSRVTT = st.dictionaries(
    st.text("vV0-_", min_size=1, max_size=3),
    st.tuples(st.sampled_from(["train", "validate", "test"]), st.lists(TEXT, max_size=3)),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(MSRVTT)
def test_msrvtt_is_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, tuple[str, list[str]]]
) -> None:
    path = write_msrvtt(tmp_path_factory.getbasetemp() / "round.json", table)
    read = {video.id: (video.split, list(video.captions)) for video in msrvtt_json.parse(path)}
    assert read == {
        name: (split, [cleaned(text) for text in captions])
        for name, (split, captions) in table.items()
    }


CAPTIONS = {
    "-aB_1_5": ["a man sings", "someone is singing"],
    "cd_Ef_0_9": ["a cat, playing"],
    "xyz_2_8": ['a "red" car', "cars", "cars"],
}


def msvd_lists(folder: Path, extension: str = "", end: str = "\n") -> None:
    for split, name in zip(("train", "val", "test"), CAPTIONS, strict=True):
        write_lines(folder / f"{split}_list.txt", [f"{name}{extension}"], end)


def as_json(folder: Path) -> None:
    (folder / "captions_msvd.json").write_text(json.dumps(CAPTIONS), encoding="utf-8")


def as_descriptions(folder: Path) -> None:
    lines = ["# a comment", "#another", ""]
    lines += [f"{name} {text}" for name, texts in CAPTIONS.items() for text in texts]
    write_lines(folder / "AllVideoDescriptions.txt", lines, "\r\n")


def as_corpus(folder: Path, name: str = "video_corpus.csv") -> None:
    header = ["VideoID", "Start", "End", "WorkerID", "Source"]
    header += ["AnnotationTime", "Language", "Description"]
    rows = []
    for one, said in CAPTIONS.items():
        youtube, start, end = one.rsplit("_", 2)
        rows.append([youtube, start, end, 1, "clean", 9, "Romanian", "o mașină"])
        rows += [[youtube, start, end, 1, "clean", 9, "English", text] for text in said]
    write_table(folder / name, header, rows)


def as_corpus_under_its_own_name(folder: Path) -> None:
    as_corpus(folder, "MSR Video Description Corpus.csv")


def as_sentences(folder: Path) -> None:
    write_lines(
        folder / "youtube_mapping.txt",
        [f"{name} vid{n}" for n, name in enumerate(CAPTIONS, start=1)],
        "\r\n",
    )
    for n, (split, said) in enumerate(
        zip(("train", "val", "test"), CAPTIONS.values(), strict=True), start=1
    ):
        write_lines(folder / f"sents_{split}_lc_nopunc.txt", [f"vid{n}\t{text}" for text in said])


SOURCES = [as_json, as_descriptions, as_corpus, as_corpus_under_its_own_name, as_sentences]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("annotations", [".", "annotations"])
def test_msvd_sources(tmp_path: Path, source: object, annotations: str) -> None:
    assert callable(source)
    msvd_lists(tmp_path / annotations)
    source(tmp_path / annotations)
    read = read_msvd(tmp_path)
    assert {item.id: [c.text for c in item.captions] for item in read.items} == CAPTIONS
    assert [item.split for item in read.items] == ["train", "validation", "test"]
    assert [caption.id for caption in read.items[2].captions] == [f"xyz_2_8#{n}" for n in range(3)]
    assert read.protocol.name == "msvd-670"


def test_msvd_prefers_the_sources_in_order(tmp_path: Path) -> None:
    msvd_lists(tmp_path)
    as_sentences(tmp_path)
    as_descriptions(tmp_path)
    assert read_msvd(tmp_path).notes == ("The captions are those of AllVideoDescriptions.txt.",)
    as_json(tmp_path)
    assert read_msvd(tmp_path).notes == ()


@pytest.mark.parametrize("extension", ["", ".avi", ".mp4"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("place", ["YouTubeClips/", "videos/", ""])
@pytest.mark.parametrize("found", [".avi", ".mp4", ".mkv"])
def test_msvd_videos(tmp_path: Path, extension: str, end: str, place: str, found: str) -> None:
    msvd_lists(tmp_path, extension, end)
    as_json(tmp_path)
    touch(*(tmp_path / f"{place}{name}{found}" for name in CAPTIONS))
    read = read_msvd(tmp_path)
    assert [item.path for item in read.items] == [
        tmp_path / f"{place}{name}{found}" for name in CAPTIONS
    ]
    assert msvd.find(tmp_path, registry.card("msvd")) == tmp_path / "test_list.txt"


def test_msvd_test_split_alone(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no test_list\.txt\. .*https://www\.cs\.utexas"):
        read_msvd(tmp_path)
    write_lines(tmp_path / "test_list.txt", ["xyz_2_8"])
    as_json(tmp_path)
    read = read_msvd(tmp_path)
    assert [item.id for item in read.items] == ["xyz_2_8"]
    assert read.notes == (
        "train_list.txt was not found beside test_list.txt: there is nothing to train on.",
        "val_list.txt was not found beside test_list.txt: there is nothing to choose a model by.",
    )


class Explosive:
    """What a hostile pickle does when it is opened: here it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> object:
        return (Path.touch, (self.mark,))


def test_raw_captions_are_never_opened(tmp_path: Path) -> None:
    msvd_lists(tmp_path)
    with pytest.raises(DatasetError) as caught:
        read_msvd(tmp_path)
    assert "none of captions_msvd.json, AllVideoDescriptions.txt" in str(caught.value)
    assert "raw-captions.pkl" not in str(caught.value)
    hostile = pickle.dumps(Explosive(tmp_path / "mark"))
    (tmp_path / "raw-captions.pkl").write_bytes(hostile)
    with pytest.raises(DatasetError) as caught:
        read_msvd(tmp_path)
    assert "raw-captions.pkl is there but is never opened" in str(caught.value)
    assert "https://github.com/layer6ai-labs/xpool" in str(caught.value)
    assert not (tmp_path / "mark").exists()
    as_sentences(tmp_path)
    read_msvd(tmp_path)
    assert not (tmp_path / "mark").exists()
    pickle.loads(hostile)  # noqa: S301  what opening it would have done
    assert (tmp_path / "mark").exists()


def test_msvd_lists_of_other_data(tmp_path: Path) -> None:
    msvd_lists(tmp_path)
    as_json(tmp_path)
    write_lines(tmp_path / "test_list.txt", ["unknown_1_2"])
    with pytest.raises(DatasetError, match=r"has no caption for any video of .*test_list\.txt"):
        read_msvd(tmp_path)
    write_lines(tmp_path / "test_list.txt", ["xyz_2_8", "cd_Ef_0_9"])
    with pytest.raises(DatasetError, match="'cd_Ef_0_9' stands twice"):
        read_msvd(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("captions_msvd.json", b"[]", "holds a list, not an object"),
        ("captions_msvd.json", b'{"xyz_2_8": "a"}', "'xyz_2_8' does not hold a list of captions"),
        ("captions_msvd.json", b'{"xyz_2_8": [7]}', "'xyz_2_8' does not hold a list of captions"),
        ("AllVideoDescriptions.txt", b"xyz_2_8\n", "line 1 does not hold two parts with a space"),
        ("AllVideoDescriptions.txt", b"ok a\nx \xff\n", "line 2 is not UTF-8"),
        ("video_corpus.csv", b"VideoID,Start\n", "line 1: the header lacks End, Language, Desc"),
        ("sents_test_lc_nopunc.txt", b"vid3 a man\n", "line 1 does not hold two parts with a tab"),
        ("sents_test_lc_nopunc.txt", b"vid9\ta man\n", "line 1: 'vid9' is not in .*mapping.txt"),
        ("youtube_mapping.txt", b"a vid1\nb vid1\n", "line 2: 'vid1' stands twice"),
        ("youtube_mapping.txt", b"a\n", "line 1 does not hold two parts with a space"),
    ],
)
def test_bad_msvd_captions(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    msvd_lists(tmp_path)
    as_sentences(tmp_path)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=said):
        read_msvd(tmp_path)


LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), max_size=20)
MSVD = st.dictionaries(
    st.text("aB3-_", min_size=1, max_size=4),
    st.lists(LINE.filter(lambda text: cleaned(text) == text != ""), min_size=1, max_size=3),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(MSVD)
def test_msvd_lines_are_read_as_written(
    tmp_path_factory: pytest.TempPathFactory, captions: dict[str, list[str]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    described = [f"{name} {text}" for name, said in captions.items() for text in said]
    path = write_lines(folder / "round.txt", described)
    expected = {name: tuple(said) for name, said in captions.items()}
    assert msvd_captions.from_descriptions(path) == expected
    mapping = write_lines(folder / "map.txt", [f"{name} vid{n}" for n, name in enumerate(captions)])
    numbered = [f"vid{n}\t{text}" for n, said in enumerate(captions.values()) for text in said]
    sentences = write_lines(folder / "sents.txt", numbered)
    assert msvd_captions.from_sentences([sentences], mapping) == expected


def test_msvd_loads(tmp_path: Path) -> None:
    msvd_lists(tmp_path / "msvd")
    as_json(tmp_path / "msvd")
    for grey, name in enumerate(CAPTIONS):
        path = tmp_path / f"msvd/YouTubeClips/{name}.mp4"
        path.parent.mkdir(exist_ok=True)
        write_video(path, [50 * grey] * 5)
    loaded = loading.load("msvd", root=tmp_path, cache=tmp_path / "cache", workers=1)
    assert loaded.protocol == "msvd-1of670-train1of1200-val1of100"
    assert (loaded.modality, loaded.media_to_text) == ("video", "caption set")
    assert [query.text for query in loaded.queries] == CAPTIONS["xyz_2_8"]
    assert {query.relevant for query in loaded.queries} == {("xyz_2_8",)}
    (tmp_path / "msvd/YouTubeClips/xyz_2_8.mp4").unlink()
    with pytest.raises(DatasetError, match=r"xyz_2_8: .*YouTubeClips/xyz_2_8\.avi is missing"):
        loading.load("msvd", root=tmp_path, cache=tmp_path / "cache", workers=1)


def test_msrvtt_loads(tmp_path: Path) -> None:
    one_k_a(tmp_path / "msrvtt", train=10)
    clip = tmp_path / "msrvtt/MSRVTT_Videos/video0.mp4"
    clip.parent.mkdir()
    write_video(clip, [10, 60, 110])
    for n in range(1, 13):
        (clip.parent / f"video{n}.mp4").hardlink_to(clip)
    loaded = loading.load("msrvtt:9k", root=tmp_path, cache=tmp_path / "cache", workers=1)
    assert loaded.protocol == "1k-A-9k-2of1000-train10of8500-val1of500"
    assert [(q.id, q.text, q.relevant) for q in loaded.queries] == [
        ("ret0", "a dog runs", ("video1",)),
        ("ret1", "a dog runs", ("video2",)),
    ]
    assert (len(loaded.train.captions), len(loaded.validation.captions)) == (20, 2)
    assert "2 of 2 queries have the same text as another." in loaded.notes
    full = loading.load("msrvtt:full", root=tmp_path, cache=tmp_path / "cache", workers=1)
    assert full.protocol == "full-2of2990-train10of6513-val1of497"
    assert len(full.queries) == 4
