"""Figures in words."""

from __future__ import annotations

import pytest

from reports import units


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (4.6e-06, "< 0.01 s"),
        (0.0101, "0.01 s"),
        (0.42, "0.42 s"),
        (0.999, "1.0 s"),
        (2.34, "2.3 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (125.2, "2 min 05 s"),
        (3599.7, "1 h 00 min"),
        (4320.0, "1 h 12 min"),
    ],
)
def test_seconds(value: float | None, words: str) -> None:
    assert units.seconds(value) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (1500, "1.5 kB"),
        (30_720, "31 kB"),
        (999_600, "1.0 MB"),
        (913_000_000, "913 MB"),
        (1_240_000_000, "1.2 GB"),
        (3_000_000_000_000, "3.0 TB"),
    ],
)
def test_size(value: int | None, words: str) -> None:
    assert units.size(value) == words


def test_count_and_plain_figures() -> None:
    assert units.count(25000) == "25,000"
    assert units.count(None) == "–"
    assert units.plain(512.0) == "512"
    assert units.plain(98.2468) == "98.25"


def test_moments_are_in_universal_time() -> None:
    assert units.moment("2026-11-21T11:45:00+02:00") == "21 November 2026, 09:45 UTC"
    assert units.moment("2026-11-21T11:45:00") == "21 November 2026, 11:45"
    assert units.moment("yesterday") == "yesterday"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (
            "2026-11-21T09:45:10+00:00",
            "2026-11-21T10:33:00+00:00",
            "21 November 2026, 09:45 to 10:33 UTC",
        ),
        ("2026-11-21T09:45:10+00:00", "2026-11-21T09:45:50+00:00", "21 November 2026, 09:45 UTC"),
        (
            "2026-11-20T23:59:00+00:00",
            "2026-11-21T00:10:00+00:00",
            "20 November 2026, 23:59 UTC to 21 November 2026, 00:10 UTC",
        ),
        ("then", "now", "then to now"),
    ],
)
def test_spans(first: str, last: str, words: str) -> None:
    assert units.span(first, last) == words


def test_unseen_characters_are_written_out() -> None:
    assert units.visible("a\u202eb\u200bc\x1bd") == "a\\u{202e}b\\u{200b}c\\u{1b}d"
    assert units.visible("naïve\nکارت\t😀") == "naïve\nکارت\t😀"


def test_chance_has_two_digits_and_no_more_than_all() -> None:
    assert units.chance(1, 1000) == "0.1"
    assert units.chance(1, 5000) == "0.02"
    assert units.chance(10, 883) == "1.1"
    assert units.chance(10, 12) == "83"
    assert units.chance(10, 4) == units.chance(1, 1) == "100"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (0.9996, "1.00"),
        (9.996, "10.0"),
        (97.06, "97.1"),
        (99.97, "100"),
        (12_345.6, "12,346"),
        (float("inf"), "∞"),
        (float("nan"), "–"),
    ],
)
def test_figures_have_three_digits(value: float, words: str) -> None:
    assert units.figure(value) == words


def test_a_bound_has_the_decimals_of_its_figure() -> None:
    assert units.figure(9.97, 10.3) == "10.0"
    assert units.figure(98.26, 101.0) == "98"
    assert units.figure(0.0, 0.123) == "0.000"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.0, "0.00 ms"),
        (0.004, "< 0.01 ms"),
        (0.05, "0.05 ms"),
        (9.996, "10.0 ms"),
        (99.96, "100 ms"),
        (1177.4, "1,177 ms"),
        (9999.7, "10 s"),
        (3_000_010.0, "50 min 00 s"),
    ],
)
def test_milliseconds(value: float, words: str) -> None:
    assert units.milliseconds(value) == words


def test_a_long_label_is_cut() -> None:
    assert units.cut("cart", 4) == "cart"
    assert units.cut("cart-512", 5) == "cart…"
