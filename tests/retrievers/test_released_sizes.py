"""Each pretrained row says of itself what its adapter and its full-size network say."""

from __future__ import annotations

import pytest
import torch

from retrievers import registry
from retrievers.pretrained import PretrainedAdapter

PRETRAINED = {
    name: adapter
    for name in registry.names()
    if isinstance(adapter := registry.adapter(name), PretrainedAdapter)
}


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_network_has_as_many_parameters_as_its_entry_says(name: str) -> None:
    with torch.device("meta"):
        network = PRETRAINED[name].network()
    count = sum(parameter.numel() for parameter in network.parameters())
    assert count == registry.entry(name).parameters


@pytest.mark.parametrize("name", PRETRAINED)
def test_the_licence_is_that_of_the_entry(name: str) -> None:
    assert PRETRAINED[name].licence == registry.entry(name).licence
