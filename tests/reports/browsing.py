"""Visits of a page in headless Chromium: what it asks for, what it complains of, how it looks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

__all__ = ["CHROMIUM", "Browser", "Visit", "launched", "visit"]


@dataclass
class Visit:
    """An open page.

    asked       addresses that it asked for, itself and data: aside
    complaints  errors and warnings of the console, and exceptions
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@contextmanager
def visit(
    browser: Browser, path: Path, width: int = 1440, height: int = 900, **context: str
) -> Iterator[Visit]:
    """Open a file as a page; ``context`` is Playwright's, as color_scheme or reduced_motion."""
    opened = browser.new_context(viewport={"width": width, "height": height}, **context)  # type: ignore[arg-type]
    page = opened.new_page()
    found = Visit(page)
    address = path.resolve().as_uri()

    def ask(asked: str) -> None:
        if asked.split("#")[0] != address and not asked.startswith("data:"):
            found.asked.append(asked)

    page.on("request", lambda request: ask(request.url))
    page.on("console", lambda said: _heard(found, said.type, said.text))
    page.on("pageerror", lambda problem: found.complaints.append(str(problem)))
    try:
        page.goto(address)
        yield found
    finally:
        opened.close()


def _heard(found: Visit, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        found.complaints.append(f"{kind}: {text}")
