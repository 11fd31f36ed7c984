"""The page's scripts: inlined, and allowed by the digest of their text and nothing else."""

from __future__ import annotations

import base64
import gzip
import hashlib
from collections.abc import Collection
from functools import cache
from pathlib import Path

from markupsafe import Markup
from plotly.offline import get_plotlyjs

_FOLDER = Path(__file__).parent / "scripts"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data:; "
    "script-src {scripts}; base-uri 'none'; form-action 'none'"
)


def policy(names: Collection[str]) -> str:
    """The Content-Security-Policy of a page that runs these scripts and no others.

    "charts" brings the charting library, which runs too once it is unpacked.
    """
    sources = [_read(name) for name in names] + ([get_plotlyjs()] if "charts" in names else [])
    return POLICY.format(scripts=" ".join(map(_source, sources)) or "'none'")


def inlined(name: str) -> Markup:
    """A script of this package as an element of the page."""
    return Markup(f"<script>{_read(name)}</script>")  # noqa: S704 (a file of this package)


@cache
def packed_charts() -> str:
    """The charting library, plotly.js (MIT), as base64 of gzip: a third of its size.

    The page unpacks it when a chart comes into view; the same library gives the same text.
    """
    packed = gzip.compress(get_plotlyjs().encode(), compresslevel=9, mtime=0)
    return base64.b64encode(packed).decode("ascii")


@cache
def _source(script: str) -> str:
    digest = hashlib.sha256(script.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


@cache
def _read(name: str) -> str:
    script = (_FOLDER / f"{name}.js").read_text(encoding="utf-8")
    if "</script" in script.lower() or "<!--" in script:
        raise ValueError(f"{name}.js would end its element before its end")
    return script
