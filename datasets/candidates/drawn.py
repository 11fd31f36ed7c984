"""Clustered unit vectors, streamed to disk, of which every smaller gallery is the beginning."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datasets.candidates import mixture as kind
from datasets.candidates.folder_lock import alone
from datasets.candidates.mixture import mixture

FloatArray = npt.NDArray[np.float32]

# Told (what is being done, done, total).
Say = Callable[[str, int, int], None]

# Rows that are drawn together: the unit in which a file grows.
BLOCK = 8192
_QUERY_BLOCK = 256


@dataclass(frozen=True)
class CandidateSet:
    """The first ``count`` drawn vectors of width ``dim`` (see ``mixture.Mixture``).

    path  file of float32 rows; it may hold more than ``count``
    """

    path: Path
    count: int
    dim: int
    seed: int

    @property
    def vectors(self) -> FloatArray:
        """[count, dim], unit rows, mapped from disk and not to be written."""
        return np.memmap(self.path, np.float32, "r", shape=(self.count, self.dim))

    def blocks(self, rows: int = 1 << 16) -> Iterator[FloatArray]:
        """The vectors in turn, at most ``rows`` at a time, read into memory."""
        with self.path.open("rb") as file:
            for start in range(0, self.count, rows):
                block = np.empty((min(rows, self.count - start), self.dim), np.float32)
                if file.readinto(block.data.cast("B")) < block.nbytes:
                    raise OSError(f"{self.path} was cut short while it was read; start again")
                yield block

    def queries(self, count: int) -> FloatArray:
        """[count, dim], unit rows of the same clusters that are no candidates.

        Each lies 40 degrees from a vector of the candidates' kind. Fewer queries are the
        beginning of more, whatever the number of candidates.
        """
        blocks = -(-count // _QUERY_BLOCK)
        source = mixture(self.dim, self.seed)
        drawn_blocks = [source.queries(block, _QUERY_BLOCK) for block in range(blocks)]
        return np.concatenate([np.empty((0, self.dim), np.float32), *drawn_blocks])[:count]


def drawn(cache: Path, count: int, dim: int, seed: int = 0, say: Say | None = None) -> CandidateSet:
    """The candidates, drawn where they are not yet under ``cache``.

    They lie in one file for each width and seed, which grows by whole blocks of 8,192 rows, each
    drawn from the seed and its own number: what was there stays as it was, a run that is killed
    goes on where it stopped, and a process waits for another that draws the same. In memory are
    a block and 20 MB of clusters. A million rows of 512 are 2 GB and take about 20 s.

    Raises ValueError for a size that cannot be, or where the folder holds something else, and
    OSError, before anything is drawn, where the disk has no room.
    """
    if count < 1 or dim < 2 or seed < 0:
        raise ValueError(
            f"{count} candidates of {dim} dimensions from seed {seed} cannot be drawn: give at "
            "least 1 candidate and 2 dimensions, and a seed of 0 or more"
        )
    folder = cache / "candidates" / f"dim-{dim}-seed-{seed}"
    path = folder / "vectors.f32"
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder):
        _describe(folder, dim, seed)
        _extend(path, -(-count // BLOCK), dim, seed, say)
    _check_rows(path, count, dim)
    return CandidateSet(path, count, dim, seed)


def _describe(folder: Path, dim: int, seed: int) -> None:
    """Write what the folder holds, or check it. Raises ValueError where it holds another."""
    told = {
        "what": "unit vectors, rows of float32 in the machine's order",
        "dim": dim,
        "seed": seed,
        "block": BLOCK,
        "latent": kind.LATENT,
        "clusters": [kind.THEMES, kind.CLUSTERS_A_THEME],
        "variance": [kind.BETWEEN_THEMES, kind.BETWEEN_CLUSTERS, kind.WITHIN],
        "decay": kind.DECAY,
        "noise": kind.NOISE,
    }
    path = folder / "candidates.json"
    if not path.exists() and not (folder / "vectors.f32").exists():
        part = path.with_suffix(".part")
        part.write_text(json.dumps(told, indent=1) + "\n", "utf-8")
        part.replace(path)
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} cannot be read ({error}): {_remove(folder)}") from error
    if found != told:
        raise ValueError(f"{path} tells of candidates of another kind: {_remove(folder)}")


def _extend(path: Path, blocks: int, dim: int, seed: int, say: Say | None) -> None:
    """Append the blocks that the file lacks."""
    size = BLOCK * dim * 4
    there = path.stat().st_size // size if path.exists() else 0
    if there >= blocks:
        return
    _check_room(path, (blocks - there) * size)
    source = mixture(dim, seed)
    with path.open("ab") as file:
        # What a killed process left of a block.
        file.truncate(there * size)
        for block in range(there, blocks):
            if say is not None:
                say("drawing candidates", block * BLOCK, blocks * BLOCK)
            file.write(source.candidates(block, BLOCK).data)
        file.flush()
        os.fsync(file.fileno())
    if say is not None:
        say("drawing candidates", blocks * BLOCK, blocks * BLOCK)


def _check_room(path: Path, size: int) -> None:
    free = shutil.disk_usage(path.parent).free
    if free < size:
        raise OSError(
            errno.ENOSPC,
            f"the candidates need {size / 1e9:.1f} GB more and the disk has {free / 1e9:.1f} GB "
            "free: make room, name a cache folder elsewhere, or ask for fewer candidates",
            str(path.parent),
        )


def _check_rows(path: Path, count: int, dim: int) -> None:
    """Raises ValueError where a block does not begin with a unit vector, as in a damaged file."""
    firsts = np.memmap(path, np.float32, "r", shape=(count, dim))[::BLOCK].astype(np.float64)
    wrong = np.flatnonzero(~(np.abs(np.einsum("ij,ij->i", firsts, firsts) - 1) < 1e-3))
    if len(wrong):
        raise ValueError(
            f"row {wrong[0] * BLOCK} of {path} is no unit vector: {_remove(path.parent)}"
        )


def _remove(folder: Path) -> str:
    return f"remove the folder {folder}, and the candidates are drawn anew"
