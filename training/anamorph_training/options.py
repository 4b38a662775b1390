"""Options that recipes share, and bounds of numbers, checked where the command line is read."""

from dataclasses import dataclass
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from anamorph_training.loop.device import Device, Precision


def _check_odd(type_: Any, value: int) -> None:
    if value < 1 or value % 2 == 0:
        raise ValueError(f"Must be odd and positive, not {value}.")


Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Extent = Annotated[int, Parameter(validator=Number(gte=0))]
Rate = Annotated[float, Parameter(validator=Number(gt=0))]
Weight = Annotated[float, Parameter(validator=Number(gte=0))]
Zooms = tuple[Annotated[float, Parameter(validator=Number(gt=0, lt=1))], ...]
Share = Annotated[float, Parameter(validator=Number(gte=0, lt=1))]
Odd = Annotated[int, Parameter(validator=_check_odd)]
_RUNNING = Parameter(group="Running")


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What decides no model: where and how a run computes, and what it tells."""

    device: Annotated[Device, _RUNNING] = "auto"
    """What to compute on."""
    precision: Annotated[Precision, _RUNNING] = "32-true"
    """Numbers to compute with; 16 bits pay on GPUs alone."""
    threads: Annotated[Extent, _RUNNING] = 0
    """Processor threads; 0 takes one per core."""
    log_every: Annotated[Positive, _RUNNING] = 50
    """Steps between lines of metrics."""
    tensorboard: Annotated[bool, _RUNNING] = True
    """Also write events for TensorBoard."""
