"""Jobs that are asked for on the page: turns, progress, and a button that calls them off."""

import os
import shutil
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import gradio as gr
from gradio.context import Context

from anamorph.errors import AnamorphError
from anamorph_ui.batches import unused_name
from anamorph_ui.jobs import CalledOffError, Job
from anamorph_ui.workshop import GIVEN, Workshop

T = TypeVar("T")


class PageJobs:
    """The jobs that one part of a page asks for; made while the page is laid out.

    Args:
        workshop: Where they are done.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._jobs: defaultdict[str, set[Job]] = defaultdict(set)  # by session
        page = Context.root_block
        assert page is not None, "made outside of a page"
        page.unload(self.call_off)

    def run(
        self,
        request: gr.Request,
        progress: gr.Progress,
        given: Sequence[str],
        work: Callable[[Job, list[Path], Path], T],
    ) -> T:
        """Do a job in its turn, and show how far it is.

        Args:
            request: Whose session asks.
            progress: Where it is shown.
            given: Uploaded files.
            work: Makes something of the job, the files and an empty folder that the page may show.

        Raises:
            gradio.Error: It was refused or called off; says so in a sentence.
        """
        session = request.session_hash or ""
        job = Job(lambda share, words: progress(share, desc=words))
        folder = self._workshop.new_folder(shown=True)
        try:
            self._workshop.desk.enter(job)
            self._jobs[session].add(job)
            paths = [_keep(Path(one), folder) for one in given]
            return self._workshop.do(job, lambda job: work(job, paths, folder))
        except BaseException as error:
            shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, CalledOffError):
                raise gr.Error("Cancelled.", duration=3, print_exception=False) from None
            if isinstance(error, AnamorphError):
                words = self._workshop.without_folders(str(error))
                raise gr.Error(words, duration=None, print_exception=False) from None
            raise
        finally:
            shutil.rmtree(folder / GIVEN, ignore_errors=True)
            with suppress(OSError):  # unless something was made that the page shows
                folder.rmdir()
            self._workshop.desk.leave(job)
            self._jobs[session].discard(job)
            if not self._jobs[session]:
                del self._jobs[session]

    def call_off(self, request: gr.Request) -> None:
        """End the session's jobs, if there are any: at a button, or when the page is left."""
        for job in list(self._jobs.get(request.session_hash or "", ())):
            job.call_off()


def named(model: str | None) -> str:
    """Return the name of the chosen model.

    Raises:
        gradio.Error: None is there to be chosen.
    """
    if not model:
        raise gr.Error("There is no model to do it with.", print_exception=False)
    return model


def _keep(path: Path, folder: Path) -> Path:
    """Let an upload stay until its turn has come, however long that takes."""
    place = folder / GIVEN
    place.mkdir(exist_ok=True)
    kept = place / unused_name(path.name, [one.name for one in place.iterdir()])
    try:
        os.link(path, kept)
    except OSError:  # another file system, or one without links
        shutil.copyfile(path, kept)
    return kept
