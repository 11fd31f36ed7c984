"""What ONE-PEACE is given: rows of token numbers, and samples at 16 kHz."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import soxr
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor

from datasets.base import Item
from datasets.media.sounds import load_sound
from datasets.ordered_pool import ordered_map
from retrievers.encoders.one_peace_network import PADDING
from retrievers.encoders.towers import Prepare
from retrievers.weights.report import CheckpointError

RATE = 16_000
# Kept of a text; behind them stands the token of the end.
_LONGEST = 70
_END, _UNKNOWN, _FIRST = 2, 3, 4
_EPS = 1e-5


@dataclass(frozen=True)
class Words:
    """GPT-2's byte pairs, numbered anew by a dictionary of fairseq.

    splitter  gives GPT-2's numbers
    numbers   those numbers -> ours
    count     of all our numbers, those for padding and the like among them
    """

    splitter: Tokenizer
    numbers: Mapping[int, int]
    count: int

    def rows(self, texts: Sequence[str]) -> Iterator[Tensor]:
        """Rows of 71 numbers, filled up behind with ``PADDING``; a longer text is cut."""
        for text in texts:
            found = self.splitter.encode(f" {plain(text)}").ids[:_LONGEST]
            row = torch.full((_LONGEST + 1,), PADDING)
            numbers = [*(self.numbers.get(one, _UNKNOWN) for one in found), _END]
            row[: len(numbers)] = torch.tensor(numbers)
            yield row


def plain(text: str) -> str:
    """In lower case, without signs in front, and with single spaces between words.

    So the published evaluation reads captions; the published interface for single texts does not
    take the signs away.
    """
    spelt = text.encode("utf-8", "replace").decode("utf-8")
    lowered = re.sub(r"\s{2,}|\t", " ", spelt.lower().lstrip(",.!?*#:;~"))
    return lowered.rstrip("\n").strip(" ")


def read_words(folder: Path) -> Words:
    """From ``encoder.json``, ``vocab.bpe`` and ``dict.txt``. Raises CheckpointError."""
    try:
        vocabulary = json.loads((folder / "encoder.json").read_text(encoding="utf-8"))
        merges = (folder / "vocab.bpe").read_text(encoding="utf-8").split("\n")[1:-1]
        lines = (folder / "dict.txt").read_text(encoding="utf-8").splitlines()
        splitter = _splitter(vocabulary, [(one, other) for one, other in map(str.split, merges)])
        symbols = [line.rsplit(" ", 1)[0] for line in lines]
    # The package of tokenizers raises Exception itself where vocabulary and merges disagree.
    except Exception as error:
        raise CheckpointError(
            f"{folder}: encoder.json, vocab.bpe and dict.txt are not those of ONE-PEACE: {error}"
        ) from error
    # The last symbols are made up, to fill the dictionary.
    placed = enumerate(symbols, _FIRST)
    numbers = {int(symbol): row for row, symbol in placed if symbol.isdecimal()}
    return Words(splitter, numbers, _FIRST + len(symbols))


def byte_words() -> Words:
    """Every byte is a word; needs no file."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(alphabet)}
    numbers = {number: _FIRST + number for number in vocabulary.values()}
    return Words(_splitter(vocabulary, []), numbers, _FIRST + len(numbers))


def waveforms(seconds: float) -> Prepare[Item]:
    """The first seconds of each sound, mono; one that is shorter than a second is repeated.

    The samples of the whole sound are brought to mean 0 and variance 1 before it is cut.
    """

    def prepared(items: Sequence[Item]) -> Iterator[Tensor]:
        return (torch.from_numpy(one) for one in ordered_map(waveform, items, None))

    waveform = partial(_waveform, seconds=seconds)
    return prepared


def _waveform(item: Item, seconds: float) -> Any:
    sound = load_sound(item)
    mono = sound.samples.mean(axis=0)
    if sound.rate != RATE:
        mono = soxr.resample(mono, sound.rate, RATE)
    wide = mono.astype(np.float64)
    level = (wide - wide.mean()) / np.sqrt(wide.var() + _EPS)
    kept = level[: round(seconds * RATE)]
    return np.resize(kept, max(len(kept), RATE)).astype(np.float32)


def _splitter(vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> Tokenizer:
    splitter = Tokenizer(models.BPE(vocab=dict(vocabulary), merges=list(merges)))
    splitter.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return splitter
