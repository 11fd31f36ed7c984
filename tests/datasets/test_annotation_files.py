"""The two published annotation layouts, read without any media file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from datasets.base import DatasetError
from datasets.layouts import coco_captions, karpathy
from tests.datasets.tiny_files import karpathy_image, write_coco, write_karpathy


def test_karpathy_layout(tmp_path: Path) -> None:
    path = write_karpathy(
        tmp_path / "dataset.json",
        [
            karpathy_image("11.jpg", "test", ["  A dog.\n", "Cafe\u0301"]),
            karpathy_image("b.jpg", "restval", ["x"], filepath="val2014", cocoid=7),
            karpathy_image("c.jpg", "val", []),
        ],
    )
    first, second, third = karpathy.parse(path)
    assert (first.id, first.split, first.path) == ("11", "test", Path("11.jpg"))
    assert [(c.id, c.text) for c in first.captions] == [("11#0", "A dog."), ("11#1", "Café")]
    assert (second.id, second.split, second.path) == ("7", "train", Path("val2014/b.jpg"))
    assert (third.split, third.captions) == ("validation", ())


def test_karpathy_caption_ids_are_sentids(tmp_path: Path) -> None:
    image = karpathy_image("1.jpg", "test", [])
    image["sentences"] = [{"raw": "a", "sentid": 40}, {"raw": "b", "sentid": 41}]
    (item,) = karpathy.parse(write_karpathy(tmp_path / "d.json", [image]))
    assert [caption.id for caption in item.captions] == ["40", "41"]


GOOD = karpathy_image("1.jpg", "test", ["a"])


@pytest.mark.parametrize(
    ("images", "said"),
    [
        ([GOOD, GOOD], "image id '1' stands twice"),
        ([{**GOOD, "split": "dev"}], r"images\[0\]: split 'dev' is none of train, restval"),
        ([{**GOOD, "split": []}], r"images\[0\]"),
        ([GOOD, {"filename": "2.jpg", "split": "test"}], r"images\[1\]: 'sentences' is missing"),
        ([{**GOOD, "sentences": [{}]}], "'raw' is missing"),
        ([{**GOOD, "sentences": [{"raw": 5}]}], r"images\[0\] is not in Karpathy's layout"),
        ([{**GOOD, "sentences": [{"raw": "a\0b"}]}], r"sentences\[0\]: .* NUL"),
        ([{**GOOD, "sentences": [{"raw": "\ud83d"}]}], "half of a surrogate pair"),
        ([7], r"images\[0\] is not in Karpathy's layout"),
        ([{**GOOD, "cocoid": None}], "Karpathy's layout: None is neither a number nor text"),
        ([{**GOOD, "cocoid": True}], "Karpathy's layout: True is neither"),
        ([{**GOOD, "sentences": [{"raw": "a", "sentid": [1]}]}], r"layout: \[1\] is neither"),
        ([{**GOOD, "filepath": 5}], "'1.jpg' in 5 is not the name of a file in a folder"),
        ([{**GOOD, "filename": None}], "None in '' is not the name of a file"),
        (
            [
                {**GOOD, "sentences": [{"raw": "a", "sentid": 1}]},
                {"filename": "2", "split": "val", "sentences": [{"raw": "a", "sentid": 1}]},
            ],
            "sentid '1' stands twice",
        ),
    ],
)
def test_bad_karpathy_files(tmp_path: Path, images: list[Any], said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        karpathy.parse(write_karpathy(tmp_path / "d.json", images))


OUTSIDE = ["../a.jpg", "x/../../a.jpg", "/etc/a.jpg", "..\\a.jpg", "C:a.jpg", "", ".", "a\0.jpg"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_file_name_cannot_leave_the_data_folder(tmp_path: Path, name: str) -> None:
    path = write_karpathy(tmp_path / "d.json", [karpathy_image(name, "test", ["a"])])
    with pytest.raises(DatasetError, match=r"images\[0\]: .* not a path inside the data folder"):
        karpathy.parse(path)
    table = {"images": [{"id": 1, "file_name": name}], "annotations": []}
    path.write_text(json.dumps(table))
    with pytest.raises(DatasetError, match=r"images\[0\]: .* not a path inside the data folder"):
        coco_captions.parse(path, "test")


def test_a_folder_of_the_file_cannot_leave_it_either(tmp_path: Path) -> None:
    image = karpathy_image("a.jpg", "test", ["a"], filepath="../other")
    with pytest.raises(DatasetError, match="not a path inside"):
        karpathy.parse(write_karpathy(tmp_path / "d.json", [image]))


def test_coco_layout(tmp_path: Path) -> None:
    table = {
        "images": [{"id": 9, "file_name": "9.jpg"}, {"id": 3, "file_name": "3.jpg"}],
        "annotations": [
            {"id": 1, "image_id": 3, "caption": "b "},
            {"id": 2, "image_id": 9, "caption": "a"},
            {"id": 0, "image_id": 3, "caption": "c"},
        ],
    }
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(table))
    nine, three = coco_captions.parse(path, "test")
    assert (nine.id, nine.split, nine.path) == ("9", "test", Path("9.jpg"))
    assert [(c.id, c.text) for c in three.captions] == [("1", "b"), ("0", "c")]


IMAGE = {"id": 1, "file_name": "1.jpg"}
CAPTION = {"id": 1, "image_id": 1, "caption": "a"}


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"images": [IMAGE]}, "no list 'annotations'"),
        ({"annotations": []}, "no list 'images'"),
        ({"images": [{"id": 1}], "annotations": []}, r"images\[0\] has no 'id' or no 'file_name'"),
        ({"images": [IMAGE, IMAGE], "annotations": []}, "image id '1' stands twice"),
        ({"images": [IMAGE], "annotations": [CAPTION] * 2}, "caption id '1' stands twice"),
        (
            {"images": [IMAGE], "annotations": [{**CAPTION, "image_id": 2}]},
            r"annotations\[0\]: image id 2 is not among the images",
        ),
        ({"images": [IMAGE], "annotations": [{"id": 1}]}, r"annotations\[0\] has no"),
        ({"images": [IMAGE], "annotations": [{**CAPTION, "caption": "a\0"}]}, "NUL"),
    ],
)
def test_bad_coco_files(tmp_path: Path, table: dict[str, Any], said: str) -> None:
    path = tmp_path / "captions.json"
    path.write_text(json.dumps(table))
    with pytest.raises(DatasetError, match=said):
        coco_captions.parse(path, "test")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000])
def test_files_that_are_not_json(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "d.json"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=r"d\.json is not JSON"):
        karpathy.parse(path)


def test_json_that_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "d.json").write_text("[]")
    with pytest.raises(DatasetError, match="holds a list, not an object"):
        karpathy.parse(tmp_path / "d.json")
    with pytest.raises(DatasetError, match="cannot be read: No such file"):
        karpathy.parse(tmp_path / "none.json")


def test_same_captions_from_either_layout(tmp_path: Path) -> None:
    captions = {1: ["a", "b"], 2: ["c"]}
    coco = coco_captions.parse(write_coco(tmp_path / "c.json", captions), "test")
    images = [karpathy_image(f"{i}.jpg", "test", texts) for i, texts in captions.items()]
    other = karpathy.parse(write_karpathy(tmp_path / "k.json", images))
    for one, two in zip(coco, other, strict=True):
        assert (one.id, one.path) == (two.id, two.path)
        assert [c.text for c in one.captions] == [c.text for c in two.captions]
