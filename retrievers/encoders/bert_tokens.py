"""Word pieces of BERT (uncased), from its vocabulary beside the weights of a release."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from tokenizers import BertWordPieceTokenizer, Tokenizer, processors
from torch import Tensor

from retrievers.encoders.frozen_towers import check_tokenizer
from retrievers.encoders.towers import Prepare
from retrievers.weights.releases import Located
from retrievers.weights.report import CheckpointError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def bert_tokenizer(located: Located, places: int) -> Tokenizer:
    """The tokenizer beside the weights of a network that knows ``places`` tokens.

    Raises CheckpointError where there is none, or one of another model.
    """
    listed, whole = (located.folder / name for name in ("vocab.txt", "tokenizer.json"))
    try:
        if listed.is_file():
            tokenizer = Tokenizer.from_str(BertWordPieceTokenizer(str(listed)).to_str())
        else:
            tokenizer = Tokenizer.from_file(str(whole))
    # The package raises nothing more precise where a file is absent or broken.
    except Exception as error:
        raise CheckpointError(
            f"{located.folder} holds neither vocab.txt nor tokenizer.json of BERT (uncased) that "
            f"can be read: {error}. Put the one of bert-base-uncased there."
        ) from error
    absent = [word for word in SPECIAL if tokenizer.token_to_id(word) is None]
    if absent:
        raise CheckpointError(f"The tokenizer in {located.folder} has no {absent[0]}: not BERT's.")
    words = tokenizer.get_vocab_size(with_added_tokens=False)
    check_tokenizer(located.source, words, len(SPECIAL), places)
    return tokenizer


def letters_tokenizer() -> Tokenizer:
    """BERT's way with a vocabulary of letters and digits, 77 pieces."""
    signs = "abcdefghijklmnopqrstuvwxyz0123456789"
    words = [*SPECIAL, *signs, *(f"##{sign}" for sign in signs)]
    vocabulary = {word: number for number, word in enumerate(words)}
    return Tokenizer.from_str(BertWordPieceTokenizer(vocabulary).to_str())


def begun_only(tokenizer: Tokenizer) -> Tokenizer:
    """The same without [SEP] behind a text; [CLS] still begins it."""
    start = SPECIAL[2]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{start} $A", special_tokens=[(start, tokenizer.token_to_id(start))]
    )
    return tokenizer


def bert_tokens(tokenizer: Tokenizer, length: int, plain: Callable[[str], str]) -> Prepare[str]:
    """Rows of ``length`` token numbers, a longer text cut, 0 behind a shorter one.

    plain  what is done to a text before it is split
    """
    tokenizer.enable_truncation(length)
    tokenizer.enable_padding(length=length, pad_id=0, pad_token=SPECIAL[0])

    def rows(texts: Sequence[str]) -> Iterator[Tensor]:
        for text in texts:
            # A caption from JSON may hold half of a surrogate pair, which is no text.
            whole = plain(text).encode("utf-8", "replace").decode()
            yield torch.tensor(tokenizer.encode(whole).ids)

    return rows
