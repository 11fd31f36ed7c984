"""What a sweep measures in the time that it is given, worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from bench.speed.budget import HEADLINE, each_kept_once, within_budget
from bench.speed.durations import DRAWN_BYTES_A_SECOND, START_SECONDS, Duration, duration
from bench.speed.groups import Group
from retrievers.serving.contract import Needs, ServedRow

SIZES = (1000, 10_000, 100_000)


def group(
    name: str,
    size: int = 1000,
    seconds: float = 10.0,
    *,
    repeats: int = 2,
    kept: Mapping[str, float] | None = None,
) -> Group:
    """A group of which a process takes so long, the first as long as it takes to build more.

    Its candidates are no wider than nothing, so that drawing them takes no time.
    """
    kept = kept or {}
    row = ServedRow(name, "module:Class", "", "generative", "", dim=0)
    needs = Needs(sum(kept.values()), 0.0, 1, kept=kept)
    took = Duration(seconds + sum(kept.values()), seconds)
    return Group(name, row, "auto", size, repeats, "run", needs=needs, duration=took)


def line(name: str, seconds: float) -> list[Group]:
    return [group(name, size, seconds) for size in SIZES]


def measured(groups: tuple[Group, ...]) -> dict[str, list[tuple[int, int]]]:
    """row -> its (size, processes)."""
    found: dict[str, list[tuple[int, int]]] = {}
    for each in groups:
        found.setdefault(each.row.name, []).append((each.candidates, each.repeats))
    return found


def test_what_fits_is_left_as_it_is() -> None:
    groups = [*line("a", 10), *line("b", 20)]
    found = within_budget(groups, 180, spare=True)
    assert found.groups == tuple(groups)
    assert found.thinned == ()


def test_the_row_that_takes_longest_is_thinned_first() -> None:
    found = within_budget([*line("a", 10), *line("b", 20)], 150, spare=True)
    assert measured(found.groups) == {
        "a": [(1000, 2), (10_000, 2), (100_000, 2)],
        "b": [(1000, 2), (100_000, 2)],
    }
    assert found.thinned == ("b: measured at 1,000 and 100,000 alone; all of it would take 2:00.",)


def test_every_row_loses_its_middle_before_one_loses_its_repetition() -> None:
    found = within_budget([*line("a", 10), *line("b", 20)], 90, spare=True)
    assert measured(found.groups) == {
        "a": [(1000, 2), (100_000, 2)],
        "b": [(1000, 1), (100_000, 1)],
    }
    assert "alone, once" in found.thinned[1]


def test_the_headline_keeps_more_and_only_what_nobody_named_is_left_out() -> None:
    groups = [*line("cart", 10), *line("b", 20)]
    spared = within_budget(groups, 45, spare=True)
    assert measured(spared.groups) == {"cart": [(1000, 2), (100_000, 2)]}
    assert spared.thinned[1] == "b: left out, since even 100,000 alone would take 0:20."
    named = within_budget(groups, 45, spare=False)
    assert measured(named.groups) == {"cart": [(1000, 1), (100_000, 1)], "b": [(100_000, 1)]}


def test_what_cannot_run_is_no_matter_of_time() -> None:
    skipped = Group("c", group("c").row, "auto", 1000, 2, "skip", "It cannot.")
    found = within_budget([*line("a", 10), skipped], 1, spare=True)
    assert found.groups == (skipped,)


@given(
    st.lists(st.sampled_from([*HEADLINE, "b", "c"]), min_size=1, max_size=4, unique=True),
    st.floats(1, 400),
    st.booleans(),
)
def test_a_budget_is_kept_or_nothing_less_is_left(
    names: list[str], seconds: float, spare: bool
) -> None:
    groups = [group(name, size, 7.0 + len(name)) for size in SIZES for name in names]
    found = within_budget(groups, seconds, spare=spare)
    took = sum(each.seconds for each in found.groups)
    least = {name: [(100_000, 1)] for name in names if name in HEADLINE or not spare}
    assert took <= seconds or measured(found.groups) == least
    assert within_budget(groups, 1e9, spare=spare).groups == tuple(groups)


def test_what_the_cache_keeps_is_built_for_the_first_alone() -> None:
    codebooks = {"codebooks": 30.0}
    first, second, third = each_kept_once(
        [
            group("a", kept=codebooks),
            group("b", kept={**codebooks, "codes": 5.0}),
            group("c", kept={**codebooks, "codes": 5.0}),
        ]
    )
    assert first.duration == Duration(40, 10)
    assert second.duration == Duration(15, 10)
    assert third.duration == Duration(10, 10)


def test_smaller_galleries_are_the_beginning_of_larger_ones() -> None:
    rows = int(DRAWN_BYTES_A_SECOND / 4)
    wide = ServedRow("a", "module:Class", "", "generative", "", dim=1)
    groups = [
        Group("a", wide, "auto", size, 1, "run", needs=Needs(0, 0, 1), duration=Duration(1, 1))
        for size in (rows, rows, 3 * rows)
    ]
    assert [each.duration.first for each in each_kept_once(groups)] == [2, 1, 3]


def test_a_process_is_timed_as_long_as_its_batches_take() -> None:
    quick, slow = Needs(10, 0.0, 1 << 30), Needs(10, 0.5, 1 << 30)
    assert duration(quick, ["closed-100"], 5).first == START_SECONDS + 10 + 1.6 * 5
    at_least_two_batches = START_SECONDS + 10 + (8 + 200) * 0.5
    assert duration(slow, ["closed-100"], 5).first >= at_least_two_batches
    twice = duration(quick, ["closed-100", "batch-100"], 5).first
    assert twice == START_SECONDS + 10 + 2 * 1.6 * 5
    alone = duration(quick, ["open"], 5).first
    assert alone == duration(quick, ["closed-100", "open"], 5).first
