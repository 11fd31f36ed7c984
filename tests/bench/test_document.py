"""The commands as JSON documents, and as quiet ones."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner, Result

import bench.ablation
import bench.accuracy
import bench.living
import bench.speed.plan
import bench.throughput
from bench.checkout import CHECKOUT
from bench.document import SCHEMA, Conclusion, text_of
from bench.growth.results import LivingStore
from bench.speed.store import SpeedStore
from bench.store import ResultStore

TOYS = "tests.bench.toy"
REPORT = Path("somewhere/report.html")

Words = Callable[..., list[str]]


@pytest.fixture(autouse=True)
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The report takes a process of its own."""
    for command in (bench.accuracy, bench.ablation, bench.living, bench.throughput):
        monkeypatch.setattr(command, "write_report", lambda *_: REPORT)
    monkeypatch.setattr(bench.ablation, "write_ablations", lambda *_: REPORT.parent)
    monkeypatch.setattr(bench.speed.plan, "code_digest", lambda *_: "c1")


@pytest.fixture
def words(tmp_path: Path, manifest: Path) -> Words:
    """The command line of a run over the manifest's pictures."""

    def line(*names: str, toys: str = TOYS) -> list[str]:
        named = ",".join(f"{toys}:{name}" for name in names)
        return [
            *("--manifest", str(manifest), "--retriever", named, "--device", "cpu"),
            *("--results", str(tmp_path / "results"), "--cache", str(tmp_path / "cache")),
        ]

    return line


def run(app: Typer, line: Sequence[str], status: int = 0) -> Result:
    ended = CliRunner().invoke(app, line)
    assert ended.exit_code == status, ended.output
    return ended


def document(app: Typer, line: Sequence[str], kind: str, status: int = 0) -> Mapping[str, Any]:
    """All of standard output is one document."""
    found: dict[str, Any] = json.loads(run(app, [*line, "--json"], status).stdout)
    assert (found.pop("schema"), found.pop("kind")) == (SCHEMA, kind)
    return found


def flat(text: str) -> str:
    return " ".join(text.split())


def test_accuracy_as_a_document(words: Words, tmp_path: Path) -> None:
    line = [*words("LEXICAL", "CRASH", "WASHED"), "--seeds", "0,1"]
    planned = document(bench.accuracy.app, [*line, "--dry-run"], "accuracy plan")
    assert [cell["action"] for cell in planned["cells"]] == ["run"] * 4
    assert planned["left_out"][0]["reason"] == "The toy is in the wash."

    found = document(bench.accuracy.app, line, "accuracy", status=1)
    assert found["report"] == str(REPORT)
    assert [cell["status"] for cell in found["cells"]] == ["done", "done", "failed", "failed"]
    assert {each["retriever"] for each in found["left_out"]} == {f"{TOYS}:WASHED"}
    rows = {row["label"]: row for row in found["rows"]}
    assert rows["crash"]["status"] == "failed" and "RuntimeError" in rows["crash"]["reason"]
    lexical, store = rows["lexical"], ResultStore(tmp_path / "results")
    assert lexical["seeds"] == [0, 1]
    assert lexical["published"] is None and lexical["media_to_text"] == {}
    for cell in lexical["cells"]:
        stored = store.get(cell["key"])
        assert stored is not None
        assert cell["metrics"]["R@1"]["low"] == stored.metrics["R@1"].low
        assert (cell["command"], cell["seed"]) == (stored.command, stored.spec.seed)
    values = [cell["metrics"]["R@1"]["value"] for cell in lexical["cells"]]
    assert lexical["text_to_media"]["R@1"]["value"] == pytest.approx(sum(values) / 2)
    assert lexical["text_to_media"]["R@1"]["sd"] == 0

    again = document(bench.accuracy.app, [*line[:3], f"{TOYS}:LEXICAL", *line[4:]], "accuracy")
    assert {cell["status"] for cell in again["cells"]} == {"reused"}


