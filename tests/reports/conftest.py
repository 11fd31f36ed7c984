"""A real browser for the tests of the page; without one they are skipped."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reports.browsing import CHROMIUM, Browser, launched


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium: install it or name it in the variable CHROMIUM")
    with launched(CHROMIUM) as found:
        yield found
