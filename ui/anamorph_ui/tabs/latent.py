"""Latent space: a picture's code as sliders, what lies around it, and what lies between two."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import gradio as gr
from fastapi import APIRouter

from anamorph.picture_format import SUFFIXES
from anamorph_ui import latent_codes as codes
from anamorph_ui import latent_routes
from anamorph_ui.gradio_jobs import PageJobs, named
from anamorph_ui.inline_pictures import draw
from anamorph_ui.jobs import Job
from anamorph_ui.latent_view import Place, code_of, draw_chances, draw_map, move_to, see
from anamorph_ui.latent_ways import build_drawing, build_interpolation, build_traversal
from anamorph_ui.samples import CAT
from anamorph_ui.tabs import Page, Pane
from anamorph_ui.workshop import Workshop

ORDER: Final = 30
TITLE: Final = "Latent space"
TASK: Final = codes.TASK

_HINT: Final = "Give a picture, or begin at the middle of all codes."
_MOST_DIMS: Final = 256  # that can be asked for before a model has been chosen


@dataclass(frozen=True)
class Parts:
    """The components that a code is seen by."""

    model: gr.Dropdown
    given: gr.File
    middle: gr.Button
    place: gr.State
    before: gr.HTML
    after: gr.HTML
    said: gr.Markdown
    chances: gr.HTML
    map_part: gr.Column
    map: gr.Image
    sliders: list[gr.Slider]

    @property
    def shown(self) -> list[Any]:
        """Those that a new code changes."""
        return [self.before, self.after, self.said, self.chances, self.place]


def make_router(workshop: Workshop) -> APIRouter:
    """Return the routes for codes."""
    return latent_routes.make_router(workshop)


def build(workshop: Workshop, page: Page) -> Pane:
    """Lay out the tab."""
    jobs = PageJobs(workshop)
    models = workshop.shelf.models(TASK)
    if not models:
        gr.Markdown(codes.MISSING, container=False)
    names = [one.name for one in models]
    model = gr.Dropdown(names, value=names[0] if names else None, label="Model")
    parts = _lay_out(workshop, jobs, model)
    with gr.Accordion("Along one latent", open=False):
        width = min(max((one.card.latent_width for one in models), default=1), _MOST_DIMS)
        dim = build_traversal(workshop, jobs, parts.place, model, width)
    with gr.Accordion("To a second picture", open=False):
        build_interpolation(workshop, jobs, parts.place, model)
    drawn = bool(models and models[0].card.prior)
    with gr.Accordion("Drawn from the prior", open=False, visible=drawn) as drawing:
        build_drawing(workshop, jobs, model)
    _connect(workshop, jobs, parts, [dim, drawing])
    return Pane("latent", {TASK: model})


def _lay_out(workshop: Workshop, jobs: PageJobs, model: gr.Dropdown) -> Parts:
    place = gr.State(None, time_to_live=workshop.limits.kept_seconds)
    with gr.Row():
        with gr.Column(scale=2, min_width=280):
            given = gr.File(
                label="Picture", file_types=sorted(SUFFIXES), type="filepath", height=120
            )
            with gr.Row():
                middle = gr.Button("Middle of all codes", min_width=120)
                save = gr.Button("Save this code", min_width=120)
            with gr.Row(elem_classes="pair"):
                before, after = gr.HTML(padding=False), gr.HTML(padding=False)
            said = gr.Markdown(_HINT, container=False)
            chances = gr.HTML(padding=False)
            saved = gr.File(label="The code, as .npy", interactive=False, visible=False)
        with gr.Column(scale=3, min_width=280):
            with gr.Row():
                sliders = [
                    gr.Slider(-3, 3, value=0, visible=False, label=f"{number}", min_width=240)
                    for number in range(codes.MOST_KNOBS)
                ]
            map_part, map_ = _lay_out_map()
    gr.Examples([[str(CAT)]], inputs=[given], label="Example", api_visibility="private")
    parts = Parts(
        model, given, middle, place, before, after, said, chances, map_part, map_, sliders
    )

    def save_code(place: Place | None, model: str | None, request: gr.Request) -> Any:
        """Write the code as .npy: float32 (latent,)."""

        def work(job: Job, paths: list[Path], folder: Path) -> str:
            path = folder / "code.npy"
            path.write_bytes(
                codes.as_npy(code_of(codes.load(workshop, named(model)), place, model))
            )
            return str(path)

        made = jobs.run(request, gr.Progress(), (), work)
        return gr.File(value=made, visible=True)

    save.click(save_code, [place, model], saved, api_name="save_code", concurrency_limit=None)
    return parts


def _lay_out_map() -> tuple[gr.Column, gr.Image]:
    with gr.Column(visible=False) as part:
        gr.Markdown("All codes: click where you want to go.", container=False)
        picture = gr.Image(
            show_label=False,
            label="Map of all codes",
            alt_text="Decoded pictures all over the latent space",
            interactive=False,
            type="filepath",
            buttons=[],
            elem_classes="map",
        )
    return part, picture


def _connect(workshop: Workshop, jobs: PageJobs, parts: Parts, others: list[Any]) -> None:
    """Let what is seen follow the picture, the model, the sliders and the map."""
    encode, start = _make_encoder(workshop, jobs), _make_starter(workshop, jobs)
    follow = _make_follower(workshop, jobs)
    seen: dict[str, Any] = {"concurrency_limit": None, "show_progress_on": [parts.after]}
    quiet: dict[str, Any] = {**seen, "show_progress": "hidden", "api_visibility": "private"}
    laid_out = [parts.place, parts.map, parts.map_part, *others, *parts.sliders]
    chosen, here = parts.model, parts.place
    begun = [
        parts.given.change(
            encode, [parts.given, chosen, here], parts.shown, api_name="encode", **seen
        ),
        parts.middle.click(start, [chosen, here], parts.shown, api_name="middle", **seen),
        chosen.change(start, [chosen, here], parts.shown, api_visibility="private", **seen),
    ]
    lay_out = _make_layer(workshop, jobs)
    for event in begun:
        event.success(lay_out, here, laid_out, **quiet)
    for number, slider in enumerate(parts.sliders):
        slider.input(
            follow(number),
            [here, slider],
            [parts.after, parts.said, here],
            trigger_mode="always_last",
            **quiet,
        )
    parts.map.select(
        _make_picker(workshop, jobs), here, [parts.after, parts.said, here], **quiet
    ).success(lay_out, here, laid_out, **quiet)


def _make_encoder(workshop: Workshop, jobs: PageJobs) -> Callable[..., tuple[Any, ...]]:
    def encode(
        picture: str | None,
        model: str | None,
        place: Place | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[Any, ...]:
        """Turn a picture into its code: it, what is made of the code, the code, and chances."""
        if not picture:
            return (gr.skip(),) * 5

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[Any, ...]:
            autoencoder = codes.load(workshop, named(model))
            given = codes.open_bounded(workshop, paths[0])
            found = autoencoder.examine(given)
            shown = draw(given, "The picture that was given", caption="given", most=400)
            likely = codes.name_chances(autoencoder, found.get("chances"))
            code = [float(one) for one in found["code"]]
            return (
                shown,
                *see(autoencoder, code),
                draw_chances(likely),
                move_to(model, code, place),
            )

        return jobs.run(request, progress, [picture], work)

    return encode


def _make_starter(workshop: Workshop, jobs: PageJobs) -> Callable[..., tuple[Any, ...]]:
    def start(model: str | None, place: Place | None, request: gr.Request) -> tuple[Any, ...]:
        """Go to the middle of all codes."""

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[Any, ...]:
            autoencoder = codes.load(workshop, named(model))
            code = autoencoder.middle().tolist()
            return ("", *see(autoencoder, code), "", move_to(model, code, place))

        return jobs.run(request, gr.Progress(), (), work)

    return start


def _make_follower(workshop: Workshop, jobs: PageJobs) -> Callable[[int], Callable[..., Any]]:
    """Return what makes, for a slider's number, what moves its latent."""

    def follow(number: int) -> Callable[..., Any]:
        def move(place: Place | None, value: float | None, request: gr.Request) -> tuple[Any, ...]:
            if place is None or value is None:
                return (gr.skip(),) * 3

            def work(job: Job, paths: list[Path], folder: Path) -> tuple[Any, ...]:
                autoencoder = codes.load(workshop, place.model)
                code = list(place.code)
                code[codes.knobs(autoencoder, code)[number].dim] = value
                return (*see(autoencoder, code), replace(place, code=tuple(code)))

            return jobs.run(request, gr.Progress(), (), work)

        return move

    return follow


