"""Rows measured on vectors or scores that were made elsewhere, under the harness's protocol."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from datasets.base import Item, Pairs
from retrievers.base import (
    Availability,
    Cost,
    FloatArray,
    IndexStats,
    IntArray,
    Ranking,
    Retriever,
    RetrieverSpec,
    Settings,
    WeightsAbsent,
    check_depth,
    unfilled,
)
from retrievers.entry import Entry
from retrievers.import_files import (
    ImportedScores,
    ImportedVectors,
    ImportProblem,
    NamedVectors,
    import_digest,
    import_files,
    missing_sentence,
    read_import,
)

# What stands behind a row's name where its results are imported: clip@imported.
MARK = "@imported"
ROLE = "imported"
ROLES = {ROLE: "folder with items and queries as vectors or scores (see python -m datasets)"}


@dataclass(frozen=True)
class Imported:
    """The adapter of a row whose vectors or scores are read from a folder."""

    entry: Entry

    def availability(self, settings: Settings) -> Availability:
        source = settings.checkpoint.get(ROLE)
        if not source:
            return Availability(False, "Name the folder: --imported NAME=FOLDER.")
        try:
            import_files(Path(source).expanduser())
        except ImportProblem as problem:
            return Availability(False, f"{problem}.")
        return Availability(True, f"The results are read from {source}.")

    def describe(self, settings: Settings) -> RetrieverSpec:
        """Raises WeightsAbsent, ImportProblem."""
        folder = self._folder(settings)
        scored = import_files(folder)[0].name == "scores.npy"
        return RetrieverSpec(
            name=self.entry.name.removesuffix(MARK),
            paradigm=self.entry.paradigm,
            modalities=self.entry.modalities,
            weights="imported",
            licence=self.entry.licence,
            checkpoint={ROLE: str(folder)},
            revision={ROLE: import_digest(folder)},
            options={"scores": "imported" if scored else "cosine of imported vectors"},
        )

    def build(self, settings: Settings) -> Retriever:
        """Raises WeightsAbsent, ImportProblem."""
        from functools import partial

        from retrievers.dual_tower import DualTower
        from retrievers.indexes import TorchExact

        folder, spec = self._folder(settings), self.describe(settings)
        found = read_import(folder)
        if isinstance(found, ImportedScores):
            return ScoreMatrix(spec, found, str(folder))
        encoder = ImportedEncoder(found, str(folder), spec.revision[ROLE])
        return DualTower(spec, encoder, partial(TorchExact, settings.device))

    def tiny(self, seed: int) -> Retriever:
        """Raises WeightsAbsent: there is no model here."""
        raise WeightsAbsent("Imported results have no tiny form.")

    def _folder(self, settings: Settings) -> Path:
        source = settings.checkpoint.get(ROLE)
        if not source:
            raise WeightsAbsent("Name the folder of results: --imported NAME=FOLDER.")
        return Path(source).expanduser()


class ImportedEncoder:
    """An encoder that knows the vectors it was given and no others."""

    def __init__(self, found: ImportedVectors, source: str, fingerprint: str) -> None:
        self._items = _Lookup(found.items, source, "items")
        self._texts = _Lookup(found.queries, source, "queries")
        self._dim = int(found.items.vectors.shape[1])
        self.fingerprint = f"imported-{fingerprint}"

    @property
    def dim(self) -> int:
        return self._dim

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def encode_items(self, items: Sequence[Item]) -> FloatArray:
        """[items, dim]. Raises ImportProblem where one was not imported."""
        return self._items.of([item.id for item in items])

    def encode_texts(self, texts: Sequence[str]) -> FloatArray:
        """[texts, dim]. Raises ImportProblem where one was not imported."""
        return self._texts.of(texts)

    def save(self, folder: Path) -> None:
        """Write which import this is; the vectors stay where they are."""
        (folder / "imported.json").write_text(json.dumps(self.fingerprint), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Raises ValueError where another import wrote ``folder``."""
        theirs = json.loads((folder / "imported.json").read_text(encoding="utf-8"))
        if theirs != self.fingerprint:
            raise ValueError(f"{folder} is of {theirs}, this is {self.fingerprint}")


