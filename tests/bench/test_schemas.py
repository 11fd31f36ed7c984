"""The schemas of what is stored, against what the stores really write."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

import pytest
from jsonschema import Draft202012Validator

from bench.ablations.runs import Drawn, Of, Run, RunRow, RunStore
from bench.cells import Cell, CellSpec, Measure
from bench.growth.results import Living, LivingSpec, LivingStore
from bench.metrics import Ranks
from bench.schemas import derived, stored
from bench.speed.store import SpeedStore
from bench.store import ResultStore
from tests.bench.results import SPEC, done, failed, frame, reverse_frame
from tests.bench.speed_results import SPEC as SPEED_SPEC
from tests.bench.speed_results import failed_cell, process_run, speed_cell
from tests.bench.test_living import LEARNS, grown, result

FOLDER = Path(stored.__file__).parent
OF = Of("toys", "own-split", True, "cart", 0.5, {"fit.epochs": "2"})


def schema(name: str) -> Any:
    return json.loads((FOLDER / name).read_text())


def validator(name: str) -> Draft202012Validator:
    Draft202012Validator.check_schema(schema(name))
    return Draft202012Validator(schema(name))


def write_cells(folder: Path) -> None:
    store = ResultStore(folder)
    whole = replace(
        done([1, 0, 3], reverse=[1, 2]),
        pace={"batch-100": Measure(10.5, 9.0, 12.0)},
        ceilings={"R@1": 0.9},
    )
    store.write(whole, frame([1, 0, 3]), reverse_frame([1, 2]), attachments={"more.bin": b"."})
    store.write(failed(seed=1))


def write_speed(folder: Path) -> None:
    store = SpeedStore(folder)
    store.write(speed_cell())
    store.write(failed_cell(row="b"))
    store.write_run(SPEED_SPEC, 0, process_run())


def write_living(folder: Path) -> None:
    store = LivingStore(folder)
    store.write(result(grown(LEARNS)))
    store.write(Living(LivingSpec(SPEC, 0.1, "c"), "failed", "2026-01-01", "", reason="It broke."))


def write_ablations(folder: Path) -> None:
    rows = (RunRow("full", "CART", {}, "cart", {"0": "a" * 32}), RunRow("x", "X", {"a": "1"}))
    RunStore(folder).write(Run(OF, 4, "Flickr30K", "", rows))
    RunStore(folder).write(Drawn(OF, 5, "cart", 0, "c" * 32))


STORED: Mapping[str, tuple[Callable[[Path], None], str, int]] = {
    "cell-3": (write_cells, "*/cell.json", 2),
    "speed-1": (write_speed, "throughput/*/cell.json", 2),
    "speed-run-1": (write_speed, "throughput/*/run-*.json", 1),
    "living-1": (write_living, "living/*.json", 2),
    "ablation-1": (write_ablations, "ablations/*.json", 2),
}


def test_the_files_are_what_the_dataclasses_say() -> None:
    """A field that is added to a dataclass fails here; python -m bench.schemas mends it."""
    made = stored.schemas()
    assert {name.removesuffix(".schema.json") for name in made} == set(STORED)
    for name, each in made.items():
        assert schema(name) == each, f"{name} is old: run python -m bench.schemas"


@pytest.mark.parametrize("name", STORED)
def test_what_is_stored_follows_its_schema(name: str, tmp_path: Path) -> None:
    write, pattern, count = STORED[name]
    write(tmp_path)
    found = [json.loads(path.read_text()) for path in tmp_path.glob(pattern)]
    assert len(found) == count
    check = validator(f"{name}.schema.json")
    for each in found:
        check.validate(each)
        assert not check.is_valid({**each, "more": 1})
        for field in each:
            assert not check.is_valid({key: value for key, value in each.items() if key != field})
        assert not check.is_valid({**each, "schema": 99})


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("status",), "perhaps"),
        (("spec", "seed"), "0"),
        (("spec", "retriever", "options"), {"a": [1]}),
        (("metrics", "R@1", "low"), None),
        (("metrics", "R@1"), 0.5),
        (("notes",), "a note"),
        (("modality",), "smell"),
        (("counts", "gallery"), 2.5),
        (("files", "ranks.parquet"), "no digest"),
    ],
)
def test_a_broken_cell_is_rejected(place: tuple[str, ...], value: object, tmp_path: Path) -> None:
    write_cells(tmp_path)
    cells = [json.loads(path.read_text()) for path in tmp_path.glob("*/cell.json")]
    cell = next(each for each in cells if each["status"] == "done")
    broken = copy.deepcopy(cell)
    inner = broken
    for name in place[:-1]:
        inner = inner[name]
    assert place[-1] in inner
    inner[place[-1]] = value
    check = validator("cell-3.schema.json")
    assert check.is_valid(cell) and not check.is_valid(broken)


def test_every_field_of_a_cell_is_in_its_schema() -> None:
    found = schema("cell-3.schema.json")
    assert set(found["properties"]) == {field.name for field in fields(Cell)} | {"files"}
    assert set(found["$defs"]["CellSpec"]["required"]) == {each.name for each in fields(CellSpec)}
    assert "fractions of 1" in found["properties"]["metrics"]["description"]


@dataclass(frozen=True)
class Inner:
    """What is inside.

    far  how far,
         in metres
    """

    far: float


@dataclass(frozen=True)
class Outer:
    """One thing
    of many.

    kind      of ``thing``
    unknown   no field of that name
    """

    kind: Literal["a", "b"] | Literal[""]
    found: tuple[Inner, ...]
    maybe: int | str | None
    other: Inner | None
    ranks: Ranks


def test_a_dataclass_as_a_schema() -> None:
    made = derived.document("x", "y", derived.reference(Outer), Outer)
    outer = made["$defs"]["Outer"]
    assert outer["description"] == "One thing of many."
    assert outer["properties"] == {
        "kind": {"enum": ["a", "b", ""], "description": "of thing"},
        "found": {"type": "array", "items": {"$ref": "#/$defs/Inner"}},
        "maybe": {"type": ["integer", "string", "null"]},
        "other": {"anyOf": [{"$ref": "#/$defs/Inner"}, {"type": "null"}]},
        "ranks": {"$ref": "#/$defs/Ranks"},
    }
    assert made["$defs"]["Inner"]["properties"]["far"] == {
        "type": "number",
        "description": "how far, in metres",
    }
    check = Draft202012Validator(made)
    ranks = {"best": [1], "worst": [1], "right": [1]}
    whole = {"kind": "", "found": [{"far": 1}], "maybe": None, "other": None, "ranks": ranks}
    assert check.is_valid(whole)
    assert not check.is_valid({**whole, "kind": "c"})


@dataclass(frozen=True)
class Strange:
    """It holds a path."""

    at: Path


def test_a_type_without_a_form_in_json_is_refused() -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        derived.properties_of(Strange)
