"""Tokens of texts where the tokenizer of a system comes with weights that are not read.

Speed asks for rows as long as the real ones, not for the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from cart.tokenizer import encode, train_tokenizer
from datasets.candidates import query_texts
from retrievers.serving.text_towers import clip_word_pieces

# The captions that are asked with come from another seed.
_SEED = 1
_CAPTIONS = 4000
_MEASURED = 500


def caption_tokenizer(vocabulary: int) -> Tokenizer:
    """CART's own byte-level tokenizer, trained on drawn captions."""
    return train_tokenizer(query_texts(_CAPTIONS, _SEED), vocabulary)


def mean_tokens(tokenizer: Tokenizer, longest: int) -> tuple[float, float]:
    """Tokens of a drawn caption by this tokenizer and by CLIP's, which counts start and end."""
    texts = query_texts(_MEASURED)
    ours = sum(map(len, encode(tokenizer, texts, longest)))
    return ours / len(texts), float(clip_word_pieces(texts).lengths.double().mean())


def word_pieces(texts: Sequence[str], vocabulary: int, longest: int) -> Tensor:
    """CLIP's word pieces folded into another vocabulary: int64 [texts, length of the longest].

    Numbers are 1 .. vocabulary - 1, and 0 behind a text.
    """
    rows = clip_word_pieces(texts)
    lengths = rows.lengths.clamp(max=longest)
    numbers = rows.numbers[:, : int(lengths.max())]
    real = torch.arange(numbers.shape[1]) < lengths[:, None]
    return torch.where(real, 1 + numbers % (vocabulary - 1), 0)
