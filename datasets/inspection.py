"""Compare what the user's files hold with what the protocol of a dataset states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from datasets import loading, manifest, registry
from datasets.annotations import Annotated, count
from datasets.assemble import Labels, dataset_of, media_of
from datasets.base import DatasetError, Gap
from datasets.files import has_media
from datasets.protocol_card import SPLITS, Counts, Protocol, achieved
from datasets.twins.drawn import twin_folder
from datasets.verify import verify

KINDS = ("items", "captions", "queries")


@dataclass(frozen=True)
class Found:
    """Annotations that were read, from a folder or a manifest.

    source  how to get what is missing, in a sentence; empty for the user's own data
    """

    labels: Labels
    place: Path
    annotated: Annotated
    source: str = ""


@dataclass(frozen=True)
class Media:
    """The verdict on the media files.

    usable    split -> items whose file decodes
    gaps      every file that is missing or damaged
    protocol  its name for what can be used; None where nothing is left to search
    notes     what a reader of results on these files will see
    """

    usable: Mapping[str, int]
    gaps: tuple[Gap, ...]
    protocol: str | None
    notes: tuple[str, ...]

    @property
    def whole(self) -> bool:
        return not self.gaps and self.protocol is not None

    @property
    def missing(self) -> int:
        return sum(gap.missing for gap in self.gaps)

    @property
    def damaged(self) -> int:
        return len(self.gaps) - self.missing


@dataclass(frozen=True)
class Inspection:
    """What was found beside what is stated.

    stated    the protocol that the annotations are held against
    splits    split -> what the annotation files list
    protocol  its name for what they list
    media     None where media were not looked at
    """

    name: str
    place: Path
    source: str
    stated: Protocol
    splits: Mapping[str, Counts]
    protocol: str
    notes: tuple[str, ...]
    media: Media | None = None

    def due(self, split: str, kind: str) -> int | None:
        """How many items, captions or queries are stated; None where nothing is."""
        figure: int | None = getattr(self.stated.splits.get(split, Counts()), kind)
        return figure

    def here(self, split: str, kind: str) -> int | None:
        """How many were found; None where they are not counted."""
        figure: int | None = getattr(self.splits[split], kind)
        return figure

    @property
    def differing(self) -> int:
        """How many of the stated counts are not what was found."""
        return sum(
            self.due(split, kind) not in (None, self.here(split, kind))
            for split in SPLITS
            for kind in KINDS
        )

    @property
    def whole(self) -> bool:
        """Whether every stated count is met and every media file that was looked at decodes."""
        return not self.differing and (self.media is None or self.media.whole)


def find(name: str, *, root: Path | None, cache: Path) -> Found:
    """Read the annotations of a dataset, whether its media are there or not.

    A folder that holds media goes before one with annotations alone. A twin that is not under
    ``root`` is drawn under ``cache``. Raises DatasetError where there are no annotations.
    """
    known, about = registry.entry(name), registry.card(name)
    folder = None if root is None else _annotated_folder(name, root)
    if folder is not None:
        annotated = loading.read_found(name, folder)
    elif known.maker is not None:
        folder = twin_folder(known.name, known.maker, cache=cache)
        annotated = loading.loader_of(known).read(folder, about)
    else:
        raise DatasetError(loading.locate(name, root).sentence)
    source = f"Delete {folder} and have it drawn anew." if known.synthetic else about.source
    return Found(loading.labels_of(about), folder, annotated, source)


def find_manifest(path: Path) -> Found:
    """Read a user's own data. Raises DatasetError, naming the line."""
    annotated = manifest.parse(path)
    return Found(loading.manifest_labels(path, annotated), path, annotated)


def inspect(found: Found, media: Media | None = None) -> Inspection:
    """Hold the annotations, and the media where they were looked at, against the protocol."""
    annotated = found.annotated
    splits = count(annotated.items, annotated.protocol.max_captions_per_item)
    protocol, gaps = achieved(annotated.protocol, splits)
    return Inspection(
        found.labels.name,
        found.place,
        found.source,
        annotated.protocol,
        splits,
        protocol,
        media.notes if media is not None and media.protocol else (*annotated.notes, *gaps),
        media,
    )


def inspect_media(found: Found, *, cache: Path, workers: int | None = None) -> Media:
    """Decode every media file, with a progress bar; see ``datasets.verify``."""
    name, annotated = found.labels.name, found.annotated
    verified = verify(media_of(annotated), cache=cache, workers=workers, label=name)
    kept = [item for item in annotated.items if item.id in verified.digests]
    usable = {split: sum(item.split == split for item in kept) for split in SPLITS}
    cap = annotated.protocol.max_captions_per_item
    if not count(kept, cap)["test"].queries:
        return Media(usable, verified.gaps, None, ())
    dataset = dataset_of(annotated, found.labels, verified)
    return Media(usable, verified.gaps, dataset.protocol, dataset.notes)


def to_json(inspection: Inspection) -> dict[str, Any]:
    """The inspection in plain values: every count with the stated one, every problem."""
    media = inspection.media
    return {
        "dataset": inspection.name,
        "place": str(inspection.place),
        "stated_protocol": inspection.stated.name,
        "protocol": media.protocol if media is not None else inspection.protocol,
        "whole": inspection.whole,
        "splits": {
            split: {
                kind: {"found": inspection.here(split, kind), "stated": due}
                for kind in KINDS
                if (due := inspection.due(split, kind)) is not None
                or inspection.here(split, kind) is not None
            }
            for split in SPLITS
        },
        "media": None
        if media is None
        else {
            "usable": dict(media.usable),
            "missing": media.missing,
            "damaged": media.damaged,
            "problems": [_plain(gap) for gap in media.gaps],
        },
        "notes": list(inspection.notes),
    }


def _plain(gap: Gap) -> dict[str, Any]:
    return {**asdict(gap), "path": str(gap.path)}


def _annotated_folder(name: str, root: Path) -> Path | None:
    known, about = registry.entry(name), registry.card(name)
    folders = [folder for folder, _ in loading.annotated_folders(known, about, root)]
    with_media = [folder for folder in folders if has_media(folder, about.media)]
    return next(iter(with_media or folders), None)
