"""Contestants: engines that each run in a process of their own, timed and weighed from here."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from anamorph.errors import UnavailableError

WORKER: Final = Path(__file__).with_name("worker.py")
_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True)
class Engine:
    """How to start a contestant.

    Attributes:
        name: For people.
        function: ``file.py:function`` in this folder that prepares it; see ``worker.py``.
        options: Arguments of the function.
        threads: CPU threads that it may use.
        python: Python that runs it.
        cure: What to do where it does not start.
    """

    name: str
    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    threads: int = 1
    python: str | Path = sys.executable
    cure: str = "check the model with: anamorph check"


class Contestant:
    """A running engine; a context manager that ends its process.

    Attributes:
        name: For people.
        facts: What the engine says of itself.
        ready_mb: Resident memory before the first run, in units of 1e6 bytes.
        peak_mb: Greatest resident memory so far.

    Raises:
        UnavailableError: It does not start, or its process ends.
    """

    def __init__(self, engine: Engine) -> None:
        self.name = engine.name
        self._cure = engine.cure
        self._folder = tempfile.TemporaryDirectory(prefix="anamorph-bench-")
        self._log = Path(self._folder.name, "log")
        options = dict(engine.options) | {"threads": engine.threads}
        command = [str(engine.python), "-P", str(WORKER), str(_FOLDER / engine.function)]
        try:
            with self._log.open("w") as log:
                self._process = subprocess.Popen(
                    [*command, json.dumps(options)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    # Not every engine heeds its own option: waifu2x goes by this alone.
                    env=os.environ | {"OMP_NUM_THREADS": str(engine.threads)},
                )
        except OSError as error:
            self._folder.cleanup()
            raise UnavailableError(
                f"{self.name}: {engine.python} cannot be started ({error.strerror}); {self._cure}"
            ) from None
        self.peak_mb = 0.0
        try:
            told = self._answer()
        except BaseException:
            self.close()
            raise
        self.facts: dict[str, Any] = told["facts"]
        self.ready_mb = float(told["ready_mb"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def give(self, array: NDArray[Any]) -> None:
        """Hand over what the next runs are given."""
        path = Path(self._folder.name, "given.npy")
        np.save(path, array)
        self._order(f"give {path}")

    def run(self) -> None:
        """Run once on what was given."""
        self._order("run")

    def result(self) -> NDArray[Any]:
        """Return what the last run made."""
        path = Path(self._folder.name, "made.npy")
        self._order(f"keep {path}")
        made: NDArray[Any] = np.load(path)
        return made

    def close(self) -> None:
        """End the process and remove its files."""
        pipes: list[IO[str] | None] = [self._process.stdin, self._process.stdout]
        self._process.kill()
        self._process.wait()
        for pipe in pipes:
            if pipe is not None:
                with suppress(BrokenPipeError):  # an order that nobody read is flushed again
                    pipe.close()
        self._folder.cleanup()

    def _order(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._ended() from None
        self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._ended()
        told: dict[str, Any] = json.loads(line)
        self.peak_mb = float(told["peak_mb"])
        return told

    def _ended(self) -> UnavailableError:
        code = self._process.wait()
        said = self._log.read_text(errors="replace").strip().splitlines()
        reason = said[-1] if said else f"exit code {code}"
        return UnavailableError(f"{self.name}: its process ended ({reason}); {self._cure}")
