"""Kaldi's filter banks against torchaudio's, as ImageBind, LanguageBind and VALOR call them."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import numpy as np
import pytest
import torch

from retrievers.encoders.kaldi_fbank import kaldi_fbank
from tests.parity import goldens
from tests.parity.goldens import FloatArray, Golden

_VERSION = "2.0.1"
# Rate and bands of ImageBind, LanguageBind and VALOR.
_CALLS = ((16_000, 128), (16_000, 112), (22_050, 64))


def test_equals_what_torchaudio_gave() -> None:
    golden = goldens.read("kaldi-fbank")
    goldens.assert_close(_ours(), golden)


@pytest.mark.parity
def test_equals_torchaudio(monkeypatch: pytest.MonkeyPatch) -> None:
    # torchaudio's compiled part does not fit every torch; this file of it is plain Python.
    source = goldens.upstream_source("torchaudio") / "torchaudio/compliance/kaldi.py"
    monkeypatch.setitem(sys.modules, "torchaudio", ModuleType("torchaudio"))
    named = importlib.util.spec_from_file_location("torchaudio_kaldi", source)
    assert named is not None and named.loader is not None
    kaldi = importlib.util.module_from_spec(named)
    named.loader.exec_module(kaldi)
    theirs = {
        f"{mels} bands at {rate} Hz": kaldi.fbank(
            torch.from_numpy(_sound(rate))[None],
            htk_compat=True,
            sample_frequency=rate,
            use_energy=False,
            window_type="hanning",
            num_mel_bins=mels,
            dither=0.0,
            frame_length=25,
            frame_shift=10,
        ).numpy()
        for rate, mels in _CALLS
    }
    goldens.conclude(
        Golden(
            system="kaldi-fbank",
            upstream="torchaudio.compliance.kaldi",
            version=_VERSION,
            compared="log-mel bands of noise and a tone at the settings of three systems",
            difference=goldens.largest_difference(_ours(), theirs),
            numbers=goldens.kept(theirs),
        )
    )


def _ours() -> dict[str, FloatArray]:
    return {
        f"{mels} bands at {rate} Hz": kaldi_fbank(_sound(rate), rate, mels=mels).numpy()
        for rate, mels in _CALLS
    }


def _sound(rate: int) -> FloatArray:
    """Noise that grows and a tone that climbs, float32 [samples], less their mean."""
    rng = np.random.default_rng(3)
    times = np.arange(rate // 3) / rate
    tone = 0.3 * np.sin(2 * np.pi * (300 + 900 * times) * times)
    samples = tone + times * rng.standard_normal(len(times))
    return (samples - samples.mean()).astype(np.float32)
