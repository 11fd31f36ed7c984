"""Dual towers under load: encoders against the padded networks, answers against brute force."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from datasets.candidates import CandidateSet, drawn, query_texts
from retrievers.encoders import clap, imagebind, languagebind_config
from retrievers.encoders.imagebind_network import ImageBind
from retrievers.encoders.languagebind_network import LanguageBind
from retrievers.encoders.openclip_models import random_network
from retrievers.encoders.openclip_small import small_clip
from retrievers.indexes.tuning import recall
from retrievers.serving import galleries, layouts, packed, search_costs
from retrievers.serving.clap_text import CLAP_TEXT, random_clap, stand_in_tokens
from retrievers.serving.clip_text import CLIP_TEXT, random_clip
from retrievers.serving.contract import CannotServe, Numbers, Place
from retrievers.serving.drawn_queries import QUERIES
from retrievers.serving.dual import PADDED, TRIMMED, DualRow, relative_error
from retrievers.serving.galleries import BEST, EXACT, FLAT, GPU, HNSW, IVF, PQ, Search
from retrievers.serving.imagebind_text import IMAGEBIND_TEXT, random_imagebind
from retrievers.serving.languagebind_text import LANGUAGEBIND_TEXT, random_languagebind
from retrievers.serving.layouts import ByLength, OneGroup
from retrievers.serving.numbers import computed
from retrievers.serving.text_towers import (
    PaddedEncoder,
    TextTower,
    TokenRows,
    clip_word_pieces,
    trimmed,
)
from retrievers.torchvision_guard import ensure_torchvision
from retrievers.weights.random import seeded

CPU = torch.device("cpu")
TEXTS = ["", "a dog", "A dog!", *query_texts(9), "word " * 100]
FULL = (CLIP_TEXT, CLAP_TEXT, IMAGEBIND_TEXT, LANGUAGEBIND_TEXT)

# Of CLIP's words, as many as the stand-in tokens number.
CLAP_SIZES = {**clap.TINY.text, "vocab_size": 49_412}
TINY_CLIP = small_clip(quick_gelu=True)
TINY_IMAGEBIND = imagebind.TINY
TINY_LANGUAGEBIND = languagebind_config.TINY_IMAGE


def tiny(tower: TextTower, dim: int, random: Callable[[int], nn.Module]) -> TextTower:
    return replace(tower, dim=dim, width=16, layers=2, random=random)


TINY = {
    "clip": tiny(CLIP_TEXT, 24, partial(random_clip, config=TINY_CLIP)),
    "clap": tiny(CLAP_TEXT, 20, partial(random_clap, text=CLAP_SIZES, dim=20)),
    "imagebind": tiny(IMAGEBIND_TEXT, 24, partial(random_imagebind, config=TINY_IMAGEBIND)),
    "languagebind": tiny(
        LANGUAGEBIND_TEXT, 24, partial(random_languagebind, config=TINY_LANGUAGEBIND)
    ),
}
TOWERS = pytest.mark.parametrize("name", list(TINY))


def network(tower: TextTower, seed: int = 0) -> nn.Module:
    return tower.random(seed).eval().requires_grad_(False)


def place(folder: Path, numbers: Numbers = "fp32") -> Place:
    return Place("cpu", numbers, 1, folder)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> CandidateSet:
    return drawn(tmp_path_factory.mktemp("candidates"), 3000, TINY["clip"].dim)


def built(tower: TextTower, search: Search, candidates: CandidateSet, **where: Any) -> Any:
    at = place(candidates.path.parent, **where)
    served = DualRow(tower, TRIMMED, search)(at)
    return served, served.build(candidates, lambda *_: None)


# Encoders


@TOWERS
def test_texts_at_their_real_length_have_the_vectors_of_the_padded_network(name: str) -> None:
    tower = TINY[name]
    model = network(tower)
    rows = tower.tokenise(TEXTS)
    plain = PaddedEncoder(tower, model, "fp32", CPU).encode(rows)
    served = trimmed(tower, model, "fp32", CPU).encode(rows)
    assert relative_error(served, plain) < 1e-5


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(list(TINY)),
    st.lists(st.integers(2, 77), min_size=1, max_size=12),
    st.integers(0, 99),
)
def test_any_lengths_in_any_order(name: str, lengths: list[int], seed: int) -> None:
    tower = TINY[name]
    model = network(tower, 3)
    numbers = torch.ones(len(lengths), 77, dtype=torch.long)
    generator = torch.Generator().manual_seed(seed)
    for row, length in enumerate(lengths):
        numbers[row, :length] = torch.randint(5, 49_000, (length,), generator=generator)
        # The highest number, by which the causal towers know where a text ends.
        numbers[row, length - 1] = 49_407
    rows = TokenRows(numbers, torch.tensor(lengths))
    plain = PaddedEncoder(tower, model, "fp32", CPU).encode(rows)
    served = trimmed(tower, model, "fp32", CPU).encode(rows)
    torch.testing.assert_close(served, plain, atol=1e-5, rtol=1e-4)


@TOWERS
def test_one_padded_group_gives_what_groups_of_one_length_give(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way of accelerators, here on the processor."""
    tower = TINY[name]
    encoder = trimmed(tower, network(tower), "fp32", CPU)
    rows = tower.tokenise(TEXTS)
    by_length = encoder.encode(rows)
    monkeypatch.setattr(layouts, "ByLength", lambda ascending: OneGroup(ascending, CPU))
    torch.testing.assert_close(encoder.encode(rows), by_length, atol=1e-5, rtol=1e-4)


