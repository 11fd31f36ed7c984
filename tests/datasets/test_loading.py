"""The registered datasets, from tiny hand-made files in the published layouts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from datasets import loading, registry
from datasets.base import Dataset, DatasetError
from datasets.registry import UnknownDataset
from datasets.twins.drawn import twin_folder
from tests.datasets.tiny_files import karpathy_image, write_coco, write_karpathy, write_picture


def load(name: str, root: Path, *, skip_bad: bool = False) -> Dataset:
    return loading.load(name, root=root, cache=root / "cache", skip_bad=skip_bad)


def flickr(root: Path, folder: str = "flickr30k", media: str = "flickr30k-images") -> Path:
    images = [
        karpathy_image("1.png", "train", ["a", "b"]),
        karpathy_image("2.png", "val", ["c"]),
        karpathy_image("3.png", "test", ["d", "e"]),
        karpathy_image("4.png", "test", ["f", " "]),
    ]
    for n in range(1, 5):
        write_picture(root / folder / media / f"{n}.png", n)
    return write_karpathy(root / folder / "dataset_flickr30k.json", images)


def coco(root: Path, place: str, *, captions: int = 7) -> None:
    images = [
        karpathy_image("r.png", "restval", ["a"], filepath="val2014", cocoid=5),
        karpathy_image("q.png", "train", ["b"], filepath="train2014", cocoid=6),
        karpathy_image(
            "t.png", "test", [f"t{n}" for n in range(captions)], filepath="val2014", cocoid=7
        ),
    ]
    for seed, image in enumerate(images):
        folder = place.format(split=image["filepath"])
        write_picture(root / folder / image["filename"], seed)
    write_karpathy(root / "dataset_coco.json", images)


@pytest.mark.parametrize("folder", ["flickr30k", "."])
@pytest.mark.parametrize("media", ["flickr30k-images", "images", "."])
def test_flickr30k(tmp_path: Path, folder: str, media: str) -> None:
    flickr(tmp_path, folder, media)
    loaded = load("flickr30k", tmp_path)
    assert loaded.protocol == "karpathy-2of1000-train1of29000-val1of1014"
    assert not loaded.synthetic and "non-commercial" in loaded.licence
    assert [item.id for item in loaded.gallery] == ["3", "4"]
    assert [query.text for query in loaded.queries] == ["d", "e", "f"]
    assert loaded.train.captions == ("a", "b") and loaded.train.rows == (0, 0)
    assert loaded.validation.captions == ("c",)
    assert "1 caption is left out, empty in the annotation file." in loaded.notes


PLACES = ["{split}", "images/{split}", "images", "."]


@pytest.mark.parametrize("place", PLACES)
def test_coco_karpathy(tmp_path: Path, place: str) -> None:
    coco(tmp_path / "coco", place)
    loaded = load("mscoco", tmp_path)
    assert loaded.protocol == "karpathy-1of5000-train2of113287-val0of5000"
    assert [item.id for item in loaded.train.items] == ["5", "6"]
    assert [query.text for query in loaded.queries] == ["t0", "t1", "t2", "t3", "t4"]
    assert (
        "Each test item asks its first 5 captions at most; 2 further captions are left out."
        in loaded.notes
    )


@pytest.mark.parametrize("place", ["val2017", "images", ".", "images/val2017"])
@pytest.mark.parametrize("annotations", [".", "annotations"])
def test_coco_official_val_alone(tmp_path: Path, place: str, annotations: str) -> None:
    write_coco(tmp_path / annotations / "captions_val2017.json", {1: ["a"] * 6, 2: ["b"]})
    for n in (1, 2):
        write_picture(tmp_path / place / f"{n}.jpg", n)
    loaded = load("mscoco", tmp_path)
    assert loaded.protocol == "val2017-2of5000-train0of113287-val0of5000"
    assert len(loaded.gallery) == 2 and len(loaded.queries) == 6
    assert loaded.train.items == loaded.validation.items == ()
    assert loaded.notes[0] == (
        "captions_train2017.json was not found beside captions_val2017.json: "
        "there is nothing to train on."
    )


def official(root: Path, name: str, *, train: int) -> None:
    write_coco(root / f"captions_val{name}.json", {n: ["v"] for n in range(3)})
    for n in range(3):
        write_picture(root / "images" / f"{n}.jpg", n)
    if train:
        write_coco(root / f"captions_train{name}.json", {100 + n: ["t"] for n in range(train)})
        for n in range(train):
            write_picture(root / "images" / f"{100 + n}.jpg", 100 + n)


def test_coco_official_pair_draws_validation_from_train(tmp_path: Path) -> None:
    official(tmp_path, "2014", train=20)
    loaded = load("mscoco", tmp_path)
    assert loaded.protocol == "val2014-3of40504-train18of77783-val2of5000"
    assert (len(loaded.train.items), len(loaded.validation.items)) == (18, 2)
    assert "2 items of captions_train2014.json were drawn for validation" in loaded.notes[0]


def test_coco_file_of_no_known_year_is_its_own_protocol(tmp_path: Path) -> None:
    official(tmp_path, "_own", train=0)
    assert load("mscoco", tmp_path).protocol == "val_own"


def test_coco_prefers_karpathy_then_a_pair(tmp_path: Path) -> None:
    official(tmp_path, "2017", train=0)
    official(tmp_path, "2014", train=10)
    assert load("mscoco", tmp_path).protocol.startswith("val2014-")
    coco(tmp_path, "images", captions=1)
    assert load("mscoco", tmp_path).protocol.startswith("karpathy-")


def test_missing_photo_is_named_where_it_should_be(tmp_path: Path) -> None:
    flickr(tmp_path)
    missing = tmp_path / "flickr30k/flickr30k-images/3.png"
    missing.unlink()
    with pytest.raises(DatasetError) as caught:
        load("flickr30k", tmp_path)
    assert f"3: {missing} is missing" in str(caught.value)
    loaded = load("flickr30k", tmp_path, skip_bad=True)
    assert loaded.protocol == "karpathy-1of1000-train1of29000-val1of1014"


def test_missing_files_are_said_exactly(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        load("flickr30k", tmp_path)
    said = str(caught.value)
    assert said.startswith(
        "flickr30k was not found: no dataset_flickr30k.json, results_20130124.token with "
    )
    assert f" in {tmp_path / 'flickr30k'}, " in said and "https://" in said
    flickr(tmp_path, media="elsewhere")
    with pytest.raises(DatasetError) as caught:
        load("flickr30k", tmp_path)
    annotations = tmp_path / "flickr30k/dataset_flickr30k.json"
    assert f"{annotations} was found, but no media file in" in str(caught.value)
    with pytest.raises(DatasetError, match="give --data-root or set RETRIEVAL_DATA"):
        loading.load("mscoco", root=None, cache=tmp_path)


def test_missing_photo_of_an_official_split_is_looked_for_in_its_own_folder(
    tmp_path: Path,
) -> None:
    write_coco(tmp_path / "captions_val2017.json", {1: ["a"], 2: ["b"]})
    write_coco(tmp_path / "captions_train2017.json", {3: ["c"]})
    write_picture(tmp_path / "val2017/1.jpg")
    write_picture(tmp_path / "train2017/3.jpg")
    with pytest.raises(DatasetError) as caught:
        load("mscoco", tmp_path)
    assert f"2: {tmp_path / 'val2017/2.jpg'} is missing" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("flicker30k", "flickr30k"),
        ("MSCOCO", "mscoco"),
        ("flicker30k:entities", "flickr30k"),
        ("coco", "mscoco"),
    ],
)
def test_unknown_name(name: str, near: str) -> None:
    with pytest.raises(UnknownDataset, match=f"Did you mean .*{near}.*Known: flickr30k, "):
        registry.entry(name)
    with pytest.raises(UnknownDataset):
        loading.load(name, root=None, cache=Path("none"))


@pytest.mark.parametrize("name", ["mscoco:9k", "mscoco:", "mscoco:5k:1k", "mscoco:MSCOCO"])
def test_unknown_variant(name: str) -> None:
    with pytest.raises(DatasetError, match=r"mscoco has no variant .* mscoco:5k, .*mscoco:1k"):
        loading.load(name, root=None, cache=Path("none"))


def choices(root: Path | None, cache: Path) -> dict[str, tuple[str | None, str]]:
    return {c.dataset: (c.loads, c.reason) for c in loading.choose_all(root, cache)}


def test_choose_all(tmp_path: Path) -> None:
    """A twin for every real dataset, until the real one is found."""
    without = choices(None, tmp_path / "cache")
    assert list(without) == ["flickr30k", "mscoco", "clotho", "audiocaps", "msrvtt", "msvd"]
    for name, (loads, reason) in without.items():
        assert loads == f"{name}-mini"
        assert f"synthetic twin {name}-mini" in reason and "give --data-root" in reason
    assert "https://cocodataset.org" in without["mscoco"][1]
    flickr(tmp_path)
    coco(tmp_path / "mscoco", "{split}")
    found = choices(tmp_path, tmp_path / "cache")
    assert {name for name, (loads, _) in found.items() if loads == name} == {"flickr30k", "mscoco"}
    assert str(tmp_path / "mscoco") in found["mscoco"][1]
    assert not (tmp_path / "cache").exists()


TWIN = """
import json
from pathlib import Path
import numpy as np
from PIL import Image

