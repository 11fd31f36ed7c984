"""Decode every media file once, before hours are spent on a dataset with a bad file."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from datasets.base import Gap, Item
from datasets.media.files import MediaError, read_bytes
from datasets.media.images import decode_image, load_image
from datasets.ordered_pool import ordered_map
from datasets.verified_files import Stamp, VerifiedFiles

BATCH = 512


@dataclass(frozen=True)
class Verified:
    """The verdict on a dataset's media.

    digests  item id -> hash of the file's bytes, for every item that can be decoded
    gaps     the others, in the order of the items
    """

    digests: Mapping[str, str]
    gaps: tuple[Gap, ...]


@dataclass(frozen=True)
class _Verdict:
    item: Item
    stamp: Stamp | None
    digest: str
    reason: str
    missing: bool = False


def verify(
    items: Sequence[Item], *, cache: Path, workers: int | None = None, label: str = "media"
) -> Verified:
    """Decode every item whole in ``workers`` threads, with a progress bar.

    Files that decoded are remembered under ``cache / "verified"`` and are not decoded again
    while they keep path, size and time of change. A run that is stopped keeps what it did.
    """
    digests: dict[str, str] = {}
    gaps: list[Gap] = []
    with closing(VerifiedFiles(cache / "verified")) as known:
        fresh = []
        for item in items:
            digest = _known_digest(item, known)
            if digest is None:
                fresh.append(item)
            else:
                digests[item.id] = digest
        for verdict in _judge(fresh, known, workers, label):
            if verdict.reason:
                path = Path(str(verdict.item.media))
                gaps.append(Gap(verdict.item.id, path, verdict.reason, verdict.missing))
            else:
                digests[verdict.item.id] = verdict.digest
    return Verified(digests, tuple(gaps))


def _known_digest(item: Item, known: VerifiedFiles) -> str | None:
    if not isinstance(item.media, Path):
        return None
    try:
        return known.get(Stamp.of(item.media))
    except (OSError, ValueError):
        return None


def _judge(
    items: Sequence[Item], known: VerifiedFiles, workers: int | None, label: str
) -> Iterator[_Verdict]:
    if not items:
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    decoded: list[tuple[Stamp, str]] = []
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(f"Verifying {label}", total=len(items))
        try:
            for verdict in ordered_map(_verdict, items, workers):
                bar.advance(task)
                if verdict.stamp is not None and verdict.digest:
                    decoded.append((verdict.stamp, verdict.digest))
                if len(decoded) >= BATCH:
                    known.add(decoded)
                    decoded.clear()
                yield verdict
        finally:
            known.add(decoded)


def _verdict(item: Item) -> _Verdict:
    try:
        if not isinstance(item.media, Path):
            pixels = load_image(item)
            return _Verdict(item, None, _hash(f"{pixels.shape}".encode() + pixels.tobytes()), "")
        stamp = Stamp.of(item.media) if item.media.is_file() else None
        content = read_bytes(item)
        decode_image(item, content)
        return _Verdict(item, stamp, _hash(content), "")
    except MediaError as error:
        return _Verdict(item, None, "", error.reason, error.missing)


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=16).hexdigest()
