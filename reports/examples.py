"""Questions with their answers in pictures, as many as the page has room for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePath

from bench.cells import Cell
from bench.store import Example, Hit

SHOWN = 5
JPEG_START = b"\xff\xd8\xff"

Inline = Callable[[str], str]


@dataclass(frozen=True)
class Picture:
    """One item of a ranking.

    source  a data URI, empty where the thumbnail is missing
    place   rank, from 1; 0 for a right item that was not found
    """

    item: str
    source: str
    place: int
    right: bool


@dataclass(frozen=True)
class Question:
    """One query with the top of its ranking.

    top     the first SHOWN items
    answer  the right item, None where it already stands in ``top``
    rank    of the right item, 0 where it was not found
    """

    text: str
    rank: int
    top: tuple[Picture, ...]
    answer: Picture | None


@dataclass(frozen=True)
class Album:
    """The examples of one cell; ``stored`` counts those that the store holds."""

    modality: str
    seed: int
    depth: int
    right: tuple[Question, ...]
    wrong: tuple[Question, ...]
    stored: int

    @property
    def shown(self) -> int:
        return len(self.right) + len(self.wrong)


def inliner(folder: Path) -> Inline:
    """A function from a thumbnail's file name to its data URI, or to "" where there is none.

    The name comes from a stored file: only a plain name in ``folder`` that holds a JPEG is read.
    """

    @cache
    def inline(name: str) -> str:
        if not name or name != PurePath(name).name or "\0" in name:
            return ""
        try:
            content = (folder / name).read_bytes()
        except OSError:
            return ""
        if not content.startswith(JPEG_START):
            return ""
        return "data:image/jpeg;base64," + base64.b64encode(content).decode("ascii")

    return inline


def album(cell: Cell, examples: Sequence[Example], most: int, inline: Inline) -> Album:
    """At most ``most`` questions answered right at rank 1 and ``most`` answered wrong."""
    right = [example for example in examples if example.rank == 1]
    wrong = [example for example in examples if example.rank != 1]
    return Album(
        modality=cell.modality,
        seed=cell.spec.seed,
        depth=cell.spec.k,
        right=tuple(_question(example, inline) for example in right[:most]),
        wrong=tuple(_question(example, inline) for example in wrong[:most]),
        stored=len(examples),
    )


def _question(example: Example, inline: Inline) -> Question:
    top = example.top[:SHOWN]
    return Question(
        text=example.text,
        rank=example.rank,
        top=tuple(_picture(hit, place, inline) for place, hit in enumerate(top, start=1)),
        answer=None
        if any(hit.right for hit in top)
        else _picture(example.answer, example.rank, inline),
    )


def _picture(hit: Hit, place: int, inline: Inline) -> Picture:
    return Picture(hit.item, inline(hit.thumbnail), place, hit.right)
