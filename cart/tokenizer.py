"""How queries become tokens: a byte-pair tokenizer trained on the captions, or another's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from torch import Tensor

PAD, START = "[PAD]", "[START]"

# Told apart by every tokenizer that reads English.
_DIFFERENT = ("a brown dog runs", "two cats sleep on the sofa")


def train_tokenizer(captions: Iterable[str], vocabulary: int) -> Tokenizer:
    """Train on captions; byte level, so no text is unknown.

    ``vocabulary`` counts the 256 bytes and the two special tokens.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=max(vocabulary, 258),
        special_tokens=[PAD, START],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return tokenizer


def adopted(tokenizer: Tokenizer) -> Tokenizer:
    """Another model's tokenizer made fit to read queries: a copy that neither pads nor cuts by
    itself, with a start token of ours, as not every model has one.

    Raises ValueError where it does not tell texts apart: without its vocabulary a tokenizer can
    load empty.
    """
    own = Tokenizer.from_str(tokenizer.to_str())
    own.no_padding()
    own.no_truncation()
    own.add_special_tokens([AddedToken(START, special=True, normalized=False)])
    one, other = encode(own, _DIFFERENT, 64)
    if set(one) == set(other):
        raise ValueError(
            f"the tokenizer reads {_DIFFERENT[0]!r} and {_DIFFERENT[1]!r} as the same tokens: "
            "its vocabulary is missing, or is of another language"
        )
    return own


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """Embeddings that its tokens need: there may be ids that none has."""
    return max(tokenizer.get_vocab().values()) + 1


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids of each text, behind the start token, cut at ``max_tokens``.

    The start token makes an empty text a valid query. A text that spells a special token is text.
    """
    start = tokenizer.token_to_id(START)
    if start is None:
        raise ValueError(f"the tokenizer has no {START} token")
    tokenizer.encode_special_tokens = True
    return [
        [start, *encoding.ids][:max_tokens]
        for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)
    ]


def pad(rows: Sequence[Sequence[int]], device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Token ids int64 [rows, longest] and a bool mask, True at real tokens.

    Ids behind a row's end are 0 and never read.
    """
    longest = max(map(len, rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    lengths = torch.tensor([len(tokens) for tokens in rows])
    mask = torch.arange(longest) < lengths[:, None]
    return ids.to(device), mask.to(device)
