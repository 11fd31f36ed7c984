"""The name of a result: a digest of everything that decides it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def spec_key(spec: DataclassInstance) -> str:
    """32 hexadecimal digits; specs of equal fields have the same."""
    text = json.dumps(asdict(spec), sort_keys=True, ensure_ascii=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
