"""Names of variants, and the retrievers that they name."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cart.config import CartConfig
from retrievers import registry, variants
from retrievers.base import Variable
from retrievers.cart import CART_256, CartAdapter
from retrievers.variants import BadVariantName

FIELDS = st.from_regex(r"[a-z]{1,8}(\.[a-z_]{1,8})?", fullmatch=True)
TEXTS = st.text(string.ascii_letters + string.digits + "._+-", min_size=1, max_size=12)


@given(st.dictionaries(FIELDS, TEXTS, max_size=6))
def test_a_name_is_read_back_and_sorted(changes: dict[str, str]) -> None:
    name = variants.named("cart", changes)
    assert variants.parse(name) == ("cart", changes)
    backwards = dict(reversed(changes.items()))
    assert variants.named("cart", backwards) == name


@pytest.mark.parametrize(
    "name",
    [
        *("cart[", "cart]", "[a=1]", "cart[a=1]x", "cart[a=1][b=2]", "cart[a]", "cart[a=]"),
        *("cart[=1]", "cart[a=1,b=2]", "cart[a=<b>]", "cart[a=1;a=2]", "cart[a=../x]"),
        f"cart[a={'1' * 600}]",
    ],
)
def test_a_name_that_cannot_be_read(name: str) -> None:
    with pytest.raises(BadVariantName):
        variants.parse(name)
    with pytest.raises(registry.UnknownRetriever):
        registry.entry(name)


def test_a_list_is_split_outside_brackets() -> None:
    assert variants.split("a,b[c=1;d=2],e") == ["a", "b[c=1;d=2]", "e"]
    assert variants.split("a[b=1,c=2],d") == ["a[b=1,c=2]", "d"]


def test_changes_are_added_to_those_of_a_variant() -> None:
    assert variants.with_changes("cart", {}) == "cart"
    assert variants.with_changes("cart[b=1;a=1]", {"b": "2"}) == "cart[a=1;b=2]"


def test_one_variant_has_one_name() -> None:
    beam = CartConfig().search.beam
    layers = CartConfig().model.encoder_layers + 1
    wanted = f"cart[model.encoder_layers={layers};search.beam={beam + 1}]"
    for name in (
        f"cart[model.encoder_layers={layers};search.beam={beam + 1}]",
        f"cart[ search.beam=0{beam + 1} ; model.encoder_layers={layers}]",
        f"cart[model.encoder_layers={layers};search.beam={beam + 1};vocabulary=2000]",
    ):
        assert registry.canonical(name) == wanted
    assert registry.canonical(f"cart[search.beam={beam}]") == "cart"
    assert registry.canonical("cart[]") == "cart"
    assert registry.canonical("tiny-dual") == "tiny-dual"


def test_the_adapter_of_a_variant_has_its_settings() -> None:
    found = registry.adapter("cart[captions=none;model.encoder_layers=5]")
    assert isinstance(found, CartAdapter)
    assert isinstance(found, Variable)
    assert found.name == "cart[captions=none;model.encoder_layers=5]"
    assert found.config.model.encoder_layers == 5
    assert found.config.captions is None


def test_a_retriever_named_in_full_has_variants_too() -> None:
    found = registry.adapter("retrievers.cart:CART_256[model.decoder_layers=5]")
    assert isinstance(found, CartAdapter)
    assert found.name == "cart-256[model.decoder_layers=5]"
    assert found.config.model.width == CART_256.config.model.width


def test_a_variant_has_no_published_row() -> None:
    assert registry.entry("cart").published is not None
    found = registry.entry("cart[search.beam=50]")
    assert found.published is None
    assert found.target == registry.entry("cart").target


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cart[search.bem=50]", "search.beam"),
        ("cart[search.beam=0]", "from 1 on"),
        ("clip[search.beam=50]", "no fields"),
        ("karte[search.beam=50]", "Did you mean cart"),
    ],
)
def test_a_variant_that_there_is_not(name: str, sentence: str) -> None:
    with pytest.raises(registry.UnknownRetriever, match=sentence):
        registry.adapter(name)