@given(st.lists(st.integers(1, 9), min_size=1, max_size=20))
def test_layouts_bring_every_token_back(lengths: list[int]) -> None:
    ascending = torch.tensor(lengths).sort().values
    tokens = torch.arange(int(ascending.sum()) * 2).view(-1, 2)
    for layout in (ByLength(ascending), OneGroup(ascending, CPU)):
        assert torch.equal(layout.joined(layout.split(tokens)), tokens)


@TOWERS
@pytest.mark.parametrize(("numbers", "error"), [("bf16", 0.1), ("int8", 0.25)])
def test_other_numbers_only_round(name: str, numbers: Any, error: float) -> None:
    tower = TINY[name]
    model = network(tower)
    rows = tower.tokenise(TEXTS)
    plain = PaddedEncoder(tower, model, "fp32", CPU).encode(rows)
    if numbers == "bf16":
        model = model.bfloat16()
    served = trimmed(tower, model, numbers, CPU)
    assert 0 < relative_error(served.encode(rows).float(), plain) < error
    assert served.bytes < PaddedEncoder(tower, network(tower), "fp32", CPU).bytes


@TOWERS
def test_a_text_has_one_vector_whatever_it_is_asked_with(name: str) -> None:
    tower = TINY[name]
    encoder = trimmed(tower, network(tower), "fp32", CPU)
    together = encoder.encode(tower.tokenise(TEXTS))
    alone = torch.cat([encoder.encode(tower.tokenise([text])) for text in TEXTS])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def whole_clip() -> tuple[nn.Module, Any]:
    model: Any = random_network(TINY_CLIP, 5).eval()
    return model, model.encode_text


def whole_clap() -> tuple[nn.Module, Any]:
    ensure_torchvision()
    from transformers import ClapConfig, ClapModel

    sizes = ClapConfig(audio_config=clap.TINY.audio, text_config=CLAP_SIZES, projection_dim=20)
    model = seeded(5, lambda: ClapModel(sizes)).eval()

    def features(rows: TokenRows) -> Any:
        mask = (torch.arange(77) < rows.lengths[:, None]).long()
        return model.get_text_features(rows.numbers, attention_mask=mask).pooler_output

    return model, features


def whole_imagebind() -> tuple[nn.Module, Any]:
    model = seeded(5, lambda: ImageBind(TINY_IMAGEBIND)).eval()
    return model.text, model.text


