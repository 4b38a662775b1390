"""Bounds of the numbers that recipes take, checked where the command line is read."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

Positive = Annotated[int, Parameter(validator=Number(gte=1))]
Extent = Annotated[int, Parameter(validator=Number(gte=0))]
Rate = Annotated[float, Parameter(validator=Number(gt=0))]
Share = Annotated[float, Parameter(validator=Number(gte=0, lt=1))]