def test_what_can_be_chosen_as_a_document(tmp_path: Path) -> None:
    line = ["--list", "--cache", str(tmp_path)]
    found = document(bench.accuracy.app, line, "choices")
    assert any("Licence" in sentence for sentence in found["retrievers"]["cart"])
    assert "flickr30k-mini" in found["datasets"]
    named = document(bench.accuracy.app, [*line, "--retriever", "clip"], "choices")
    assert list(named) == ["retrievers"] and list(named["retrievers"]) == ["clip"]
    tables = document(bench.ablation.app, ["--list"], "ablations")["tables"]
    assert [5] in [table["tables"] for table in tables]
    rows = document(bench.throughput.app, ["--list"], "rows")["rows"]
    assert "clip:paper" in {row["name"] for row in rows}


def test_where_nothing_ran_the_document_says_why(words: Words) -> None:
    found = document(bench.accuracy.app, words("WASHED"), "accuracy", status=2)
    assert (found["rows"], found["report"]) == ([], None)
    assert found["left_out"][0]["datasets"] == ["toys"]


def test_after_a_problem_there_is_no_document(words: Words) -> None:
    ended = run(bench.accuracy.app, [*words("NOBODY"), "--json"], status=2)
    assert ended.stdout == ""
    assert "NOBODY" in ended.stderr


def test_the_living_corpus_as_a_document(words: Words, tmp_path: Path) -> None:
    line = [*words("LEARNS", toys="tests.bench.living_toys"), "--share", "0.25"]
    planned = document(bench.living.app, [*line, "--dry-run"], "living plan")
    assert planned["cells"][0]["state"] == "would run"
    found = document(bench.living.app, line, "living")
    (row,), (cell,) = found["rows"], found["cells"]
    (stored,) = LivingStore(tmp_path / "results").results()
    assert stored.growth is not None
    assert (cell["status"], cell["key"]) == ("done", stored.spec.key)
    assert row["items"] == {"seen": 9, "added": 3}
    assert row["undone"] == stored.growth.undone
    assert set(row["figures"]["whole"]["seen"]["R@1"]) == {"value", "low", "high"}
    assert row["cells"][0]["command"] == stored.command


def test_ablations_as_a_document(words: Words, tmp_path: Path) -> None:
    line = [*words("TUNABLE", toys="tests.bench.ablation_toys"), "--table", "11"]
    planned = document(bench.ablation.app, [*line, "--dry-run"], "ablation plan")
    assert len(planned["cells"]) == 3
    found = document(bench.ablation.app, line, "ablation")
    (table,) = found["tables"]
    assert [row["label"] for row in table["rows"]] == ["32", "64", "128"]
    for row in table["rows"]:
        stored = ResultStore(tmp_path / "results").get(row["keys"]["0"])
        assert stored is not None
        assert row["measured"]["R@1"]["value"] == stored.metrics["R@1"].value
    assert table["rows"][1]["published"]["R@1"] > 1
    assert found["files"] == str(REPORT.parent)


def test_throughput_as_a_document(tmp_path: Path) -> None:
    line = [
        *("--retriever", "tests.bench.sweep_toys:QUICK", "--candidates", "100", "--device", "cpu"),
        *("--seconds", "0.2", "--threads", "1", "--repeat", "1", "--results", str(tmp_path)),
        *("--cache", str(tmp_path / "cache")),
    ]
    found = document(bench.throughput.app, line, "throughput")
    stored = {cell.spec.key: cell for cell in SpeedStore(tmp_path).cells()}
    assert {cell["key"] for cell in found["cells"]} == set(stored)
    for cell in found["cells"]:
        throughput = stored[cell["key"]].throughput
        assert throughput is not None
        assert cell["throughput"]["high"] == throughput.high
        assert cell["outcome"] == "done"


