"""Which captioner the command line asks for: ``--checkpoint cart.captioner=...``."""

from __future__ import annotations

from pathlib import Path

from cart.config import CaptionConfig
from retrievers.base import Settings
from retrievers.captioners.contract import CaptionerAdapter
from retrievers.captioners.neighbours import NeighboursAdapter

ROLE = "captioner"
NONE, NEIGHBOURS, FILE, BEAM = "none", "neighbours", "file:", "beam:"


def wanted(settings: Settings, config: CaptionConfig | None) -> CaptionConfig | None:
    """How items are to be captioned, None where they are not: nothing is said of them then.

    config  that of the model, which holds where the command line says nothing
    """
    word = settings.checkpoint.get(ROLE, "")
    if word == NONE:
        return None
    return config or CaptionConfig() if word else config


def captioner(settings: Settings, config: CaptionConfig) -> CaptionerAdapter:
    """The one that the settings name, else the one that needs nothing."""
    word = settings.checkpoint.get(ROLE) or NEIGHBOURS
    if word == NEIGHBOURS:
        return NeighboursAdapter(config)
    if word.startswith(FILE):
        from retrievers.captioners.caption_file import CaptionFileAdapter

        return CaptionFileAdapter(Path(word.removeprefix(FILE)), config.captions_per_item)
    from retrievers.captioners.media_model import Decoding, MediaModelAdapter

    decoding = Decoding(
        "beam" if word.startswith(BEAM) else "sample", captions=config.captions_per_item
    )
    return MediaModelAdapter(word.removeprefix(BEAM), decoding, settings)
