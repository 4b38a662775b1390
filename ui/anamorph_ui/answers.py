"""How a job's result, or what went wrong, becomes an HTTP answer."""

import asyncio
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

from fastapi import Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse, Response
from starlette.background import BackgroundTask

from anamorph.errors import AnamorphError, ModelNotFoundError, UnavailableError
from anamorph_ui.batches import unused_name
from anamorph_ui.jobs import BusyError, CalledOffError, Job
from anamorph_ui.workshop import GIVEN, Workshop

_STATUSES: Final[tuple[tuple[type[AnamorphError], int], ...]] = (
    (BusyError, 503),
    (CalledOffError, 499),  # nobody listens any more
    (ModelNotFoundError, 404),
    (UnavailableError, 503),
)
_UNUSABLE: Final = 422  # what all other errors of the library say of what was sent
_POLL: Final = 0.5  # seconds between looks at whether somebody still listens

TEXTS: Final = {
    404: "There is no such model.",
    413: "More is sent than is accepted.",
    422: "What was sent cannot be used; the error says why.",
    503: "Too many jobs wait; try again later (Retry-After).",
}
RESPONSES: Final[dict[int | str, dict[str, object]]] = {
    status: {
        "description": text,
        "content": {"application/json": {"example": {"error": "a sentence"}}},
    }
    for status, text in TEXTS.items()
}


def refuse(error: AnamorphError, workshop: Workshop) -> Response:
    """Return an answer of one sentence."""
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), _UNUSABLE)
    headers = {"Retry-After": "5"} if status == 503 else None
    return JSONResponse({"error": workshop.without_folders(str(error))}, status, headers=headers)


def refuse_unread(error: RequestValidationError) -> Response:
    """Return an answer of one sentence to a request whose fields are missing or out of bounds."""
    said = "; ".join(
        f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg'].lower()}" for one in error.errors()
    )
    return JSONResponse({"error": f"{said}; see /docs"}, 422)


async def answer(
    request: Request,
    workshop: Workshop,
    upload: UploadFile,
    work: Callable[[Job, Path, Path], Path],
) -> Response:
    """Do a job with an uploaded file, and send the file that it makes; both are deleted.

    Args:
        request: Whoever sent it may leave; then the job ends.
        workshop: Where it is done.
        upload: File that was sent.
        work: Makes a file from the job, the uploaded file and a folder, in a thread of its own.
    """

    def with_one(job: Job, given: list[Path], folder: Path) -> Path:
        return work(job, given[0], folder)

    return await answer_all(request, workshop, [upload], with_one)


async def answer_all(
    request: Request,
    workshop: Workshop,
    uploads: Sequence[UploadFile],
    work: Callable[[Job, list[Path], Path], Path | dict[str, Any] | list[dict[str, Any]]],
) -> Response:
    """Do a job with any number of uploaded files, and send the file or the JSON that it makes.

    Args:
        request: As for ``answer``.
        workshop: Likewise.
        uploads: Files that were sent; there may be none.
        work: Makes a file, or what becomes JSON, from the job, the uploaded files and a folder.
    """
    job = Job()
    try:
        workshop.desk.enter(job)  # here and not in a thread: there are no more than may wait
    except AnamorphError as error:
        return refuse(error, workshop)
    folder = workshop.new_folder()
    delete = partial(shutil.rmtree, folder, ignore_errors=True)

    def run() -> Path | dict[str, Any] | list[dict[str, Any]]:
        try:
            given: list[Path] = []
            for upload in uploads:
                given.append(_save(upload, folder, [one.name for one in given]))
            return workshop.do(job, lambda job: work(job, given, folder))
        except BaseException:
            delete()
            raise
        finally:
            workshop.desk.leave(job)

    future = asyncio.get_running_loop().run_in_executor(workshop.threads, run)
    try:
        while not future.done():
            await asyncio.wait({future}, timeout=_POLL)
            if not future.done() and await request.is_disconnected():
                job.call_off()
        made = future.result()
    except AnamorphError as error:
        return refuse(error, workshop)
    except asyncio.CancelledError:
        job.call_off()
        future.add_done_callback(lambda _: delete())
        raise
    if isinstance(made, Path):
        return FileResponse(made, filename=made.name, background=BackgroundTask(delete))
    return JSONResponse(made, background=BackgroundTask(delete))


def _save(upload: UploadFile, folder: Path, taken: Sequence[str]) -> Path:
    """Write an upload under its own name, which is no path, into a folder of its own."""
    (folder / GIVEN).mkdir(exist_ok=True)
    path = folder / GIVEN / unused_name(safe_name(upload.filename or ""), taken)
    with path.open("wb") as file:
        shutil.copyfileobj(upload.file, file)
    return path


def safe_name(name: str) -> str:
    """Return the last part of a name, without what file systems or terminals stumble over."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(one if one.isprintable() and one not in '<>:"|?*' else "_" for one in last)
    stem, dot, suffix = kept.strip(" .").rpartition(".")
    if not stem:
        stem, dot, suffix = suffix, "", ""
    return f"{_shortened(stem, 120)}{dot}{_shortened(suffix, 20)}" or "upload"


def _shortened(text: str, most: int) -> str:
    """Return the beginning of a text that takes at most so many bytes."""
    return text.encode()[:most].decode(errors="ignore")
