"""Vectors or scores that another program made: read from a folder, and checked.

A folder holds one of

- ``items.npy`` [items, dim] and ``queries.npy`` [queries, dim], beside ``items.csv`` with a column
  ``id`` and ``queries.csv`` with a column ``text``, a line a row;
- ``items.parquet`` (``id``, ``vector``) and ``queries.parquet`` (``text``, ``vector``);
- ``scores.npy`` [queries, items], the higher the better, beside the same two CSV files.

``python -m datasets questions NAME`` writes the two CSV files of a dataset. A query is known by
its text. Nothing is unpickled.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from retrievers.base import FloatArray

_CHUNK = 1 << 22
_ROWS = 8192
# Half-precision vectors of length 1 are off by less.
_UNIT_TOLERANCE = 1e-2
_NAMED = 3


class ImportProblem(Exception):
    """Imported results that cannot be used; the message says what to mend."""


@dataclass(frozen=True)
class NamedVectors:
    """Unit vectors [names, dim]; names are the ids of items or the texts of queries."""

    names: tuple[str, ...]
    vectors: FloatArray


@dataclass(frozen=True)
class ImportedVectors:
    """Items and queries in one space, compared by cosine."""

    items: NamedVectors
    queries: NamedVectors


@dataclass(frozen=True)
class ImportedScores:
    """``scores`` [queries, items] of every text for every item, the higher the better."""

    items: tuple[str, ...]
    queries: tuple[str, ...]
    scores: FloatArray


def read_import(folder: Path) -> ImportedVectors | ImportedScores:
    """What a folder holds, every number looked at. Raises ImportProblem."""
    first = import_files(folder)[0]
    if first.name == "scores.npy":
        return _scores(folder)
    named = _from_parquet if first.suffix == ".parquet" else _from_array
    vectors = ImportedVectors(named(folder, "items", "id"), named(folder, "queries", "text"))
    item_dim, query_dim = vectors.items.vectors.shape[1], vectors.queries.vectors.shape[1]
    if item_dim != query_dim:
        raise ImportProblem(
            f"{folder}: the items have {item_dim} dimensions and the queries {query_dim}; "
            "they must be of one space"
        )
    return vectors


def import_digest(folder: Path) -> str:
    """32 hexadecimal digits over the files that ``read_import`` may read."""
    digest = hashlib.blake2b(digest_size=16)
    for path in import_files(folder):
        digest.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    return digest.hexdigest()


def import_files(folder: Path) -> list[Path]:
    """The files of an import that are there. Raises ImportProblem where they are not enough."""
    if not folder.is_dir():
        raise ImportProblem(f"There is no folder {str(folder)!r} of imported results")
    lists = [folder / "items.csv", folder / "queries.csv"]
    forms = (
        [folder / "scores.npy", *lists],
        [folder / "items.npy", folder / "queries.npy", *lists],
        [folder / "items.parquet", folder / "queries.parquet"],
    )
    for form in forms:
        if all(path.is_file() for path in form):
            return form
    told = "; or ".join(", ".join(path.name for path in form) for form in forms)
    raise ImportProblem(f"{folder} must hold {told}")


def _from_array(folder: Path, kind: str, column: str) -> NamedVectors:
    names = _column(folder / f"{kind}.csv", column)
    path = folder / f"{kind}.npy"
    vectors = _array(path)
    if len(names) != len(vectors):
        raise ImportProblem(
            f"{folder / f'{kind}.csv'} lists {len(names)} and {path.name} holds {len(vectors)} "
            "rows; they must be the same, in the same order"
        )
    return _unit(_distinct(NamedVectors(names, vectors), path), path)


def _scores(folder: Path) -> ImportedScores:
    items, queries = _column(folder / "items.csv", "id"), _column(folder / "queries.csv", "text")
    path = folder / "scores.npy"
    scores = _array(path)
    if scores.shape != (len(queries), len(items)):
        raise ImportProblem(
            f"{path} has shape {scores.shape}, but there are {len(queries)} queries "
            f"and {len(items)} items: it must be [queries, items]"
        )
    _check_finite(scores, path)
    _check_no_twice(items, folder / "items.csv")
    by_text = _distinct(NamedVectors(queries, scores), path)
    return ImportedScores(items, by_text.names, by_text.vectors)


def _column(path: Path, column: str) -> tuple[str, ...]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            if column not in (lines.fieldnames or ()):
                raise ImportProblem(f"{path}: the first line names no column {column!r}")
            return tuple(line[column] or "" for line in lines)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ImportProblem(f"{path} cannot be read: {error}") from error


def _array(path: Path) -> FloatArray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ImportProblem(f"{path} is not an array of numbers: {error}") from error
    if array.ndim != 2 or array.dtype.kind != "f":
        raise ImportProblem(
            f"{path} holds {array.dtype} of shape {array.shape}; it must be floating-point numbers "
            "in rows and columns"
        )
    return np.asarray(array, np.float32)


def _from_parquet(folder: Path, kind: str, column: str) -> NamedVectors:
    path = folder / f"{kind}.parquet"
    try:
        table = pq.read_table(path, columns=[column, "vector"])
    except (OSError, pa.ArrowException, KeyError) as error:
        raise ImportProblem(f"{path} cannot be read: {error}") from error
    vectors = table.column("vector").combine_chunks()
    held = vectors.type
    if not (pa.types.is_list(held) or pa.types.is_fixed_size_list(held)):
        raise ImportProblem(f"{path}: the column 'vector' must hold lists of numbers, not {held}")
    if (
        not pa.types.is_floating(held.value_type)
        or vectors.null_count
        or vectors.flatten().null_count
    ):
        raise ImportProblem(f"{path}: a vector is missing, or holds something else than numbers")
    dims = set(vectors.value_lengths().to_pylist())
    if len(dims) > 1:
        raise ImportProblem(f"{path}: the vectors have {min(dims)} to {max(dims)} dimensions")
    flat = vectors.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    names = tuple(map(str, table.column(column).to_pylist()))
    return _unit(_distinct(NamedVectors(names, flat.reshape(len(names), -1)), path), path)


def _distinct(found: NamedVectors, path: Path) -> NamedVectors:
    """Each name once; a text that is asked twice may stand twice, with the same numbers."""
    first: dict[str, int] = {}
    for row, name in enumerate(found.names):
        known = first.setdefault(name, row)
        if known != row and not np.array_equal(found.vectors[known], found.vectors[row]):
            raise ImportProblem(f"{path}: {name!r} stands twice, with different numbers")
    if len(first) == len(found.names):
        return found
    return NamedVectors(tuple(first), found.vectors[list(first.values())])


def _check_no_twice(names: Sequence[str], path: Path) -> None:
    if len(set(names)) < len(names):
        raise ImportProblem(f"{path} lists an id twice")


def _unit(found: NamedVectors, path: Path) -> NamedVectors:
    """The vectors at length 1 exactly. Raises ImportProblem where they were not nearly so."""
    _check_finite(found.vectors, path)
    lengths = np.linalg.norm(found.vectors, axis=1)
    if len(lengths) and float(np.abs(lengths - 1).max()) > _UNIT_TOLERANCE:
        raise ImportProblem(
            f"{path}: the vectors have lengths from {lengths.min():.3g} to {lengths.max():.3g}. "
            "They are compared by cosine: normalise them, or give scores.npy if another "
            "similarity is meant"
        )
    return NamedVectors(found.names, found.vectors / lengths[:, None])


def _check_finite(array: npt.NDArray[np.float32], path: Path) -> None:
    for start in range(0, len(array), _ROWS):
        bad = np.argwhere(~np.isfinite(array[start : start + _ROWS]))
        if len(bad):
            raise ImportProblem(
                f"{path}: row {start + int(bad[0, 0])} holds a number that is not finite"
            )


def missing_sentence(folder: str, what: str, absent: Sequence[str], asked: int) -> str:
    """That an import lacks some of what is asked."""
    shown = ", ".join(repr(one[:80]) for one in absent[:_NAMED])
    return (
        f"{folder} holds nothing for {len(absent)} of {asked} {what}, e.g. {shown}. "
        "Write the lists anew with: python -m datasets questions NAME"
    )
