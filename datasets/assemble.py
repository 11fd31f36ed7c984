"""Turn annotations and media files into a verified Dataset."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from datasets.annotations import Annotated, AnnotatedItem, count, usable
from datasets.base import (
    Dataset,
    DatasetError,
    Gap,
    Item,
    MediaToText,
    Modality,
    Pairs,
    Query,
)
from datasets.digest import dataset_digest
from datasets.near_duplicates import near_duplicates
from datasets.protocol_card import achieved
from datasets.verify import Verified, verify

GAPS_SHOWN = 10


@dataclass(frozen=True)
class Labels:
    """What a dataset is called and how it may be used.

    drop_missing  items whose file is not there are left out without being told to
    """

    name: str
    modality: Modality
    synthetic: bool
    licence: str
    media_to_text: MediaToText = "any caption"
    drop_missing: bool = False


def assemble(
    annotated: Annotated,
    labels: Labels,
    *,
    cache: Path,
    skip_bad: bool = False,
    workers: int | None = None,
) -> Dataset:
    """Verify every media file and build the dataset.

    With ``skip_bad`` an item whose file is missing or damaged leaves pairs, gallery and
    queries, and the protocol is renamed. Raises DatasetError for such a file otherwise, and
    when no item or no query is left to test on.
    """
    media = media_of(annotated)
    verified = verify(media, cache=cache, workers=workers, label=labels.name)
    refused = [gap for gap in verified.gaps if not (labels.drop_missing and gap.missing)]
    if refused and not skip_bad:
        raise DatasetError(_gap_sentence(labels.name, refused, len(media)))
    return dataset_of(annotated, labels, verified)


def unseen(annotated: Annotated, labels: Labels) -> Dataset:
    """The dataset as annotated, with no media file looked for.

    Its digest is of ids and captions alone. Raises DatasetError when there is no query.
    """
    nothing = Verified({item.id: "" for item in annotated.items}, (), {})
    found = dataset_of(annotated, labels, nothing)
    note = "No media file was looked for: items are known by their ids alone."
    return replace(found, media_seen=False, notes=(*found.notes, note))


def media_of(annotated: Annotated) -> list[Item]:
    """The items with their files, in the order of the annotations; none is opened."""
    return [Item(item.id, item.modality, item.path) for item in annotated.items]


def dataset_of(annotated: Annotated, labels: Labels, verified: Verified) -> Dataset:
    """The dataset of those items whose media could be decoded.

    Raises DatasetError when no item or no query is left to test on.
    """
    media = {item.id: item for item in media_of(annotated)}
    kept = [item for item in annotated.items if item.id in verified.digests]
    cap = annotated.protocol.max_captions_per_item
    protocol, gap_notes = achieved(annotated.protocol, count(kept, cap))
    used = [usable(item, cap) for item in kept]
    test = [item for item in used if item.split == "test"]
    queries = tuple(
        Query(caption.id, caption.text, (item.id,)) for item in test for caption in item.captions
    )
    if not queries:
        raise DatasetError(f"{labels.name}: no test item with a caption is left, nothing to search")
    return Dataset(
        name=labels.name,
        protocol=protocol,
        modality=labels.modality,
        train=_pairs(used, "train", media),
        validation=_pairs(used, "validation", media),
        gallery=tuple(media[item.id] for item in test),
        queries=queries,
        digest=dataset_digest(used, verified.digests),
        synthetic=labels.synthetic,
        licence=labels.licence,
        folds=_folds(test, annotated.protocol.folds),
        media_to_text=labels.media_to_text,
        notes=(
            *annotated.notes,
            *_skipped_note(verified.gaps),
            *gap_notes,
            *_caption_notes(kept, test, cap),
            *_duplicate_notes(queries, used, verified),
        ),
    )


def _folds(test: Sequence[AnnotatedItem], folds: int) -> tuple[int, ...]:
    """Folds of neighbouring items, as equal as can be, in the order of the annotation file."""
    if folds == 1:
        return ()
    return tuple(place * folds // len(test) for place in range(len(test)))


def _pairs(items: Iterable[AnnotatedItem], split: str, media: Mapping[str, Item]) -> Pairs:
    part = [item for item in items if item.split == split and item.captions]
    return Pairs(
        tuple(media[item.id] for item in part),
        tuple(caption.text for item in part for caption in item.captions),
        tuple(row for row, item in enumerate(part) for _ in item.captions),
    )


def _gap_sentence(name: str, gaps: Sequence[Gap], total: int) -> str:
    lines = [
        f"{name}: {len(gaps):,} of {total:,} media files cannot be used:",
        *(f"  {gap.item_id}: {gap.path} {gap.reason}" for gap in gaps[:GAPS_SHOWN]),
    ]
    if len(gaps) > GAPS_SHOWN:
        lines.append(f"  and {len(gaps) - GAPS_SHOWN:,} more")
    lines.append("Mend or fetch them, or leave them out of every split with --skip-bad.")
    return "\n".join(lines)


def _skipped_note(gaps: Sequence[Gap]) -> tuple[str, ...]:
    if not gaps:
        return ()
    first = ", ".join(f"{gap.item_id} {gap.reason}" for gap in gaps[:3])
    more = ", ..." if len(gaps) > 3 else ""
    return (f"{_number(len(gaps), 'item')} left out, the media file unusable: {first}{more}.",)


def _caption_notes(
    kept: Sequence[AnnotatedItem], test: Sequence[AnnotatedItem], cap: int | None
) -> list[str]:
    notes = []
    blank = sum(not caption.text for item in kept for caption in item.captions)
    if blank:
        notes.append(f"{_number(blank, 'caption')} left out, empty in the annotation file.")
    capped = sum(
        max(0, sum(bool(caption.text) for caption in item.captions) - cap)
        for item in kept
        if cap is not None and item.split == "test"
    )
    if capped:
        notes.append(
            f"Each test item asks its first {cap} captions at most; "
            f"{_number(capped, 'further caption')} left out."
        )
    silent = sum(not item.captions for item in test)
    if silent:
        notes.append(f"{_number(silent, 'gallery item')} without a caption and never the answer.")
    return notes


def _duplicate_notes(
    queries: Sequence[Query], used: Sequence[AnnotatedItem], verified: Verified
) -> list[str]:
    notes = []
    content = verified.digests
    texts = Counter(query.text for query in queries)
    repeated = sum(times for times in texts.values() if times > 1)
    if repeated:
        notes.append(f"{repeated:,} of {len(queries):,} queries have the same text as another.")
    gallery = Counter(content[item.id] for item in used if item.split == "test")
    same = sum(times for times in gallery.values() if times > 1)
    if same:
        notes.append(f"{_number(same, 'gallery file')} byte for byte the same as another of them.")
    if alike := _nearly_the_same(used, verified):
        notes.append(
            f"{_number(alike, 'gallery file')} nearly the same as another of them to eye or ear."
        )
    learned = {content[item.id] for item in used if item.split != "test"}
    leaked = sum(times for digest, times in gallery.items() if digest in learned)
    if leaked:
        notes.append(
            f"{_number(leaked, 'gallery file')} byte for byte the same as a file to learn from: "
            "the test is easier than it looks."
        )
    return notes


def _nearly_the_same(used: Sequence[AnnotatedItem], verified: Verified) -> int:
    """How many contents of the gallery are near duplicates of another, the same bytes aside."""
    signatures = {
        verified.digests[item.id]: verified.signatures[item.id]
        for item in used
        if item.split == "test" and item.id in verified.signatures
    }
    return int(near_duplicates(np.array(list(signatures.values()), np.uint64)).sum())


def _number(count: int, what: str) -> str:
    return f"{count:,} {what} is" if count == 1 else f"{count:,} {what}s are"
