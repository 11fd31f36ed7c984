"""UMT at a small size, and what it is shown."""

from __future__ import annotations

from pathlib import Path

from retrievers.encoders.bert_network import BertSizes
from retrievers.encoders.bert_tokens import letters_tokenizer
from retrievers.scorers.umt_network import UmtSizes
from tests.parity.clip_videos import videos

SIZES = UmtSizes(
    side=32,
    patch=8,
    width=24,
    layers=2,
    heads=3,
    text=BertSizes(vocabulary=77, positions=40, width=16, hidden=40, layers=4, heads=2),
    fusing=2,
    dim=12,
)
# As many frames as are looked at, more, fewer, and one.
SHOWN = videos((41, 7, 1, 12), 45, 58)
TEXTS = [
    "A man, playing the 'guitar'!!",
    "two dogs/cats   run - <person> Café 3~4;",
    "",
    "the same words again and again " * 12,
    "abc [PAD] [MASK] unknown…",
]


def write_words(folder: Path) -> None:
    """``vocab.txt``."""
    vocabulary = letters_tokenizer().get_vocab()
    lines = sorted(vocabulary, key=lambda word: vocabulary[word])
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in lines))
