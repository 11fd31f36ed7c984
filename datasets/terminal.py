"""Datasets, their cards and what was found of them, for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from datasets import loading, registry
from datasets.base import MediaToText
from datasets.files import has_media
from datasets.inspection import KINDS, Inspection, Media
from datasets.protocol_card import SPLITS, Counts, Protocol, ProtocolCard
from datasets.registry import Entry

PROBLEMS_SHOWN = 10
DIFFERS = "≠"
MEDIA_TO_TEXT: dict[MediaToText, str] = {
    "any caption": "Captions are ranked one by one. Any of the item's own is relevant.",
    "caption set": "The caption sets of all items are ranked, each by its best caption. Only the "
    "item's own set is relevant.",
}
MISSING_MEDIA = {
    "refused": "A missing file ends a run, unless --skip-bad leaves its item out and renames the "
    "protocol.",
    "dropped": "Public copies lack some: an item without its file leaves gallery and queries, and "
    "the protocol is renamed.",
}


def choices(root: Path | None) -> RenderableType:
    """Every dataset with its protocols, and whether it is under ``root``."""
    entries = [registry.entry(name) for name in registry.names()]
    where = f"Data folder: {root}" if root else "No data folder: give --data-root DIR"
    return Group(
        _choices("Real datasets", [one for one in entries if not one.synthetic], root),
        _choices("Synthetic twins", [one for one in entries if one.synthetic], root),
        Text(f"{where}. NAME takes the first protocol that is found, NAME:VARIANT that one."),
        Text("Synthetic twins are drawn here and never stand beside published figures."),
    )


def _choices(title: str, entries: Iterable[Entry], root: Path | None) -> Table:
    table = _table(title)
    for column in ("name", "modality", ":variant", "protocol"):
        table.add_column(column, no_wrap=True)
    table.add_column("found", overflow="fold")
    for known in entries:
        protocols = registry.card(known.name).protocols
        table.add_row(
            Text(known.name, "bold"),
            known.modality,
            "\n".join(one.variant and f":{one.variant}" for one in protocols),
            "\n".join(one.name for one in protocols),
            Text(_state(known, root)),
        )
    return table


def _state(known: Entry, root: Path | None) -> str:
    about = registry.card(known.name)
    folders = [] if root is None else list(loading.annotated_folders(known, about, root))
    for folder, _ in folders:
        if has_media(folder, about.media):
            return f"in {_short(folder, root)}"
    if folders:
        return f"annotations without media in {_short(folders[0][0], root)}"
    return "drawn on first use" if known.synthetic else "not found"


def _short(folder: Path, root: Path | None) -> str:
    return folder.name if folder != root else "the data folder itself"


def card(about: ProtocolCard) -> RenderableType:
    """All that is known of a dataset before its files are seen."""
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="bold", min_width=13, no_wrap=True)
    facts.add_column(overflow="fold")
    for label, sentence in (
        ("Text to media", about.relevance),
        ("Media to text", MEDIA_TO_TEXT[about.media_to_text]),
        ("Missing media", MISSING_MEDIA[about.missing_media]),
        ("Where to get", about.source),
        ("Licence", about.licence),
        ("Citation", about.citation),
        ("Looked for", _looked_for(about)),
    ):
        facts.add_row(label, Text(sentence))
    kind = "synthetic, " if about.synthetic else ""
    return Group(
        Text(f"{about.name}: {about.title} ({kind}{about.modality})", "bold"),
        facts,
        _protocols(about),
        *(Text(_reading(protocol)) for protocol in about.protocols),
    )


def _looked_for(about: ProtocolCard) -> str:
    folders = about.folders or (about.name,)
    below = " or ".join(f"{folder}/" for folder in folders)
    media = ", ".join(f"{folder}/" for folder in about.media)
    own = "" if about.synthetic else " or the data folder itself"
    return (
        f"{below} in the data folder{own}; there, or in annotations/, the files named below; "
        f"the media beside them or in {media or 'no folder of their own'}."
    )


def _protocols(about: ProtocolCard) -> Table:
    table = _table()
    table.add_column("protocol")
    table.add_column("split")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for protocol in about.protocols:
        due = [protocol.splits.get(split, Counts()) for split in SPLITS]
        variant = f"\n{about.name}:{protocol.variant}" if protocol.variant else ""
        table.add_row(
            f"{protocol.name}{variant}",
            "\n".join(SPLITS),
            *("\n".join(_figure(getattr(one, kind), None) for one in due) for kind in KINDS),
            end_section=True,
        )
    return table


def _reading(protocol: Protocol) -> str:
    cap, folds = protocol.max_captions_per_item, protocol.folds
    sentences = [f"{protocol.name} reads {', '.join(protocol.annotations)}."]
    if protocol.forms:
        sentences.append(f"Its test split may come as {' or as '.join(protocol.forms)}.")
    if cap:
        sentences.append(f"A test item asks its first {cap} captions at most.")
    if folds > 1:
        sentences.append(f"Its figures are means over {folds} galleries.")
    return " ".join(sentences)


def inspection(found: Inspection) -> RenderableType:
    """Counts beside those stated, the media and their first problems, and the verdict."""
    return Group(
        Text(f"{found.name} in {_plain(str(found.place))}", "bold"),
        _counts(found),
        *(
            [Text(f"{DIFFERS} The protocol states the figure behind it.")]
            if found.differing
            else []
        ),
        Text(f"Protocol of the annotations: {found.protocol}"),
        *([] if found.media is None else _media(found, found.media)),
        *(Text(f"Note: {_plain(note)}") for note in found.notes),
        Text(_verdict(found), "green" if found.whole else "yellow"),
        *([] if found.whole or not found.source else [Text(f"How to get it: {found.source}")]),
    )


def _counts(found: Inspection) -> Table:
    table = _table()
    table.add_column("split")
    for kind in KINDS:
        table.add_column(kind, justify="right")
    for split in SPLITS:
        table.add_row(
            split,
            *(_figure(found.here(split, kind), found.due(split, kind)) for kind in KINDS),
        )
    return table


def _figure(here: int | None, due: int | None) -> str:
    figure = "" if here is None else f"{here:,}"
    return figure if due in (None, here) else f"{figure} {DIFFERS} {due:,}"


def _media(found: Inspection, media: Media) -> Iterable[RenderableType]:
    total = sum(media.usable.values()) + len(media.gaps)
    yield Text(
        f"Media: {total - len(media.gaps):,} of {total:,} files decode, {media.missing:,} "
        f"missing, {media.damaged:,} damaged."
    )
    # Missing files are often the many: the damaged ones must not drown in them.
    for gap in sorted(media.gaps, key=lambda gap: gap.missing)[:PROBLEMS_SHOWN]:
        yield Text(_plain(f"  {gap.item_id}: {gap.path} {gap.reason}"))
    if len(media.gaps) > PROBLEMS_SHOWN:
        yield Text(f"  and {len(media.gaps) - PROBLEMS_SHOWN:,} more (--json lists them all)")
    if media.protocol is None:
        yield Text("Protocol with these media: none, no test item with a caption is left.")
    elif media.protocol != found.protocol:
        yield Text(f"Protocol with these media: {media.protocol}")


def _verdict(found: Inspection) -> str:
    if found.whole and found.media is None:
        return "The annotations are whole. Media were not looked at."
    if found.whole:
        return "Whole: every count is as stated and every media file decodes."
    faults = []
    if found.differing:
        faults.append(f"{_number(found.differing, 'count')} not as stated")
    if found.media is not None and found.media.gaps:
        faults.append(f"{_number(len(found.media.gaps), 'media file')} missing or damaged")
    return f"Not whole: {' and '.join(faults) or 'nothing is left to search'}."


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _table(title: str | None = None) -> Table:
    return Table(
        box=box.SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False
    )


def _plain(text: str) -> str:
    """The text with control characters escaped: names in annotation files are not trusted."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)
