"""The two sides of a comparison: a folder of results each, or two revisions inside one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cells import Cell
from bench.speed.cells import SpeedCell
from bench.speed.store import SpeedStore
from bench.store import ResultStore
from bench.summary import Row, rows_of

CHANGES = "+changes"
# What git shows of a commit at least; a shorter revision that was stored is not one.
LEAST_STORED = 7


class NoSide(Exception):
    """A side that cannot be read; the message is a sentence."""


@dataclass(frozen=True)
class Side:
    """The stored results of one side.

    label  the folder, or the revision
    whole  whether a row that is missing was not measured. Of a revision inside a store that is
           not known: what its code did not change is reused and keeps the older revision.
    """

    label: str
    results: Path
    cells: tuple[Cell, ...]
    sweeps: tuple[SpeedCell, ...]
    whole: bool

    @property
    def store(self) -> ResultStore:
        return ResultStore(self.results)

    @property
    def speed_store(self) -> SpeedStore:
        return SpeedStore(self.results)

    def rows(self) -> list[Row]:
        """The newest version of each row."""
        return rows_of(self.store, self.cells)

    @property
    def revisions(self) -> tuple[str, ...]:
        """By the first result of each; "" is one too, of results from outside a checkout."""
        stored = sorted(self._stored, key=lambda cell: cell.created)
        return tuple(dict.fromkeys(cell.revision for cell in stored))

    @property
    def first(self) -> str:
        """When its first result was made."""
        return min(cell.created for cell in self._stored)

    @property
    def last(self) -> str:
        return max(cell.created for cell in self._stored)

    @property
    def versions(self) -> dict[str, tuple[str, ...]]:
        """package -> the versions that its results were made with."""
        found: dict[str, set[str]] = {}
        for cell in self._stored:
            for package, version in cell.versions.items():
                found.setdefault(package, set()).add(version)
        return {package: tuple(sorted(versions)) for package, versions in sorted(found.items())}

    @property
    def _stored(self) -> tuple[Cell | SpeedCell, ...]:
        return (*self.cells, *self.sweeps)


def folder(path: Path) -> Side:
    """All results of a folder. Raises NoSide where there is none."""
    if not path.is_dir():
        raise NoSide(
            f"{path} is not a folder of results. Name two folders, or two revisions with "
            "--results DIR."
        )
    cells, sweeps = ResultStore(path).cells(), SpeedStore(path).cells()
    if not cells and not sweeps:
        raise NoSide(f"{path} holds no result that can be read.")
    return Side(str(path), path, tuple(cells), tuple(sweeps), whole=True)


def revisions(results: Path, named: Sequence[str]) -> list[Side]:
    """The results of each of the revisions that are named. Raises NoSide."""
    whole = folder(results)
    stored = whole.revisions
    chosen = [_revision(name, stored, results) for name in named]
    if len(set(chosen)) < len(chosen):
        raise NoSide(f"{' and '.join(named)} are one revision of {results}: {chosen[0]}.")
    return [
        Side(
            revision,
            results,
            tuple(cell for cell in whole.cells if cell.revision == revision),
            tuple(cell for cell in whole.sweeps if cell.revision == revision),
            whole=False,
        )
        for revision in chosen
    ]


def _revision(named: str, stored: Iterable[str], results: Path) -> str:
    """The stored revision that a name, the start of one or a longer hash stands for.

    A name without "+changes" is the clean commit where there are results of it, else the commit
    with changes.
    """
    known = list(dict.fromkeys(filter(None, stored)))
    stem = named.removesuffix(CHANGES)
    commits = {each.removesuffix(CHANGES) for each in known}
    fitting = sorted(commit for commit in commits if stem and _same(stem, commit))
    if len(fitting) > 1:
        raise NoSide(f"{named} is the start of several revisions: {', '.join(fitting)}.")
    clean, changed = ([f"{commit}{end}" for commit in fitting] for end in ("", CHANGES))
    wanted = changed if stem != named else [*clean, *changed]
    found = next((each for each in wanted if each in known), None)
    if found is None:
        there = f"There are: {', '.join(known)}." if known else "None tells its revision."
        raise NoSide(f"No result in {results} is of the revision {named}. {there}")
    return found


def _same(named: str, commit: str) -> bool:
    shortened = len(commit) >= LEAST_STORED and named.startswith(commit)
    return commit.startswith(named) or shortened
