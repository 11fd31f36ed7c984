"""Sentences of an image as Karpathy's annotation files write them."""

from __future__ import annotations

import re
from collections.abc import Sequence


def sentences(image: int, first: int, texts: Sequence[str]) -> dict[str, object]:
    """The keys of an image's record that tell its sentences, numbered from ``first``."""
    written = [
        {"tokens": _tokens(text), "raw": text, "imgid": image, "sentid": first + place}
        for place, text in enumerate(texts)
    ]
    numbers = [first + place for place in range(len(texts))]
    return {"sentids": numbers, "imgid": image, "sentences": written}


def _tokens(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+(?:-[a-z0-9]+)*", text.lower())
