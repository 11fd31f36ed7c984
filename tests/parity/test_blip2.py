"""BLIP-2 against LAVIS: from pixels and captions to the scores of both stages, both directions.

LAVIS is run as it pinned its packages, by ``RETRIEVAL_TEST_PEERS/lavis/bin/python``; see
``blip2_upstream.py`` for what that environment holds.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from datasets.base import Item
from retrievers.base import IntArray, Settings
from retrievers.scorers.blip2 import BLIP2
from tests.parity import goldens
from tests.parity.blip2_small import write_sizes_and_words
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import seeded_state

_POSITIONS = "Qformer.bert.embeddings.position_ids"
_K_TEST = 3
_TEXTS = [
    'The "Red" cat: on (the) GRASS!!',
    "two dogs,   a cat's\n\tCafé ... * # ~ ;",
    "",
    "dogs run - " * 40,
    "abcde [PAD] [MASK] unknown?",
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What both sides are given: sizes, vocabulary, captions and pictures."""
    write_sizes_and_words(tmp_path)
    (tmp_path / "texts.json").write_text(json.dumps(_TEXTS))
    np.savez(tmp_path / "pictures.npz", *_pictures())
    return tmp_path


def test_equals_what_lavis_gave(folder: Path) -> None:
    golden = goldens.read("blip2")
    state = seeded_state(golden.shapes)
    state[_POSITIONS] = torch.arange(40)[None]
    torch.save({"model": state}, folder / "blip2.pth")
    goldens.assert_close(_ours(folder), golden)


@pytest.mark.parity
def test_equals_lavis(folder: Path) -> None:
    theirs = _theirs(folder)
    goldens.conclude(
        Golden(
            system="blip2",
            upstream="salesforce-lavis",
            version="1.0.2",
            compared=(
                "vectors of 4 pictures up to 37 x 61 and of 5 captions, matching logits, "
                f"scores of the {_K_TEST} best in both directions"
            ),
            difference=goldens.largest_difference(_ours(folder), theirs),
            shapes=json.loads((folder / "shapes.json").read_text()),
            numbers=goldens.kept(theirs),
        )
    )


def _ours(folder: Path) -> dict[str, FloatArray]:
    """Through the adapter, from a file as LAVIS releases it."""
    source = str(folder / "blip2.pth")
    settings = Settings(0, "cpu", folder / "cache", {"model": source}, depth=_K_TEST)
    retriever: Any = BLIP2.build(settings)
    encoder = retriever._first_stage._encoder
    items = [Item(f"{row}", "image", pixels) for row, pixels in enumerate(_pictures())]
    retriever.index(items)
    retriever.index_texts(_TEXTS)
    every = np.tile(np.arange(len(items)), (len(_TEXTS), 1))
    there = retriever.search(_TEXTS, _K_TEST)
    back = retriever.search_texts(items, _K_TEST)
    return {
        "pictures": encoder.encode_items(items).vectors,
        "texts": encoder.encode_texts(_TEXTS).vectors,
        "logits": retriever._scorer.score(_TEXTS, every),
        "pictures for a text": _placed(there.ids, there.scores, len(items)),
        "texts for a picture": _placed(back.ids, back.scores, len(_TEXTS)),
    }


def _placed(ids: IntArray, scores: FloatArray, count: int) -> FloatArray:
    """[queries, count], -100 where LAVIS did not score again."""
    placed = np.full((len(ids), count), -100, np.float32)
    np.put_along_axis(placed, ids, scores, axis=1)
    return placed


def _theirs(folder: Path) -> dict[str, FloatArray]:
    goldens.run_peer("lavis", "tests.parity.blip2_upstream", folder, _K_TEST)
    with np.load(folder / "theirs.npz") as arrays:
        return dict(arrays)


def _pictures() -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    sizes = [(37, 61), (42, 42), (20, 33), (61, 24)]
    return [rng.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
