"""A byte-pair tokenizer trained on the captions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

PAD, START = "[PAD]", "[START]"


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


def encode(tokenizer: Tokenizer, texts: Sequence[str], max_tokens: int) -> list[list[int]]:
    """Token ids of each text, behind the start token, cut at ``max_tokens``.

    The start token makes an empty text a valid query.
    """
    start = tokenizer.token_to_id(START)
    if start is None:
        raise ValueError(f"the tokenizer has no {START} token")
    return [
        [start, *encoding.ids][:max_tokens]
        for encoding in tokenizer.encode_batch(list(texts), add_special_tokens=False)
    ]


def pad(rows: Sequence[Sequence[int]], device: str = "cpu") -> tuple[Tensor, Tensor]:
    """Token ids int64 [rows, longest] and a bool mask, True at real tokens.

    Id 0 is the padding token.
    """
    longest = max(map(len, rows))
    ids = torch.zeros((len(rows), longest), dtype=torch.int64)
    for row, tokens in enumerate(rows):
        ids[row, : len(tokens)] = torch.tensor(tokens)
    lengths = torch.tensor([len(tokens) for tokens in rows])
    mask = torch.arange(longest) < lengths[:, None]
    return ids.to(device), mask.to(device)
