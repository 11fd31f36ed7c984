"""The page in a real browser: what it asks of the network, what it complains of, how it fits."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bench.store import ResultStore
from reports.page import write
from tests.reports.stored_ablations import store_map, store_table
from tests.reports.stored_results import Plan, store_failure, store_result
from tests.reports.stored_sweep import store_sweep

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: install it or name it in the variable CHROMIUM"
    ),
]

# Reads from outside how wide the page's content is in a frame of a telephone's width.
FRAME = """<!DOCTYPE html><title>frame</title><body>
<iframe src="/page.html" style="width:390px;height:2000px;border:0"></iframe>
<script>
document.querySelector("iframe").onload = event => {
  const root = event.target.contentDocument.documentElement;
  document.title = "width " + root.scrollWidth + " in " + root.clientWidth;
};
</script>"""


@dataclass
class Site:
    """A server on this machine that remembers what was asked of it."""

    address: str
    asked: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("report")
    store = ResultStore(root / "results")
    options = {"beam": 20, "a_rather_long_name_of_an_option": "and a long value " * 4}
    for seed in (0, 1):
        store_result(store, Plan("cart", paradigm="generative", seed=seed, options=options))
    store_result(store, Plan("tiny-dual", skill=0.7), texts=["<img src=/stolen onerror=alert(1)>"])
    store_result(store, Plan("tiny-dual", dataset="flickr30k-mini", synthetic=True))
    for name, modality in (("clotho-mini", "audio"), ("msvd-mini", "video")):
        plan = Plan("tiny-dual", dataset=name, modality=modality, synthetic=True, reverse=True)
        store_result(store, replace(plan, rule="caption set", notes=("A long note. " * 30,) * 4))
    store_failure(store, Plan("cascade"), "no_space_" * 30)
    store_sweep(store.root)
    store_table(store)
    store_map(store)
    store_result(store, Plan("cart[model.encoder_layers=5;search.beam=50]" * 4))
    return write(store.root, root / "page.html")


@pytest.fixture
def site(page: Path) -> Iterator[Site]:
    pages = {"/page.html": page.read_bytes(), "/frame.html": FRAME.encode()}
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            content = pages.get(self.path)
            self.send_response(200 if content else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(content or b"")

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet: what was asked is in ``asked``."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Site(f"http://127.0.0.1:{server.server_port}", asked)
    server.shutdown()
    thread.join()
    server.server_close()


def browse(address: str, profile: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    return subprocess.run(  # noqa: S603 (the browser that the tester named)
        [
            CHROMIUM,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--enable-logging=stderr",
            f"--user-data-dir={profile}",
            *arguments,
            address,
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )


def test_it_loads_alone_and_without_complaint(site: Site, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    run = browse(
        f"{site.address}/page.html",
        tmp_path / "profile",
        "--window-size=1440,2000",
        f"--screenshot={picture}",
    )
    assert site.asked == ["/page.html"]
    assert "CONSOLE" not in run.stderr
    drawn = np.asarray(Image.open(picture).convert("L"))
    assert drawn.shape == (2000, 1440)
    assert (drawn < 100).mean() > 0.005, "hardly any ink"


def test_a_complaint_would_be_seen(site: Site, tmp_path: Path, page: Path) -> None:
    tampered = tmp_path / "page.html"
    injected = f'<body><img src="{site.address}/x.png"><script>1</script>'
    tampered.write_text(
        page.read_text(encoding="utf-8").replace("<body>", injected, 1), encoding="utf-8"
    )
    run = browse(tampered.as_uri(), tmp_path / "profile", f"--screenshot={tmp_path / 'page.png'}")
    assert "CONSOLE" in run.stderr
    assert "Content Security Policy" in run.stderr
    assert site.asked == []


def test_it_fits_a_narrow_screen(site: Site, tmp_path: Path) -> None:
    run = browse(f"{site.address}/frame.html", tmp_path / "profile", "--dump-dom")
    found = re.search(r"<title>width (\d+) in (\d+)</title>", run.stdout)
    assert found, run.stdout[:500]
    assert found[1] == found[2] == "390"
