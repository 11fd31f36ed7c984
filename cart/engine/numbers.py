"""The numbers that an engine computes in."""

from __future__ import annotations

from typing import Literal

import torch

Numbers = Literal["fp32", "bf16", "fp16", "int8"]


def fastest_exact(device: str) -> Numbers:
    """The fastest floating-point numbers that ``device`` has in hardware: "bf16" or "fp32".

    Whole numbers are not among them: "int8" is to be asked for by name.
    """
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    has = torch.cpu.get_capabilities()
    return "bf16" if has.get("amx_bf16") or has.get("avx512_bf16") else "fp32"


def activations(numbers: Numbers, device: str) -> torch.dtype:
    """The type of what flows between the layers.

    Raises ValueError where the device does not compute in ``numbers``.
    """
    on_processor = torch.device(device).type == "cpu"
    if numbers == "int8" and not on_processor:
        raise ValueError("int8 runs on a processor only: ask for bf16 or fp16 on an accelerator")
    if numbers == "fp16" and on_processor:
        raise ValueError("fp16 runs on an accelerator only: ask for fp32, bf16 or int8")
    types = {"bf16": torch.bfloat16, "fp16": torch.float16}
    return types.get(numbers, torch.float32)