DEFAULT_ITEMS, DEFAULT_SEED = 3, 0

def make(folder, items, seed):
    (folder / "flickr30k-images").mkdir()
    images = []
    for number, split in zip(range(items), ("train", "val", "test")):
        name = f"{number}.png"
        pixels = np.full((4, 4, 3), number, np.uint8)
        Image.fromarray(pixels).save(folder / "flickr30k-images" / name)
        sentences = [{"raw": f"SAYING {number}"}]
        images.append({"filename": name, "split": split, "sentences": sentences})
    if FAILS:
        raise OSError("no space left")
    (folder / "dataset_flickr30k.json").write_text(json.dumps({"images": images}))
"""


def twin_maker(monkeypatch: pytest.MonkeyPatch, folder: Path, *, saying: str, fails: bool) -> None:
    """Put a small module in the place of the one that draws the twin."""
    text = TWIN.replace("SAYING", saying).replace("FAILS", str(fails))
    (folder / "maker_of_twins.py").write_text(text)
    monkeypatch.syspath_prepend(folder)
    monkeypatch.delitem(sys.modules, "maker_of_twins", raising=False)
    monkeypatch.setattr("sys.dont_write_bytecode", True)


def test_twin_is_drawn_once_for_each_form_of_its_maker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn() -> Path:
        return twin_folder("own", "maker_of_twins", cache=tmp_path / "cache")

    twin_maker(monkeypatch, tmp_path, saying="first", fails=True)
    with pytest.raises(OSError, match="no space left"):
        drawn()
    assert list((tmp_path / "cache/twins").iterdir()) == []
    twin_maker(monkeypatch, tmp_path, saying="first", fails=False)
    first = drawn()
    assert first.name.startswith("own-3-0-")
    written = (first / "dataset_flickr30k.json").stat().st_mtime_ns
    assert drawn() == first
    assert (first / "dataset_flickr30k.json").stat().st_mtime_ns == written
    twin_maker(monkeypatch, tmp_path, saying="other", fails=False)
    second = drawn()
    assert second != first
    assert "other" in (second / "dataset_flickr30k.json").read_text()
    assert len(list((tmp_path / "cache/twins").iterdir())) == 2


def test_twin_loads_as_synthetic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small twin, through the loader of the real dataset."""
    monkeypatch.setattr("datasets.twins.flickr30k_mini.DEFAULT_ITEMS", 40)
    loaded = loading.load("flickr30k-mini", root=None, cache=tmp_path)
    assert loaded.synthetic
    assert len(loaded.train.items) + len(loaded.validation.items) + len(loaded.gallery) == 40
    due = registry.card("flickr30k-mini").protocols[0].splits["test"].items
    assert loaded.protocol.startswith(f"mini-{len(loaded.gallery)}of{due}-")
    again = loading.load("flickr30k-mini", root=None, cache=tmp_path)
    assert again == loaded


def test_the_registry_is_lazy_and_needs_no_torch() -> None:
    code = (
        "import sys, datasets.loading, datasets.registry as r; r.names(); r.entry('mscoco'); "
        "bad = {'torch', 'transformers', 'faiss', 'av', 'datasets.mscoco', "
        "'datasets.twins.flickr30k_mini'}; "
        "sys.exit(', '.join(bad & set(sys.modules)) or 0)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    assert done.returncode == 0, done.stderr
