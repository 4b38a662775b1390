"""Where and how a run computes: device, precision, threads, seeding."""

from collections.abc import Callable
from typing import Literal

import torch
from lightning_fabric import Fabric

from anamorph.errors import UnavailableError

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["32-true", "bf16-mixed"]


def start_fabric(*, device: Device, precision: Precision, threads: int, seed: int) -> Fabric:
    """Set a process up for training, repeatably.

    Args:
        device: What to compute on; ``auto`` takes the best there is.
        precision: ``32-true``, or a mixed precision where the device is quicker with it.
        threads: Processor threads; 0 takes one per core.
        seed: Of PyTorch's generators.

    Raises:
        UnavailableError: There is no such device here.
    """
    present: dict[str, Callable[[], bool]] = {
        "cuda": torch.cuda.is_available,
        "mps": torch.backends.mps.is_available,
    }
    if device in present and not present[device]():
        raise UnavailableError(
            f"--device {device}: there is none here that PyTorch can use; give auto or cpu"
        )
    if threads:
        torch.set_num_threads(threads)
    # Denormal numbers in fading Adam moments would slow the processor down many times.
    torch.set_flush_denormal(True)
    torch.backends.cudnn.benchmark = False
    torch.manual_seed(seed)
    return Fabric(accelerator=device, devices=1, precision=precision)


def count_gpus(fabric: Fabric) -> int:
    """Return how many GPUs a run computes on: 0 on a CPU."""
    return 0 if fabric.device.type == "cpu" else fabric.world_size
