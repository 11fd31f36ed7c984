"""Single towers under load: what they score against pairs one by one, and what is a part of it."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from datasets.candidates import CandidateSet, drawn, query_texts
from retrievers.base import Ranking
from retrievers.encoders import internvl
from retrievers.scorers import blip2
from retrievers.serving.contract import CannotServe, Numbers, Place, Served
from retrievers.serving.decoder_part import DecoderOf, DecoderShape, InternvlScan, ServedDecoder
from retrievers.serving.drawn_queries import DrawnQueries
from retrievers.serving.pair_scan import Blip2Scan, ScanOf, ScanShape
from retrievers.serving.qformer_pairs import PairShape, QFormerPairs, alike
from retrievers.serving.shortlist import Blip2Cascade, CascadeOf, CascadeShape

PAIRS = PairShape(blip2.TINY, tokens=30, items=5)
DECODER = DecoderShape(internvl.TINY, measured=2, words=64)
TEXTS = ["", "a dog!", "A man. Fast asleep.", *query_texts(38)]
DIM = 16


def place(cache_folder: Path, numbers: Numbers = "fp32") -> Place:
    return Place("cpu", numbers, 1, cache_folder)


@pytest.fixture(scope="module")
def candidates(tmp_path_factory: pytest.TempPathFactory) -> CandidateSet:
    return drawn(tmp_path_factory.mktemp("drawn"), 50, DIM)


def build(served: Served, candidates: CandidateSet) -> Served:
    served.build(candidates, lambda *_: None)
    return served


def assert_alike(found: Ranking, reference: Ranking) -> None:
    np.testing.assert_array_equal(found.ids, reference.ids)
    np.testing.assert_allclose(found.scores, reference.scores, atol=1e-4)


def test_a_scan_scores_all_candidates_as_it_scores_pairs_one_by_one(
    tmp_path: Path, candidates: CandidateSet
) -> None:
    few = replace(candidates, count=7)
    scan = build(ScanOf(ScanShape(PAIRS, measured=100))(place(tmp_path)), few)
    answered = scan.answer(TEXTS, 9)
    assert answered.part == 1.0
    assert_alike(answered.ranking, scan.reference(TEXTS, 9))
    assert (np.sort(answered.ranking.ids[:, :7]) == np.arange(7)).all()
    assert (answered.ranking.ids[:, 7:] == -1).all()
    assert answered.ranking.cost.pairs_scored == 7 * len(TEXTS)
    assert np.ptp(answered.ranking.scores[:, 0]) > 1e-2
    assert set(answered.seconds) == {"tokenise", "score"}


def test_a_scan_of_a_part_says_which(tmp_path: Path, candidates: CandidateSet) -> None:
    scan = ScanOf(ScanShape(PAIRS, measured=3))(place(tmp_path))
    built = scan.build(candidates, lambda *_: None)
    answered = scan.answer(TEXTS[:4], 5)
    assert answered.part == 3 / 50
    assert (np.sort(answered.ranking.ids[:, :3]) == np.arange(3)).all()
    assert (answered.ranking.ids[:, 3:] == -1).all()
    assert_alike(answered.ranking, scan.reference(TEXTS[:4], 5))
    # A picture of 28 pixels has 4 patches and the whole, of 24 numbers of 4 bytes.
    assert built.gallery_bytes == 50 * 5 * 24 * 4


def test_a_cascade_orders_the_best_of_an_exact_search_by_the_sum_of_both(
    tmp_path: Path, candidates: CandidateSet
) -> None:
    depth = 6
    cascade = build(CascadeOf(CascadeShape(PAIRS, depth, 10_000))(place(tmp_path)), candidates)
    answered = cascade.answer(TEXTS, 10)
    assert answered.part == pytest.approx(1.0)
    assert_alike(answered.ranking, cascade.reference(TEXTS, 10))
    assert answered.ranking.cost.pairs_scored == depth * len(TEXTS)
    assert set(answered.seconds) == {"tokenise", "encode", "search", "score"}

    pairs = QFormerPairs(PAIRS, place(tmp_path))
    vectors = np.array(candidates.vectors)
    for row, text in enumerate(TEXTS[:6]):
        cosines = vectors @ DrawnQueries(candidates).of([text])[0]
        first = np.argsort(-cosines)[:10]
        matched = pairs.scores(pairs.of_items(first[:depth].tolist()), _times(pairs, text, depth))
        sums = matched + cosines[first[:depth]]
        best = [*first[:depth][np.argsort(-sums)], *first[depth:]]
        assert answered.ranking.ids[row].tolist() == best
        np.testing.assert_allclose(
            answered.ranking.scores[row, :depth], np.sort(sums)[::-1], atol=1e-4
        )
    assert (np.diff(answered.ranking.scores, axis=1) <= 0).all()


def _times(pairs: QFormerPairs, text: str, times: int) -> torch.Tensor:
    return pairs.tokens([text]).expand(times, -1)


@pytest.mark.parametrize("texts", [1, 3, 40])
def test_a_part_of_the_depth_leaves_the_first_answers_those_of_the_first_stage(
    tmp_path: Path, candidates: CandidateSet, texts: int
) -> None:
    shape = CascadeShape(PAIRS, depth=20, measured=16)
    cascade = build(CascadeOf(shape)(place(tmp_path)), candidates)
    asked = TEXTS[:texts]
    answered = cascade.answer(asked, 4)
    cosines = DrawnQueries(candidates).of(asked) @ np.array(candidates.vectors).T
    first = np.argsort(-cosines, axis=1)[:, :4]
    np.testing.assert_array_equal(np.sort(answered.ranking.ids), np.sort(first))
    assert answered.ranking.cost.pairs_scored == min(16, 4 * texts)
    assert_alike(answered.ranking, cascade.reference(asked, 4))
    assert (np.diff(answered.ranking.scores, axis=1) <= 0).all()
    score = answered.seconds["score"]
    rest = sum(answered.seconds.values()) - score
    due = rest + score * 20 * texts / answered.ranking.cost.pairs_scored
    assert answered.part == pytest.approx((rest + score) / due)


def test_vectors_of_texts_do_not_depend_on_their_batch(tmp_path: Path) -> None:
    pairs = QFormerPairs(PAIRS, place(tmp_path))
    together = pairs.text_vectors(pairs.tokens(TEXTS))
    alone = [pairs.text_vectors(pairs.tokens([text]))[0] for text in TEXTS]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_texts_of_alike_length_go_together_and_none_is_lost(tmp_path: Path) -> None:
    tokens = QFormerPairs(PAIRS, place(tmp_path)).tokens(TEXTS)
    parts = alike(tokens)
    assert sorted(torch.cat([part for part, _ in parts]).tolist()) == list(range(len(TEXTS)))
    assert len(parts) == 2
    for part, asked in parts:
        assert (asked != 0).sum(dim=1).tolist() == (tokens[part] != 0).sum(dim=1).tolist()
        assert (asked[:, -1] != 0).any()
    assert parts[0][1].shape[1] < parts[1][1].shape[1]


@cache
def _network(layers: int) -> ServedDecoder:
    return DecoderOf(replace(DECODER, measured=layers))(place(Path()))


def test_a_decoder_reads_texts_of_a_batch_as_it_reads_each_alone() -> None:
    together = _network(2).encode(TEXTS)
    alone = np.concatenate([_network(2).encode([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert together.shape == (len(TEXTS), internvl.TINY.dim)
    assert np.ptp(together, axis=0).max() > 1e-2


@pytest.mark.parametrize("layers", [1, 2])
def test_a_decoder_is_measured_on_some_of_its_layers(layers: int, candidates: CandidateSet) -> None:
    served = build(_network(layers), candidates)
    answered = served.answer(TEXTS, 5)
    assert_alike(answered.ranking, served.reference(TEXTS, 5))
    encode, search = answered.seconds["encode"], answered.seconds["search"]
    due = encode * internvl.TINY.language.layers / layers + search
    assert answered.part == pytest.approx((encode + search) / due)


def test_whole_numbers_and_unbuilt_galleries_are_refused(tmp_path: Path) -> None:
    for row in (ScanOf(ScanShape(PAIRS)), CascadeOf(CascadeShape(PAIRS)), DecoderOf(DECODER)):
        with pytest.raises(CannotServe, match="int8"):
            row(place(tmp_path, "int8"))
        with pytest.raises(ValueError, match="call build first"):
            row(place(tmp_path)).answer(["a"], 1)


def test_what_full_rows_need_fits_a_machine_of_16_gb(tmp_path: Path) -> None:
    for row in (Blip2Scan, Blip2Cascade, InternvlScan):
        needs = row.needs(place(tmp_path), 1_000_000)
        assert 1e9 < needs.host_bytes < 16e9
        assert 0.005 < needs.seconds_a_query < 0.5
        assert needs.device_bytes == 0
