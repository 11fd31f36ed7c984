"""Further items of a twin on disk: items of a gallery that answer no query, drawn once and kept.

They stand in one row, however many are asked for, so that a larger gallery holds every smaller one.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache as remembered
from functools import partial
from itertools import chain, islice
from pathlib import Path

from datasets.base import DatasetError, Item
from datasets.ordered_pool import default_workers
from datasets.registry import Entry
from datasets.registry import entry as entry_of
from datasets.twins.drawn import Size, code_of, maker_module
from datasets.twins.further_items import FAMILIES, Questions, spot_of
from datasets.twins.parallel import make_all, split_sizes

# Places that are drawn and kept together; a run that is stopped loses at most this many.
TOGETHER = 256
RECORD = "items.json"
FURTHER = "datasets.twins.further_items"
WARMING, SAMPLE = 4, 16
SECONDS_TO_START_WORKERS = 3.0


@dataclass(frozen=True)
class Distractors:
    """Further items of a twin, in the order of their places.

    refused  places passed over: all captions of some test item were true of what stands there
    true_of  caption of a test item, as ``words_of`` leaves it -> how many of these items, and of
             the other test items, it is true of
    """

    items: tuple[Item, ...]
    refused: int
    true_of: Mapping[str, int]


@dataclass(frozen=True)
class _Block:
    """What is kept of TOGETHER places: ``true`` are numbers of captions by place."""

    folder: Path
    true: Mapping[int, tuple[int, ...]]


def distractors(
    twin: Entry, size: Size, count: int, *, cache: Path, workers: int | None = None
) -> Distractors:
    """The first ``count`` further items of a twin, drawn in parallel where they are not there yet.

    They lie in ``cache/twins/<name>-<items>-<seed>-further-<code>``, TOGETHER places a folder.
    Raises DatasetError when the twin is too small for its splits.
    """
    asked = _questions(twin.name, size)
    blocks: list[_Block] = []
    while (there := sum(len(block.true) for block in blocks)) < count:
        more = -(-(count - there) // TOGETHER)
        blocks += _blocks(twin, size, range(len(blocks), len(blocks) + more), cache, workers)
    true = dict(islice(chain.from_iterable(block.true.items() for block in blocks), count))
    folder_of = {place: block.folder for block in blocks for place in block.true}
    return Distractors(
        tuple(
            Item(_name(place), twin.modality, folder_of[place] / _file(twin.name, place))
            for place in true
        ),
        refused=max(true, default=-1) + 1 - len(true),
        true_of=_true_of(asked, true.values()),
    )


def test_items(twin: Entry, size: Size) -> int:
    """How many test items a twin has. Raises DatasetError when it is too small for its splits."""
    return _questions(twin.name, size).items


def undrawn(twin: Entry, size: Size, count: int, *, cache: Path) -> int:
    """How many of the places of ``count`` items are still to be drawn, in whole blocks."""
    folder = _folder(twin, size, cache)
    blocks = -(-count // TOGETHER)
    return TOGETHER * sum(not (folder / _block_name(block)).is_dir() for block in range(blocks))


def seconds_to_draw(twin: Entry, size: Size, places: int, *, workers: int | None = None) -> float:
    """An estimate from drawing a few and throwing them away. Raises DatasetError as above."""
    with tempfile.TemporaryDirectory() as name:
        draw = partial(_draw, twin.name, size)
        for place in range(WARMING):
            draw((Path(name), place))
        began = time.perf_counter()
        for place in range(WARMING, WARMING + SAMPLE):
            draw((Path(name), place))
        each = (time.perf_counter() - began) / SAMPLE
    return SECONDS_TO_START_WORKERS + each * places / (workers or default_workers())


def _blocks(
    twin: Entry, size: Size, numbers: Sequence[int], cache: Path, workers: int | None
) -> list[_Block]:
    folder = _folder(twin, size, cache)
    folder.mkdir(parents=True, exist_ok=True)
    missing = [number for number in numbers if not (folder / _block_name(number)).is_dir()]
    if missing:
        _draw_blocks(twin, size, missing, folder, workers)
    return [_read(folder / _block_name(number)) for number in numbers]


def _draw_blocks(
    twin: Entry, size: Size, numbers: Sequence[int], folder: Path, workers: int | None
) -> None:
    """Draw blocks into hidden folders and name each as it is whole."""
    with tempfile.TemporaryDirectory(prefix=".drawing-", dir=folder) as name:
        drafts = [Path(name) / _block_name(number) for number in numbers]
        for draft in drafts:
            draft.mkdir()
        jobs = [
            (draft, place)
            for draft, number in zip(drafts, numbers, strict=True)
            for place in range(number * TOGETHER, (number + 1) * TOGETHER)
        ]
        made = make_all(
            partial(_draw, twin.name, size),
            jobs,
            label=f"further items of {twin.name}",
            workers=workers or default_workers(),
        )
        for draft in drafts:
            found = list(islice(made, TOGETHER))
            kept = [[place, list(true)] for place, true in found if true is not None]
            (draft / RECORD).write_text(json.dumps(kept), encoding="utf-8")
            _put(draft, folder / draft.name)


def _put(draft: Path, folder: Path) -> None:
    try:
        draft.rename(folder)
    except OSError:
        # Another process may have drawn the same meanwhile; it is as good as ours.
        if not folder.is_dir():
            raise
        shutil.rmtree(draft)


def _read(folder: Path) -> _Block:
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return _Block(folder, {int(place): tuple(map(int, true)) for place, true in found})
    except (OSError, ValueError, TypeError) as problem:
        raise DatasetError(
            f"{folder} does not hold what was drawn there ({problem}). Delete the folder and run "
            "again to have it drawn anew."
        ) from problem


def _draw(twin: str, size: Size, job: tuple[Path, int]) -> tuple[int, tuple[int, ...] | None]:
    """Draw what stands at a place, unless it is as right an answer as some test item.

    Returns the place and the numbers of the captions that are true of it, None where it is not
    drawn.
    """
    folder, place = job
    family, asked = FAMILIES[twin], _questions(twin, size)
    spot = spot_of(twin, size.seed, place)
    content = family.draw(spot)
    true = asked.true_of(content)
    if asked.as_right_as_an_item(true):
        return place, None
    family.write(folder / _file(twin, place), spot, content)
    return place, tuple(sorted(true))


@remembered
def _questions(twin: str, size: Size) -> Questions:
    """What the twin of that size and seed asks. Raises DatasetError for too few items."""
    maker = maker_module(_maker(twin))
    *_, test = maker.SHARES
    try:
        places = range(split_sizes(size.items, maker.SHARES)[test])
    except ValueError as error:
        raise DatasetError(f"{twin} cannot be drawn: {error}.") from error
    return Questions(FAMILIES[twin], [maker.example(size.seed, test, place) for place in places])


def _true_of(asked: Questions, among_distractors: Iterable[Sequence[int]]) -> Mapping[str, int]:
    found = asked.true_of_other_items()
    for true in among_distractors:
        found.update(true)
    return {text: found[number] for number, text in enumerate(asked.texts)}


def _maker(twin: str) -> str:
    maker = entry_of(twin).maker
    if maker is None:
        raise TypeError(f"{twin} is no twin")
    return maker


def _folder(twin: Entry, size: Size, cache: Path) -> Path:
    code = code_of(_maker(twin.name), FURTHER)
    return cache / "twins" / f"{twin.name}-{size.items}-{size.seed}-further-{code}"


def _block_name(number: int) -> str:
    return f"{number:05d}"


def _name(place: int) -> str:
    return f"further-{place:07d}"


def _file(twin: str, place: int) -> str:
    return f"{_name(place)}{FAMILIES[twin].suffix}"
