"""Controls and ceilings: which rows stand beside which, and by how much they are apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console

from bench import controls_table, terminal
from bench.cells import Cell
from bench.controls import Block, blocks
from bench.directions import ranks_of
from bench.metrics import per_query
from bench.request import Request, chosen_retrievers
from bench.statistics import measures
from bench.store import ResultStore
from bench.summary import rows_of
from retrievers import registry
from tests.bench.results import RETRIEVER, done, frame

TOLD = {
    "collision_ceiling": 0.75,
    "control/chance R@1": 0.125,
    "control/chance R@10": 1.0,
    "control/teacher R@1": 0.5,
    "control/teacher R@10": 0.9,
}
FOUND = (1, 1, 0, 3, 1, 0, 2, 1)
LESS = (1, 0, 0, 1, 0, 0, 2, 4)


def cell(
    name: str,
    places: Sequence[int],
    *,
    seed: int = 0,
    told: Mapping[str, float] | None = None,
    dataset: str = "toys",
    **options: object,
) -> Cell:
    spec = replace(
        RETRIEVER, name=name, options={"model.width": 8, "identifiers.scheme": "x", **options}
    )
    made = done(places, seed=seed, retriever=spec, dataset=dataset)
    return replace(made, diagnostics=told or {})


def shown(folder: Path, cells: Sequence[tuple[Cell, Sequence[int]]]) -> list[Block]:
    store = ResultStore(folder)
    for each, places in cells:
        store.write(each, frame(places))
    return blocks(rows_of(store, store.cells()), store)


def random_cell(seed: int = 0, places: Sequence[int] = LESS) -> Cell:
    name, scheme = "cart[identifiers.scheme=random]", {"identifiers.scheme": "random"}
    return cell(name, places, seed=seed, told=TOLD, **scheme)


def test_a_block_holds_controls_then_what_the_retriever_tells_of_its_parts(tmp_path: Path) -> None:
    own = cell("cart", FOUND, told=TOLD)
    (block,) = shown(tmp_path, [(own, FOUND), (random_cell(), LESS)])
    assert block.row.retriever.name == "cart"
    labels = [line.label for line in block.lines]
    assert labels == [
        "random identifiers",
        "chance",
        "its teacher, exact search",
        "collision ceiling",
    ]
    shares = {line.label: dict(line.shares) for line in block.lines}
    assert shares["its teacher, exact search"] == {"R@1": 0.5, "R@10": 0.9}
    assert shares["collision ceiling"] == {"R@1": 0.75}
    assert shares["random identifiers"]["R@1"] == random_cell().metrics["R@1"].value


def test_the_difference_to_a_control_is_paired_by_query_over_shared_seeds(tmp_path: Path) -> None:
    other = (0, 1, 1, 0, 0, 1, 1, 1)
    cells = [
        (cell("cart", FOUND, told=TOLD), FOUND),
        (cell("cart", other, seed=1, told=TOLD), other),
        (random_cell(), LESS),
    ]
    (block,) = shown(tmp_path, cells)
    apart = block.lines[0].above["R@1"]
    mine, theirs = (per_query(ranks_of(frame(places)))["R@1"] for places in (FOUND, LESS))
    by_hand = np.array([a - b for a, b in zip(mine, theirs, strict=True)])
    expected = measures({"R@1": by_hand}, [f"i{row // 2}" for row in range(8)])["R@1"]
    assert apart == expected


def test_a_control_of_other_data_other_settings_or_another_retriever_stands_aside(
    tmp_path: Path,
) -> None:
    elsewhere = replace(random_cell(), spec=replace(random_cell().spec, dataset="others"))
    wider = cell("cart-dense", LESS, **{"model.width": 16})
    another = cell("cart-512[identifiers.scheme=random]", LESS, **{"identifiers.scheme": "random"})
    cells = [
        (cell("cart", FOUND, told=TOLD), FOUND),
        *((one, LESS) for one in (elsewhere, wider, another)),
    ]
    (block,) = shown(tmp_path, cells)
    assert not [line for line in block.lines if line.above]


def test_the_dual_tower_of_the_same_settings_is_a_control(tmp_path: Path) -> None:
    dense = cell("cart-dense", LESS)
    (block,) = shown(tmp_path, [(cell("cart", FOUND, told=TOLD), FOUND), (dense, LESS)])
    assert block.lines[0].label == "dual tower, same pairs"
    assert set(block.lines[0].above) == {"R@1", "R@10"}


def test_what_tells_nothing_of_its_parts_has_no_block(tmp_path: Path) -> None:
    assert shown(tmp_path, [(cell("tiny-dual", FOUND), FOUND)]) == []


def test_the_terminal_shows_each_line_with_its_meaning_and_no_figure_twice(tmp_path: Path) -> None:
    found = shown(tmp_path, [(cell("cart", FOUND, told=TOLD), FOUND), (random_cell(), LESS)])
    console = Console(width=80, record=True, file=(tmp_path / "out").open("w"))
    console.print(controls_table.results(found))
    text = console.export_text()
    assert "its teacher, exact search: The dual tower" in " ".join(text.split())
    assert "75.0" in text and "random identifiers" in text
    assert max(map(len, text.splitlines())) <= 80
    store = ResultStore(tmp_path)
    console.print(terminal.results(rows_of(store, store.cells())))
    assert "control/" not in console.export_text()


def test_a_control_runs_only_when_it_is_named(tmp_path: Path) -> None:
    def chosen(retriever: str) -> list[str]:
        nothing = dict.fromkeys(Request.__dataclass_fields__)
        asked = Request(**{**nothing, "everything": True, "retriever": retriever})
        return chosen_retrievers(asked, {})

    assert "cart-dense" in registry.names()
    assert "cart-dense" not in chosen("")
    assert set(chosen("")) | {"cart-dense"} == set(registry.names())
    assert chosen("cart-dense") == ["cart-dense"]
