"""Rows that write identifiers: CART against its plain beam, its peer against exhaustive scoring."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cart.config import IdentifierConfig, ModelConfig
from cart.identifiers import collision_ceiling, identifiers
from cart.tokenizer import encode
from datasets.candidates import CandidateSet, drawn, query_texts
from retrievers.serving.allowed_tokens import PAD, AllowedTokens
from retrievers.serving.contract import Built, CannotServe, Numbers, Place, Served
from retrievers.serving.drawn_identifiers import Given, Recipe, give_identifiers
from retrievers.serving.generative import Cart, Cart256, CartOf, CartShape
from retrievers.serving.hf_peer import HfPeer, PeerOf, PeerShape, random_peer
from retrievers.serving.stand_in_tokens import caption_tokenizer, mean_tokens

DIM = 16
CODES = IdentifierConfig(
    coarse_size=4, codebook_sizes=(4, 4), hidden=(8,), latent_dim=4, epochs=2, batch_size=32
)
RECIPE = Recipe(CODES, sample=60, ceiling=0.0)
MODEL = ModelConfig(width=16, heads=2, feed_forward=32, encoder_layers=2, decoder_layers=1)
CART = CartOf(CartShape(MODEL, recipe=RECIPE, words=300))
PEER = PeerOf(PeerShape(MODEL, vocabulary=400, words=300, recipe=RECIPE))
TEXTS = ["", "a dog!", *query_texts(20)]


def quiet(what: str, done: int, total: int) -> None:
    assert 0 <= done <= total and what


def place(folder: Path, numbers: Numbers = "fp32") -> Place:
    return Place("cpu", numbers, 1, folder)


def gallery(folder: Path, count: int) -> CandidateSet:
    return drawn(folder, count, DIM)


def give(folder: Path, count: int, recipe: Recipe = RECIPE) -> Given:
    return give_identifiers(gallery(folder, count), recipe, folder, quiet)


def built(row: CartOf | PeerOf, folder: Path, count: int) -> tuple[Served, Built]:
    served = row(place(folder))
    return served, served.build(gallery(folder, count), quiet)


def test_a_smaller_gallery_has_the_beginning_of_a_larger_ones_identifiers(tmp_path: Path) -> None:
    apart = give(tmp_path / "apart", 64).identifiers
    grown = [give(tmp_path, count).identifiers for count in (10, 64, 30)]
    for found in grown:
        np.testing.assert_array_equal(found, apart[: len(found)])
    assert len(np.unique(apart, axis=0)) == 64


def test_what_was_kept_is_not_made_again(tmp_path: Path) -> None:
    first, second = give(tmp_path, 40), give(tmp_path, 40)
    assert set(first.seconds) == {"fit codebooks", "assign codes", "counters"}
    assert set(second.seconds) == {"fit codebooks (kept)", "assign codes (kept)", "counters"}
    np.testing.assert_array_equal(first.identifiers, second.identifiers)
    longer = replace(RECIPE, config=replace(CODES, epochs=3))
    assert "fit codebooks" in give(tmp_path, 40, longer).seconds


@pytest.mark.parametrize("name", ["codes.npy", "quantizers.safetensors"])
def test_a_broken_file_is_made_anew(tmp_path: Path, name: str) -> None:
    expected = give(tmp_path, 40).identifiers
    (path,) = tmp_path.glob(f"identifiers/*/{name}")
    whole = path.read_bytes()
    for broken in (b"", b"\x93NUMPY rubbish", whole[: len(whole) // 2]):
        path.write_bytes(broken)
        np.testing.assert_array_equal(give(tmp_path, 40).identifiers, expected)
        assert path.read_bytes() == whole


def test_codes_that_no_codebook_has_are_not_believed(tmp_path: Path) -> None:
    expected = give(tmp_path, 40).identifiers
    (path,) = tmp_path.glob("identifiers/*/codes.npy")
    np.save(path, np.full((40, 3), 4, np.uint16))
    np.testing.assert_array_equal(give(tmp_path, 40).identifiers, expected)


def test_code_sizes_grow_where_items_would_share_codes(tmp_path: Path) -> None:
    apart = replace(RECIPE, ceiling=0.9)
    assert give(tmp_path, 6, apart).sizes[:-1] == (4, 4, 4)
    assert give(tmp_path, 40, apart).sizes[:-1] == (8, 8, 8)
    paper = Recipe(IdentifierConfig(), 1).sized
    assert paper(200_000).coarse_size == 128
    assert paper(1_000_000).codebook_sizes == (256, 256)
    large = paper(10_000_000)
    keys = large.coarse_size * math.prod(large.codebook_sizes)
    assert math.exp(-10_000_000 / keys) >= 0.9


def test_what_is_told_of_codes_is_what_they_are(tmp_path: Path) -> None:
    found = give(tmp_path, 64)
    prefixes = found.identifiers[:, :-1]
    _, counts = np.unique(prefixes, axis=0, return_counts=True)
    assert counts.max() > 1
    assert found.facts["collision ceiling"] == pytest.approx(collision_ceiling(prefixes))
    assert found.facts["forced counters"] == pytest.approx((counts == 1).mean())
    assert found.facts["largest counter"] == counts.max() - 1 == found.sizes[-1] - 1
    np.testing.assert_array_equal(identifiers(prefixes), found.identifiers)


def test_cart_answers_as_its_plain_beam_does(tmp_path: Path) -> None:
    served, _ = built(CART, tmp_path, 60)
    answered, reference = served.answer(TEXTS, 10), served.reference(TEXTS, 10)
    np.testing.assert_allclose(answered.ranking.scores, reference.scores, atol=1e-3)
    np.testing.assert_array_equal(answered.ranking.ids, reference.ids)
    assert (answered.ranking.ids >= 0).all()
    assert all(len(set(row)) == 10 for row in answered.ranking.ids.tolist())
    assert set(answered.seconds) == {"tokenise", "encode", "decode"}
    assert answered.part == 1.0
    assert answered.ranking.cost.tokens_decoded > 0


def test_cart_finds_no_more_than_there_is(tmp_path: Path) -> None:
    served, _ = built(CART, tmp_path, 4)
    for ranking in (served.answer(TEXTS, 7).ranking, served.reference(TEXTS, 7)):
        assert (np.sort(ranking.ids[:, :4]) == np.arange(4)).all()
        assert (ranking.ids[:, 4:] == -1).all()
        assert np.isneginf(ranking.scores[:, 4:]).all()


def test_cart_tells_what_its_gallery_took(tmp_path: Path) -> None:
    _, told = built(CART, tmp_path, 60)
    assert told.gallery_bytes > 0
    assert told.model_bytes > 0
    assert told.facts["code sizes"] == "4 x 4 x 4"
    assert 0 < float(told.facts["decoder positions a text"]) <= 31
    assert float(told.facts["seconds to insert an item"]) > 0
    assert set(told.seconds) >= {"fit codebooks", "prefix tree", "weights made ready"}
    # One more item, though measured, is not put in.
    served, _ = built(CART, tmp_path, 60)
    assert served.answer(TEXTS, 100).ranking.ids.max() == 59


def test_the_tokenizer_gives_a_caption_as_many_tokens_as_clips() -> None:
    shape = Cart.shape
    ours, theirs = mean_tokens(caption_tokenizer(shape.words), shape.model.max_tokens)
    assert theirs == pytest.approx(16, abs=1)
    assert ours == pytest.approx(theirs, rel=0.03)


def test_full_rows_are_as_wide_as_they_are_called(tmp_path: Path) -> None:
    for row, width in ((Cart, 512), (Cart256, 256), (HfPeer, 512)):
        model = row.shape.model
        assert (model.width, model.feed_forward, model.heads) == (width, 4 * width, 8)
        assert (model.encoder_layers, model.decoder_layers, row.shape.beam) == (3, 3, 10)
    small, large = (Cart.needs(place(tmp_path), count) for count in (1000, 10_000_000))
    assert small.seconds_a_query == large.seconds_a_query < 0.05
    assert small.host_bytes < 2e9 < large.host_bytes < 5e9
    assert HfPeer.needs(place(tmp_path), 1000).seconds_a_query > 2 * small.seconds_a_query


@pytest.mark.parametrize("row", [CART, PEER])
def test_unbuilt_rows_and_numbers_of_other_devices_are_refused(
    row: CartOf | PeerOf, tmp_path: Path
) -> None:
    with pytest.raises(CannotServe, match="fp16"):
        row(place(tmp_path, "fp16"))
    with pytest.raises(ValueError, match="call build first"):
        row(place(tmp_path)).answer(["a"], 1)
    with pytest.raises(ValueError, match="at least 1"):
        row(place(tmp_path)).answer(["a"], 0)


@pytest.mark.parametrize("row", [CART, PEER])
def test_whole_numbers_find_most_of_what_fp32_finds(row: CartOf | PeerOf, tmp_path: Path) -> None:
    candidates = gallery(tmp_path, 60)
    exact, rounded = row(place(tmp_path)), row(place(tmp_path, "int8"))
    fewer = rounded.build(candidates, quiet).model_bytes
    assert fewer < exact.build(candidates, quiet).model_bytes
    found, reference = rounded.answer(TEXTS, 10).ranking, exact.reference(TEXTS, 10)
    held = [
        len({*one} & {*other}) / 10 for one, other in zip(found.ids, reference.ids, strict=True)
    ]
    assert np.mean(held) > 0.8
    np.testing.assert_array_equal(rounded.reference(TEXTS, 10).ids, reference.ids)


def test_the_peer_answers_as_a_slow_loop_does(tmp_path: Path) -> None:
    served, told = built(PEER, tmp_path, 60)
    answered, reference = served.answer(TEXTS, 10), served.reference(TEXTS, 10)
    np.testing.assert_array_equal(answered.ranking.ids, reference.ids)
    assert (np.diff(answered.ranking.scores, axis=1) < 0).all()
    assert (np.diff(reference.scores, axis=1) <= 0).all()
    assert set(answered.seconds) == {"tokenise", "encode", "decode"}
    assert answered.ranking.cost.tokens_decoded == len(TEXTS) * 10 * 4
    assert told.gallery_bytes > 0


def test_a_beam_as_wide_as_the_gallery_is_exhaustive(tmp_path: Path) -> None:
    """Every identifier's log-probability by one pass of the decoder over all of its tokens."""
    count = 25
    row = PeerOf(replace(PEER.shape, beam=count))
    served, _ = built(row, tmp_path, count)
    found = give(tmp_path, count)
    vocabulary = row.shape.vocabulary + sum(found.sizes)
    model = random_peer(MODEL, vocabulary)
    written = found.identifiers + row.shape.vocabulary + np.cumsum([0, *found.sizes[:-1]])
    labels = torch.from_numpy(written)
    read = torch.cat([torch.full((count, 1), PAD), labels[:, :-1]], dim=1)
    ranking = served.answer(TEXTS[2:6], 10).ranking
    reference = served.reference(TEXTS[2:6], 10)
    tokens = encode(caption_tokenizer(300), TEXTS[2:6], MODEL.max_tokens)
    for place_, text in enumerate(tokens):
        with torch.inference_mode():
            logits = model(
                input_ids=torch.tensor([text]).expand(count, -1), decoder_input_ids=read
            ).logits
        steps = logits.log_softmax(dim=-1).gather(2, labels[:, :, None])[:, :, 0]
        scores = steps.sum(dim=1).numpy()
        best = np.argsort(-scores)[:10]
        np.testing.assert_array_equal(ranking.ids[place_], best)
        np.testing.assert_array_equal(reference.ids[place_], best)
        np.testing.assert_allclose(reference.scores[place_], scores[best], atol=1e-3)


