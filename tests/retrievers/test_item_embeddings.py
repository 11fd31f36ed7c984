"""Whose embeddings of items a generative retriever takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from retrievers import item_embeddings, registry
from retrievers.base import (
    Availability,
    FloatArray,
    Retriever,
    RetrieverSpec,
    Settings,
    WeightsAbsent,
)
from retrievers.cart import CartAdapter
from retrievers.dual_tower import DualTower
from retrievers.entry import Entry
from retrievers.grace.adapters import STRUCTURED
from retrievers.indexes import TorchExact
from tests.retrievers.colours import ColourEncoder, captions_of, items

SPEC = RetrieverSpec("colours", "dual tower", ("image",), "pretrained", "MIT")


class CountingEncoder(ColourEncoder):
    texts_read = 0

    def encode_texts(self, texts: object) -> FloatArray:
        CountingEncoder.texts_read += len(texts)  # type: ignore[arg-type]
        return super().encode_texts(texts)  # type: ignore[arg-type]


class ColourAdapter:
    """A system whose weights are there when they are called right."""

    def availability(self, settings: Settings) -> Availability:
        found = settings.checkpoint.get("model") == "right.pt"
        return Availability(found, "It is there." if found else "Name its weights.")

    def describe(self, settings: Settings) -> RetrieverSpec:
        if not self.availability(settings).ready:
            raise WeightsAbsent("Name its weights.")
        return replace(SPEC, checkpoint=settings.checkpoint, revision={"model": "f00"})

    def build(self, settings: Settings) -> Retriever:
        return DualTower(self.describe(settings), CountingEncoder(), TorchExact)

    def tiny(self, seed: int) -> Retriever:
        return self.build(Settings(seed, "cpu", Path(), {"model": "right.pt"}))


@pytest.fixture(autouse=True)
def one_system(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry("colours", "", "dual tower", ("image",), "", "MIT", {"model": "a file"})
    monkeypatch.setattr(registry, "names", lambda: ("colours",))
    monkeypatch.setattr(registry, "entry", lambda name: entry)
    monkeypatch.setattr(registry, "adapter", lambda name: ColourAdapter())


def settings(cache: Path, encoder: str) -> Settings:
    return Settings(0, "cpu", cache, {"encoder": encoder})


@pytest.mark.parametrize("adapter", [CartAdapter(), STRUCTURED])
def test_a_generative_retriever_takes_the_embeddings_of_a_named_system(
    adapter: CartAdapter, tmp_path: Path
) -> None:
    spec = adapter.describe(settings(tmp_path, "colours:right.pt"))
    assert spec.checkpoint == {"encoder": "colours:right.pt"}
    assert spec.revision == {"encoder": "f00"}
    assert spec.options["encoder"] == "colours"
    assert spec.weights == "trained here"
    assert adapter.build(settings(tmp_path, "colours:right.pt")).spec == spec


def test_its_captions_are_encoded_once(tmp_path: Path) -> None:
    pairs = captions_of(items("train", 2), "a")
    CountingEncoder.texts_read = 0
    found = [
        item_embeddings.captioned(
            item_embeddings.encoder(settings(tmp_path, "colours:right.pt")), pairs
        )
        for _ in range(2)
    ]
    assert CountingEncoder.texts_read == len(set(pairs.captions))
    plain = item_embeddings.captioned(ColourEncoder(), pairs)
    assert plain.caption_vectors is not None
    for each in found:
        assert each.caption_vectors is not None
        np.testing.assert_array_equal(each.caption_vectors, plain.caption_vectors)
        np.testing.assert_array_equal(each.embeddings, plain.embeddings)


def test_weights_that_are_absent_are_a_state(tmp_path: Path) -> None:
    state = CartAdapter().availability(settings(tmp_path, "colours:wrong.pt"))
    assert (state.ready, state.sentence) == (False, "Name its weights.")


def test_a_name_that_is_no_system_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsAbsent, match="NAME:WEIGHTS with one of colours"):
        CartAdapter().availability(settings(tmp_path, "colour:right.pt"))
