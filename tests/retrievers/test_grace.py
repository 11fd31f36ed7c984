"""GRACE behind the harness's contract, with an encoder of plain vectors."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from cart.config import ModelConfig, TrainConfig
from cart.prefix_tree import ENDED
from cart.tokenizer import encode
from datasets.base import Pairs
from retrievers import registry
from retrievers.base import Named, RetrieverSpec, Settings
from retrievers.grace import gallery as galleries
from retrievers.grace.adapters import ATOMIC, SEMANTIC, STRUCTURED, GraceAdapter
from retrievers.grace.config import GraceConfig
from retrievers.grace.gallery import Gallery
from retrievers.grace.model import GraceModel
from retrievers.grace.retriever import Grace
from retrievers.grace.schemes import Atomic, Scheme, Semantic, Structured
from tests.retrievers.colours import ColourEncoder, captions_of, items

CONFIG = GraceConfig(
    model=ModelConfig(
        width=32,
        heads=2,
        feed_forward=64,
        encoder_layers=1,
        dropout=0.0,
        coarse_gate="off",
        fine_fusion=False,
    ),
    train=TrainConfig(epochs=12, least_steps=0, batch_size=24, learning_rate=5e-3),
    memorised=8,
    vocabulary=300,
)
SCHEMES: list[Scheme] = [Semantic(), Structured(branches=5, leaf=5), Atomic()]
TRAIN, VALIDATION = captions_of(items("train", 4), "a"), captions_of(items("val", 1), "hidden")


def build(scheme: Scheme, config: GraceConfig = CONFIG) -> Grace:
    spec = RetrieverSpec("grace", "generative", ("image",), "trained here", "Apache-2.0")
    return Grace(spec, ColourEncoder(), scheme, config, 0)


def name(scheme: Scheme) -> str:
    return scheme.name


@pytest.mark.parametrize("scheme", SCHEMES, ids=name)
def test_it_ranks_a_gallery_that_it_was_told_of_only_through_borrowed_captions(
    scheme: Scheme, tmp_path: Path
) -> None:
    retriever, gallery = build(scheme), items("test", 1)
    retriever.fit(TRAIN, VALIDATION)
    stats = retriever.index(gallery)
    queries = captions_of(gallery, "a").captions
    found = retriever.search(queries, 3)
    assert (found.ids[:, 0] == np.arange(len(gallery))).mean() > 0.7
    assert set(stats.seconds) == {"encode", "train"} and stats.bytes > 0
    assert found.cost.tokens_decoded >= len(queries)
    written = retriever.identifiers(gallery)
    assert isinstance(retriever, Named)
    assert len(set(map(tuple, written.tolist()))) == len(written) == len(gallery)
    assert np.array_equal(retriever.identifiers(gallery[::-2]), written[::-2])
    with pytest.raises(ValueError, match="no item 'train"):
        retriever.identifiers(TRAIN.items)
    retriever.save(tmp_path)
    other = build(scheme, replace(CONFIG, length_penalty=-1.0))
    with pytest.raises(ValueError, match=r"other options: \['length_penalty'\]"):
        other.load(tmp_path)
    again = build(scheme)
    again.load(tmp_path)
    np.testing.assert_array_equal(again.search(queries, 3).scores, found.scores)
    with pytest.raises(ValueError, match="fit the model before"):
        again.index(gallery)


@pytest.mark.parametrize("scheme", SCHEMES, ids=name)
def test_human_captions_of_gallery_and_validation_items_never_enter_training(
    scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[tuple[int, ...]] = set()
    learned: list[Gallery] = []
    encode_queries, learn = GraceModel.encode, galleries.learn

    def watched(model: GraceModel, ids: torch.Tensor, mask: torch.Tensor):  # type: ignore[no-untyped-def]
        if model.training:
            seen.update(tuple(row[there].tolist()) for row, there in zip(ids, mask, strict=True))
        return encode_queries(model, ids, mask)

    def kept(*told):  # type: ignore[no-untyped-def]
        learned.append(learn(*told))
        return learned[-1]

    monkeypatch.setattr(GraceModel, "encode", watched)
    monkeypatch.setattr("retrievers.grace.retriever.learn", kept)
    retriever = build(scheme, replace(CONFIG, train=replace(CONFIG.train, epochs=1)))
    retriever.fit(TRAIN, VALIDATION)
    gallery = captions_of(items("test", 1), "secret")
    retriever.index(gallery.items)
    retriever.search(gallery.captions, 1)
    tokenizer = learned[0].tokenizer

    def tokens(pairs: Pairs) -> set[tuple[int, ...]]:
        return set(map(tuple, encode(tokenizer, pairs.captions, 64)))

    assert seen == tokens(TRAIN)
    assert seen.isdisjoint(tokens(VALIDATION) | tokens(gallery))
    if isinstance(scheme, Semantic):
        words = tokenizer.get_vocab_size()
        written = [
            tokenizer.decode([one for one in row if one != ENDED and one < words]).strip()
            for row in learned[0].identifiers.tolist()
        ]
        assert set(written) <= set(TRAIN.captions)


def test_items_that_borrow_the_same_caption_are_told_apart_by_a_number() -> None:
    retriever = build(Semantic(), replace(CONFIG, train=replace(CONFIG.train, epochs=1)))
    retriever.fit(TRAIN, VALIDATION)
    retriever.index(items("test", 3))
    found = retriever.search(["a red disc"], 36)
    assert sorted(found.ids[0].tolist()) == list(range(36))


@pytest.mark.parametrize("adapter", [SEMANTIC, STRUCTURED, ATOMIC], ids=lambda one: one.scheme.name)
def test_the_spec_holds_every_setting_and_the_registry_knows_it_for_a_small_version(
    adapter: GraceAdapter, tmp_path: Path
) -> None:
    spec = adapter.describe(Settings(seed=0, device="cpu", cache=tmp_path))
    assert spec.options["encoder"] == "tiny-dual"
    assert spec.options["transductive"] is True
    assert spec.options["identifiers"] == adapter.scheme.name
    assert spec.options["length_penalty"] == -2 and spec.options["search.beam"] == 10
    published = registry.entry(spec.name).published
    assert published is not None
    assert "small model of the same idea" in published.differs[""]


def test_named_towers_take_the_place_of_the_small_ones(tmp_path: Path) -> None:
    settings = Settings(
        seed=0, device="cpu", cache=tmp_path, checkpoint={"image": str(tmp_path / "none")}
    )
    told = STRUCTURED.availability(settings)
    assert not told.ready
    assert "text" in told.sentence
