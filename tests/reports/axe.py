"""axe-core, the accessibility checker, as its authors publish it on the npm registry.

With the variable RETRIEVAL_TEST_NETWORK it is fetched once, checked against the digest that the
registry gives, and kept. The variable AXE_CORE names an axe.min.js to be used in its place.
"""

from __future__ import annotations

import base64
import hashlib
import io
import os
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

import pytest

VERSION = "4.14.1"
TARBALL = f"https://registry.npmjs.org/axe-core/-/axe-core-{VERSION}.tgz"
SHA512 = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
MEMBER = "package/axe.min.js"
SECONDS = 30


def axe_script(cache: Path) -> str:
    """The text of axe.min.js; the test is skipped where it can neither be found nor fetched."""
    named = os.environ.get("AXE_CORE")
    if named:
        return Path(named).read_text(encoding="utf-8")
    kept = cache / f"axe-core-{VERSION}.tgz"
    if not kept.is_file():
        if not os.environ.get("RETRIEVAL_TEST_NETWORK"):
            pytest.skip("no axe-core: AXE_CORE names it, RETRIEVAL_TEST_NETWORK fetches it")
        cache.mkdir(parents=True, exist_ok=True)
        kept.write_bytes(_fetched())
    archive = kept.read_bytes()
    if base64.b64encode(hashlib.sha512(archive).digest()).decode() != SHA512:
        kept.unlink()
        raise ValueError(f"{TARBALL} is not the axe-core {VERSION} that was published")
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        member = packed.extractfile(MEMBER)
        assert member is not None
        return member.read().decode("utf-8")


def _fetched() -> bytes:
    try:
        with urllib.request.urlopen(TARBALL, timeout=SECONDS) as answer:
            content: bytes = answer.read()
    except (urllib.error.URLError, TimeoutError) as problem:
        pytest.skip(f"axe-core cannot be fetched: {problem}")
    return content
