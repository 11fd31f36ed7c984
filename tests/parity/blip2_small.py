"""BLIP-2 at a small size: what a release holds beside its weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CONFIG: dict[str, Any] = {
    "num_query_tokens": 5,
    "image_text_hidden_size": 12,
    "vision_config": {
        "hidden_size": 24,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 42,
    },
    "qformer_config": {
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 3,
        "num_attention_heads": 2,
        "vocab_size": 33,
        "max_position_embeddings": 40,
    },
}
_WORDS = [
    *("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", "'", "-", "?", "##s"),
    *("a", "b", "c", "d", "e", "##a", "##b", "##c", "##d", "##e"),
    *("the", "cat", "cats", "dog", "dogs", "red", "on", "grass", "cafe", "two", "run", "is"),
]


def write_sizes_and_words(folder: Path) -> None:
    """``config.json`` and ``vocab.txt``."""
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in _WORDS))
