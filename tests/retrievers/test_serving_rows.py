"""The rows of the sweep: what is known of them agrees with the code that they name."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from retrievers.registry import names
from retrievers.serving.dual import DualRow
from retrievers.serving.rows import ROWS, UnknownRow, row

DUAL = [one for one in ROWS if one.name.partition(":")[2] in ("paper", "exact", "best", "ivf")]


def test_names_are_different_and_lead_to_their_rows() -> None:
    assert len({one.name for one in ROWS}) == len(ROWS)
    assert all(row(one.name) is one for one in ROWS)


def test_an_unknown_name_is_answered_with_those_that_come_near() -> None:
    with pytest.raises(UnknownRow, match=r"no row named 'clip:papr'.*Did you mean clip:paper"):
        row("clip:papr")


def test_systems_are_registered_ones_or_none() -> None:
    assert {one.system for one in ROWS} - {""} <= set(names())


def test_a_sweep_that_names_no_rows_holds_each_system_as_published_and_at_its_best() -> None:
    chosen = {one.name for one in ROWS if one.in_default}
    towers = ("clip", "clap", "imagebind", "languagebind")
    assert chosen == {
        "cart",
        "cart:256",
        "hf-generative",
        "blip2:scan",
        "blip2:cascade",
        "internvl-g:scan",
        *(f"{tower}:{form}" for tower in towers for form in ("paper", "best")),
    }


@pytest.mark.parametrize("one", DUAL, ids=lambda one: one.name)
def test_a_dual_row_names_its_tower_and_the_width_of_its_vectors(one: object) -> None:
    known = row(one.name)  # type: ignore[attr-defined]
    module, _, name = known.target.partition(":")
    found = getattr(importlib.import_module(module), name)
    assert isinstance(found, DualRow)
    assert found.tower.dim == known.dim
    form = known.name.partition(":")[2]
    assert found.side.told.startswith("padded to 77") == (form == "paper")


def test_the_rows_are_known_without_torch() -> None:
    code = "import sys; import retrievers.serving.rows; print('torch' in sys.modules)"
    told = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "False"
