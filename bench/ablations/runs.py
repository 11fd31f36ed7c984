"""What was run of the ablations: which stored cells are the rows of which table.

results/ablations/NAME.json  one table of one dataset (Run), or one map of its items (Drawn)
results/ablations/NAME.npz   the arrays of a map (``bench.item_map``)

Figures stand in the cells alone, so that a table can never say anything else than they do.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.files import file_stem, json_bytes, replace_file

FOLDER = "ablations"
SCHEMA = 1

log = logging.getLogger("bench.ablations")


@dataclass(frozen=True)
class RunRow:
    """One setting of a table.

    retriever  the variant that was run, "" where there is none
    keys       seed -> the key of its cell
    reason     why it was not run, a sentence
    """

    setting: str
    label: str
    changes: Mapping[str, str] = field(default_factory=dict)
    retriever: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""


@dataclass(frozen=True)
class Of:
    """What was changed, and on what.

    base       the retriever whose config the settings change
    effort     the part of its training that every row was given
    shortened  the fields that were set for that
    """

    dataset: str
    protocol: str
    synthetic: bool
    base: str
    effort: float = 1.0
    shortened: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """One table; ``published`` and ``remark`` are those of ``tables.Chosen``."""

    of: Of
    table: int
    published: str
    remark: str
    rows: tuple[RunRow, ...]

    @property
    def stem(self) -> str:
        """The name of its files, without ending."""
        return stem(self.of, f"table-{self.table}")


@dataclass(frozen=True)
class Drawn:
    """The map of a gallery's items that figure 5 is, and the name of its arrays' file."""

    of: Of
    figure: int
    retriever: str
    seed: int
    key: str

    @property
    def stem(self) -> str:
        """The name of its files, without ending."""
        return stem(self.of, f"figure-{self.figure}")


class RunStore:
    """Reads and writes the tables and maps under ``results``."""

    def __init__(self, results: Path) -> None:
        self.folder = results / FOLDER

    def write(self, found: Run | Drawn) -> None:
        """In place of what was run before under the same name."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kind = "table" if isinstance(found, Run) else "figure"
        content = {"schema": SCHEMA, "kind": kind, **asdict(found)}
        replace_file(self.folder / f"{found.stem}.json", json_bytes(content))

    def runs(self) -> list[Run]:
        """By dataset, base, effort and table."""
        found = [each for each in self._all() if isinstance(each, Run)]
        return sorted(found, key=lambda run: (*_place(run.of), run.table))

    def drawn(self) -> list[Drawn]:
        """By dataset, base and effort."""
        found = [each for each in self._all() if isinstance(each, Drawn)]
        return sorted(found, key=lambda drawn: _place(drawn.of))

    def arrays(self, key: str) -> Path:
        """Where the arrays of a map are."""
        return self.folder / "maps" / f"{key}.npz"

    def _all(self) -> list[Run | Drawn]:
        if not self.folder.is_dir():
            return []
        read = (_read(path) for path in sorted(self.folder.glob("*.json")))
        return [each for each in read if each is not None]


def stem(of: Of, what: str) -> str:
    """A file name that says what it is of."""
    effort = "" if of.effort == 1 else f"-effort-{of.effort:g}"
    base = "" if of.base == "cart" else f"-{of.base}"
    return file_stem(f"{of.dataset}-{of.protocol}{base}{effort}-{what}")


def _place(of: Of) -> tuple[str, str, str, float]:
    return of.dataset, of.protocol, of.base, -of.effort


def _read(path: Path) -> Run | Drawn | None:
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        log.warning("%s is left out, it cannot be read (%s).", path, problem)
        return None


def _from_json(found: Mapping[str, Any]) -> Run | Drawn:
    if found["schema"] != SCHEMA:
        raise ValueError(f"its schema is {found['schema']}, not {SCHEMA}")
    of = Of(**found["of"])
    if found["kind"] == "figure":
        names = ("figure", "retriever", "seed", "key")
        drawn = Drawn(of, **{name: found[name] for name in names})
        if not re.fullmatch("[0-9a-f]{32}", drawn.key):
            raise ValueError(f"{drawn.key!r} is no key")
        return drawn
    rows = tuple(RunRow(**row) for row in found["rows"])
    return Run(of, int(found["table"]), found["published"], found["remark"], rows)
