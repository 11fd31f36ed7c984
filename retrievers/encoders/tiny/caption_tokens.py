"""Words of captions as tokens: a byte-level BPE trained on the captions at hand.

Every text in any script has tokens, since the 256 bytes are always in the vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

PADDING, START = "<padding>", "<start>"
START_ID = 1
MAX_TOKENS = 64


def train_tokenizer(captions: Iterable[str], vocabulary: int) -> Tokenizer:
    """A tokenizer of at most ``vocabulary`` tokens; without captions it knows the bytes alone."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=5,
        special_tokens=[PADDING, START],
        # In a list the order is kept; the order of a set would change from run to run.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(captions, trainer)
    return tokenizer


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text: the start token, then at most MAX_TOKENS - 1 of the text's."""
    encoded = tokenizer.encode_batch([_encodable(text) for text in texts], add_special_tokens=False)
    return [[START_ID, *one.ids[: MAX_TOKENS - 1]] for one in encoded]


def _encodable(text: str) -> str:
    """Lone surrogates, which have no bytes, become replacement marks."""
    return text.encode("utf-8", "replace").decode("utf-8")
