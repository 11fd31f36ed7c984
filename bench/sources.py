"""Where a dataset comes from, in plain data that a second process can load again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import larger_gallery, loading, registry
from datasets.assemble import unseen
from datasets.base import Dataset, DatasetError
from datasets.inspection import find, find_manifest
from datasets.larger_gallery import FULL, GallerySize


@dataclass(frozen=True)
class DatasetSource:
    """A registered dataset, or the user's own where ``manifest`` is given.

    annotations_only  no media file is looked for
    gallery      items that are searched, those beside the test items being distractors; FULL for
                 the whole corpus, None for the test items alone
    distractors  manifest of the items that fill up the gallery; None for further items of a twin
    """

    name: str
    cache: Path
    root: Path | None = None
    manifest: Path | None = None
    skip_bad: bool = False
    workers: int | None = None
    annotations_only: bool = False
    gallery: GallerySize | None = None
    distractors: Path | None = None

    def words(self) -> list[str]:
        """The options of a command line that name the data."""
        if self.manifest is not None:
            return ["--manifest", str(self.manifest)]
        root = ["--data-root", str(self.root)] if self.root else []
        return ["--dataset", self.name, *root]

    def load(self) -> Dataset:
        """Raises DatasetError."""
        dataset = self._test_items_alone()
        if self.gallery is None:
            return dataset
        if isinstance(self.gallery, str):
            return larger_gallery.full_corpus(dataset)
        if self.distractors is not None:
            return larger_gallery.filled_from_manifest(
                dataset,
                self.gallery,
                self.distractors,
                cache=self.cache,
                workers=self.workers,
            )
        if self.manifest is not None:
            raise DatasetError(
                f"{self.manifest} is of your own, so there are no further items to draw. Search "
                f"its whole corpus with --gallery {FULL}, or fill the gallery with --distractors "
                "MANIFEST."
            )
        return larger_gallery.filled_from_twin(
            dataset, self.gallery, root=self.root, cache=self.cache, workers=self.workers
        )

    def drawing_ahead(self) -> tuple[int, float]:
        """How many further items of a twin are drawn when it is loaded, and about how many seconds
        that takes: 0 and 0.0 where none are.

        Raises DatasetError.
        """
        of_twin = self.manifest is None and registry.entry(self.name).synthetic
        if not of_twin or not isinstance(self.gallery, int) or self.distractors is not None:
            return 0, 0.0
        return larger_gallery.drawing_ahead(
            self.name, self.gallery, root=self.root, cache=self.cache, workers=self.workers
        )

    def _test_items_alone(self) -> Dataset:
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
    paths = {
        name: found[name] and Path(found[name])
        for name in ("cache", "root", "manifest", "distractors")
    }
    return DatasetSource(**{**found, **paths})
