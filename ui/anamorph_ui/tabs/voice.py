"""Voice: recordings in another voice, one or many, or live from the microphone."""

import base64
import html
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

import gradio as gr
from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from anamorph.audio_reader import SUFFIXES, RecordingFile
from anamorph.card import Card
from anamorph.errors import InputError
from anamorph_ui import live_socket
from anamorph_ui.answers import RESPONSES, answer
from anamorph_ui.batches import make_all
from anamorph_ui.gradio_jobs import PageJobs
from anamorph_ui.jobs import Job
from anamorph_ui.samples import SENTENCE
from anamorph_ui.tabs import Page, Pane
from anamorph_ui.workshop import Workshop

ORDER: Final = 10
TITLE: Final = "Voice"
TASK: Final = "convert"

FormatName = Literal["wav", "flac", "mp3", "ogg", "opus"]
_SHOWN_FORMATS: Final = ["wav", "flac", "mp3"]
_PARTS: Final = 2  # of the progress: converting, and drawing
_LIVE_SECONDS: Final = 0.15  # behind, at most, of a voice that is offered for live use first


def convert(
    workshop: Workshop,
    job: Job,
    given: Path,
    folder: Path,
    *,
    model: str,
    format: FormatName,
    gain_db: float | None = None,
) -> Path:
    """Convert a recording into a new file in a folder, named after it.

    Raises:
        InputError: It is refused, is too long, or the model converts no voices.
        ModelNotFoundError: There is no such model.
        CalledOffError: The job was called off.
    """
    voice = workshop.shelf.load(model, task=TASK)
    _check_length(given, workshop.limits.seconds)
    target = folder / f"{given.stem}-{model}.{format}"
    report = voice.convert_file(
        given, target, format=format, gain_db=gain_db, progress=job.progress
    )
    return Path(report.target)


