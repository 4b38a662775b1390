"""Progress on standard error: a bar with time left on a terminal, plain lines elsewhere."""

import sys
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID


class Progress:
    """Progress over a number of items, each reporting its own fraction."""

    def __init__(self, *, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._done = 0
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task(self._what, total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def start(self, number: int, name: str) -> None:
        """Begin item ``number``, counted from 0."""
        self._done = number
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=number, description=name)

    def update(self, fraction: float) -> None:
        """Report the current item's fraction done, 0 to 1."""
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=self._done + fraction)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self._bar:
            self._bar.console.print(line, highlight=False, markup=False, soft_wrap=True)
        else:
            print(line, file=sys.stderr, flush=True)


def locate(model: str) -> Path:
    """Return a model's file; if it has to be downloaded, show how that goes."""
    from anamorph.loading import resolve

    with ExitStack() as stack:
        bars: list[Progress] = []

        def show(received: int, expected: int | None) -> None:
            if not bars:  # only now is it known that something is fetched
                bars.append(stack.enter_context(Progress(total=1, what=f"downloading {model}")))
            if expected:
                bars[0].update(received / expected)

        return resolve(model, progress=show)


def _bar() -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.1f}/{task.total}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
