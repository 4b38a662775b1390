"""Upscale: pictures, one with a slider between before and after, or many into a zip."""

import html
from pathlib import Path
from typing import Annotated, Final, Literal

import gradio as gr
from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from anamorph.picture_format import FORMATS, SUFFIXES
from anamorph_ui.answers import RESPONSES, answer
from anamorph_ui.batches import make_all
from anamorph_ui.comparison import compare
from anamorph_ui.gradio_jobs import PageJobs
from anamorph_ui.jobs import Job
from anamorph_ui.samples import CAT
from anamorph_ui.tabs import Page, Pane
from anamorph_ui.workshop import Workshop

ORDER: Final = 20
TITLE: Final = "Upscale"
TASK: Final = "upscale"

FormatName = Literal["png", "jpeg", "webp", "tiff", "avif", "gif"]
_MOST_TILE: Final = 1024  # pixels: larger ones take gigabytes
_TILES: Final = [("chosen for me", 0), ("128", 128), ("256", 256), ("512", 512)]


def upscale(
    workshop: Workshop,
    job: Job,
    given: Path,
    folder: Path,
    *,
    model: str,
    format: FormatName = "png",
    tile: int | None = None,
    quality: int | None = None,
) -> Path:
    """Enlarge a picture into a new file in a folder, named after it.

    Raises:
        InputError: It is refused, has too many pixels, or the model enlarges nothing.
        ModelNotFoundError: There is no such model.
        OutputError: The format cannot hold the result.
        CalledOffError: The job was called off.
    """
    upscaler = workshop.shelf.load(model, task=TASK)
    suffix = FORMATS[format].suffixes[0]
    target = folder / f"{given.stem}-x{upscaler.card.scale}{suffix}"
    upscaler.upscale_file(
        given,
        target,
        format=format,
        tile=tile,
        quality=quality,
        max_pixels=workshop.limits.pixels,
        progress=job.progress,
    )
    return target


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/upscale``."""
    router = APIRouter(prefix="/v1", tags=["Upscale"])

    @router.post("/upscale", response_class=Response, responses=RESPONSES)
    async def upscale_picture(
        request: Request,
        file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, TIFF, AVIF or GIF.")],
        model: Annotated[str, Form(description="An upscaler, see /v1/models.")] = "photo-x4",
        format: Annotated[FormatName, Form(description="Of the answer.")] = "png",
        tile: Annotated[
            int | None,
            Form(description="Greatest side of tiles in pixels; chosen if absent.", le=_MOST_TILE),
        ] = None,
        quality: Annotated[int | None, Form(description="1 to 100, where it is lossy.")] = None,
    ) -> Response:
        """Enlarge a picture.

        Example: curl -F file=@small.png -F model=photo-x4 http://127.0.0.1:7860/v1/upscale
            -o large.png
        """

        def work(job: Job, given: Path, folder: Path) -> Path:
            return upscale(
                workshop,
                job,
                given,
                folder,
                model=model,
                format=format,
                tile=tile,
                quality=quality,
            )

        return await answer(request, workshop, file, work)

    return router


def build(workshop: Workshop, page: Page) -> Pane:
    """Lay out the tab."""
    jobs = PageJobs(workshop)
    names = [one.name for one in workshop.shelf.models(TASK)]
    with gr.Row():
        model = gr.Dropdown(
            names, value="photo-x4" if "photo-x4" in names else names[0], label="Model"
        )
        tile = gr.Dropdown(_TILES, value=0, label="Tiles in pixels")
        kind = gr.Dropdown(["png", "jpeg", "webp", "tiff", "avif"], value="png", label="Save as")
    given = gr.File(
        label="Pictures: drop one or many",
        file_count="multiple",
        file_types=sorted(SUFFIXES),
        type="filepath",
    )
    with gr.Row():
        start = gr.Button("Upscale", variant="primary")
        stop = gr.Button("Cancel")
    said = gr.Markdown(container=False)
    made = gr.File(label="Result", interactive=False)
    slider = gr.HTML(padding=False)
    gr.Examples([[[str(CAT)]]], inputs=[given], label="Example", api_visibility="private")

    def run(
        pictures: list[str] | None,
        model: str,
        tile: int,
        format: FormatName,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str | None, str, str]:
        """Enlarge pictures: the file or a zip, what happened, and both to compare."""
        if not pictures:
            raise gr.Error("Give a picture first.")

        def one(job: Job, given: Path, folder: Path) -> Path:
            return upscale(
                workshop, job, given, folder, model=model, format=format, tile=tile or None
            )

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[str | None, str, str]:
            if len(paths) > 1:
                return (*make_all(workshop, job, paths, folder, one), "")
            large = one(job, paths[0], folder)
            shown = compare(paths[0], large, name=model)
            return str(large), html.escape(shown.words), shown.html

        return jobs.run(request, progress, pictures, work)

    start.click(
        run,
        [given, model, tile, kind],
        [made, said, slider],
        api_name="upscale",
        concurrency_limit=None,
        show_progress_on=[made],
    )
    stop.click(jobs.call_off, queue=False, api_visibility="private")
    given.change(lambda: (None, "", ""), None, [made, said, slider], api_visibility="private")
    return Pane("upscale", {TASK: model})