def _check_length(given: Path, most: float) -> None:
    file = RecordingFile(given)
    held = 0
    for block in file.blocks():
        held += block.shape[1]
        if held > most * file.sample_rate:
            raise InputError(
                f"{given.name}: is longer than {most / 60:g} minutes, the most that is accepted "
                "here; cut it, or use: anamorph convert"
            )


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/convert`` and ``/v1/live``."""
    router = APIRouter(prefix="/v1", tags=["Voice"])

    @router.post("/convert", response_class=Response, responses=RESPONSES)
    async def convert_recording(
        request: Request,
        file: Annotated[UploadFile, File(description="WAV, FLAC, OGG, Opus or MP3.")],
        model: Annotated[str, Form(description="A voice, see /v1/models.")] = "nathalie",
        format: Annotated[FormatName, Form(description="Of the answer.")] = "wav",
        gain_db: Annotated[
            float | None, Form(description="Raises what is heard; measured if absent.")
        ] = None,
    ) -> Response:
        """Speak the same words in another voice.

        Example: curl -F file=@me.wav -F model=nathalie http://127.0.0.1:7860/v1/convert -o her.wav
        """

        def work(job: Job, given: Path, folder: Path) -> Path:
            return convert(
                workshop, job, given, folder, model=model, format=format, gain_db=gain_db
            )

        return await answer(request, workshop, file, work)

    router.include_router(live_socket.make_router(workshop))
    return router


def build(workshop: Workshop, page: Page) -> Pane:
    """Lay out the tab."""
    jobs = PageJobs(workshop)
    names = [one.name for one in workshop.shelf.models(TASK) if not _is_live(one.card)]
    live_names = [one.name for one in workshop.shelf.models(TASK) if one.name not in names]

    with gr.Row():
        first = "nathalie" if "nathalie" in names else names[0]
        model = gr.Dropdown(names + live_names, value=first, label="Target voice")
        kind = gr.Radio(_SHOWN_FORMATS, value="wav", label="Download as")
    with gr.Row():
        given = gr.Audio(
            label="Your recording",
            sources=["upload", "microphone"],
            type="filepath",
            buttons=["download"],
        )
        made = gr.Audio(label="Converted", type="filepath", interactive=False, buttons=["download"])
    with gr.Row():
        start = gr.Button("Convert", variant="primary")
        stop = gr.Button("Cancel")
    said = gr.Markdown(container=False)
    picture = gr.HTML(padding=False)
    gr.Examples([[str(SENTENCE)]], inputs=[given], label="Example", api_visibility="private")

    def convert_one(
        recording: str | None,
        model: str,
        format: FormatName,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str, str, str]:
        """Convert a recording: the file, what changed in a sentence, and both spectrograms."""
        if not recording:
            raise gr.Error("Give a recording first: upload one, or record yourself.")

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[str, str, str]:
            with job.part(0, _PARTS):
                path = convert(workshop, job, paths[0], folder, model=model, format=format)
            job.progress(1 / _PARTS)
            return (str(path), *_show(paths[0], path, model))

        return jobs.run(request, progress, [recording], work)

    start.click(
        convert_one,
        [given, model, kind],
        [made, said, picture],
        api_name="convert",
        concurrency_limit=None,
        show_progress_on=[made],
    )
    stop.click(jobs.call_off, queue=False, api_visibility="private")
    given.change(lambda: (None, "", ""), None, [made, said, picture], api_visibility="private")

    with gr.Accordion("Several files at once", open=False):
        _build_batch(workshop, PageJobs(workshop), model, kind)
    with gr.Accordion("Live, from your microphone", open=False):
        gr.HTML(_live_panel(live_names + names), padding=False)
    return Pane("voice", {TASK: model})


def _is_live(card: Card) -> bool:
    after = card.context_after
    return after is not None and after <= _LIVE_SECONDS * card.sample_rate


def _show(before: Path, after: Path, model: str) -> tuple[str, str]:
    """Return a sentence, and a picture as HTML."""
    # Imported here: they take a second, and nobody shall wait for them before they are wanted.
    from anamorph_ui.spectrograms import describe, draw, hear

    heard = hear(before), hear(after)
    data = base64.b64encode(draw(*heard)).decode()
    words = describe(*heard)
    text = html.escape(
        f"Spectrograms before and after {model}, with one colour scale, and their pitch: {words}"
    )
    return words, f'<img class="spectrograms" src="data:image/png;base64,{data}" alt="{text}">'


def _build_batch(workshop: Workshop, jobs: PageJobs, model: gr.Dropdown, kind: gr.Radio) -> None:
    given = gr.File(
        label="Recordings", file_count="multiple", file_types=sorted(SUFFIXES), type="filepath"
    )
    with gr.Row():
        start = gr.Button("Convert all", variant="primary")
        stop = gr.Button("Cancel")
    said = gr.Markdown(container=False)
    made = gr.File(label="All of them, as a zip", interactive=False)

    def convert_all(
        recordings: list[str] | None,
        model: str,
        format: FormatName,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str | None, str]:
        """Convert recordings: a zip, and what became of each."""
        if not recordings:
            raise gr.Error("Give recordings first.")

        def one(job: Job, given: Path, folder: Path) -> Path:
            return convert(workshop, job, given, folder, model=model, format=format)

        return jobs.run(
            request,
            progress,
            recordings,
            lambda job, paths, folder: make_all(workshop, job, paths, folder, one),
        )

    start.click(
        convert_all, [given, model, kind], [made, said], concurrency_limit=None,
        api_name="convert_all", show_progress_on=[made],
    )  # fmt: skip
    stop.click(jobs.call_off, queue=False, api_visibility="private")


def _live_panel(names: Sequence[str]) -> str:
    options = "".join(f"<option>{html.escape(name)}</option>" for name in names)
    return f"""
<div class="live" data-live>
  <p>Wear headphones, so that the microphone does not hear what is made. Nothing is kept.</p>
  <label>Voice <select data-live-model>{options}</select></label>
  <label>Gain, dB <input data-live-gain type="number" value="0" min="-60" max="60" step="1"></label>
  <button type="button" data-live-switch>Start</button>
  <label>Level
    <meter data-live-level min="0" max="1" low="0.02" high="0.9" value="0"></meter></label>
  <p role="status" aria-live="polite" data-live-status>Off.</p>
</div>"""
