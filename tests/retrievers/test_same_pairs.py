"""The dual tower on CART's pairs: its contract, its loss against a slow one, what it learns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from cart.config import CaptionConfig, CartConfig, IdentifierConfig, ModelConfig, TrainConfig
from cart.model import CartModel
from cart.targets import Targets
from retrievers import registry
from retrievers.base import RetrieverSpec, Settings, Updatable
from retrievers.captioners.neighbours import Neighbours
from retrievers.cart import CartAdapter
from retrievers.controls import pair_taught
from retrievers.controls.pair_taught import SamePairs
from retrievers.controls.same_pairs import ADAPTER
from retrievers.controls.text_tower import TextTower, contrastive
from tests.retrievers.colours import ColourEncoder, captions_of, items

CONFIG = CartConfig(
    identifiers=IdentifierConfig(coarse_size=4, codebook_sizes=(4,)),
    model=ModelConfig(width=32, heads=2, feed_forward=64, encoder_layers=1, decoder_layers=1),
    fit=TrainConfig(epochs=15, least_steps=0, batch_size=16, learning_rate=3e-3),
    absorb=TrainConfig(epochs=4, least_steps=0, batch_size=16, learning_rate=3e-3),
    vocabulary=300,
)


def build(config: CartConfig = CONFIG) -> SamePairs:
    spec = RetrieverSpec("cart-dense", "dual tower", ("image",), "trained here", "Apache-2.0")
    return SamePairs(spec, ColourEncoder(), Neighbours(CaptionConfig()), config, 0)


def fit(retriever: SamePairs) -> Mapping[str, float]:
    train = captions_of(items("train", 4), "a")
    return retriever.fit(train, captions_of(items("val", 1), "hidden"))


def test_it_finds_items_that_it_was_told_of_only_through_borrowed_captions() -> None:
    retriever = build()
    assert "train" in fit(retriever)
    gallery = items("test", 1)
    stats = retriever.index(gallery[:8])
    assert isinstance(retriever, Updatable)
    retriever.add(gallery[8:])
    found = retriever.search(captions_of(gallery, "a").captions, 3)
    assert (found.ids[:, 0] == np.arange(len(gallery))).mean() > 0.8
    assert set(stats.seconds) == {"encode", "captions", "train"}
    assert found.cost.vectors_compared == len(gallery) ** 2


def test_it_begins_as_ignorant_as_cart_does_not_with_its_teacher_s_texts() -> None:
    still = TrainConfig(epochs=1, least_steps=0, learning_rate=0.0)
    retriever = build(replace(CONFIG, fit=still, absorb=still))
    fit(retriever)
    gallery = items("test", 1)
    retriever.index(gallery)
    found = retriever.search(captions_of(gallery, "a").captions, 1)
    assert (found.ids[:, 0] == np.arange(len(gallery))).mean() < 0.5


def test_human_captions_of_gallery_and_validation_items_never_enter_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: set[tuple[int, ...]] = set()
    real = pair_taught.optimise

    def watched(tower, loss, examples, *rest, **more):  # type: ignore[no-untyped-def]
        seen.update(map(tuple, examples.tokens))
        return real(tower, loss, examples, *rest, **more)

    monkeypatch.setattr(pair_taught, "optimise", watched)
    retriever = build()
    fit(retriever)
    gallery = captions_of(items("test", 1), "secret")
    retriever.index(gallery.items)
    retriever.search(gallery.captions, 1)

    def tokens(texts: tuple[str, ...]) -> set[tuple[int, ...]]:
        return set(map(tuple, retriever._tokens(texts)))

    assert seen == tokens(captions_of(items("train", 4), "a").captions)
    assert seen.isdisjoint(tokens(gallery.captions))
    assert seen.isdisjoint(tokens(captions_of(items("val", 1), "hidden").captions))


@pytest.mark.parametrize("rows", [[0, 2, 1, 2], [0, 0, 0, 0], [3, 1, 0, 2]])
def test_the_loss_is_the_symmetric_one_with_each_item_s_other_texts_left_out(
    rows: list[int],
) -> None:
    random = torch.Generator().manual_seed(3)
    texts = F.normalize(torch.randn(4, 6, generator=random), dim=1)
    gallery = F.normalize(torch.randn(5, 6, generator=random), dim=1)
    scale = torch.tensor(7.0)
    forward, backward = [], []
    for text, row in enumerate(rows):
        to_items = [7.0 * float(texts[text] @ item) for item in gallery]
        forward.append(np.log(np.sum(np.exp(to_items))) - to_items[row])
        rivals = [other for other in range(4) if rows[other] != row or other == text]
        to_texts = [7.0 * float(texts[other] @ gallery[row]) for other in rivals]
        backward.append(np.log(np.sum(np.exp(to_texts))) - 7.0 * float(texts[text] @ gallery[row]))
    expected = (np.mean(forward) + np.mean(backward)) / 2
    wanted = Targets(torch.tensor(rows)[:, None, None], torch.ones(4, 1))
    found = contrastive(texts, gallery, wanted, scale)
    assert float(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "model", [ModelConfig(), ModelConfig(256, 8, 1024, encoder_layers=3, decoder_layers=3)]
)
def test_it_has_about_as_many_parameters_as_cart(model: ModelConfig) -> None:
    cart = CartModel(model, 2000, (128, 128, 128, 8))
    tower = TextTower(model, 2000, 256)
    count = [sum(one.numel() for one in each.parameters()) for each in (tower, cart)]
    assert 0.5 < count[0] / count[1] < 2


def test_padding_changes_no_vector() -> None:
    torch.manual_seed(0)
    tower = TextTower(CONFIG.model, 20, 8).eval()
    ids, mask = torch.tensor([[1, 5, 7]]), torch.ones(1, 3, dtype=torch.bool)
    padded = F.pad(ids, (0, 4)), F.pad(mask, (0, 4))
    torch.testing.assert_close(tower(ids, mask), tower(*padded))


def test_it_shares_cart_s_settings_and_is_run_only_when_it_is_named(tmp_path: Path) -> None:
    settings = Settings(seed=0, device="cpu", cache=tmp_path)
    mine, cart = ADAPTER.describe(settings).options, CartAdapter().describe(settings).options
    assert {name: cart[name] for name in mine} == dict(mine)
    assert "fit.epochs" in mine and "search.beam" not in mine
    assert registry.entry("cart-dense").control
    wider = registry.adapter("cart-dense[model.width=64]").describe(settings)
    assert wider.name == "cart-dense[model.width=64]"
    assert wider.options["model.width"] == 64


def test_what_was_loaded_needs_its_pairs_for_a_new_gallery(tmp_path: Path) -> None:
    retriever = build()
    fit(retriever)
    gallery = items("test", 1)
    retriever.index(gallery)
    retriever.save(tmp_path)
    loaded = build()
    loaded.load(tmp_path)
    queries = captions_of(gallery, "a").captions
    np.testing.assert_array_equal(loaded.search(queries, 3).ids, retriever.search(queries, 3).ids)
    with pytest.raises(ValueError, match="fit the tower"):
        loaded.index(gallery)
    assert loaded.diagnose((), np.array([], np.int64))["parameters"] > 0
