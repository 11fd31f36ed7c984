"""UMT against its public code: from frames and captions to the scores of both stages.

The public code is run with packages of the time, by ``RETRIEVAL_TEST_PEERS/lavis/bin/python``.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retrievers.base import IntArray, Settings
from retrievers.scorers.umt import UMT, opened, told
from tests.parity import goldens
from tests.parity.clip_videos import as_items
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import seeded_state
from tests.parity.umt_small import SHOWN, SIZES, TEXTS, write_words

SMALL = replace(UMT, open=partial(opened, SIZES), told=partial(told, SIZES))
_K_TEST = 3
_POSITIONS = "text_encoder.embeddings.position_ids"


def test_equals_what_upstream_gave(tmp_path: Path) -> None:
    golden = goldens.read("umt")
    write_words(tmp_path)
    state = {**seeded_state(golden.shapes), _POSITIONS: torch.arange(40)[None]}
    torch.save({"model": state, "epoch": 3}, tmp_path / "ckpt_best.pth")
    goldens.assert_close(_ours(tmp_path), golden)


@pytest.mark.parity
def test_equals_upstream(tmp_path: Path) -> None:
    write_words(tmp_path)
    theirs = _theirs(tmp_path)
    goldens.conclude(
        Golden(
            system="umt",
            upstream="OpenGVLab/unmasked_teacher",
            version="4fb4049",
            compared="vectors of 4 videos of 1 to 41 frames and of 5 captions, cosines, logits, "
            f"scores of the {_K_TEST} best in both directions, from frames and words on",
            difference=goldens.largest_difference(_ours(tmp_path), theirs),
            shapes=json.loads((tmp_path / "shapes.json").read_text()),
            numbers=goldens.kept(theirs),
        )
    )


def _ours(folder: Path) -> dict[str, FloatArray]:
    """Through the adapter, from a checkpoint of the public code."""
    source = {"model": str(folder / "ckpt_best.pth")}
    retriever: Any = SMALL.build(Settings(0, "cpu", folder / "cache", source, depth=_K_TEST))
    items = as_items(SHOWN, 3)
    retriever.index(items)
    retriever.index_texts(TEXTS)
    first, encoder = retriever._first_stage, retriever._first_stage._encoder
    every = np.tile(np.arange(len(items)), (len(TEXTS), 1))
    towers = first.search(TEXTS, len(items))
    there = retriever.search(TEXTS, _K_TEST)
    back = retriever.search_texts(items, _K_TEST)
    return {
        "videos": encoder.encode_items(items).vectors[:, 0],
        "texts": encoder.encode_texts(TEXTS).vectors[:, 0],
        "first stage": _placed(towers.ids, towers.scores, len(items)),
        "logits": retriever._scorer.score(TEXTS, every),
        "videos for a text": _placed(there.ids, there.scores, len(items)),
        "texts for a video": _placed(back.ids, back.scores, len(TEXTS)),
    }


def _placed(ids: IntArray, scores: FloatArray, count: int) -> FloatArray:
    """[queries, count], -100 where upstream did not score again."""
    placed = np.full((len(ids), count), -100, np.float32)
    np.put_along_axis(placed, ids, scores, axis=1)
    return placed


def _theirs(folder: Path) -> dict[str, FloatArray]:
    source = goldens.upstream_source("unmasked_teacher") / "multi_modality"
    python = goldens.peers() / "lavis/bin/python"
    if not python.is_file():
        pytest.skip(f"{python} is not there")
    root = Path(__file__).parents[2]
    subprocess.run(  # noqa: S603
        [python, "-m", "tests.parity.umt_upstream", source, folder, str(_K_TEST)],
        check=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    with np.load(folder / "theirs.npz") as arrays:
        return dict(arrays)
