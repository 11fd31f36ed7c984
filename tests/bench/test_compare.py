"""``python -m bench.compare``: what it says and how it ends, from stored results."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import bench.compare
import bench.comparing
from bench.cells import Cell
from bench.comparing import terminal
from bench.comparing.outcome import comparison
from bench.comparing.sides import folder
from bench.significance import holm
from bench.store import ResultStore
from tests.bench.results import RETRIEVER, done, failed, frame, reverse_frame
from tests.reports.stored_sweep import store_row

ITEMS = 40
SCHEMA = json.loads(
    Path(bench.comparing.__file__).with_name("schema.json").read_text(encoding="utf-8")
)
HOSTILE = "<script>alert(1)</script>[bold red]\x1b[31m\u202e{{ 7 * 7 }}'\"\nnext"


def named(name: str, **changes: object) -> dict[str, object]:
    return {"retriever": replace(RETRIEVER, name=name, **changes)}  # type: ignore[arg-type]


def put(
    results: Path,
    name: str,
    places: Sequence[int],
    revision: str = "abc",
    told: dict[str, Any] | None = None,
    **changes: object,
) -> Cell:
    """``told`` are fields of the retriever, ``changes`` of the spec."""
    made = done(places, **{**named(name, **(told or {})), **changes})  # type: ignore[arg-type]
    cell = replace(made, revision=revision)
    ResultStore(results).write(cell, frame(places))
    return cell


def right(items: int) -> list[int]:
    """Two queries an item; those of the first ``items`` find it, at rank 1."""
    return [1] * (2 * items) + [0] * (2 * (ITEMS - items))


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(bench.compare.app, [str(word) for word in words])


def document(*words: str | Path) -> dict[str, Any]:
    ended = run(*words, "--json")
    found = json.loads(ended.stdout)
    jsonschema.validate(found, SCHEMA)
    assert found["status"] == ended.exit_code
    return dict(found)


def printed(before: Path, after: Path, *, quiet: bool = False) -> list[str]:
    found = comparison(folder(before), folder(after), ("R@1", "MRR@10"), 0.0, with_speed=True)
    file = io.StringIO()
    Console(width=80, file=file).print(terminal.results(found, quiet=quiet))
    return file.getvalue().splitlines()


def verdicts(found: dict[str, Any]) -> dict[str, str]:
    return {row["label"]: row["verdict"] for row in found["rows"]}


@pytest.fixture
def a(tmp_path: Path) -> Path:
    return tmp_path / "a"


@pytest.fixture
def b(tmp_path: Path) -> Path:
    return tmp_path / "b"


def test_identical_sets_end_well(a: Path, b: Path) -> None:
    for side in (a, b):
        put(side, "cart", right(20))
        put(side, "tower", right(30))
    ended = run(a, b)
    assert ended.exit_code == 0
    assert "Nothing is significantly worse." in ended.stdout
    assert "2 identical" in ended.stdout
    assert verdicts(document(a, b)) == {"cart": "identical", "tower": "identical"}


def test_a_planted_regression_is_found(a: Path, b: Path) -> None:
    put(a, "cart", right(30))
    put(b, "cart", right(10))
    for side in (a, b):
        put(side, "tower", right(20))
    ended = run(a, b)
    assert ended.exit_code == 1
    assert "Worse: cart on toys: R@1 -50.0 points." in ended.stdout
    assert verdicts(document(a, b)) == {"cart": "regression", "tower": "identical"}


def test_an_improvement_is_none(a: Path, b: Path) -> None:
    put(a, "cart", right(10))
    put(b, "cart", right(30))
    assert run(a, b).exit_code == 0
    assert verdicts(document(a, b)) == {"cart": "improvement"}


def test_a_difference_of_few_items_is_not_told_apart(a: Path, b: Path) -> None:
    put(a, "cart", right(21))
    put(b, "cart", right(20))
    ended = run(a, b)
    assert ended.exit_code == 0
    assert "Not told apart is not equal" in ended.stdout
    (row,) = document(a, b)["rows"]
    assert row["verdict"] == "not told apart"
    (change,) = row["changes"]
    assert change["p"] == 1.0


def test_a_drop_within_the_tolerance_is_told_and_no_regression(a: Path, b: Path) -> None:
    put(a, "cart", right(30))
    put(b, "cart", right(20))
    assert run(a, b, "--tolerance", "24.9").exit_code == 1
    within = run(a, b, "--tolerance", "25.1")
    assert within.exit_code == 0
    assert "1 drop within tolerance" in within.stdout
    for points in ("-1", "inf", "nan"):
        assert run(a, b, "--tolerance", points).exit_code == 2


def test_figures_by_hand_and_holm_over_the_whole_run(a: Path, b: Path) -> None:
    put(a, "cart", right(8))
    put(b, "cart", right(2))
    put(a, "tower", right(9))
    put(b, "tower", right(4))
    found = document(a, b)
    cart, tower = (row["changes"][0] for row in found["rows"])
    assert (cart["before"], cart["after"]) == (8 / 40, 2 / 40)
    assert cart["difference"]["value"] == pytest.approx(-6 / 40)
    assert cart["p"] == pytest.approx(2 / 2**6)
    assert tower["p"] == pytest.approx(2 / 2**5)
    assert [cart["adjusted_p"], tower["adjusted_p"]] == pytest.approx(holm([2 / 2**6, 2 / 2**5]))
    assert verdicts(found) == {"cart": "not told apart", "tower": "not told apart"}


def test_all_metrics_are_one_family(a: Path, b: Path) -> None:
    rng = np.random.default_rng(3)
    put(a, "cart", rng.choice([1, 1, 3, 7, 0], 2 * ITEMS).tolist())
    put(b, "cart", rng.choice([1, 3, 3, 7, 0, 0], 2 * ITEMS).tolist())
    (row,) = document(a, b, "--metric", "all")["rows"]
    assert [change["metric"] for change in row["changes"]] == ["R@1", "R@5", "R@10", "MRR@10"]
    assert [change["adjusted_p"] for change in row["changes"]] == holm(
        [change["p"] for change in row["changes"]]
    )
    (alone,) = document(a, b)["rows"]
    assert [change["metric"] for change in alone["changes"]] == ["R@1"]
    assert alone["differences"].keys() == {"R@1", "R@5", "R@10", "MRR@10"}
    assert alone["differences"] == row["differences"]


def test_a_lost_row_and_a_newly_failed_one_are_worse(a: Path, b: Path) -> None:
    for name in ("cart", "lost", "broken"):
        put(a, name, right(20))
    for name in ("cart", "come"):
        put(b, name, right(20))
    ResultStore(b).write(failed(**named("broken")))
    ended = run(a, b)
    words = " ".join(ended.stdout.split())
    assert ended.exit_code == 1
    assert "broken on toys failed in B; lost on toys is lost" in words
    assert "broken: seed 0: It broke." in words
    assert verdicts(document(a, b)) == {
        "broken": "failed in B",
        "cart": "identical",
        "come": "new",
        "lost": "lost",
    }


def test_what_failed_before_is_not_newly_failed(a: Path, b: Path) -> None:
    for side in (a, b):
        put(side, "cart", right(20))
        ResultStore(side).write(failed(**named("broken")))
    ResultStore(a).write(failed(**named("mended")))
    put(b, "mended", right(20))
    assert verdicts(document(a, b)) == {
        "broken": "failed in both",
        "cart": "identical",
        "mended": "new",
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"dataset_digest": "d2"}, "The data differ: another digest."),
        ({"protocol": "other"}, "A was measured under own-split, B under other."),
    ],
)
def test_what_was_asked_otherwise_is_not_compared(
    a: Path, b: Path, changes: dict[str, object], reason: str
) -> None:
    for side in (a, b):
        put(side, "cart", right(20))
    put(a, "tower", right(30))
    put(b, "tower", right(5), **changes)
    found = document(a, b)
    (row,) = (row for row in found["rows"] if row["label"] == "tower")
    assert (row["verdict"], row["reason"], row["changes"]) == ("not comparable", reason, [])
    assert found["status"] == 0


def test_other_queries_are_not_compared_and_alone_are_nothing_to_compare(a: Path, b: Path) -> None:
    put(a, "cart", right(20))
    put(b, "cart", right(20)[2:])
    ended = run(a, b)
    assert ended.exit_code == 2
    assert "No row of" in ended.stderr and "The queries differ." in ended.stderr
    assert ended.stdout == ""


def test_the_sides_exchanged_mirror_the_figures_and_keep_the_p_values(a: Path, b: Path) -> None:
    rng = np.random.default_rng(8)
    for side, chance in ((a, 0.8), (b, 0.5)):
        put(side, "cart", (rng.random(2 * ITEMS) < chance).astype(int).tolist())
        put(side, "tower", (rng.random(2 * ITEMS) < 0.5).astype(int).tolist())
    ahead, back = document(a, b), document(b, a)
    mirrored = {"regression": "improvement", "not told apart": "not told apart"}
    assert {name: mirrored[verdict] for name, verdict in verdicts(ahead).items()} == verdicts(back)
    for one, other in zip(ahead["rows"], back["rows"], strict=True):
        first, second = one["changes"][0], other["changes"][0]
        assert (first["p"], first["adjusted_p"]) == (second["p"], second["adjusted_p"])
        assert first["detectable"] == pytest.approx(second["detectable"])
        assert first["difference"]["low"] == pytest.approx(-second["difference"]["high"])


def test_checkpoints_of_one_name_are_rows_of_their_own(a: Path, b: Path) -> None:
    for at in ("one", "two"):
        put(a, "tower", right(30), told={"checkpoint": {"image": at}})
        put(b, "tower", right(30 if at == "one" else 5), told={"checkpoint": {"image": at}})
    assert verdicts(document(a, b)) == {
        "tower (image=one)": "identical",
        "tower (image=two)": "regression",
    }


def test_the_reverse_direction_is_compared_too(a: Path, b: Path) -> None:
    for side, found in ((a, 35), (b, 5)):
        asked = [1] * found + [0] * (ITEMS - found)
        ResultStore(side).write(
            done(right(20), reverse=asked), frame(right(20)), reverse=reverse_frame(asked)
        )
    told = document(a, b)
    assert [(row["direction"], row["verdict"]) for row in told["rows"]] == [
        ("text to media", "identical"),
        ("media to text", "regression"),
    ]


def test_the_seeds_that_both_have_are_compared(a: Path, b: Path) -> None:
    put(a, "cart", right(30), seed=0)
    put(a, "cart", right(10), seed=1)
    put(b, "cart", right(30), seed=0)
    (row,) = document(a, b)["rows"]
    assert row["verdict"] == "identical"
    assert row["remarks"] == ["Seeds: A has 0, 1, B 0; 0 alone is compared."]


def test_options_that_differ_are_told(a: Path, b: Path) -> None:
    put(a, "cart", right(20))
    put(b, "cart", right(20), told={"options": {**RETRIEVER.options, "rate": 0.2}})
    (row,) = document(a, b)["rows"]
    assert row["remarks"] == ["Options differ: rate 0.1 → 0.2."]


def test_versions_that_differ_are_told(a: Path, b: Path) -> None:
    put(a, "cart", right(20))
    cell = done(right(20), **named("cart"))  # type: ignore[arg-type]
    ResultStore(b).write(replace(cell, versions={"numpy": "3"}), frame(right(20)))
    assert document(a, b)["versions"] == {"numpy": {"before": ["2"], "after": ["3"]}}
    assert "Versions differ: numpy 2 → 3" in run(a, b).stdout


FIRST, SECOND = "1234567890" * 4, "1239999999" * 4


@pytest.fixture
def store(tmp_path: Path) -> Path:
    results = tmp_path / "results"
    put(results, "cart", right(30), FIRST, code="c1", created="2026-01-01")
    put(results, "cart", right(10), SECOND, code="c2", created="2026-01-02")
    put(results, "cart", right(30), f"{SECOND}+changes", code="c3", created="2026-01-03")
    put(results, "tower", right(20), FIRST)
    return results


def test_two_revisions_of_one_store(store: Path) -> None:
    found = document("--results", store, "1234", "12399")
    assert found["status"] == 1
    assert (found["before"]["label"], found["after"]["label"]) == (FIRST, SECOND)
    assert found["before"]["results"] == 2
    assert verdicts(found) == {"cart": "regression", "tower": "not measured again"}


def test_a_tree_that_was_not_clean_is_a_revision_of_its_own(store: Path) -> None:
    found = document("--results", store, SECOND, "123999+changes")
    assert verdicts(found) == {"cart": "improvement"}
    assert found["after"]["label"] == f"{SECOND}+changes"


def test_a_commit_with_changes_alone_is_found_by_its_hash(tmp_path: Path) -> None:
    put(tmp_path, "cart", right(30), FIRST, code="c1")
    put(tmp_path, "cart", right(30), f"{SECOND}+changes", code="c2")
    found = document("--results", tmp_path, FIRST, SECOND)
    assert found["after"]["label"] == f"{SECOND}+changes"


@pytest.mark.parametrize(
    ("named_as", "told"),
    [
        (("1234", "777"), "is of the revision 777"),
        (("123", "1234"), "123 is the start of several revisions"),
        (("1234", FIRST), "are one revision"),
        (("1234", "1234+changes"), "is of the revision 1234+changes"),
        (("", "1234"), "is of the revision"),
    ],
)
def test_a_revision_that_names_none_or_several(
    store: Path, named_as: tuple[str, str], told: str
) -> None:
    ended = run("--results", store, *named_as)
    assert ended.exit_code == 2
    assert told in " ".join(ended.stderr.split())


def test_usage(a: Path, b: Path) -> None:
    put(a, "cart", right(20))
    assert "is not a folder of results" in run(a, b).stderr
    b.mkdir()
    ended = run(a, b)
    assert (ended.exit_code, ended.stdout) == (2, "")
    assert "holds no result" in ended.stderr
    assert run(a, a, "--metric", "R@2").exit_code == 2
    assert "give R@1, R@5, R@10, MRR@10 or all" in run(a, a, "--metric", "R@2").stderr
    assert run(a).exit_code == 2


def test_a_slow_down_is_told_and_fails_with_speed(a: Path, b: Path) -> None:
    for side, rates in ((a, (100, 102, 98)), (b, (50, 52, 48))):
        put(side, "cart", right(20))
        store_row(side, "cart", rates)
    ended = run(a, b)
    assert ended.exit_code == 0
    assert "cart is slower (closed-100 on cpu, 1,000 candidates)" in " ".join(ended.stdout.split())
    found = document(a, b, "--speed")
    assert found["status"] == 1
    (point,) = found["speed"]
    assert point["verdict"] == "slower"
    assert point["times"]["value"] == pytest.approx(0.5)
    assert point["times"]["low"] <= 0.5 <= point["times"]["high"] < 1


def test_speed_alone_can_be_compared(a: Path, b: Path) -> None:
    for side in (a, b):
        store_row(side, "cart")
    assert run(a, b, "--speed").exit_code == 0


def test_quiet_shows_what_is_worse_and_the_summary(a: Path, b: Path) -> None:
    put(a, "cart", right(30))
    put(b, "cart", right(10))
    for side in (a, b):
        put(side, "tower", right(20))
    ended = run(a, b, "--quiet")
    assert ended.exit_code == 1
    assert "cart" in ended.stdout and "tower" not in ended.stdout
    assert "1 regression" in ended.stdout


def test_the_table_has_the_documents_figures(a: Path, b: Path) -> None:
    rng = np.random.default_rng(5)
    for side in (a, b):
        put(side, "cart", rng.choice([1, 3, 0], 2 * ITEMS).tolist())
    (row,) = document(a, b)["rows"]
    (change,) = row["changes"]
    (line,) = (line.split() for line in run(a, b).stdout.splitlines() if "R@1 " in line[:30])
    assert line[:6] == [
        "cart",
        "R@1",
        f"{100 * change['before']:.1f}",
        f"{100 * change['after']:.1f}",
        f"{100 * change['difference']['value']:+.1f}",
        f"{change['adjusted_p']:.3f}",
    ]


def test_hostile_names_neither_steer_the_terminal_nor_widen_it(a: Path, b: Path) -> None:
    long = "x" * 150
    for side, found in ((a, 30), (b, 10)):
        put(side, HOSTILE, right(found), dataset=HOSTILE, protocol=HOSTILE)
        put(side, long, right(found), dataset=long, told={"checkpoint": {long: long}})
        store_row(side, HOSTILE, (100, 101, 99) if side == a else (1, 1, 1))
        store_row(side, long, candidates=10**9)
    ResultStore(a).write(failed(**named("b"), dataset=HOSTILE))
    ResultStore(b).write(replace(failed(**named("b"), dataset=HOSTILE), reason=HOSTILE))
    for quiet in (False, True):
        lines = printed(a, b, quiet=quiet)
        assert max(map(len, lines)) <= 80
        shown = "\n".join(lines)
        assert "\x1b" not in shown and "\u202e" not in shown
        folded = "".join(shown.split())
        assert "<script>alert(1)</script>[boldred]\\u{1b}[31m\\u{202e}{{7*7}}" in folded
    found = document(a, b)
    assert HOSTILE in {row["retriever"] for row in found["rows"]}


def test_ordinary_tables_keep_to_80_columns(a: Path, b: Path) -> None:
    for side, found in ((a, 30), (b, 10)):
        put(side, "cart[search.beam=50;model.encoder_layers=5]", right(found))
        put(side, "tower", right(found if side == b else 9))
        store_row(side, "languagebind:paper", (123_456, 191_234), candidates=10**6)
    lines = printed(a, b)
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert any("drop" in line or "regression" in line for line in lines)


def test_the_page_is_written_in_a_process_of_its_own(a: Path, b: Path, tmp_path: Path) -> None:
    put(a, "cart", right(30))
    put(b, "cart", right(10))
    page = tmp_path / "deep" / "page.html"
    ended = run(a, b, "--html", page)
    assert ended.exit_code == 1
    assert str(page) in "".join(ended.stdout.split())
    assert "-50.0" in page.read_text(encoding="utf-8")
    as_json = run(a, b, "--json", "--html", page)
    jsonschema.validate(json.loads(as_json.stdout), SCHEMA)
    refused = run(a, b, "--html", page / "in-the-way.html")
    assert refused.exit_code == 2
    assert "nothing was written" in refused.stderr


def test_the_command_needs_no_torch() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys, bench.compare; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "False"
