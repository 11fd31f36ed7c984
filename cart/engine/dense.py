"""What an engine is made of: products with weights that never change, norms and tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cart.engine.numbers import Numbers

# A vocabulary up to this size has its products made beforehand, one row a token.
LARGEST_TABLE = 4096


class Dense(Protocol):
    """x [rows, in] -> x W^T + b [rows, out]"""

    def __call__(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Floating:
    """weight [out, in], bias [out]"""

    weight: Tensor
    bias: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class Whole:
    """Weights of 8 bits with a scale for each output, inputs of 8 bits with one scale a call.

    That scale is of all rows that a call holds, so an answer follows, by less than a rounding,
    the queries that it shares a batch with. ``narrow`` keeps inputs to 7 bits where two products
    of 8 would overflow the 16 bits that a processor without VNNI adds them in.
    """

    packed: torch.ScriptObject
    narrow: bool
    bytes: int

    def __call__(self, x: Tensor) -> Tensor:
        return torch.ops.quantized.linear_dynamic(x, self.packed, self.narrow)


def dense(weight: Tensor, bias: Tensor, numbers: Numbers, dtype: torch.dtype) -> Dense:
    """Make weight [out, in] and bias [out] ready for products in ``numbers``."""
    if numbers != "int8":
        return Floating(weight.to(dtype).contiguous(), bias.to(dtype).contiguous())
    weight, bias = weight.float(), bias.float()
    scales = weight.abs().amax(dim=1).clamp_min(1e-12).double() / 127
    with warnings.catch_warnings():
        # Announced to go from PyTorch some day; what is to replace it has no fast kernel here.
        warnings.filterwarnings("ignore", message="torch.quantize_per_tensor", category=UserWarning)
        whole = torch.quantize_per_channel(
            weight, scales, torch.zeros(len(weight), dtype=torch.int64), 0, torch.qint8
        )
        packed = torch.ops.quantized.linear_prepack(whole, bias)
    has = torch.cpu.get_capabilities()
    vnni = bool(has.get("avx512_vnni") or has.get("avx_vnni"))
    return Whole(packed, not vnni, weight.numel() + scales.nbytes + bias.nbytes)


@dataclass(frozen=True)
class Norm:
    """Layer normalisation over the last dimension."""

    weight: Tensor
    bias: Tensor
    epsilon: float

    @staticmethod
    def of(module: nn.LayerNorm, dtype: torch.dtype) -> Norm:
        return Norm(module.weight.to(dtype), module.bias.to(dtype), module.eps)

    def __call__(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class Lookup(Protocol):
    """tokens int64 [rows] -> what was computed of their embeddings [rows, out]"""

    def __call__(self, tokens: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Table:
    """Computed beforehand, a row a token."""

    rows: Tensor

    def __call__(self, tokens: Tensor) -> Tensor:
        return self.rows.index_select(0, tokens)


@dataclass(frozen=True)
class OnDemand:
    """Computed of the tokens' embeddings [vocabulary, width] when they come."""

    embeddings: Tensor
    compute: Callable[[Tensor], Tensor]

    def __call__(self, tokens: Tensor) -> Tensor:
        return self.compute(self.embeddings.index_select(0, tokens))


def lookup(embeddings: Tensor, compute: Callable[[Tensor], Tensor]) -> Lookup:
    """``compute`` of each token's embedding: a table, unless the vocabulary is too large."""
    if len(embeddings) > LARGEST_TABLE:
        return OnDemand(embeddings, compute)
    return Table(compute(embeddings))


def held_bytes(part: object) -> int:
    """Bytes of all tensors in dataclasses and sequences of them, each storage counted once."""
    return sum(dict(_storages(part)).values())


def _storages(part: object) -> Iterator[tuple[int, int]]:
    if isinstance(part, Tensor):
        yield part.untyped_storage().data_ptr(), part.untyped_storage().nbytes()
    elif isinstance(part, Whole):
        yield id(part), part.bytes
    elif isinstance(part, tuple | list):
        for one in part:
            yield from _storages(one)
    elif is_dataclass(part):
        for field in fields(part):
            yield from _storages(getattr(part, field.name))
