"""Devices: refused where absent, and counted where they are GPUs."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from anamorph.errors import UnavailableError
from anamorph_training.loop.device import Device, count_gpus, start_fabric


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_an_absent_device_is_refused(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(UnavailableError, match=f"--device {device}: .* give auto or cpu"):
        start_fabric(device=device, precision="32-true", threads=1, seed=0)


def test_a_cpu_is_no_gpu() -> None:
    assert count_gpus(start_fabric(device="cpu", precision="32-true", threads=1, seed=0)) == 0


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_gpus_count_each(device: str) -> None:
    fabric: Any = SimpleNamespace(device=torch.device(device), world_size=2)
    assert count_gpus(fabric) == 2
