"""The hash that tells one dataset from another, wherever its files lie."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

from datasets.annotations import AnnotatedItem


def dataset_digest(items: Iterable[AnnotatedItem], content: Mapping[str, str]) -> str:
    """32 hexadecimal digits over splits, ids, captions and media bytes, in order.

    content  item id -> hash of its media file

    Paths, file names and times do not enter: a copy of the dataset elsewhere is the same one.
    """
    state = hashlib.blake2b(digest_size=16)
    for item in items:
        captions = [[caption.id, caption.text] for caption in item.captions]
        line = [item.split, item.modality, item.id, content[item.id], captions]
        state.update(json.dumps(line, ensure_ascii=True).encode() + b"\n")
    return state.hexdigest()
