"""Drawn galleries: the same bytes whatever the way to them; and captions of people's length."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from datasets.candidates import CandidateSet, drawn, query_texts
from datasets.candidates.drawn import BLOCK

DIM = 24


def file_bytes(candidates: CandidateSet) -> bytes:
    return candidates.path.read_bytes()


def test_a_smaller_gallery_is_the_beginning_of_a_larger(tmp_path: Path) -> None:
    small = drawn(tmp_path / "grown", 100, DIM)
    first = small.vectors.copy()
    grown = drawn(tmp_path / "grown", 2 * BLOCK + 5, DIM)
    at_once = drawn(tmp_path / "at once", 2 * BLOCK + 5, DIM)
    assert grown.vectors.shape == (2 * BLOCK + 5, DIM)
    np.testing.assert_array_equal(grown.vectors[:100], first)
    assert file_bytes(grown) == file_bytes(at_once)
    assert drawn(tmp_path / "grown", 100, DIM).vectors.shape == (100, DIM)


def test_another_seed_gives_others_of_length_one(tmp_path: Path) -> None:
    one, other = (drawn(tmp_path, 200, DIM, seed) for seed in (0, 1))
    assert np.linalg.norm(one.vectors[:, None] - other.vectors, axis=2).min() > 0.1
    np.testing.assert_allclose(np.linalg.norm(one.vectors, axis=1), 1, atol=1e-6)
    assert not one.vectors.flags.writeable


def test_blocks_are_the_vectors_in_turn(tmp_path: Path) -> None:
    candidates = drawn(tmp_path, 1000, DIM)
    blocks = list(candidates.blocks(300))
    assert [len(block) for block in blocks] == [300, 300, 300, 100]
    np.testing.assert_array_equal(np.concatenate(blocks), candidates.vectors)


def test_a_killed_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    whole = drawn(tmp_path / "whole", 3 * BLOCK, DIM)
    killed = drawn(tmp_path / "killed", 2 * BLOCK, DIM)
    with killed.path.open("r+b") as file:
        file.truncate(BLOCK * DIM * 4 + 1234)
    told: list[tuple[str, int, int]] = []
    resumed = drawn(tmp_path / "killed", 3 * BLOCK, DIM, say=lambda *step: told.append(step))
    assert file_bytes(resumed) == file_bytes(whole)
    assert [done for _, done, _ in told] == [BLOCK, 2 * BLOCK, 3 * BLOCK]


def test_two_processes_at_once_leave_one_gallery(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    both = [spawn.Process(target=drawn, args=(tmp_path, 4 * BLOCK, DIM)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    alone = drawn(tmp_path / "alone", 4 * BLOCK, DIM)
    assert file_bytes(drawn(tmp_path, 4 * BLOCK, DIM)) == file_bytes(alone)


def test_a_disk_without_room_is_told_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Usage = namedtuple("Usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 1000))
    with pytest.raises(
        OSError, match=r"need 9\.6 GB more and the disk has 0\.0 GB free: make room"
    ):
        drawn(tmp_path, 10**8, DIM)
    assert not list(tmp_path.rglob("*.f32"))


def test_what_is_not_these_candidates_is_refused(tmp_path: Path) -> None:
    candidates = drawn(tmp_path, 10, DIM)
    told = candidates.path.with_name("candidates.json")
    right = told.read_text()
    told.write_text(json.dumps({**json.loads(right), "noise": 0.5}))
    with pytest.raises(ValueError, match="another kind: remove the folder"):
        drawn(tmp_path, 10, DIM)
    told.write_text(right[:20])
    with pytest.raises(ValueError, match="cannot be read"):
        drawn(tmp_path, 10, DIM)
    told.unlink()
    with pytest.raises(ValueError, match="cannot be read"):
        drawn(tmp_path, 10, DIM)
    told.write_text(right)
    candidates.path.write_bytes(bytes(BLOCK * DIM * 4))
    with pytest.raises(ValueError, match=r"row 0 of .* is no unit vector"):
        drawn(tmp_path, 10, DIM)


@pytest.mark.parametrize(("count", "dim", "seed"), [(0, 4, 0), (4, 1, 0), (4, 4, -1)])
def test_impossible_sizes_are_refused(tmp_path: Path, count: int, dim: int, seed: int) -> None:
    with pytest.raises(ValueError, match="cannot be drawn"):
        drawn(tmp_path, count, dim, seed)


def test_queries_are_near_the_candidates_and_none_of_them(tmp_path: Path) -> None:
    candidates = drawn(tmp_path, 2 * BLOCK, 128)
    queries = candidates.queries(300)
    np.testing.assert_array_equal(queries[:7], candidates.queries(7))
    np.testing.assert_array_equal(queries, drawn(tmp_path, 5, 128).queries(300))
    np.testing.assert_allclose(np.linalg.norm(queries, axis=1), 1, atol=1e-6)
    assert candidates.queries(0).shape == (0, 128)
    to_candidates = np.sort(queries @ candidates.vectors.T, axis=1)
    among_candidates = np.sort(candidates.vectors[:300] @ candidates.vectors[300:].T, axis=1)
    # Further from its nearest than candidates are among themselves, nearer than chance.
    assert to_candidates[:, -1].max() < 0.95
    assert to_candidates[:, -1].mean() < among_candidates[:, -1].mean() - 0.03
    assert to_candidates[:, -10].mean() > 2 * to_candidates.std()


def test_candidates_lie_in_uneven_clusters_near_a_subspace(tmp_path: Path) -> None:
    vectors = drawn(tmp_path, BLOCK, 256).vectors
    shares = np.linalg.svd(vectors, compute_uv=False) ** 2 / len(vectors)
    assert shares[:64].sum() > 0.9
    assert shares[64:].sum() > 0.02
    near = (vectors[:500] @ vectors.T > 0.6).sum(axis=1) - 1
    assert np.median(near) < near.max() / 10
    isotropic = np.random.default_rng(0).standard_normal((500, 256))
    isotropic /= np.linalg.norm(isotropic, axis=1, keepdims=True)
    assert (isotropic @ isotropic.T > 0.6).sum() == 500


def test_captions_differ_and_fewer_are_the_beginning_of_more() -> None:
    texts = query_texts(5000)
    assert len(set(texts)) == 5000
    assert query_texts(40) == texts[:40]
    assert query_texts(40, seed=1) != texts[:40]
    assert query_texts(0) == []


def test_captions_are_as_long_as_those_of_people() -> None:
    from retrievers.encoders.openclip_models import open_clip

    tokenizer = open_clip().get_tokenizer("ViT-B-32")
    lengths = np.array([len(tokenizer.encode(text)) + 2 for text in query_texts(3000)])
    assert 15 < lengths.mean() < 17
    assert 4 < lengths.std() < 7
    assert lengths.min() == 8
    assert np.median(lengths) < lengths.mean()
    assert 25 < np.percentile(lengths, 95) < np.percentile(lengths, 99) < 42
