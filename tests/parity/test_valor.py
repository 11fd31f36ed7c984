"""VALOR against its public code: from samples and captions to scores."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from retrievers.base import Settings
from retrievers.encoders.valor import VALOR, opened
from tests.parity import goldens, valor_upstream
from tests.parity.goldens import FloatArray, Golden
from tests.parity.seeded import seeded_state
from tests.parity.valor_small import SIZES, TEXTS, gallery, write_words

SMALL = replace(VALOR, open=partial(opened, SIZES))


def test_equals_what_upstream_gave(tmp_path: Path) -> None:
    golden = goldens.read("valor")
    torch.save(seeded_state(golden.shapes), tmp_path / "model_step_7.pt")
    goldens.assert_close(_ours(tmp_path), golden)


@pytest.mark.parity
def test_equals_upstream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shapes, theirs = valor_upstream.answers(tmp_path, monkeypatch)
    goldens.conclude(
        Golden(
            system="valor",
            upstream="TXH-mercury/VALOR",
            version="1b51e66",
            compared="vectors of slices and words, and scores, of 7 sounds of 0.03 to 66 s and 5 "
            "captions, from samples on: bands, slices, masks, weights",
            difference=goldens.largest_difference(_ours(tmp_path), theirs),
            shapes=shapes,
            numbers=goldens.kept(theirs),
        )
    )


def _ours(folder: Path) -> dict[str, FloatArray]:
    """Through the adapter, from a file as the public code writes it."""
    write_words(folder)
    source = {"model": str(folder / "model_step_7.pt")}
    retriever: Any = SMALL.build(Settings(0, "cpu", folder / "cache", source))
    items = gallery()
    retriever.index(items)
    ranking = retriever.search(TEXTS, len(items))
    encoder = retriever._encoder
    return {
        "first and last slices": encoder.encode_items(items).vectors[:, [0, -1]],
        "words": encoder.encode_texts(TEXTS).vectors,
        "scores": np.take_along_axis(ranking.scores, ranking.ids.argsort(axis=1), axis=1),
    }