def whole_languagebind() -> tuple[nn.Module, Any]:
    model = seeded(5, lambda: LanguageBind(TINY_LANGUAGEBIND)).eval()
    return model, model.encode_texts


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("clip", whole_clip),
        ("clap", whole_clap),
        ("imagebind", whole_imagebind),
        ("languagebind", whole_languagebind),
    ],
)
def test_the_text_half_is_that_of_the_whole_system(name: str, make: Any) -> None:
    tower = TINY[name]
    whole, encode = make()
    half = network(tower)
    state = whole.state_dict()
    half.load_state_dict({key: state[key] for key in half.state_dict()})
    rows = tower.tokenise(TEXTS)
    with torch.inference_mode():
        expected = encode(rows if name == "clap" else rows.numbers)
        served = trimmed(tower, half, "fp32", CPU).encode(rows)
    if name == "clap":
        served = nn.functional.normalize(served, dim=-1)
    torch.testing.assert_close(served, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("tower", FULL, ids=lambda tower: tower.model)
def test_full_towers_are_of_their_sizes(tower: TextTower) -> None:
    with torch.device("meta"):
        model = tower.random(0)
    parameters = sum(one.numel() for one in model.parameters())
    assert parameters == pytest.approx(tower.parameters, rel=0.02)
    stack = tower.apart(model)
    assert len(stack.layers) == tower.layers
    assert stack.layers[0].mix.weight.shape == (tower.width, tower.width)
    assert stack.layers[0].widen.weight.shape == (4 * tower.width, tower.width)


# Tokens


def test_stand_in_tokens_are_as_many_and_of_robertas_numbers() -> None:
    ours, theirs = stand_in_tokens(TEXTS), clip_word_pieces(TEXTS)
    assert ours.lengths.equal(theirs.lengths)
    for row, length in zip(ours.numbers, ours.lengths.tolist(), strict=True):
        assert row[0] == 0
        assert row[length - 1] == 2
        assert (row[length:] == 1).all()
        assert (row[1 : length - 1] >= 4).all()
        assert row.max() < CLAP_TEXT.vocabulary


# Answers


@pytest.mark.parametrize(("side", "search"), [(PADDED, FLAT), (TRIMMED, EXACT)])
def test_a_text_finds_the_neighbours_of_the_vector_that_was_drawn_for_it(
    candidates: CandidateSet, side: Any, search: Search
) -> None:
    served = DualRow(TINY["clip"], side, search)(place(candidates.path.parent))
    told = served.build(candidates, lambda *_: None)
    answered = served.answer(TEXTS, 10)
    vectors = candidates.queries(QUERIES)
    for text, ids, scores in zip(TEXTS, answered.ranking.ids, answered.ranking.scores, strict=True):
        query = vectors[zlib.crc32(text.encode()) % QUERIES]
        expected = np.argsort(-(candidates.vectors @ query), kind="stable")[:10]
        assert ids.tolist() == expected.tolist()
        np.testing.assert_allclose(scores, candidates.vectors[expected] @ query, atol=1e-5)
    assert set(answered.seconds) == {"tokenise", "encode", "search"}
    assert told.gallery_bytes == candidates.count * candidates.dim * 4
    assert told.facts["encoder's error"] < 1e-5


def test_the_reference_is_the_exact_ranking(candidates: CandidateSet) -> None:
    served, _ = built(TINY["clip"], EXACT, candidates)
    reference = served.reference(TEXTS, 7)
    np.testing.assert_array_equal(reference.ids, served.answer(TEXTS, 7).ranking.ids)


def test_more_answers_than_candidates_are_left_unfilled(tmp_path: Path) -> None:
    few = drawn(tmp_path, 3, TINY["clip"].dim)
    served, _ = built(TINY["clip"], EXACT, few)
    for ranking in (served.answer(["a dog"], 5).ranking, served.reference(["a dog"], 5)):
        assert sorted(ranking.ids[0, :3]) == [0, 1, 2]
        assert (ranking.ids[0, 3:] == -1).all()
        assert np.isneginf(ranking.scores[0, 3:]).all()


def test_what_the_encoder_gives_is_looked_at(candidates: CandidateSet) -> None:
    """A word whose vector is no number is told of, though the search does not use it."""

    def poisoned(seed: int) -> nn.Module:
        model: Any = random_clip(seed, TINY_CLIP)
        with torch.no_grad():
            model.token_embedding.weight[clip_word_pieces(["zebra"]).numbers[0, 1]] = torch.nan
        return model

    served, _ = built(replace(TINY["clip"], random=poisoned), EXACT, candidates)
    served.answer(["a horse"], 3)
    with pytest.raises(RuntimeError, match="not finite in fp32"):
        served.answer(["a horse", "a zebra"], 3)


def test_an_encoder_that_differs_from_its_padded_network_is_not_served(
    candidates: CandidateSet,
) -> None:
    def apart(model: Any) -> packed.Stack:
        stack = CLIP_TEXT.apart(model)
        return replace(stack, activation=torch.nn.functional.relu)

    with pytest.raises(CannotServe, match="differs from its own padded network"):
        built(replace(TINY["clip"], apart=apart), EXACT, candidates)


def test_asking_before_building_is_refused(tmp_path: Path) -> None:
    served = DualRow(TINY["clip"], TRIMMED, EXACT)(place(tmp_path))
    with pytest.raises(ValueError, match="call build first"):
        served.answer(["a dog"], 1)


# Numbers, room and needs


def test_the_published_form_has_the_published_numbers(tmp_path: Path) -> None:
    row = DualRow(TINY["clip"], PADDED, FLAT)
    assert row(place(tmp_path, "auto")).options["numbers"] == "fp32"
    with pytest.raises(CannotServe, match="as the paper ran it: ask for another form in bf16"):
        row(place(tmp_path, "bf16"))


def test_auto_is_bf16_where_the_processor_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for capability, expected in (("amx_bf16", "bf16"), ("avx512_bf16", "bf16"), ("avx2", "fp32")):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda one=capability: {one: True})
        assert computed(place(tmp_path, "auto")) == expected


def test_numbers_that_the_device_lacks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="fp16"):
        computed(place(tmp_path, "fp16"))
    with pytest.raises(CannotServe, match="int8"):
        computed(Place("cuda", "int8", 1, tmp_path))


def test_candidates_of_another_width_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="vectors of 24 dimensions, and the candidates have 32"):
        built(TINY["clip"], EXACT, drawn(tmp_path, 3, 32))


