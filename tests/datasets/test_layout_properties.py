"""Every layout: what is written is read back, and damaged files end in a sentence."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from datasets.annotations import AnnotatedItem
from datasets.base import DatasetError
from datasets.layouts import (
    clip_benchmark,
    coco_captions,
    flickr_token,
    karpathy,
    lavis,
    split_lists,
)

FILES = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None
)
Captions = Mapping[str, list[str]]
Items = tuple[AnnotatedItem, ...]


def karpathy_text(captions: Captions) -> str:
    images = [
        {"filename": f"{name}.jpg", "split": "test", "sentences": [{"raw": one} for one in texts]}
        for name, texts in captions.items()
    ]
    return json.dumps({"images": images})


def coco_text(captions: Captions) -> str:
    pairs = [(name, text) for name, texts in captions.items() for text in texts]
    images = [{"id": name, "file_name": f"{name}.jpg"} for name in captions]
    annotations = [
        {"id": number, "image_id": name, "caption": text}
        for number, (name, text) in enumerate(pairs)
    ]
    return json.dumps({"images": images, "annotations": annotations}, ensure_ascii=False)


def token_text(captions: Captions) -> str:
    return "".join(
        f"{name}.jpg#{number}\t{text}\n"
        for name, texts in captions.items()
        for number, text in enumerate(texts)
    )


def lavis_text(captions: Captions) -> str:
    rows = [{"image": f"x/{name}.jpg", "caption": texts} for name, texts in captions.items()]
    return json.dumps(rows)


def clip_benchmark_text(captions: Captions) -> str:
    rows = [f"{name}.jpg,{text}\r\n" for name, texts in captions.items() for text in texts]
    return "image,caption\r\n" + "".join(rows)


LAYOUTS: dict[str, tuple[Callable[[Captions], str], Callable[[Path], Items]]] = {
    "karpathy": (karpathy_text, karpathy.parse),
    "coco_captions": (coco_text, partial(coco_captions.parse, split="test")),
    "flickr_token": (token_text, partial(flickr_token.parse, split="test")),
    "lavis": (lavis_text, partial(lavis.parse, split="test")),
    "clip_benchmark": (clip_benchmark_text, partial(clip_benchmark.parse, split="test")),
}
layouts = pytest.mark.parametrize("layout", LAYOUTS)

# A caption in a text file cannot hold the characters that end its line.
texts = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\r\n"), max_size=30
) | st.sampled_from(["a, b", '"a"', "x\ty", "see 1.jpg, and 2.jpg,", "\ufeff", "#0", "  "])
galleries = st.dictionaries(
    st.integers(0, 10**10).map(str), st.lists(texts, min_size=1, max_size=4), max_size=5
)


@layouts
@FILES
@given(captions=galleries)
def test_what_is_written_is_read_back(tmp_path: Path, layout: str, captions: Captions) -> None:
    write, parse = LAYOUTS[layout]
    path = tmp_path / "file"
    path.write_text(write(captions), encoding="utf-8", newline="")
    read = parse(path)
    assert {item.id: [caption.text for caption in item.captions] for item in read} == {
        name: [unicodedata.normalize("NFC", text).strip() for text in texts]
        for name, texts in captions.items()
    }
    assert [item.path.name for item in read] == [f"{name}.jpg" for name in captions]
    assert len({caption.id for item in read for caption in item.captions}) == sum(
        map(len, captions.values())
    )


def outcome(parse: Callable[[Path], Items], path: Path) -> None:
    """Items whose paths stay below the folder and whose ids are unique, or a DatasetError."""
    try:
        read = parse(path)
    except DatasetError as error:
        assert str(path) in str(error)
        return
    assert len({item.id for item in read}) == len(read)
    for item in read:
        assert not item.path.is_absolute() and ".." not in item.path.parts


GOOD: Captions = {"1": ["a, b", '"c"'], "22": ["d"], "333": ["e", "f"]}
cuts = st.tuples(st.integers(0, 400), st.integers(0, 12), st.binary(max_size=6))


@layouts
@FILES
@given(edits=st.lists(cuts, min_size=1, max_size=3))
@example(edits=[(0, 0, b"\xef\xbb\xbf")])
@example(edits=[(0, 0, b"\xff\xfe")])
def test_damaged_files(tmp_path: Path, layout: str, edits: list[tuple[int, int, bytes]]) -> None:
    """Bytes of a good file replaced, removed and inserted anywhere."""
    write, parse = LAYOUTS[layout]
    content = write(GOOD).encode()
    for start, length, put in edits:
        start %= len(content) + 1
        content = content[:start] + put + content[start + length :]
    path = tmp_path / "file"
    path.write_bytes(content)
    outcome(parse, path)


KEYS = ("images", "id", "image_id", "caption", "image", "filename", "sentences", "raw", "sentid")
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
images = st.fixed_dictionaries(
    {},
    optional={
        "filename": json_values | st.just("1.jpg"),
        "filepath": json_values,
        "split": json_values | st.just("test"),
        "sentences": json_values | st.just([{"raw": "a"}]),
        "cocoid": json_values,
        "id": json_values,
        "file_name": json_values | st.just("1.jpg"),
    },
)
annotations = st.fixed_dictionaries(
    {}, optional={"id": json_values, "image_id": json_values, "caption": json_values}
)
tables = st.fixed_dictionaries(
    {},
    optional={
        "images": st.lists(images, max_size=3) | json_values,
        "annotations": st.lists(annotations, max_size=3) | json_values,
    },
)
rows = st.lists(
    st.fixed_dictionaries(
        {}, optional={"image": json_values | st.just("1.jpg"), "caption": json_values}
    ),
    max_size=3,
)


@pytest.mark.parametrize("layout", ["karpathy", "coco_captions", "lavis"])
@FILES
@given(value=tables | rows | json_values)
def test_json_of_any_other_shape(tmp_path: Path, layout: str, value: object) -> None:
    path = tmp_path / "file"
    path.write_text(json.dumps(value), encoding="utf-8")
    outcome(LAYOUTS[layout][1], path)


@pytest.mark.parametrize("layout", ["flickr_token", "clip_benchmark"])
@FILES
@given(
    content=st.binary(max_size=60)
    | st.text("1ag.jp,#0\t\r\n /\\\0\ufeff\u2028", max_size=60).map(str.encode)
)
def test_text_of_any_other_shape(tmp_path: Path, layout: str, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    outcome(LAYOUTS[layout][1], path)


@FILES
@given(
    train=st.binary(max_size=30) | st.text("1a.jpg/\\\r\n\0", max_size=30).map(str.encode),
    test=st.lists(st.integers(0, 99).map(str), unique=True, max_size=4),
)
def test_lists_of_any_shape(tmp_path: Path, train: bytes, test: list[str]) -> None:
    (tmp_path / "train.txt").write_bytes(train)
    (tmp_path / "test.txt").write_text("\n".join(test), encoding="utf-8")
    lists: dict[split_lists.Split, Path] = {
        "train": tmp_path / "train.txt",
        "test": tmp_path / "test.txt",
    }
    try:
        read = split_lists.parse(lists)
    except DatasetError as error:
        assert str(tmp_path) in str(error)
    else:
        assert [one for one, split in read.items() if split == "test"] == test
        assert not any({"/", "\\", "\0"} & set(one) for one in read)
