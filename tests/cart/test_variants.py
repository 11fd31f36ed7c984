"""Configs that are changed by text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.config import CaptionConfig, CartConfig
from cart.variants import RANGES, BadChange, changed, field_names, text_of

DEFAULT = CartConfig()
# Bound to each other, so that not every value of the one goes with every value of the other.
COUPLED = ("model.heads", "model.width")


def annotations() -> dict[str, Any]:
    """dotted field -> annotation, of the groups' plain fields."""
    found: dict[str, Any] = {}
    for group in fields(CartConfig):
        value = getattr(DEFAULT, group.name)
        if is_dataclass(value):
            hints = get_type_hints(type(value))
            found |= {f"{group.name}.{name}": hint for name, hint in hints.items()}
    return found


ANNOTATIONS = {name: hint for name, hint in annotations().items() if name not in COUPLED}


def values(name: str, hint: Any) -> st.SearchStrategy[object]:
    least, most = RANGES.get(name.rpartition(".")[2], (0, 1e9))
    most = min(most, 1e9)
    whole = st.integers(int(least), int(max(most, 1)))
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if get_origin(hint) is tuple:
        return st.lists(whole, min_size=1, max_size=5).map(tuple)
    kinds: Mapping[Any, st.SearchStrategy[object]] = {
        bool: st.booleans(),
        int: whole,
        float: st.floats(least, most),
    }
    return kinds.get(hint, st.nothing())


@given(st.data())
def test_what_is_written_is_read_back(data: st.DataObject) -> None:
    name = data.draw(
        st.sampled_from([n for n, h in ANNOTATIONS.items() if not values(n, h).is_empty])
    )
    value = data.draw(values(name, ANNOTATIONS[name]))
    group, _, field = name.partition(".")
    try:
        wanted = replace(DEFAULT, **{group: replace(getattr(DEFAULT, group), **{field: value})})
    except ValueError:
        with pytest.raises(BadChange):
            changed(DEFAULT, {name: text_of(value)})
        return
    found = changed(DEFAULT, {name: text_of(value)})
    assert found == wanted
    assert type(getattr(getattr(found, group), field)) is type(value)


def test_every_flat_field_is_written_and_read_back() -> None:
    flat = {name: text_of(value) for name, value in DEFAULT.flat().items()}
    assert changed(DEFAULT, flat) == DEFAULT
    assert set(flat) <= set(field_names(DEFAULT))


def test_ranges_are_of_fields_that_there_are() -> None:
    assert set(RANGES) <= {name.rpartition(".")[2] for name in field_names(DEFAULT)}


def test_several_changes_at_once() -> None:
    found = changed(
        DEFAULT,
        {
            "identifiers.codebook_sizes": "64x32x16",
            "model.fine_fusion": "false",
            "fit.learning_rate": "1e-3",
            "fit.consistency": "off",
            "vocabulary": "500",
        },
    )
    assert found.identifiers.codebook_sizes == (64, 32, 16)
    assert found.model.fine_fusion is False
    assert (found.fit.learning_rate, found.fit.consistency) == (1e-3, "off")
    assert found.absorb == DEFAULT.absorb
    assert found.vocabulary == 500


def test_a_group_is_switched_off_and_on_again() -> None:
    without = changed(DEFAULT, {"captions": "none"})
    assert without.captions is None
    assert changed(without, {"captions.neighbours": "7"}).captions == CaptionConfig(neighbours=7)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"model.encoder_layer": "3"}, "no field model.encoder_layer. Did you mean model.encoder"),
        ({"bea": "3"}, "search.beam"),
        ({"zzz": "3"}, "There are identifiers."),
        ({"model": "none"}, "no field model"),
        ({"model.encoder_layers": "three"}, "give a whole number; it is "),
        ({"model.encoder_layers": "2.0"}, "give a whole number; it is "),
        ({"model.encoder_layers": "0"}, "give a whole number from 1 on"),
        ({"model.dropout": "1"}, "give a number from 0 to 0.99"),
        ({"fit.learning_rate": "nan"}, "give a number; it is"),
        ({"fit.weight_decay": "-1"}, "from 0 on"),
        ({"model.fine_fusion": "off"}, "give true or false"),
        ({"model.coarse_gate": "true"}, "give sigmoid or self-gated or off"),
        ({"identifiers.codebook_sizes": "128*128"}, "joined by x"),
        ({"identifiers.codebook_sizes": "128x0"}, "from 1 on"),
        ({"captions": "5"}, "captions=5: give none"),
        ({"captions": "none", "captions.neighbours": "5"}, "leaves no captions.neighbours"),
        ({"model.width": "90"}, "a multiple of the heads"),
    ],
)
def test_what_cannot_be_changed_is_said(changes: Mapping[str, str], sentence: str) -> None:
    with pytest.raises(BadChange) as refused:
        changed(DEFAULT, changes)
    assert sentence in str(refused.value)
