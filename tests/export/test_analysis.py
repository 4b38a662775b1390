"""The mel analysis in fixed convolutions, right and wrong, against librosa."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anamorph_export.analysis import MelSetting, check_analysis, probe_signals, reference_log_mel
from anamorph_export.exporting import to_onnx
from anamorph_export.gate import GateError, open_run
from anamorph_training.networks.mel import MelAnalysis

SETTING = MelSetting()


class CarelessBasis(nn.Module):
    """Phases in float32, not reduced: that of the last bin reaches 3,000 rad."""

    def forward(self) -> Tensor:
        index = torch.arange(SETTING.n_fft, dtype=torch.float32)
        phases = index[:372, None] * (index * (2 * math.pi / SETTING.n_fft))
        return torch.cat([phases.cos(), -phases.sin()])


class CarelessMel(MelAnalysis):
    """The same on such a basis."""

    def __init__(self) -> None:
        super().__init__()
        self.basis = CarelessBasis()  # type: ignore[assignment]


def test_phases_in_float64_modulo_n_fft_agree_with_librosa() -> None:
    assert check_analysis(MelAnalysis()).check == "analysis"


def test_phases_in_float32_are_refused() -> None:
    with pytest.raises(GateError, match="phases of the Fourier basis in float64"):
        check_analysis(CarelessMel())


def test_other_frames_are_refused() -> None:
    with pytest.raises(GateError, match="correct its padding"):
        check_analysis(MelAnalysis(n_mels=40))


def test_nan_is_refused() -> None:
    class Lost(MelAnalysis):
        def forward(self, waveform: Tensor) -> Tensor:
            return super().forward(waveform) * float("nan")

    with pytest.raises(GateError, match="misses librosa's by nan"):
        check_analysis(Lost())


def test_the_reference_has_the_stated_frames_and_floor() -> None:
    silence = np.zeros(4096, np.float32)
    log_mel = reference_log_mel(silence, SETTING)
    assert log_mel.shape == (80, (4096 + 2 * 384 - 1024) // 256 + 1)
    assert log_mel.min() >= math.log(1e-5)


def test_probe_signals_are_repeatable_and_in_range() -> None:
    first, second = probe_signals(22_050), probe_signals(22_050)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(signal.dtype == np.float32 and np.abs(signal).max() <= 1 for signal in first)


def test_the_floor_outlives_the_exporter() -> None:
    """An addition of 1e-9 is dropped by it, and near silence 4e-3 of the logarithm with that."""
    axes = {"waveform": {0: "batch", 1: "samples"}}
    example = torch.full((2, 3001), 0.1)
    analysis = MelAnalysis().eval()
    model = to_onnx(analysis, {"waveform": example}, ["mel"], axes=axes)
    quiet = np.random.default_rng(0).normal(0, 1e-5, (1, 9000)).astype(np.float32)
    found = open_run(model.SerializeToString())(quiet)
    expected = reference_log_mel(quiet[0], SETTING)
    assert np.abs(found[0] - expected).max() < 1e-4