@pytest.mark.parametrize("search", [FLAT, EXACT])
def test_a_machine_that_is_too_small_is_told_of(
    candidates: CandidateSet, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_costs, "_physical_bytes", lambda: 200_000)
    with pytest.raises(CannotServe, match=r"need 0.0 GB of memory and the machine has 0.0 GB"):
        built(TINY["clip"], search, candidates)


@pytest.mark.parametrize("search", [FLAT, EXACT])
def test_needs_grow_with_the_gallery_and_shrink_with_the_numbers(
    tmp_path: Path, search: Search
) -> None:
    row = DualRow(CLIP_TEXT, TRIMMED, search)
    few, many = (row.needs(place(tmp_path), count) for count in (1000, 10_000_000))
    assert many.host_bytes - few.host_bytes == 512 * 4 * (10_000_000 - 1000)
    assert many.seconds_a_query > few.seconds_a_query
    assert many.device_bytes == 0
    int8 = row.needs(place(tmp_path, "int8"), 1000)
    assert int8.seconds_a_query < few.seconds_a_query
    assert int8.host_bytes < few.host_bytes


# Indexes


@pytest.mark.parametrize("search", [IVF, HNSW, PQ], ids=["ivf", "hnsw", "pq"])
def test_an_index_finds_nearly_all_and_tells_how_it_was_tuned(
    candidates: CandidateSet, search: Search
) -> None:
    served, told = built(TINY["clip"], search, candidates)
    texts = query_texts(200)
    found, exact = served.answer(texts, 10).ranking, served.reference(texts, 10)
    assert recall(found.ids, exact.ids).mean() > 0.9
    assert told.facts["recall@10"] > 0.9
    effort = "efSearch" if search is HNSW else "nprobe"
    chosen = told.facts[effort]
    assert told.facts[f"curve/{effort} {chosen}/recall@10"] == told.facts["recall@10"]
    assert told.facts[f"curve/{effort} {chosen}/queries/s"] > 0
    again, kept = built(TINY["clip"], search, candidates)
    assert set(kept.seconds) == {"tower", "index (kept)", "tuning (kept)"}
    np.testing.assert_array_equal(again.answer(texts, 10).ranking.ids, found.ids)


def test_the_best_form_compares_all_of_few_and_indexes_many(
    candidates: CandidateSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, few = built(TINY["clip"], BEST, candidates)
    assert few.facts["index"] == "all compared"
    monkeypatch.setattr(galleries, "SMALL", candidates.count - 1)
    _, many = built(TINY["clip"], BEST, candidates)
    assert many.facts["index"].startswith("IVF") and ",PQ" in many.facts["index"]


def test_too_few_for_an_index_are_refused(tmp_path: Path) -> None:
    few = drawn(tmp_path, 10, TINY["clip"].dim)
    with pytest.raises(CannotServe, match=r"at least 64 vectors, not 10.*Use the form exact"):
        built(TINY["clip"], IVF, few)


def test_towers_of_one_width_share_the_seconds_of_their_index(tmp_path: Path) -> None:
    clip, clap = (
        DualRow(tower, TRIMMED, BEST).needs(place(tmp_path), 10**6)
        for tower in (CLIP_TEXT, CLAP_TEXT)
    )
    assert clip.kept == clap.kept
    assert 0 < sum(clip.kept.values()) < clip.seconds_to_build
    wider = DualRow(LANGUAGEBIND_TEXT, TRIMMED, BEST).needs(place(tmp_path), 10**6)
    assert not set(wider.kept) & set(clip.kept)


def test_the_form_of_the_gpu_wants_one(candidates: CandidateSet, tmp_path: Path) -> None:
    with pytest.raises(CannotServe, match="for CUDA: use the form best on a processor"):
        built(TINY["clip"], GPU, candidates)
    with pytest.raises(CannotServe, match="for CUDA"):
        DualRow(CLIP_TEXT, TRIMMED, GPU).needs(place(tmp_path), 1000)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("name", list(TINY))
@pytest.mark.parametrize("numbers", ["fp32", "bf16", "fp16"])
def test_on_an_accelerator_the_same_candidates_are_found(
    tmp_path: Path, name: str, numbers: Numbers
) -> None:
    tower = TINY[name]
    gallery = drawn(tmp_path, 3000, tower.dim)
    served = DualRow(tower, TRIMMED, BEST)(Place("cuda", numbers, 1, tmp_path))
    told = served.build(gallery, lambda *_: None)
    assert told.facts["encoder's error"] < (1e-3 if numbers == "fp32" else 0.1)
    found, exact = served.answer(TEXTS, 10).ranking, served.reference(TEXTS, 10)
    assert recall(found.ids, exact.ids).mean() == 1
