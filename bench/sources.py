"""Where a dataset comes from, in plain data that a second process can load again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import loading
from datasets.assemble import unseen
from datasets.base import Dataset
from datasets.inspection import find, find_manifest


@dataclass(frozen=True)
class DatasetSource:
    """A registered dataset, or the user's own where ``manifest`` is given.

    annotations_only  no media file is looked for
    """

    name: str
    cache: Path
    root: Path | None = None
    manifest: Path | None = None
    skip_bad: bool = False
    workers: int | None = None
    annotations_only: bool = False

    def load(self) -> Dataset:
        """Raises DatasetError."""
        if self.annotations_only:
            found = (
                find_manifest(self.manifest)
                if self.manifest is not None
                else find(self.name, root=self.root, cache=self.cache)
            )
            return unseen(found.annotated, found.labels)
        if self.manifest is not None:
            return loading.load_manifest(
                self.manifest, cache=self.cache, skip_bad=self.skip_bad, workers=self.workers
            )
        return loading.load(
            self.name,
            root=self.root,
            cache=self.cache,
            skip_bad=self.skip_bad,
            workers=self.workers,
        )


def source_to_json(source: DatasetSource) -> dict[str, Any]:
    return {name: str(v) if isinstance(v, Path) else v for name, v in asdict(source).items()}


def source_from_json(found: Mapping[str, Any]) -> DatasetSource:
    paths = {name: found[name] and Path(found[name]) for name in ("cache", "root", "manifest")}
    return DatasetSource(**{**found, **paths})