def _make_picker(workshop: Workshop, jobs: PageJobs) -> Callable[..., Any]:
    """Return what goes where the map is clicked."""

    def pick(place: Place | None, request: gr.Request, at: gr.SelectData) -> tuple[Any, ...]:
        if place is None or place.map_size is None:
            return (gr.skip(),) * 3
        across, down = (at.index[i] / place.map_size[i] for i in range(2))

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[Any, ...]:
            autoencoder = codes.load(workshop, place.model)
            code = codes.find_in_map(autoencoder, across, down)
            return (*see(autoencoder, code), replace(place, code=tuple(code)))

        return jobs.run(request, gr.Progress(), (), work)

    return pick


def _make_layer(workshop: Workshop, jobs: PageJobs) -> Callable[..., Any]:
    """Return what lays out sliders, map and choices for the model and the code."""

    def lay_out(place: Place | None, request: gr.Request) -> list[Any]:
        if place is None:
            return [gr.skip()] * (5 + codes.MOST_KNOBS)

        def work(job: Job, paths: list[Path], folder: Path) -> list[Any]:
            autoencoder = codes.load(workshop, place.model)
            found = codes.knobs(autoencoder, place.code)
            sliders: list[Any] = [
                gr.Slider(
                    minimum=one.low,
                    maximum=one.high,
                    step=one.step,
                    value=one.shown,
                    label=one.label,
                    visible=True,
                )
                for one in found
            ]
            sliders += [gr.Slider(visible=False)] * (codes.MOST_KNOBS - len(found))
            if place.shown:
                return [*[gr.skip()] * 5, *sliders]
            map_, size = draw_map(autoencoder, folder)
            choices = [(codes.name_latent(autoencoder, dim), dim) for dim in autoencoder.active()]
            dims = gr.Dropdown(choices=choices, value=choices[0][1])
            drawing = gr.Accordion(visible=bool(autoencoder.card.prior))
            here = replace(place, shown=True, map_size=size)
            return [here, map_, gr.Column(visible=bool(size)), dims, drawing, *sliders]

        return jobs.run(request, gr.Progress(), (), work)

    return lay_out
