"""What all tabs and routes share: models, turns, threads, limits and a folder that is emptied."""

import re
import shutil
import tempfile
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from anamorph_ui.jobs import Desk, Job
from anamorph_ui.limits import Limits
from anamorph_ui.shelf import Shelf

T = TypeVar("T")

_MODELS: Final = "models"
_WORK: Final = "work"  # a folder for each job that came over HTTP
_PAGE: Final = "page"  # what Gradio keeps: a folder for each file
GIVEN: Final = "given"  # in a job's folder, what was uploaded


class Workshop:
    """Where jobs are done.

    Args:
        limits: Of all that is done.
        device: As for ``anamorph.load``.
        threads: Likewise.

    Attributes:
        limits: As given.
        desk: Gives jobs their turns.
        shelf: Holds the models.
        threads: For jobs that came over HTTP: as many as may be in line.
        live_threads: For live conversions.
        folder: Of this process alone, readable by its user alone; gone at its end.
    """

    def __init__(self, limits: Limits, *, device: str = "auto", threads: int | None = None) -> None:
        self.limits = limits
        self.folder = Path(tempfile.mkdtemp(prefix="anamorph-")).resolve()
        self._remove = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        for name in (_MODELS, _WORK, _PAGE):
            (self.folder / name).mkdir()
        self.desk = Desk(waiting=limits.waiting)
        self.threads = ThreadPoolExecutor(limits.waiting + 1, "job")
        self.live_threads = ThreadPoolExecutor(limits.live, "live")
        self.shelf = Shelf(
            self.folder / _MODELS,
            memory_bytes=limits.memory_bytes,
            own_models=limits.own_models,
            device=device,
            threads=threads,
        )

    def new_folder(self, *, shown: bool = False) -> Path:
        """Make a folder for the files of one job.

        Args:
            shown: The page shows what is in it, and Gradio deletes it when it is old; otherwise
                the caller does.
        """
        return Path(tempfile.mkdtemp(dir=self.folder / (_PAGE if shown else _WORK)))

    def do(self, job: Job, work: Callable[[Job], T]) -> T:
        """Wait for the turn of a job that stands in line, and do it.

        Raises:
            CalledOffError: It was called off.
            AnamorphError: What the work raises.
        """
        with self.desk.turn(job):
            return work(job)

    @property
    def page_folder(self) -> Path:
        """Where Gradio keeps what is uploaded to the page, and what the page shows."""
        return self.folder / _PAGE

    def without_folders(self, text: str) -> str:
        """Return a message with the names of files as their owners know them."""
        name = r"[^\\/:\s]+[\\/]"
        inner = rf"(?:{_WORK}|{_PAGE})[\\/]{name}(?:{GIVEN}[\\/]|\d+[\\/])?|{_MODELS}[\\/]"
        return re.sub(rf"{re.escape(str(self.folder))}[\\/](?:{inner})", "", text)

    def close(self) -> None:
        """Call all jobs off, and delete the folder once they have ended."""
        self.desk.close()
        self.threads.shutdown(cancel_futures=True)
        self.live_threads.shutdown(cancel_futures=True)
        self._remove()
