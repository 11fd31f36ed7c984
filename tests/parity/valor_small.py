"""VALOR at a small size, and what it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from datasets.base import Item, SampleArray, Sound
from retrievers.encoders.bert_network import BertSizes
from retrievers.encoders.bert_tokens import letters_tokenizer
from retrievers.encoders.valor_network import ValorSizes

SIZES = ValorSizes(
    width=24,
    hidden=40,
    layers=2,
    heads=3,
    text=BertSizes(vocabulary=110, positions=40, width=16, hidden=32, layers=2, heads=2),
    dim=12,
)
TEXTS = [
    "A dog barks, loudly -- in the rain!",
    "two   cats' Café (meow) 3x",
    "",
    "the same words again and again " * 12,
    "abc [PAD] [MASK] unknown…",
]
RATE = 22_050
# One moment of the spectrum, a slice, a slice just full, two, three, six, and thirteen.
_SECONDS = (0.03, 4.0, 5.13, 10.0, 12.0, 30.0, 66.0)


def sounds() -> list[SampleArray]:
    """Tones that swell, and noise, float32 [samples] each."""
    rng = np.random.default_rng(4)
    found = []
    for row, seconds in enumerate(_SECONDS):
        time = np.arange(round(seconds * RATE)) / RATE
        tone = np.sin(2 * np.pi * (200 + 300 * row) * time) * np.sin(0.6 * time + row)
        found.append((0.3 * tone + 0.05 * rng.standard_normal(len(time))).astype(np.float32))
    return found


def gallery() -> list[Item]:
    held = (Sound(samples[None], RATE) for samples in sounds())
    return [Item(f"sound-{row}", "audio", sound) for row, sound in enumerate(held)]


def words() -> list[str]:
    """A vocabulary whose special words have the numbers that BERT's have."""
    letters = [word for word in letters_tokenizer().get_vocab() if not word.startswith("[")]
    found = ["[PAD]", *sorted(letters)]
    found += [f"[unused{row}]" for row in range(100 - len(found))]
    return [*found, "[UNK]", "[CLS]", "[SEP]", "[MASK]", "dog", "cat", "the", "rain", "##s", "same"]


def write_words(folder: Path, name: str = "vocab.txt") -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text("".join(f"{word}\n" for word in words()))