def test_what_other_processes_print_stays_off_standard_output(tmp_path: Path) -> None:
    """A library in C and a process of its own write to the descriptor."""
    program = (
        "import os, subprocess, sys\n"
        "from rich.console import Console\n"
        "from bench.document import Conclusion\n"
        "from bench.options import status_of\n"
        "def command():\n"
        "    print('said')\n"
        "    os.write(1, b'written\\n')\n"
        "    subprocess.run([sys.executable, '-c', 'print(7)'], check=True)\n"
        "    return Conclusion(3, 'toy', {'nan': float('nan')})\n"
        "sys.exit(status_of(command, (), Console(stderr=True), as_json=True))\n"
    )
    ended = subprocess.run(  # noqa: S603
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=CHECKOUT, check=False
    )
    assert ended.returncode == 3, ended.stderr
    assert json.loads(ended.stdout) == {"schema": SCHEMA, "kind": "toy", "nan": None}
    assert ended.stderr.split() == ["said", "written", "7"]


TEXT = st.text(max_size=6)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXT, each, max_size=3),
    max_leaves=6,
)


@given(PLAIN)
def test_any_values_make_a_document(value: Any) -> None:
    found = json.loads(text_of(Conclusion(0, "toy", {"value": value})), parse_constant=refuse)
    assert found["value"] == finite(value)


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: finite(each) for name, each in value.items()}
    return [finite(each) for each in value] if isinstance(value, list) else value


def test_quiet_accuracy_shows_tables_and_failures_alone(words: Words) -> None:
    shown = flat(run(bench.accuracy.app, [*words("LEXICAL", "WASHED"), "--quiet"]).output)
    assert "lexical 62.5 100.0" in shown
    assert "[1/1]" not in shown and "in the wash" not in shown
    again = run(bench.accuracy.app, [*words("LEXICAL", "CRASH"), "--quiet"], status=1)
    assert "crash failed: seed 0:" in flat(again.output)
    assert "reused" not in again.output
    nothing = run(bench.accuracy.app, [*words("WASHED"), "--quiet"], status=2)
    assert "The toy is in the wash." in flat(nothing.output)


def test_a_quiet_living_corpus_tells_its_failures(words: Words) -> None:
    line = words("LEARNS", toys="tests.bench.living_toys")
    line[3] += f",{TOYS}:CONSTANT,{TOYS}:WASHED"
    shown = flat(run(bench.living.app, [*line, "--share", "0.25", "--quiet"], 1).output)
    assert "constant cannot add items to its gallery" in shown
    assert "9 items indexed, 3 added later" in shown
    assert "runs" not in shown and "in the wash" not in shown
    nothing = run(bench.living.app, [*words("WASHED"), "--quiet"], status=2)
    assert "The toy is in the wash." in flat(nothing.output)


def test_a_quiet_ablation_tells_its_failures(words: Words) -> None:
    line = [*words("TUNABLE", toys="tests.bench.ablation_toys"), "--table", "4", "--quiet"]
    shown = flat(run(bench.ablation.app, line, status=1).output)
    assert "Table 4, each component left out" in shown
    assert "the toy has no field identifiers.scheme" in shown
    assert "[1/" not in shown


def test_a_quiet_sweep_tells_its_failures(tmp_path: Path) -> None:
    rows = ",".join(f"tests.bench.sweep_toys:{name}" for name in ("QUICK", "CLUELESS", "TOO_LARGE"))
    line = [
        *("--retriever", rows, "--candidates", "100", "--device", "cpu", "--quiet"),
        *("--seconds", "0.2", "--threads", "1", "--repeat", "1", "--results", str(tmp_path)),
        *("--cache", str(tmp_path / "cache")),
    ]
    shown = flat(run(bench.throughput.app, line, status=1).output)
    assert "Left out: clueless of 100." in shown and "the toy cannot count" in shown
    assert "too-large" not in shown and "Asking" not in shown
    assert "closed-100 on cpu" in shown
