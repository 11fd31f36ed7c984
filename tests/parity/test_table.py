"""The page of parities is that of the golden files."""

from __future__ import annotations

from pathlib import Path

from tests.parity.__main__ import table

PAGE = Path(__file__).resolve().parents[2] / "retrievers" / "PARITY.md"


def test_the_page_is_up_to_date() -> None:
    """Written by ``python -m tests.parity > retrievers/PARITY.md``."""
    assert PAGE.read_text(encoding="utf-8") == table()
