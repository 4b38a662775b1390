"""Bounds of the numbers that recipes take, checked where the command line is read."""

from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number


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
