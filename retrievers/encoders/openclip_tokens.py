"""Texts as rows of token numbers, for the networks that open_clip runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from torch import Tensor

from retrievers.encoders.openclip_models import Config, open_clip
from retrievers.encoders.token_rows import FILE, read_tokenizer
from retrievers.encoders.towers import Prepare
from retrievers.weights.report import CheckpointError

# (folder of the release, configuration of the text network) -> rows of token numbers
Tokens = Callable[[Path, Config], Prepare[str]]

_LONGEST = 1024
_PAD, _END = "<pad>", "<eos>"


def clip_tokens(length: int = 77) -> Prepare[str]:
    """CLIP's word pieces in lower case, between a token that begins a text and one that ends it.

    They come with open_clip. A text of more than ``length`` tokens is cut, and its last token is
    still that of the end. What is cut is not looked at, so that a hostile text costs little: of a
    word of more than 1024 bytes only these are split, in a time that grows with their square.
    """

    def rows(texts: Sequence[str]) -> Iterator[Tensor]:
        pieces = _clip_pieces()
        return (_clip_row(pieces, one, length) for one in texts)

    return rows


def _clip_row(pieces: Any, text: str, length: int) -> Tensor:
    """[length], zeros behind the end."""
    found = [pieces.sot_token_id]
    for word in pieces.pat.finditer(_clean(pieces, text)):
        if len(found) >= length:
            break
        found += _of_word(word.group()[:_LONGEST])
    row = torch.zeros(length, dtype=torch.long)
    kept = [*found[: length - 1], pieces.eot_token_id]
    row[: len(kept)] = torch.tensor(kept)
    return row


def _clean(pieces: Any, text: str) -> str:
    """As the tokenizer cleans; what it mends is in no plain text, and looking for it takes long."""
    if text.isascii() and text.isprintable() and "&" not in text:
        return " ".join(text.split()).lower()
    cleaned: str = pieces.clean_fn(text)
    return cleaned


@lru_cache(maxsize=1 << 14)
def _of_word(word: str) -> tuple[int, ...]:
    """The numbers of a word's pieces; captions share most of their words."""
    pieces = _clip_pieces()
    letters = "".join(pieces.byte_encoder[one] for one in word.encode()[:_LONGEST])
    return tuple(pieces.encoder[piece] for piece in pieces.bpe(letters).split(" "))


@cache
def _clip_pieces() -> Any:
    return open_clip().tokenizer.SimpleTokenizer()


def shipped_tokens(folder: Path, text: Config) -> Prepare[str]:
    """``clip_tokens`` at the model's own length; the release's folder is not needed."""
    return clip_tokens(text["context_length"])


def siglip2_tokens(folder: Path, text: Config) -> Prepare[str]:
    """The word pieces of ``tokenizer.json``, a token that ends the text, and padding.

    Raises CheckpointError where that file is missing, damaged or of another model.
    """
    tokenizer = read_tokenizer(folder, text["vocab_size"])
    return _ended_and_padded(tokenizer, str(folder / FILE), text["context_length"])


def byte_tokens(folder: Path, text: Config) -> Prepare[str]:
    """As ``siglip2_tokens`` of a vocabulary of bytes, which needs no file."""
    tokenizer = byte_vocabulary()
    return _ended_and_padded(tokenizer, "bytes", text["context_length"])


def byte_vocabulary() -> Tokenizer:
    """258 tokens: padding, the end of a text, and the bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    numbers = {token: number for number, token in enumerate([_PAD, _END, *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=numbers, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return tokenizer


def _ended_and_padded(tokenizer: Tokenizer, source: str, length: int) -> Prepare[str]:
    pad, end = tokenizer.token_to_id(_PAD), tokenizer.token_to_id(_END)
    if pad is None or end is None:
        raise CheckpointError(f"{source} knows no {_PAD} or no {_END}: it is not that of SigLIP 2")
    tokenizer.post_processor = TemplateProcessing(single=f"$A {_END}", special_tokens=[(_END, end)])
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=pad, pad_token=_PAD)

    def rows(texts: Sequence[str]) -> Iterator[Tensor]:
        clean = open_clip().tokenizer.get_clean_fn("canonicalize")
        return (torch.tensor(tokenizer.encode(clean(one)).ids) for one in texts)

    return rows
