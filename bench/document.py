"""What a command has to say as one JSON document, which is then all of its standard output."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# Of all documents: it rises when a key goes or changes its meaning, not when one is added.
SCHEMA = 1


@dataclass(frozen=True)
class Conclusion:
    """How a command ended, and what it has to say.

    status   the exit status
    kind     what the document is of, as "accuracy" or "accuracy plan"
    content  plain values; a number that is not finite is written as null
    """

    status: int
    kind: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)


def text_of(conclusion: Conclusion) -> str:
    """The document, with its version and kind first."""
    whole = {"schema": SCHEMA, "kind": conclusion.kind, **conclusion.content}
    return json.dumps(_plain(whole), indent=1, ensure_ascii=True, allow_nan=False)


def _plain(value: Any) -> Any:
    """The value as JSON has it: text for whatever is no plain value, as paths are."""
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return [_plain(each) for each in value] if isinstance(value, Sequence) else str(value)


@contextlib.contextmanager
def kept_clear() -> Iterator[None]:
    """Send to standard error what is written to standard output meanwhile.

    Libraries and processes that are started write to the descriptor, past ``sys.stdout``, so it
    is the descriptor that changes.
    """
    sys.stdout.flush()
    kept = os.dup(1)
    try:
        os.dup2(2, 1)
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