class ScoreMatrix:
    """Ranks by the scores that it was given."""

    def __init__(self, spec: RetrieverSpec, found: ImportedScores, source: str) -> None:
        self._spec = spec
        self._source = source
        self._scores = found.scores
        self._column = {name: column for column, name in enumerate(found.items)}
        self._row = {name: row for row, name in enumerate(found.queries)}
        self._gallery: IntArray | None = None
        self._texts: IntArray | None = None

    @property
    def spec(self) -> RetrieverSpec:
        return self._spec

    def fit(self, train: Pairs, validation: Pairs) -> Mapping[str, float]:
        return {}

    def index(self, items: Sequence[Item]) -> IndexStats:
        """Replace the gallery. Raises ImportProblem where an item was not imported."""
        started = time.perf_counter()
        self._gallery = self._columns(items)
        return IndexStats({"look up": time.perf_counter() - started}, int(self._scores.nbytes))

    def search(self, queries: Sequence[str], k: int) -> Ranking:
        """Rank the gallery. Raises ValueError, and ImportProblem for a text not imported."""
        check_depth(k)
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        return _top(self._scores[np.ix_(self._rows(queries), self._gallery)], k)

    def index_texts(self, texts: Sequence[str]) -> None:
        """Replace the texts that ``search_texts`` ranks."""
        self._texts = self._rows(texts)

    def search_texts(self, items: Sequence[Item], k: int) -> Ranking:
        """Rank the texts for each item by the same scores. Raises ValueError, ImportProblem."""
        check_depth(k)
        if self._texts is None:
            raise ValueError(f"{self._spec.name} has no texts: call index_texts first")
        return _top(self._scores[np.ix_(self._texts, self._columns(items))].T, k)

    def save(self, folder: Path) -> None:
        """Write the scores with their names, and the gallery."""
        if self._gallery is None:
            raise ValueError(f"{self._spec.name} has no gallery: call index first")
        folder.mkdir(parents=True, exist_ok=True)
        arrays = {"scores": np.ascontiguousarray(self._scores), "gallery": self._gallery}
        save_file(arrays, folder / "scores.safetensors")
        names = {"items": list(self._column), "queries": list(self._row)}
        (folder / "names.json").write_text(json.dumps(names), encoding="utf-8")

    def load(self, folder: Path) -> None:
        arrays = load_file(folder / "scores.safetensors")
        names = json.loads((folder / "names.json").read_text(encoding="utf-8"))
        self._scores, self._gallery, self._texts = arrays["scores"], arrays["gallery"], None
        self._column = {name: column for column, name in enumerate(names["items"])}
        self._row = {name: row for row, name in enumerate(names["queries"])}

    def _columns(self, items: Sequence[Item]) -> IntArray:
        return _places(self._column, [item.id for item in items], self._source, "items")

    def _rows(self, texts: Sequence[str]) -> IntArray:
        return _places(self._row, texts, self._source, "queries")


class _Lookup:
    """Vectors by name."""

    def __init__(self, found: NamedVectors, source: str, what: str) -> None:
        self._vectors = found.vectors
        self._place = {name: row for row, name in enumerate(found.names)}
        self._source, self._what = source, what

    def of(self, names: Sequence[str]) -> FloatArray:
        return self._vectors[_places(self._place, names, self._source, self._what)]


def known_as(name: str, base: Entry | None) -> Entry:
    """What is known of ``name@imported``: the row's own facts, or those of a system of the user's.

    base  None where no retriever is registered under the name
    """
    facts = base or Entry(
        name=name.removesuffix(MARK),
        target="",
        paradigm="dual tower",
        modalities=("image", "audio", "video"),
        summary="imported results",
        licence="not stated",
    )
    return replace(facts, name=name, target="", checkpoint_roles=ROLES, restriction="")


def _places(known: Mapping[str, int], names: Sequence[str], source: str, what: str) -> IntArray:
    absent = [name for name in names if name not in known]
    if absent:
        raise ImportProblem(missing_sentence(source, what, absent, len(names)))
    return np.array([known[name] for name in names], np.int64)


def _top(scores: FloatArray, k: int) -> Ranking:
    """The best ``k`` columns of scores [queries, items]; among equals the earlier comes first."""
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    ids, best = unfilled(len(scores), k)
    ids[:, : order.shape[1]] = order
    best[:, : order.shape[1]] = np.take_along_axis(scores, order, axis=1)
    return Ranking(ids, best, Cost())
