"""Decode every media file once, before hours are spent on a dataset with a bad file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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

from datasets.base import Gap, Item, Modality
from datasets.media.content_digest import content_digest
from datasets.media.files import MediaError
from datasets.media.images import load_image
from datasets.media.signatures import picture_signature, sound_signature
from datasets.ordered_pool import ordered_map
from datasets.verified_files import Content, Stamp, VerifiedFiles

BATCH = 512


@dataclass(frozen=True)
class Verified:
    """The verdict on a dataset's media.

    digests     item id -> hash of the file's bytes, for every item that can be decoded
    gaps        the others, in the order of the items
    signatures  item id -> 64 bits, of the items that have one (see ``datasets.media.signatures``)
    """

    digests: Mapping[str, str]
    gaps: tuple[Gap, ...]
    signatures: Mapping[str, int]


@dataclass(frozen=True)
class _Verdict:
    item: Item
    stamp: Stamp | None
    content: Content | MediaError


def verify(
    items: Sequence[Item], *, cache: Path, workers: int | None = None, label: str = "media"
) -> Verified:
    """Decode every item whole in ``workers`` threads, with a progress bar.

    A picture is decoded at once, a sound block by block, a video frame by frame, up to the limits
    in size that the decoders state. Files that decoded are remembered under
    ``cache / "verified"`` and are not decoded again while they keep path, size and time of
    change. A run that is stopped keeps what it did.
    """
    contents: dict[str, Content] = {}
    gaps: list[Gap] = []
    with closing(VerifiedFiles(cache / "verified")) as known:
        fresh = []
        for item in items:
            if (remembered := _known_content(item, known)) is None:
                fresh.append(item)
            else:
                contents[item.id] = remembered
        for verdict in _judge(fresh, known, workers, label):
            item, content = verdict.item, verdict.content
            if isinstance(content, MediaError):
                gaps.append(Gap(item.id, Path(str(item.media)), content.reason, content.missing))
            else:
                contents[item.id] = content
    digests = {name: content.digest for name, content in contents.items()}
    signatures = {
        name: content.signature
        for name, content in contents.items()
        if content.signature is not None
    }
    return Verified(digests, tuple(gaps), signatures)


def _known_content(item: Item, known: VerifiedFiles) -> Content | None:
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
    decoded: list[tuple[Stamp, Content]] = []
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task(f"Verifying {label}", total=len(items))
        try:
            for verdict in ordered_map(_verdict, items, workers):
                bar.advance(task)
                if verdict.stamp is not None and isinstance(verdict.content, Content):
                    decoded.append((verdict.stamp, verdict.content))
                if len(decoded) >= BATCH:
                    known.add(decoded)
                    decoded.clear()
                yield verdict
        finally:
            known.add(decoded)


def _verdict(item: Item) -> _Verdict:
    try:
        media = item.media
        stamp = Stamp.of(media) if isinstance(media, Path) and media.is_file() else None
        signature = _SIGNATURES[item.modality](item)
        return _Verdict(item, stamp, Content(content_digest(item), signature))
    except MediaError as error:
        return _Verdict(item, None, error)


def _image_signature(item: Item) -> int | None:
    return picture_signature(load_image(item))


# FFmpeg and libsndfile are loaded for a dataset that needs them.
def _audio_signature(item: Item) -> int | None:
    from datasets.media.sounds import sound_blocks

    return sound_signature(sound_blocks(item))


def _video_signature(item: Item) -> int | None:
    from datasets.media.videos import middle_of_whole

    return picture_signature(middle_of_whole(item))


# Each decodes the item whole.
_SIGNATURES: dict[Modality, Callable[[Item], int | None]] = {
    "image": _image_signature,
    "audio": _audio_signature,
    "video": _video_signature,
}
