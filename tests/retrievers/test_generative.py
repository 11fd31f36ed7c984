"""CART behind the harness's contract, with an encoder of plain vectors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import cart.training
from cart.cart import Cart
from cart.config import (
    CaptionConfig,
    CartConfig,
    IdentifierConfig,
    ModelConfig,
    SearchConfig,
    TrainConfig,
)
from cart.tokenizer import encode
from datasets.base import Pairs
from retrievers.base import Diagnosable, Explaining, RetrieverSpec, Settings, Updatable
from retrievers.captioners.neighbours import Neighbours
from retrievers.cart import CartAdapter
from retrievers.generative import Generative
from tests.retrievers.colours import ColourEncoder, captions_of, items

CONFIG = CartConfig(
    identifiers=IdentifierConfig(
        coarse_size=4, codebook_sizes=(4,), hidden=(16,), latent_dim=8, epochs=15
    ),
    model=ModelConfig(width=32, heads=2, feed_forward=64, encoder_layers=1, decoder_layers=1),
    fit=TrainConfig(epochs=20, least_steps=0, batch_size=16, learning_rate=3e-3),
    absorb=TrainConfig(epochs=4, least_steps=0, batch_size=16, learning_rate=3e-3),
    vocabulary=300,
)


def build(seed: int = 0) -> Generative:
    spec = RetrieverSpec("cart", "generative", ("image",), "trained here", "Apache-2.0")
    return Generative(spec, ColourEncoder(), Cart(CONFIG, seed), Neighbours(CaptionConfig()))


def fit(retriever: Generative) -> Mapping[str, float]:
    train = captions_of(items("train", 4), "a")
    return retriever.fit(train, captions_of(items("val", 1), "hidden"))


@pytest.fixture(scope="module")
def fitted() -> Generative:
    retriever = build()
    fit(retriever)
    return retriever


def test_it_ranks_a_gallery_that_it_was_told_of_only_through_borrowed_captions(
    fitted: Generative,
) -> None:
    gallery = items("test", 1)
    stats = fitted.index(gallery)
    queries = captions_of(gallery, "a").captions
    found = fitted.search(queries, 3)
    assert (found.ids[:, 0] == np.arange(len(gallery))).mean() > 0.8
    assert set(stats.seconds) == {"encode", "identifiers", "captions", "train"}
    assert stats.bytes > 0
    assert found.cost.tokens_decoded > 0


def test_it_reports_its_ceiling_and_the_accuracy_of_each_token(fitted: Generative) -> None:
    gallery = items("test", 1)
    fitted.index(gallery)
    assert isinstance(fitted, Diagnosable)
    figures = fitted.diagnose(
        captions_of(gallery, "a").captions, np.arange(len(gallery), dtype=np.int64)
    )
    assert {"token_accuracy/k", "token_accuracy/v1", "token_accuracy/u"} <= set(figures)
    assert 0 <= figures["collision_ceiling"] <= 1


def test_human_captions_of_gallery_and_validation_items_never_enter_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: set[tuple[int, ...]] = set()
    real = cart.training.cart_loss

    def watched(model, ids, mask, *rest):  # type: ignore[no-untyped-def]
        seen.update(tuple(row[there].tolist()) for row, there in zip(ids, mask, strict=True))
        return real(model, ids, mask, *rest)

    monkeypatch.setattr(cart.training, "cart_loss", watched)
    config = replace(CONFIG, fit=replace(CONFIG.fit, epochs=1))
    model = Cart(config, 0)
    spec = RetrieverSpec("cart", "generative", ("image",), "trained here", "Apache-2.0")
    retriever = Generative(spec, ColourEncoder(), model, Neighbours(CaptionConfig()))
    train, validation = captions_of(items("train", 2), "a"), captions_of(items("val", 1), "hidden")
    retriever.fit(train, validation)
    gallery = captions_of(items("test", 1), "secret")
    retriever.index(gallery.items)
    retriever.search(gallery.captions, 1)
    assert model.tokenizer is not None

    def tokens(pairs: Pairs) -> set[tuple[int, ...]]:
        assert model.tokenizer is not None
        return set(map(tuple, encode(model.tokenizer, pairs.captions, 64)))

    assert seen == tokens(train)
    assert seen.isdisjoint(tokens(validation) | tokens(gallery))


def test_items_can_be_added_and_removed(fitted: Generative) -> None:
    assert isinstance(fitted, Updatable)
    gallery = items("test", 1)
    fitted.index(gallery[:6])
    fitted.add(gallery[6:])
    fitted.remove([item.id for item in gallery[:6]])
    found = fitted.search(["a blue disc"], 20).ids[0]
    assert set(found.tolist()) == {-1, *range(len(gallery) - 6)}
    with pytest.raises(ValueError, match="twice"):
        fitted.add(gallery[6:7])
    with pytest.raises(ValueError, match="no item 'nobody'"):
        fitted.remove(["nobody"])


def test_the_spec_holds_every_setting_and_says_that_it_is_transductive(tmp_path: Path) -> None:
    spec = CartAdapter().describe(Settings(seed=0, device="cpu", cache=tmp_path))
    assert spec.options["encoder"] == "tiny-dual"
    assert spec.options["transductive"] is True
    missing = set(CartConfig().flat()) - set(spec.options)
    assert not missing


def test_named_towers_take_the_place_of_the_small_ones(tmp_path: Path) -> None:
    settings = Settings(
        seed=0, device="cpu", cache=tmp_path, checkpoint={"image": str(tmp_path / "none")}
    )
    told = CartAdapter().availability(settings)
    assert not told.ready
    assert "text" in told.sentence


def test_how_an_answer_was_written_ends_in_the_ranking_that_was_given(fitted: Generative) -> None:
    gallery = items("test", 2)
    fitted.index(gallery)
    assert isinstance(fitted, Explaining)
    for text in captions_of(gallery, "a").captions[:3]:
        ranking = fitted.search([text], 4)
        told = fitted.explain(text, 4)
        assert told.items[:4].tolist() == ranking.ids[0].tolist()
        np.testing.assert_allclose(told.steps[-1].scores[:4], ranking.scores[0], atol=1e-4)
        assert np.array_equal(told.identifiers[told.items], told.steps[-1].prefixes)
    with pytest.raises(ValueError, match="at least 1"):
        fitted.explain("a disc", 0)
    with pytest.raises(ValueError, match="call index first"):
        build().explain("a disc", 4)


def test_the_beam_that_is_shown_is_as_wide_as_the_search_made_it() -> None:
    unsure = replace(CONFIG.fit, epochs=1)
    search = SearchConfig(beam=1, widest_beam=64)
    config = replace(CONFIG, fit=unsure, absorb=unsure, search=search)
    spec = RetrieverSpec("cart", "generative", ("image",), "trained here", "Apache-2.0")
    model = Cart(config, 0)
    retriever = Generative(spec, ColourEncoder(), model, Neighbours(CaptionConfig()))
    fit(retriever)
    gallery = items("test", 2)
    retriever.index(gallery)
    texts = captions_of(gallery, "a").captions
    beams = model.search(texts, 1).beams
    text, beam = texts[int(beams.argmax())], int(beams.max())
    told = retriever.explain(text, 1)
    assert beam > 1
    assert told.steps[-1].kept == min(beam, len(told.items))
    assert told.items[:1].tolist() == retriever.search([text], 1).ids[0].tolist()
