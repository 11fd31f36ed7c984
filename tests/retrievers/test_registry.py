"""Names lead to adapters, lazily, and wrong names to a sentence that helps."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from retrievers import registry
from retrievers.base import Settings, WeightsAbsent
from retrievers.entry import Entry
from tests.retrievers.toys import ADAPTER, ToyAdapter

THIRD_PARTY = Entry(
    name="third-party",
    target="tests.retrievers.toys:ToyAdapter",
    paradigm="dual tower",
    modalities=("image",),
    summary="a toy",
    licence="Apache-2.0",
)


def offer(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    point = EntryPoint(name, value, registry.GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])


def test_every_name_has_an_entry_and_an_adapter() -> None:
    assert {"tiny-dual", "aligned", "cart"} <= set(registry.names())
    for name in registry.names():
        entry = registry.entry(name)
        if not entry.target:
            continue
        spec = registry.adapter(name).tiny(0).spec
        assert (entry.name, entry.paradigm, entry.modalities) == (
            spec.name,
            spec.paradigm,
            spec.modalities,
        )
        assert entry.summary
        assert entry.licence


@pytest.mark.parametrize(
    ("wrong", "meant"), [("tinydual", "tiny-dual"), ("Aligned", "aligned"), ("carts", "cart")]
)
def test_a_near_miss_is_answered_with_the_name_that_was_meant(wrong: str, meant: str) -> None:
    with pytest.raises(registry.UnknownRetriever, match=f"Did you mean {meant}"):
        registry.entry(wrong)


def test_a_far_miss_lists_what_there_is() -> None:
    with pytest.raises(registry.UnknownRetriever) as caught:
        registry.adapter("zzzzz")
    assert "Did you mean" not in str(caught.value)
    assert all(name in str(caught.value) for name in registry.names())


def test_a_full_name_leads_to_an_object_a_class_or_an_entry() -> None:
    assert registry.adapter("tests.retrievers.toys:ADAPTER") is ADAPTER
    assert isinstance(registry.adapter("tests.retrievers.toys:ToyAdapter"), ToyAdapter)
    through_entry = registry.adapter(f"{__name__}:THIRD_PARTY")
    assert isinstance(through_entry, ToyAdapter)


def test_the_entry_of_a_full_name_comes_from_its_spec() -> None:
    entry = registry.entry("tests.retrievers.toys:ADAPTER")
    assert entry.name == entry.target == "tests.retrievers.toys:ADAPTER"
    assert (entry.paradigm, entry.modalities) == ("dual tower", ("image",))


@pytest.mark.parametrize("target", ["no.such.module:Thing", "tests.retrievers.toys:Nothing"])
def test_a_full_name_that_leads_nowhere_says_so(target: str) -> None:
    with pytest.raises(registry.UnknownRetriever, match=r"no module|has no"):
        registry.adapter(target)


def test_an_import_error_inside_a_module_is_not_hidden(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "needs_more.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(folder)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        registry.adapter("needs_more:Thing")


def test_a_third_party_adds_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "third-party", f"{__name__}:THIRD_PARTY")
    assert registry.names()[-1] == "third-party"
    assert registry.entry("third-party") == THIRD_PARTY
    assert isinstance(registry.adapter("third-party"), ToyAdapter)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("cart", f"{__name__}:THIRD_PARTY", "already registered"),
        ("odd", "tests.retrievers.toys:ADAPTER", "must name a retrievers.entry.Entry"),
        ("gone", "no.such.module:ENTRY", "left out"),
    ],
)
def test_a_third_party_that_does_not_fit_is_left_out(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    before = registry.names()
    offer(monkeypatch, name, value)
    with pytest.warns(UserWarning, match=reason):
        assert registry.names() == before


def test_naming_retrievers_loads_no_heavy_library() -> None:
    program = (
        "import sys; from retrievers import registry;"
        "[registry.entry(name) for name in registry.names()];"
        "print([name for name in ('torch', 'transformers', 'faiss') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)  # noqa: S603
    assert done.stdout.strip() == "[]", done.stderr


def test_the_untrained_form_of_a_retriever_is_known_by_a_mark() -> None:
    entry = registry.entry("aligned@untrained")
    assert (entry.name, entry.checkpoint_roles) == ("aligned@untrained", {})
    adapter = registry.adapter("aligned@untrained")
    settings = Settings(seed=3, device="cpu", cache=Path())
    assert adapter.availability(settings).ready
    spec = adapter.describe(settings)
    assert (spec.weights, spec.options["seed"]) == ("random", 3)
    with pytest.raises(registry.UnknownRetriever):
        registry.adapter("alinged@untrained")


def test_a_system_without_weights_says_what_can_be_done() -> None:
    adapter, settings = registry.adapter("cap4video"), Settings(0, "cpu", Path())
    state = adapter.availability(settings)
    assert not state.ready
    assert "Published figures only" in state.sentence
    assert "--imported cap4video=FOLDER" in state.sentence
    with pytest.raises(WeightsAbsent):
        adapter.build(settings)
