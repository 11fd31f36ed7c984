"""A stored result of the living corpus, as JSON and back: results/living/<key>.json."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.cell_json import spec_from_json
from bench.cells import CellSpec
from bench.files import compact_json_bytes, replace_file
from bench.growth.protocol import Growth
from bench.metrics import Ranks
from bench.spec_key import spec_key

SCHEMA = 1
FOLDER = "living"

log = logging.getLogger("bench.living")


@dataclass(frozen=True)
class LivingSpec:
    """Everything that decides a result: the cell that it extends, and the share that comes later.

    code  digest of the source that computes it, the protocol's own included
    """

    cell: CellSpec
    share: float
    code: str

    @property
    def key(self) -> str:
        """32 hexadecimal digits naming the file of this result."""
        return spec_key(self)


@dataclass(frozen=True)
class Living:
    """One result.

    growth  None where it failed, for the ``reason`` that is then given
    The others are as in ``bench.cells.Cell``.
    """

    spec: LivingSpec
    status: Literal["done", "failed"]
    created: str
    command: str
    growth: Growth | None = None
    reason: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    revision: str = ""


class LivingStore:
    """The results under ``root``, a file each."""

    def __init__(self, root: Path) -> None:
        self._folder = root / FOLDER

    def write(self, result: Living) -> None:
        """Store whole or not at all, in place of an earlier one."""
        self._folder.mkdir(parents=True, exist_ok=True)
        content = compact_json_bytes(living_to_json(result))
        replace_file(self._folder / f"{result.spec.key}.json", content)

    def get(self, key: str) -> Living | None:
        """None where there is none that can be read."""
        path = self._folder / f"{key}.json"
        if not path.is_file():
            return None
        try:
            return living_from_json(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            log.warning("%s cannot be read (%s); run the benchmark again.", path, problem)
            return None

    def results(self) -> list[Living]:
        """Every readable result, oldest first."""
        found = [self.get(path.stem) for path in sorted(self._folder.glob("[0-9a-f]*.json"))]
        return sorted((one for one in found if one), key=lambda one: (one.created, one.spec.key))


def living_to_json(result: Living) -> dict[str, Any]:
    growth = result.growth
    flat = {**asdict(result), "schema": SCHEMA, "growth": None}
    if growth is not None:
        answers = {
            stage: {group: _ranks_to_json(ranks) for group, ranks in found.items()}
            for stage, found in growth.answers.items()
        }
        flat["growth"] = {**asdict(growth), "answers": answers}
    return flat


def living_from_json(found: Mapping[str, Any]) -> Living:
    """Raises ValueError, KeyError or TypeError where it is none."""
    rest = dict(found)
    if rest.pop("schema") != SCHEMA:
        raise ValueError("it was written by another version of this program")
    spec, growth = rest.pop("spec"), rest.pop("growth")
    return Living(
        spec=LivingSpec(spec_from_json(spec["cell"]), spec["share"], spec["code"]),
        growth=None if growth is None else _growth_from_json(growth),
        **rest,
    )


def _growth_from_json(found: Mapping[str, Any]) -> Growth:
    answers = {
        stage: {group: _ranks_from_json(ranks) for group, ranks in groups.items()}
        for stage, groups in found["answers"].items()
    }
    asked = {group: tuple(ids) for group, ids in found["asked"].items()}
    growth = Growth(**{**found, "answers": answers, "asked": asked, "notes": tuple(found["notes"])})
    for groups in answers.values():
        for group, ranks in groups.items():
            if len(ranks.best) != len(asked[group]):
                raise ValueError(f"{len(ranks.best)} ranks for {len(asked[group])} queries")
    return growth


def _ranks_to_json(ranks: Ranks) -> dict[str, list[int]]:
    return {name: values.tolist() for name, values in vars(ranks).items()}


def _ranks_from_json(found: Mapping[str, list[int]]) -> Ranks:
    return Ranks(*(np.array(found[name], np.int64) for name in ("best", "worst", "right")))
