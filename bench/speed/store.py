"""Results of the throughput sweep on disk, each file written whole or not at all.

results/throughput/<key>/run-<n>.json  what the n-th fresh process measured, stored as it ends
results/throughput/<key>/cell.json     what its processes measured, pooled, or why it failed
results/throughput/left_out.json       what the last sweep left out, and why
results/throughput/quarantine/         files that were found broken
"""

from __future__ import annotations

import fcntl
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from bench.cell_json import UnknownSchema
from bench.files import compact_json_bytes, json_bytes, replace_file
from bench.speed.cell_json import (
    cell_from_json,
    cell_to_json,
    stored_run_from_json,
    stored_run_to_json,
)
from bench.speed.cells import ProcessRun, SpeedCell, SpeedSpec

FOLDER = "throughput"

_RUN = re.compile(r"run-(\d{1,4})\.json")

log = logging.getLogger("bench.speed.store")

Content = TypeVar("Content")


class Busy(Exception):
    """Another sweep is measuring; the message says where."""


@dataclass(frozen=True)
class LeftOutRow:
    """A row that was not measured at a size, and the sentence that says why."""

    row: str
    device: str
    numbers: str
    candidates: int
    reason: str


class SpeedStore:
    """Reads and writes the throughput results under ``results / "throughput"``."""

    def __init__(self, results: Path) -> None:
        self.root = results / FOLDER

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Keep other sweeps of the same results away meanwhile. Raises Busy."""
        self.root.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Busy(
                    f"Another sweep is measuring and stores its results in {self.root}. Two at "
                    "once would slow each other; wait until it has ended."
                ) from None
            yield

    def write_run(self, spec: SpeedSpec, number: int, run: ProcessRun) -> None:
        """Store what the ``number``-th process of a result measured, counted from 0."""
        content = compact_json_bytes(stored_run_to_json(spec, run))
        self._write(spec.key, f"run-{number}.json", content)

    def runs(self, key: str) -> dict[int, ProcessRun]:
        """number -> run, in order, of those that are whole. Broken ones are put aside."""
        numbered = (
            (int(found.group(1)), path)
            for path in (self.root / key).glob("run-*.json")
            if (found := _RUN.fullmatch(path.name))
        )
        return {
            number: run
            for number, path in sorted(numbered)
            if (run := self._read(path, lambda found: _run_of(key, found))) is not None
        }

    def write(self, cell: SpeedCell) -> None:
        """Store a result in place of what was there."""
        self._write(cell.spec.key, "cell.json", json_bytes(cell_to_json(cell)))

    def get(self, key: str) -> SpeedCell | None:
        """The result, failed or done; None where there is none. A broken one is put aside."""
        path = self.root / key / "cell.json"
        return self._read(path, lambda found: _cell_of(key, found)) if path.is_file() else None

    def cells(self) -> list[SpeedCell]:
        """Every readable result, oldest first."""
        names = sorted(path.parent.name for path in self.root.glob("[0-9a-f]*/cell.json"))
        found = [cell for name in names if (cell := self.get(name)) is not None]
        return sorted(found, key=lambda cell: (cell.created, cell.spec.key))

    def write_left_out(self, left_out: Sequence[LeftOutRow]) -> None:
        """Remember what the last sweep left out, in place of what was remembered before."""
        self.root.mkdir(parents=True, exist_ok=True)
        replace_file(self.root / "left_out.json", json_bytes([asdict(each) for each in left_out]))

    def left_out(self) -> list[LeftOutRow]:
        """What the last sweep left out; empty where nothing readable is remembered."""
        path = self.root / "left_out.json"
        if not path.is_file():
            return []
        try:
            return [LeftOutRow(**each) for each in json.loads(path.read_text(encoding="utf-8"))]
        except (ValueError, TypeError) as problem:
            log.warning("%s cannot be read (%s); run the sweep again.", path, problem)
            return []

    def _write(self, key: str, name: str, content: bytes) -> None:
        folder = self.root / key
        folder.mkdir(parents=True, exist_ok=True)
        replace_file(folder / name, content)

    def _read(self, path: Path, content: Callable[[Any], Content]) -> Content | None:
        try:
            return content(json.loads(path.read_text(encoding="utf-8")))
        except UnknownSchema as problem:
            log.warning("%s is left out: %s.", path, problem)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
            self._quarantine(path, f"{type(problem).__name__}: {problem}")
        return None

    def _quarantine(self, path: Path, problem: str) -> None:
        target = self.root / "quarantine" / f"{path.parent.name}-{path.name}-{time.time_ns()}"
        try:
            target.parent.mkdir(exist_ok=True)
            path.rename(target)
        except OSError as obstacle:
            log.warning("%s is broken (%s) and cannot be moved aside: %s.", path, problem, obstacle)
            return
        log.warning(
            "%s is broken (%s). It was moved to %s; run the sweep again to replace it.",
            path,
            problem,
            target,
        )


def _cell_of(key: str, found: Mapping[str, Any]) -> SpeedCell:
    cell = cell_from_json(found)
    _check_key(key, cell.spec)
    return cell


def _run_of(key: str, found: Mapping[str, Any]) -> ProcessRun:
    spec, run = stored_run_from_json(found)
    _check_key(key, spec)
    return run


def _check_key(key: str, spec: SpeedSpec) -> None:
    if spec.key != key:
        raise ValueError(f"it describes the result {spec.key}")
