"""Flickr30K under the split of Karpathy and Fei-Fei, and anything else in that layout."""

from __future__ import annotations

from pathlib import Path

from datasets.annotations import Annotated
from datasets.base import DatasetError
from datasets.files import find_file, place
from datasets.layouts import karpathy
from datasets.protocol_card import ProtocolCard


def find(folder: Path, card: ProtocolCard) -> Path | None:
    """The annotation file in a folder, None where there is none."""
    return find_file(folder, card.protocols[0].annotations[0])


def read(folder: Path, card: ProtocolCard) -> Annotated:
    """The annotations in a folder. Raises DatasetError; no media file is opened."""
    path = find(folder, card)
    if path is None:
        raise DatasetError(f"{folder} holds no {card.protocols[0].annotations[0]}")
    return Annotated(card.protocols[0], place(karpathy.parse(path), folder, card.media))
