"""Makes sure that ``datasets`` is the folder of this checkout, not the package of that name."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


def other_datasets() -> str:
    """A sentence where ``import datasets`` gives another package, "" where it gives ours."""
    ours = CHECKOUT / "datasets"
    found = importlib.import_module("datasets").__file__
    if found is not None and Path(found).resolve().parent == ours:
        return ""
    return (
        f"This program needs its own folder {ours}, but `import datasets` gives {found}, "
        "most likely the Hugging Face package of that name. Run `python -m bench.accuracy` from "
        f"{CHECKOUT}, and take other folders that hold a `datasets` out of PYTHONPATH."
    )


def require_own_datasets() -> None:
    """End the process with a sentence, status 2, where another ``datasets`` comes first."""
    sentence = other_datasets()
    if sentence:
        print(sentence, file=sys.stderr)
        raise SystemExit(2)
