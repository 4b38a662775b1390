"""Divergence: how far two distributions are apart, and which of a family is nearest."""

import html
from typing import Annotated, Any, Final, Literal

import gradio as gr
from fastapi import APIRouter, Body, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from anamorph.commands.divergence import FAMILIES, FamilyName
from anamorph.divergence import Gaussian, Unit
from anamorph.errors import AnamorphError
from anamorph_ui import distances
from anamorph_ui.answers import RESPONSES, refuse
from anamorph_ui.tabs import Page, Pane
from anamorph_ui.workshop import Workshop

ORDER: Final = 50
TITLE: Final = "Divergence"

_OBSERVED: Final = "KL(observed || family)"
_FAMILY: Final = "KL(family || observed)"
_EXAMPLES: Final = [
    ["teeth", "uniform"],
    ["teeth", "binomial:0.57"],
    ["3, 5, 2", "1, 1, 1"],
]
_INTRO: Final = (
    "How far is one distribution from another? Give counts or chances with commas between them, or "
    "*teeth*; what is expected may also be *uniform* or *binomial:0.57*."
)


class Pair(BaseModel):
    """Two distributions, and perhaps a family to be fitted to the first."""

    observed: str = Field(
        "teeth",
        description="Counts or chances with commas between them; or teeth.",
        max_length=distances.MOST_LETTERS,
    )
    expected: str = Field(
        "uniform",
        description="Likewise; or uniform, or binomial:P.",
        max_length=distances.MOST_LETTERS,
    )
    unit: Unit = Field("bits", description="bits or nats.")
    fit: FamilyName | None = Field(
        None, description="Find the nearest member: binomial, two-level or geometric."
    )
    split: int | None = Field(
        None, description="First outcome of two-level's upper level; the middle if absent."
    )
    reverse: bool = Field(False, description="Minimise KL(family || observed) instead.")


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/divergence``."""
    router = APIRouter(prefix="/v1", tags=["Divergence"])

    @router.post("/divergence", response_class=Response, responses=RESPONSES)
    def compare_distributions(body: Annotated[Pair, Body()]) -> Response:
        """Say how far two distributions are apart; what is infinite is null.

        Example: curl -H "Content-Type: application/json" -d '{"observed": "teeth", "expected":
            "uniform", "fit": "binomial"}' http://127.0.0.1:7860/v1/divergence
        """
        try:
            found = distances.compare(
                body.observed,
                body.expected,
                unit=body.unit,
                family=body.fit or "",
                split=body.split,
                reverse=body.reverse,
            )
        except AnamorphError as error:
            return refuse(error, workshop)
        return JSONResponse(distances.tell(found))

    return router


def build(workshop: Workshop, page: Page) -> Pane:
    """Lay out the tab."""
    gr.Markdown(_INTRO, container=False)
    _build_distributions()
    gr.Markdown("### Two Gaussians", container=False)
    _build_gaussians()
    return Pane("divergence")


def _build_distributions() -> None:
    most = distances.MOST_LETTERS
    with gr.Row():
        observed = gr.Textbox("teeth", label="Observed", max_length=most, min_width=200)
        expected = gr.Textbox("uniform", label="Expected", max_length=most, min_width=200)
        unit = gr.Radio(["bits", "nats"], value="bits", label="Unit", min_width=140)
    gr.Examples(_EXAMPLES, inputs=[observed, expected], label="Examples", api_visibility="private")
    with gr.Row():
        family = gr.Radio(["none", *FAMILIES], value="two-level", label="Nearest of a family")
        direction = gr.Radio([_OBSERVED, _FAMILY], value=_OBSERVED, label="What is made least")
        split = gr.Textbox(
            label="First outcome of the upper level", placeholder="the middle", max_length=9
        )
    shown = _compare("teeth", "uniform", "bits", "two-level", _OBSERVED, "")
    with gr.Row():
        with gr.Column(min_width=300):
            figures = gr.HTML(shown[0], padding=False)
            bars = gr.HTML(shown[1], padding=False, elem_classes="drawn")
        with gr.Column(min_width=300):
            words = gr.Markdown(shown[2], container=False)
            curve = gr.HTML(shown[3], padding=False, elem_classes="drawn")
    note = gr.Markdown(shown[4], container=False)
    inputs: list[Any] = [observed, expected, unit, family, direction, split]
    gr.on(
        [one.change for one in inputs],
        _compare,
        inputs,
        [figures, bars, words, curve, note],
        api_name="divergence",
        concurrency_limit=None,
        show_progress="hidden",
        trigger_mode="always_last",
    )
    family.change(
        lambda family: gr.Textbox(visible=family == "two-level"),
        family,
        split,
        api_visibility="private",
        show_progress="hidden",
    )


def _compare(
    observed: str,
    expected: str,
    unit: Unit,
    family: Literal["none", "binomial", "two-level", "geometric"],
    direction: str,
    split: str,
) -> tuple[str, str, str, str, str]:
    """Compare two distributions: figures, bars, the nearest of a family, its curve, and a note."""
    try:
        found = distances.compare(
            observed,
            expected,
            unit=unit,
            family="" if family == "none" else family,
            split=distances.read_split(split) if family == "two-level" else None,
            reverse=direction == _FAMILY,
        )
    except AnamorphError as error:  # said in its place: whoever types is not done yet
        return _refusal(error), "", "", "", ""
    note = distances.RECONSTRUCTED if distances.is_teeth(observed, expected) else ""
    figures, bars = distances.draw_figures(found), distances.draw_bars(found)
    return (figures, bars, *distances.draw_nearest(found), note)


def _build_gaussians() -> None:
    with gr.Row():
        numbers = [
            gr.Number(value, label=label, min_width=120)
            for label, value in (
                ("Mean of the first", 0),
                ("Deviation of the first", 1),
                ("Mean of the second", 1),
                ("Deviation of the second", 2),
            )
        ]
        unit = gr.Radio(["bits", "nats"], value="bits", label="Unit", min_width=140)
    shown = _compare_gaussians(0, 1, 1, 2, "bits")
    with gr.Row():
        with gr.Column(min_width=300):
            figures = gr.HTML(shown[0], padding=False)
        with gr.Column(min_width=300):
            curves = gr.HTML(shown[1], padding=False, elem_classes="drawn")
    inputs: list[Any] = [*numbers, unit]
    gr.on(
        [one.change for one in inputs],
        _compare_gaussians,
        inputs,
        [figures, curves],
        api_name="gaussians",
        concurrency_limit=None,
        show_progress="hidden",
        trigger_mode="always_last",
    )


def _compare_gaussians(
    mean: float | None,
    deviation: float | None,
    other_mean: float | None,
    other_deviation: float | None,
    unit: Unit,
) -> tuple[str, str]:
    """Compare two Gaussians: figures, and their densities."""
    if mean is None or deviation is None or other_mean is None or other_deviation is None:
        return "<p>Give both a mean and a deviation.</p>", ""
    try:
        first, second = Gaussian(mean, deviation), Gaussian(other_mean, other_deviation)
        figures = distances.compare_gaussians(first, second, unit)
    except AnamorphError as error:
        return _refusal(error), ""
    return distances.draw_table(figures, unit), distances.draw_gaussians(first, second)


def _refusal(error: AnamorphError) -> str:
    return f"<p class='refused' role='status'>{html.escape(str(error))}</p>"
