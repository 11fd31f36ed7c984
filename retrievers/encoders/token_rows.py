"""Texts as rows of token numbers, by the ``tokenizer.json`` of a release."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from retrievers.encoders.frozen_towers import check_tokenizer
from retrievers.weights.report import CheckpointError

FILE = "tokenizer.json"


def read_tokenizer(folder: Path, places: int) -> Tokenizer:
    """The tokenizer of a model of ``places`` token vectors.

    Raises CheckpointError where the file is none, is empty or is of another model.
    """
    path = folder / FILE
    try:
        tokenizer = Tokenizer.from_str(path.read_text(encoding="utf-8"))
    # The compiled tokenizers raise no narrower class for what they cannot read.
    except Exception as error:
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}") from error
    special = sum(token.special for token in tokenizer.get_added_tokens_decoder().values())
    check_tokenizer(str(path), tokenizer.get_vocab_size(), special, places)
    return tokenizer


class TokenRows:
    """Rows of ``longest`` tokens; a longer text is cut, its closing token kept."""

    def __init__(self, tokenizer: Tokenizer, padding: str, longest: int) -> None:
        """Raises CheckpointError where the tokenizer has no token named ``padding``."""
        number = tokenizer.token_to_id(padding)
        if number is None:
            raise CheckpointError(f"the tokenizer has no {padding}: it is of another model")
        tokenizer.enable_truncation(longest)
        tokenizer.enable_padding(length=longest, pad_id=number, pad_token=padding)
        self._tokenizer = tokenizer

    def rows(self, texts: Sequence[str]) -> Iterator[Tensor]:
        """int64 [2, longest] of each text: its tokens, and 1 where they are not padding."""
        for text in texts:
            # Lone surrogates, which have no bytes, become replacement marks.
            one = self._tokenizer.encode(text.encode("utf-8", "replace").decode("utf-8"))
            yield torch.tensor([one.ids, one.attention_mask])


def without_padding(rows: Tensor) -> tuple[Tensor, Tensor]:
    """Tokens and mask [texts, length of the longest], of rows [texts, 2, longest]."""
    length = int(rows[:, 1].sum(dim=1).max())
    return rows[:, 0, :length], rows[:, 1, :length]
