"""The row that does nothing, which measures what asks."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from datasets.candidates import CandidateSet
from retrievers.serving.contract import Place, Served, ServedClass
from retrievers.serving.rows import row


def _null(cache: Path, count: int) -> Served:
    module, name = row("null").target.split(":")
    made: ServedClass = getattr(importlib.import_module(module), name)
    place = Place("cpu", "auto", 1, cache)
    assert made.needs(place, count).device_bytes == 0
    served = made(place)
    built = served.build(CandidateSet(cache / "none", count, 4, 0), lambda *_: None)
    assert (built.gallery_bytes, built.model_bytes) == (0, 0)
    return served


@pytest.mark.parametrize("count", [1, 3, 10, 100])
def test_every_text_gets_the_first_rows_and_no_row_that_is_not_there(
    tmp_path: Path, count: int
) -> None:
    served = _null(tmp_path, count)
    answered = served.answer(["a", "b"], 5)
    expected = [row if row < count else -1 for row in range(5)]
    assert answered.ranking.ids.tolist() == [expected, expected]
    assert (np.isfinite(answered.ranking.scores) == (answered.ranking.ids >= 0)).all()
    assert (np.diff(answered.ranking.scores[:, :count]) < 0).all()
    assert answered.part == 1.0


def test_the_reference_is_the_same(tmp_path: Path) -> None:
    served = _null(tmp_path, 3)
    for texts in (["a"], ["a", "b"], []):
        answered, reference = served.answer(texts, 5).ranking, served.reference(texts, 5)
        np.testing.assert_array_equal(answered.ids, reference.ids)
        np.testing.assert_array_equal(answered.scores, reference.scores)


def test_no_depth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        _null(tmp_path, 3).answer(["a"], 0)
