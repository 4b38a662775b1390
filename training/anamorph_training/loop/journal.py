"""What a run tells: metrics as JSON lines, TensorBoard events, and a line or bar of progress."""

import json
import math
import shutil
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TextIO

_LINE_SECONDS = 15.0  # between lines where standard error is no terminal
_CLEAR: Final = "\r\x1b[2K"  # back to the start of the terminal's line, which is emptied
_BAR_SECONDS = 0.2


class Journal:
    """Metrics of a run. After a resume, lines beyond the checkpoint are dropped, never doubled.

    Args:
        run: Folder of the run.
        step: Steps done so far: later lines are leftovers of a killed process.
        tensorboard: Also write events for TensorBoard.
    """

    def __init__(self, run: Path, *, step: int, tensorboard: bool) -> None:
        self._file = run / "metrics.jsonl"
        _truncate(self._file, step)
        self._lines = self._file.open("a", encoding="utf-8")
        self._writer: Any = None
        if tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(run / "events"), purge_step=step + 1)

    def write(self, step: int, **values: float) -> None:
        """Append one line of figures after ``step`` steps."""
        self._lines.write(json.dumps({"step": step, **values}) + "\n")
        self._lines.flush()
        if self._writer is not None:
            for name, value in values.items():
                self._writer.add_scalar(name, value, step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.close()
        if self._writer is not None:
            self._writer.close()


def read_metrics(run: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a run's metrics, oldest first."""
    file = run / "metrics.jsonl"
    if not file.exists():
        return []
    rows = []
    for line in file.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # a kill cut the last line short
            continue
    return rows


def _truncate(file: Path, step: int) -> None:
    if not file.exists():
        return
    kept = [row for row in read_metrics(file.parent) if row["step"] <= step]
    temporary = file.with_name(f"{file.name}.tmp")
    temporary.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")
    temporary.replace(file)


class Progress:
    """Steps done, figures and time left on standard error: a bar on a terminal, else lines."""

    def __init__(self, steps: int, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._bar = self._stream.isatty()
        self._steps = steps
        self._first: tuple[int, float] | None = None  # step and time of the first report
        self._shown = -math.inf

    def show(self, step: int, **figures: float) -> None:
        """Report after ``step`` steps, if the last report is old enough."""
        now = time.monotonic()
        wait = _BAR_SECONDS if self._bar else _LINE_SECONDS
        if now - self._shown < wait and step < self._steps:
            return
        self._shown = now
        first, begin = self._first = self._first or (step, now)
        each = (now - begin) / (step - first) if step > first else 0.0
        texts = [f"step {step}/{self._steps}"]
        if each:  # unknown at the first report
            texts.append(f"{each * 1e3:.0f} ms a step")
            texts.append(f"{clock(each * (self._steps - step))} left")
        line = "  ".join(texts + [f"{name} {value:.4g}" for name, value in figures.items()])
        width = shutil.get_terminal_size().columns - 1
        end = "\n" if step == self._steps else ""
        self._stream.write(f"{_CLEAR}{line[:width]}{end}" if self._bar else line + "\n")
        self._stream.flush()

    def say(self, text: str) -> None:
        """Print one line that stays."""
        self._stream.write(f"{_CLEAR}{text}\n" if self._bar else text + "\n")
        self._stream.flush()


def clock(seconds: float) -> str:
    """Return a duration as hours:minutes:seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