def test_the_peer_finds_no_more_than_there_is_and_nothing_twice(tmp_path: Path) -> None:
    served, _ = built(PEER, tmp_path, 4)
    for ranking in (served.answer(TEXTS, 7).ranking, served.reference(TEXTS, 7)):
        assert (np.sort(ranking.ids[:, :4]) == np.arange(4)).all()
        assert (ranking.ids[:, 4:] == -1).all()
        assert np.isneginf(ranking.scores[:, 4:]).all()


rows_of_tokens = st.integers(1, 4).flatmap(
    lambda length: st.lists(
        st.tuples(*[st.integers(5 + 10 * place, 14 + 10 * place) for place in range(length)]),
        min_size=1,
        max_size=40,
        unique=True,
    )
)


@settings(max_examples=60, deadline=None)
@given(rows_of_tokens)
def test_allowed_tokens_are_those_of_a_dictionary_of_prefixes(rows: list[tuple[int, ...]]) -> None:
    allowed = AllowedTokens(np.array(rows, np.int64))
    after: dict[tuple[int, ...], set[int]] = {}
    for row in rows:
        for level, token in enumerate(row):
            after.setdefault(row[:level], set()).add(token)
    for prefix, tokens in after.items():
        found = allowed.after(prefix).tolist()
        assert found == sorted(tokens)
    for number, row in enumerate(rows):
        assert allowed.row(row) == number
        assert allowed.row(row[:-1]) == -1
        # A token of another position, or a neighbour that no item has.
        assert allowed.row((*row[:-1], 0)) == -1
        beside = (*row[:-1], row[-1] + 1)
        assert allowed.row(beside) == (rows.index(beside) if beside in rows else -1)
        if len(row) > 1:
            assert allowed.after((0,)).tolist() == [PAD]


def test_identifiers_that_are_shared_or_too_long_are_refused() -> None:
    with pytest.raises(ValueError, match="share an identifier"):
        AllowedTokens(np.array([[1, 2], [1, 2]], np.int64))
    with pytest.raises(ValueError, match="62 bits"):
        AllowedTokens(np.array([[0] * 4, [2**16] * 4], np.int64))
