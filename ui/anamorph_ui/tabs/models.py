"""Models: each card as a page to read, and models of one's own."""

import html
from pathlib import Path
from typing import Annotated, Any, Final

import gradio as gr
import msgspec
from fastapi import APIRouter, File, Response, UploadFile
from fastapi.responses import JSONResponse

from anamorph.commands.info import rows, task_of
from anamorph.errors import AnamorphError
from anamorph_ui.answers import RESPONSES, refuse, safe_name
from anamorph_ui.gradio_jobs import PageJobs
from anamorph_ui.shelf import Shelved
from anamorph_ui.speed import measure_speed
from anamorph_ui.tabs import Page, Pane
from anamorph_ui.workshop import Workshop

ORDER: Final = 90
TITLE: Final = "Models"

_EXAMPLES: Final = ("nathalie", "photo-x4", "vocoder-22k")


def describe(model: Shelved) -> dict[str, Any]:
    """Return what is told of a model in a list."""
    card = model.card
    return {
        "name": model.name,
        "version": card.model_version,
        "task": card.task,
        "scale": card.scale if card.task == "upscale" else None,
        "latent_width": card.latent_width or None,
        "sample_rate": card.sample_rate or None,
        "licence": card.licence,
        "bytes": model.size,
        "description": card.description,
    }


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/models``."""
    router = APIRouter(prefix="/v1/models", tags=["Models"])

    @router.get("")
    def list_models() -> list[dict[str, Any]]:
        """List the models, with what each does."""
        return [describe(one) for one in workshop.shelf.models()]

    @router.get("/{name}", response_class=Response, responses=RESPONSES)
    def show_model(name: str) -> Response:
        """Show a model's card: data, licence, figures and the gate's result."""
        try:
            found = workshop.shelf.find(name)
        except AnamorphError as error:
            return refuse(error, workshop)
        return JSONResponse(describe(found) | {"card": msgspec.to_builtins(found.card)})

    @router.post("", response_class=Response, responses=RESPONSES)
    def add_model(
        file: Annotated[UploadFile, File(description="An .onnx file of Anamorph's.")],
    ) -> Response:
        """Bring a model of your own; the answer says under which name it can be asked for.

        Example: curl -F file=@mine.onnx http://127.0.0.1:7860/v1/models
        """
        try:
            added = workshop.shelf.add(file.file.read(), name=safe_name(file.filename or ""))
        except AnamorphError as error:
            return refuse(error, workshop)
        return JSONResponse(describe(added), 201)

    return router


def build(workshop: Workshop, page: Page) -> Pane:
    """Lay out the tab."""
    jobs = PageJobs(workshop)
    names = [one.name for one in workshop.shelf.models()]
    with gr.Row():
        model = gr.Dropdown(names, value=names[0], label="Model")
        own = gr.UploadButton("Load my own .onnx", file_types=[".onnx"], type="filepath")
    card = gr.HTML(_draw(workshop.shelf.find(names[0])), padding=False)
    with gr.Row():
        start = gr.Button("Measure its speed here")
        use = gr.Button("Use it", variant="primary")
    said = gr.Markdown(container=False)
    gr.Examples(
        [[name] for name in names if name in _EXAMPLES],
        inputs=[model],
        label="Examples",
        api_visibility="private",
    )

    model.change(
        lambda name: (_draw(workshop.shelf.find(name)), ""),
        model,
        [card, said],
        api_visibility="private",
        show_progress="hidden",
    )

    def measure(name: str, request: gr.Request, progress: gr.Progress = gr.Progress()) -> str:
        """Measure how fast a model is here."""
        return jobs.run(request, progress, (), lambda *_: measure_speed(workshop.shelf.load(name)))

    start.click(measure, model, said, api_name="measure", concurrency_limit=None)

    choosers = [(pane.name, *chooser) for pane in page.panes for chooser in pane.models.items()]
    targets = [page.tabs, *(box for *_, box in choosers)]

    def go(name: str) -> list[Any] | None:
        """Return what goes to the tab of a model's task and chooses it there; None for no tab."""
        task = workshop.shelf.find(name).card.task
        fitting = next((tab for tab, its, _ in choosers if its == task), None)
        if fitting is None:
            return None
        chosen = gr.Dropdown(choices=_choices(workshop, name, task), value=name)
        updates = [chosen if its == task else gr.skip() for _, its, _ in choosers]
        return [gr.Tabs(selected=fitting), *updates]

    def choose(name: str) -> list[Any]:
        """Go to the tab of a model's task, and choose it there."""
        found = go(name)
        if found is None:
            raise gr.Error(f"{name} has no tab of its own: it is a part of other models.")
        return found

    def bring(path: str) -> list[Any]:
        """Keep a model of one's own, and go where it is used."""
        try:
            added = workshop.shelf.add(Path(path).read_bytes(), name=Path(path).name)
        except AnamorphError as error:
            words = workshop.without_folders(str(error))
            raise gr.Error(words, duration=None, print_exception=False) from None
        chosen = gr.Dropdown(choices=_choices(workshop, added.name, None), value=added.name)
        stay = [gr.skip()] * (1 + len(choosers))
        return [chosen, *(go(added.name) or stay)]

    use.click(choose, model, targets, api_visibility="private")
    own.upload(bring, own, [model, *targets], api_visibility="private")
    return Pane("models")


def _choices(workshop: Workshop, name: str, task: str | None) -> list[str]:
    names = [one.name for one in workshop.shelf.models(task)]
    return names if name in names else [*names, name]


def _draw(model: Shelved) -> str:
    """Return a card as HTML."""
    found = model.card
    lines: list[str] = []
    words = f"{task_of(found)}, {model.size / 1e6:.1f} MB, {found.licence}"
    for label, value in rows(found, model.path):
        text = html.escape(value)
        if label in ("name", "task", "file", "digest") or value == found.description:
            continue
        if not label:  # the whole configuration, which few want to read
            lines[-1] = lines[-1].replace(
                "</td>", f"<details><summary>with</summary>{text}</details></td>"
            )
            continue
        lines.append(f"<tr><th scope='row'>{html.escape(label)}</th><td>{text}</td></tr>")
    return f"""
<article class="card">
  <h2>{html.escape(found.name)}@{found.model_version}</h2>
  <p>{html.escape(found.description)}</p>
  <p><strong>{html.escape(words)}</strong></p>
  <table>{"".join(lines)}</table>
</article>"""
