"""Make a twin of any size to be kept, and say beforehand what that takes."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from datasets.base import DatasetError
from datasets.ordered_pool import default_workers
from datasets.registry import Entry
from datasets.twins.drawn import Maker, Size, maker_module, record, write_whole
from datasets.twins.parallel import IN_PROCESS

WARMING, SAMPLE = 8, 40


@dataclass(frozen=True)
class Estimate:
    """What a twin of ``items`` items will take, from the drawing of a few."""

    items: int
    bytes: float
    seconds: float


def make(twin: Entry, folder: Path, items: int, seed: int, *, workers: int | None = None) -> None:
    """Write a twin into ``folder``, whole or not at all.

    Raises DatasetError where the folder is in use, cannot be written, or the items are too few.
    """
    refuse_used(folder)
    maker = _maker(twin)

    def draw(draft: Path) -> None:
        maker.make(draft, items, seed, workers=workers)
        record(draft, Size(items, seed))

    try:
        write_whole(folder, draw)
    except OSError as error:
        raise DatasetError(f"{folder} cannot be written: {error.strerror or error}.") from error
    except ValueError as error:
        raise DatasetError(f"{twin.name} cannot be made: {error}.") from error


def refuse_used(folder: Path) -> None:
    """Raises DatasetError unless the folder is empty or not there."""
    try:
        used = folder.exists() and (not folder.is_dir() or any(folder.iterdir()))
    except OSError as error:
        raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from error
    if used:
        raise DatasetError(
            f"{folder} is there already and not empty. Move it away or name another --output."
        )


def estimate(twin: Entry, items: int, seed: int, *, workers: int | None = None) -> Estimate:
    """What a twin of this size takes, from drawing a few items and throwing them away.

    Raises DatasetError where the items are too few.
    """
    maker = _maker(twin)
    sample = min(items, SAMPLE)
    processes = (workers or default_workers()) if workers or items > IN_PROCESS else 1
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            # The first items also pay for fonts and codecs, which a whole twin pays for once.
            maker.make(folder / "first", min(sample, WARMING), seed)
            began = time.perf_counter()
            maker.make(folder / "sample", sample, seed)
        except ValueError as error:
            raise DatasetError(f"{twin.name} cannot be made: {error}.") from error
        seconds = time.perf_counter() - began
        size = sum(path.stat().st_size for path in (folder / "sample").rglob("*"))
    return Estimate(items, size * items / sample, seconds * items / sample / processes)


def _maker(twin: Entry) -> Maker:
    if twin.maker is None:
        raise TypeError(f"{twin.name} is no twin")
    return maker_module(twin.maker)
