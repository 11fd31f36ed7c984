"""Text from outside stays text: captions, names, reasons, options and commands."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

from bench.store import ResultStore
from reports.page import write
from tests.reports.page_reading import Element, assert_inert, parse
from tests.reports.stored_results import Plan, store_failure, store_result

HOSTILE = (
    "<script>alert(1)</script>",
    "</bdi></p></blockquote></details></main><script src=//example.org/x.js></script>",
    "\"'><img src=x onerror=alert(1)>",
    "<style>*{display:none}</style>",
    "{{ 7 * 7 }} {% raw %}",
    "\u202eevil \u2066right to left",
    "&lt;b&gt; &amp;amp; &#60;",
    "<!-- -->]]><svg onload=alert(1)>",
    "كلب يجري على الشاطئ",
    "tab\tand\u00a0space, 👩‍👩‍👧 and \U0001f600",
)


def page_of(store: ResultStore) -> Element:
    page = write(store.root, store.root.parent / "page.html")
    return parse(page.read_text(encoding="utf-8"))


def test_hostile_names_reasons_and_options_are_inert(tmp_path: Path) -> None:
    bad = "<script>alert('x')</script>\" onload=\"x"
    store = ResultStore(tmp_path / "results")
    plan = Plan(
        bad,
        dataset=bad,
        protocol=bad,
        items=4,
        options={bad: bad},
        checkpoint={bad: bad},
        diagnostics={bad: 0.5},
        machine={bad: bad},
        notes=(bad,),
        created=bad,
    )
    store_result(store, plan)
    store_failure(store, Plan("cart", dataset=bad, protocol=bad), bad)
    page = page_of(store)
    assert_inert(page)
    assert page.all("table", class_="accuracy")[0].all(class_="name")[0].words == bad
    assert any(bad in note.text for note in page.all("ul", class_="notes"))
    assert bad in page.all("td", class_="reason")[0].words
    (glance,) = page.all("section", id="results")
    labels = [text.text for text in glance.all("svg")[0].all("text")]
    assert bad in labels


def test_hidden_characters_in_a_command_are_made_visible(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    store_result(store, Plan("cart\u202e\u2066rm -rf\u2069", items=4))
    command = page_of(store).all("pre")[0].text
    assert "cart\\u{202e}\\u{2066}rm -rf\\u{2069}" in command


def test_half_of_a_surrogate_pair_does_not_stop_the_page(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    store_failure(store, Plan("cart", items=4), "broken \ud800 reason")
    assert "broken ? reason" in page_of(store).words


def test_the_policy_forbids_all_but_what_the_page_holds(tmp_path: Path) -> None:
    store = ResultStore(tmp_path / "results")
    store_result(store, Plan("cart", items=4))
    page = page_of(store)
    (policy,) = (
        meta.attributes["content"]
        for meta in page.all("meta")
        if meta.attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    allowed = rules.pop("script-src").split()
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data:",
        "media-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    scripts = [script for script in page.all("script") if "type" not in script.attributes]
    (packed,) = page.all("script", id="charts-library")
    library = gzip.decompress(base64.b64decode(str(packed.children[0])))
    contents = [*(str(script.children[0]).encode() for script in scripts), library]
    assert sorted(allowed) == sorted(
        f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in contents
    )
