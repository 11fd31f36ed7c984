"""The dual tower against the dot products it stands for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.base import Item, Pairs
from retrievers.base import TextRanker
from retrievers.dual_tower import DualTower
from retrievers.indexes import TorchExact
from tests.retrievers.toys import SPEC, HashEncoder, items, picture

QUERIES = ["one", "two", "three"]


def dual_tower(seed: int = 0) -> DualTower:
    return DualTower(SPEC, HashEncoder(seed), TorchExact)


def expected(gallery: list[Item], k: int, seed: int = 0) -> np.ndarray:
    encoder = HashEncoder(seed)
    scores = encoder.encode_texts(QUERIES) @ encoder.encode_items(gallery).T
    return np.argsort(-scores, axis=1)[:, :k]


def test_it_ranks_by_inner_product() -> None:
    tower = dual_tower()
    stats = tower.index(items(*range(20)))
    np.testing.assert_array_equal(tower.search(QUERIES, 7).ids, expected(items(*range(20)), 7))
    assert set(stats.seconds) == {"encode", "build"}
    assert stats.bytes == 20 * 8 * 4


def test_adding_and_removing_is_as_indexing_what_results() -> None:
    tower = dual_tower()
    tower.index(items(0, 1, 2, 3))
    tower.add(items(4, 5))
    np.testing.assert_array_equal(
        tower.search(QUERIES, 6).ids, expected(items(0, 1, 2, 3, 4, 5), 6)
    )
    tower.remove(["item-1", "item-4"])
    np.testing.assert_array_equal(tower.search(QUERIES, 4).ids, expected(items(0, 2, 3, 5), 4))


def test_what_is_kept_is_not_encoded_again() -> None:
    encoder = HashEncoder()
    tower = DualTower(SPEC, encoder, TorchExact)
    tower.index(items(0, 1))
    tower.add(items(2))
    tower.remove(["item-0"])
    assert encoder.encoded == ["item-0", "item-1", "item-2"]


def test_a_gallery_may_become_empty() -> None:
    tower = dual_tower()
    tower.index(items(0))
    tower.remove(["item-0"])
    assert (tower.search(QUERIES, 2).ids == -1).all()
    tower.add(items(3))
    assert (tower.search(QUERIES, 2).ids == [0, -1]).all()


def test_save_and_load_restore_encoder_and_gallery(tmp_path: Path) -> None:
    saved = dual_tower(seed=7)
    saved.index(items(*range(9)))
    saved.save(tmp_path / "new" / "folder")
    loaded = dual_tower(seed=0)
    loaded.load(tmp_path / "new" / "folder")
    np.testing.assert_array_equal(loaded.search(QUERIES, 5).ids, expected(items(*range(9)), 5, 7))
    loaded.remove(["item-8"])
    np.testing.assert_array_equal(loaded.search(QUERIES, 5).ids, expected(items(*range(8)), 5, 7))
    assert not list(tmp_path.rglob("*.pkl"))


def test_a_gallery_that_does_not_fit_its_encoder_is_refused(tmp_path: Path) -> None:
    saved = dual_tower()
    saved.index(items(1, 2))
    saved.save(tmp_path)
    (tmp_path / "gallery.json").write_text('["item-1"]')
    with pytest.raises(ValueError, match="1 ids"):
        dual_tower().load(tmp_path)


def test_fitting_forgets_the_gallery_of_the_old_encoder() -> None:
    tower = dual_tower()
    tower.index(items(0, 1))
    tower.fit(Pairs.empty(), Pairs.empty())
    with pytest.raises(ValueError, match="call index first"):
        tower.search(QUERIES, 1)


def test_misuse_is_refused(tmp_path: Path) -> None:
    tower = dual_tower()
    for action in (
        lambda: tower.search(QUERIES, 1),
        lambda: tower.add(items(1)),
        lambda: tower.remove(["item-1"]),
        lambda: tower.save(tmp_path),
    ):
        with pytest.raises(ValueError, match="call index first"):
            action()
    tower.index(items(1, 2))
    with pytest.raises(ValueError, match="'item-2' twice"):
        tower.add([Item("item-2", "image", picture(9))])
    with pytest.raises(ValueError, match="no item 'item-9'"):
        tower.remove(["item-1", "item-9"])
    with pytest.raises(ValueError, match="k must be"):
        tower.search(QUERIES, 0)
    assert tower.search(QUERIES, 3).ids.max() == 1


CAPTIONS = [f"caption {number}" for number in range(12)]


def expected_texts(asked: list[Item], k: int) -> np.ndarray:
    encoder = HashEncoder()
    scores = encoder.encode_items(asked) @ encoder.encode_texts(CAPTIONS).T
    return np.argsort(-scores, axis=1)[:, :k]


def test_texts_are_ranked_by_inner_product_and_the_gallery_stays() -> None:
    tower = dual_tower()
    assert isinstance(tower, TextRanker)
    tower.index(items(*range(20)))
    tower.index_texts(["one", "two"])
    tower.index_texts(CAPTIONS)
    asked = items(3, 11, 4)
    found = tower.search_texts(asked, 5)
    np.testing.assert_array_equal(found.ids, expected_texts(asked, 5))
    assert found.cost.vectors_compared == 3 * len(CAPTIONS)
    np.testing.assert_array_equal(tower.search(QUERIES, 7).ids, expected(items(*range(20)), 7))


def test_only_items_outside_the_gallery_are_encoded_to_rank_texts() -> None:
    encoder = HashEncoder()
    tower = DualTower(SPEC, encoder, TorchExact)
    tower.index(items(0, 1))
    tower.index_texts(CAPTIONS)
    encoder.encoded.clear()
    asked = items(1, 7, 0)
    np.testing.assert_array_equal(tower.search_texts(asked, 4).ids, expected_texts(asked, 4))
    assert encoder.encoded == ["item-7"]


def test_texts_can_be_ranked_without_a_gallery() -> None:
    tower = dual_tower()
    tower.index_texts(CAPTIONS)
    np.testing.assert_array_equal(tower.search_texts(items(5), 3).ids, expected_texts(items(5), 3))
    assert tower.search_texts([], 3).ids.shape == (0, 3)
    tower.index_texts([])
    assert (tower.search_texts(items(5), 3).ids == -1).all()


def test_texts_of_an_older_encoder_are_forgotten() -> None:
    tower = dual_tower()
    with pytest.raises(ValueError, match="call index_texts first"):
        tower.search_texts(items(1), 1)
    tower.index_texts(CAPTIONS)
    with pytest.raises(ValueError, match="k must be"):
        tower.search_texts(items(1), 0)
    tower.fit(Pairs.empty(), Pairs.empty())
    with pytest.raises(ValueError, match="call index_texts first"):
        tower.search_texts(items(1), 1)
