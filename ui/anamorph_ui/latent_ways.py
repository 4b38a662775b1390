"""The parts of the latent tab that go somewhere: along a latent, to a picture, anywhere."""

from pathlib import Path
from typing import Final

import gradio as gr

from anamorph.picture_format import SUFFIXES
from anamorph_ui import latent_codes as codes
from anamorph_ui.gradio_jobs import PageJobs, named
from anamorph_ui.inline_pictures import draw
from anamorph_ui.jobs import Job
from anamorph_ui.latent_view import Place, code_of, draw_strip
from anamorph_ui.workshop import Workshop

_MOST_STEPS: Final = 32  # on the page, where all are seen at once
_MOST_DRAWN: Final = 64


def build_traversal(
    workshop: Workshop, jobs: PageJobs, place: gr.State, model: gr.Dropdown, width: int
) -> gr.Dropdown:
    """Lay out the way along one latent, and return where it is chosen."""
    with gr.Row():
        choices = [(f"Latent {number}", number) for number in range(width)]
        dim = gr.Dropdown(choices, value=0, label="Latent that moves", min_width=220)
        low = gr.Number(-3, label="From, in deviations", min_width=120)
        high = gr.Number(3, label="To", min_width=120)
        steps = gr.Slider(2, _MOST_STEPS, value=9, step=1, label="Pictures", min_width=160)
    start = gr.Button("Traverse", variant="primary")
    strip = gr.HTML(padding=False)
    made = gr.File(label="The strip, and as an animation", interactive=False)

    def traverse(
        place: Place | None,
        model: str | None,
        dim: int,
        low: float | None,
        high: float | None,
        steps: int,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str, list[str]]:
        """Move one latent while the others stay: the strip, and its files."""
        if low is None or high is None:
            raise gr.Error("Say from where to where.", print_exception=False)

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[str, list[str]]:
            codes.check_way(steps, low, high)
            autoencoder = codes.load(workshop, named(model))
            code = code_of(autoencoder, place, model)
            pictures = autoencoder.traverse(code, dim, low=low, high=high, steps=steps)
            words = f"Pictures while latent {dim} goes from {low:g} to {high:g}"
            return draw_strip(pictures, words, folder)

        return jobs.run(request, progress, (), work)

    start.click(
        traverse,
        [place, model, dim, low, high, steps],
        [strip, made],
        api_name="traverse",
        concurrency_limit=None,
        show_progress_on=[strip],
    )
    return dim


def build_interpolation(
    workshop: Workshop, jobs: PageJobs, place: gr.State, model: gr.Dropdown
) -> None:
    """Lay out the way from a code to that of a second picture."""
    with gr.Row():
        second = gr.File(
            label="Second picture", file_types=sorted(SUFFIXES), type="filepath", height=120
        )
        steps = gr.Slider(2, _MOST_STEPS, value=9, step=1, label="Pictures on the way")
    start = gr.Button("Go there", variant="primary")
    strip = gr.HTML(padding=False)
    made = gr.File(label="The way, and as an animation", interactive=False)

    def interpolate(
        place: Place | None,
        model: str | None,
        second: str | None,
        steps: int,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str, list[str]]:
        """Go straight from the code to that of a second picture: the way, and its files."""
        if not second:
            raise gr.Error("Give a second picture first.", print_exception=False)

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[str, list[str]]:
            codes.check_way(steps)
            autoencoder = codes.load(workshop, named(model))
            there = autoencoder.encode(codes.open_bounded(workshop, paths[0]))
            pictures = autoencoder.interpolate(
                code_of(autoencoder, place, model), there, steps=steps
            )
            return draw_strip(pictures, "Pictures on the way to the second one", folder)

        return jobs.run(request, progress, [second], work)

    start.click(
        interpolate,
        [place, model, second, steps],
        [strip, made],
        api_name="interpolate",
        concurrency_limit=None,
        show_progress_on=[strip],
    )


def build_drawing(workshop: Workshop, jobs: PageJobs, model: gr.Dropdown) -> None:
    """Lay out pictures that are drawn from the prior."""
    with gr.Row():
        count = gr.Slider(1, _MOST_DRAWN, value=16, step=1, label="Pictures")
        seed = gr.Number(0, precision=0, minimum=0, label="Seed")
    start = gr.Button("Draw", variant="primary")
    sheet = gr.HTML(padding=False)

    def generate(
        model: str | None,
        count: int,
        seed: int | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> str:
        """Draw codes from the prior: their pictures."""

        def work(job: Job, paths: list[Path], folder: Path) -> str:
            made = codes.generate(codes.load(workshop, named(model)), count, seed or 0)
            return draw(
                made, f"{count} pictures that {model} made of codes drawn with seed {seed or 0}"
            )

        return jobs.run(request, progress, (), work)

    start.click(
        generate,
        [model, count, seed],
        sheet,
        api_name="generate",
        concurrency_limit=None,
    )
