"""Tuned indexes kept on disk: built once for the same vectors, and never trusted unseen."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from datasets.candidates.drawn import Say
from datasets.candidates.folder_lock import alone
from retrievers.base import FloatArray
from retrievers.indexes.approximate import ApproximateIndex, Kind, factory, training_rows
from retrievers.indexes.exact import nearest
from retrievers.indexes.faiss_package import import_faiss
from retrievers.indexes.tuning import DEPTH, TARGET, Point, Tuned, tune
from retrievers.indexes.vectors import Vectors

_LOG = logging.getLogger(__name__)
# Raised where what is written changes its meaning.
_FORMAT = 1
_LOOKED_AT = 256


class Gallery(Vectors, Protocol):
    """Vectors that can also be asked for, as ``datasets.candidates.CandidateSet``."""

    @property
    def vectors(self) -> FloatArray:
        """[count, dim], mapped."""
        ...

    def queries(self, count: int) -> FloatArray:
        """[count, dim]"""
        ...


@dataclass(frozen=True)
class Kept:
    """A tuned index, and the seconds that each phase took here."""

    index: ApproximateIndex
    tuned: Tuned
    seconds: Mapping[str, float]


def tuned_index(
    kind: Kind,
    gallery: Gallery,
    cache: Path,
    threads: int | None = None,
    seed: int = 0,
    target: float = TARGET,
    queries: int = 1000,
    say: Say | None = None,
) -> Kept:
    """The index of a gallery, tuned on half of its ``queries``; from ``cache`` where it is there.

    An index is known by its kind, its seed, FAISS's version and 256 of its vectors, and what it
    was tuned to also by the threads, the target and the number of queries. A file that is not
    what was written is told of in the log and made anew. Of two processes that want the same,
    one builds and the other waits.

    Raises ValueError and RuntimeError as ``ApproximateIndex`` does.
    """
    index = ApproximateIndex(kind, threads, seed)
    folder = cache / "indexes" / _digest(_described(kind, gallery, seed))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"tuned-{_digest({'threads': threads, 'to': target, 'by': queries})}.json"
    seconds: dict[str, float] = {}
    with alone(folder):
        started = time.perf_counter()
        kept = _read_index(index, folder)
        if not kept:
            index.build_from(gallery, say)
            _write_index(index, folder)
        seconds["index (kept)" if kept else "index"] = time.perf_counter() - started
        started = time.perf_counter()
        tuned = _read_tuned(path) if kept else None
        seconds["tuning (kept)" if tuned else "tuning"] = 0.0
        if tuned is None:
            tuned = _tuned(index, gallery, queries, target, say)
            _write_json(path, asdict(tuned))
            seconds["tuning"] = time.perf_counter() - started
    index.effort = tuned.effort
    return Kept(index, tuned, seconds)


def _described(kind: Kind, gallery: Gallery, seed: int) -> Mapping[str, Any]:
    step = max(1, gallery.count // _LOOKED_AT)
    some = np.ascontiguousarray(gallery.vectors[::step], np.float32)
    return {
        "format": _FORMAT,
        "faiss": str(import_faiss().__version__),
        "index": factory(kind, gallery.count, gallery.dim),
        "trained on": training_rows(gallery.count),
        "count": gallery.count,
        "seed": seed,
        "vectors": hashlib.blake2b(some.tobytes(), digest_size=16).hexdigest(),
    }


def _tuned(
    index: ApproximateIndex, gallery: Gallery, queries: int, target: float, say: Say | None
) -> Tuned:
    asked = gallery.queries(queries)
    if say is not None:
        say("exact search to tune by", 0, queries)
    exact = nearest(gallery, asked, DEPTH).ids
    if say is not None:
        say("tuning the index", 0, queries)
    return tune(index, asked, exact, target)


def _read_index(index: ApproximateIndex, folder: Path) -> bool:
    """Whether it was there, whole."""
    path, told = folder / "index.faiss", folder / "index.json"
    if not told.exists():
        return False
    try:
        if json.loads(told.read_text("utf-8")) != {"blake2b": _file_digest(path)}:
            raise ValueError("it is not what was written")
        index.read(path)
    except (OSError, ValueError) as error:
        _LOG.warning("The kept index %s cannot be used (%s) and is built anew.", path, error)
        return False
    return True


def _write_index(index: ApproximateIndex, folder: Path) -> None:
    path, told = folder / "index.faiss", folder / "index.json"
    told.unlink(missing_ok=True)
    path.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    if free < index.bytes:
        _LOG.warning(
            "The index is not kept: it needs %.1f GB and the disk of %s has %.1f GB free.",
            index.bytes / 1e9,
            folder,
            free / 1e9,
        )
        return
    index.write(path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    _write_json(told, {"blake2b": _file_digest(path)})


def _read_tuned(path: Path) -> Tuned | None:
    if not path.exists():
        return None
    try:
        told = json.loads(path.read_text("utf-8"))
        curve = tuple(Point(**point) for point in told.pop("curve"))
        tuned = Tuned(**told, curve=curve)
        if tuned.effort not in [point.effort for point in curve]:
            raise ValueError(f"the effort {tuned.effort} was never tried")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        _LOG.warning("The kept tuning %s cannot be used (%s) and is done anew.", path, error)
        return None
    return tuned


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    part = path.with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    part.replace(path)


def _digest(content: Mapping[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=12).hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()
