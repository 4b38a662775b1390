"""Anomalies and outliers: what is not normal in a picture, and which pictures are strange."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import gradio as gr
from fastapi import APIRouter

from anamorph.card import Calibration
from anamorph.detector import Detection
from anamorph.picture_format import SUFFIXES
from anamorph_ui import anomalies, anomaly_routes
from anamorph_ui.gradio_jobs import PageJobs, named
from anamorph_ui.jobs import Job
from anamorph_ui.tabs import Page, Pane
from anamorph_ui.workshop import Workshop

ORDER: Final = 40
TITLE: Final = "Anomalies and outliers"

_NO_DETECTOR: Final = (
    "No detector is installed here. `anamorph train denoising_autoencoder --data normal-pictures/ "
    "--out runs/mine` trains one, `anamorph export runs/mine -o mine.onnx --task detect` writes "
    "it, and the tab Models takes that file."
)
_NO_FINDER: Final = (
    "No finder of outliers is installed here. `anamorph train debiasing_vae --data my-pictures/ "
    "--out runs/mine` trains one, `anamorph export runs/mine -o mine.onnx --task outliers` writes "
    "it, and the tab Models takes that file."
)


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/detect`` and ``/v1/outliers``."""
    return anomaly_routes.make_router(workshop)


def build(workshop: Workshop, page: Page) -> Pane:
    """Lay out the tab."""
    with gr.Row():
        with gr.Column(min_width=320):
            gr.Markdown("### What is not normal in a picture", container=False)
            detector = _build_detection(workshop)
        with gr.Column(min_width=320):
            gr.Markdown("### Which of many pictures are strange", container=False)
            finder = _build_ranking(workshop)
    return Pane("anomalies", {anomalies.DETECT: detector, anomalies.OUTLIERS: finder})


def _choose_model(workshop: Workshop, task: str, label: str, missing: str) -> gr.Dropdown:
    names = [one.name for one in workshop.shelf.models(task)]
    if not names:
        gr.Markdown(missing, container=False)
    return gr.Dropdown(names, value=names[0] if names else None, label=label)


def _build_detection(workshop: Workshop) -> gr.Dropdown:
    jobs = PageJobs(workshop)
    model = _choose_model(workshop, anomalies.DETECT, "Detector", _NO_DETECTOR)
    given = gr.File(
        label="Picture to judge", file_types=sorted(SUFFIXES), type="filepath", height=140
    )
    with gr.Row():
        start = gr.Button("Find anomalies", variant="primary")
        stop = gr.Button("Cancel")
    found = gr.State(None, time_to_live=workshop.limits.kept_seconds)
    said = gr.Markdown(container=False)
    picture = gr.HTML(padding=False)
    heat = gr.Slider(0, 1, label="Heat above which a pixel is not normal", visible=False)
    line = gr.Slider(0, 1, label="Score above which a picture is not normal", visible=False)
    chart = gr.HTML(padding=False, elem_classes="drawn")

    seen, sliders = [said, picture, chart], [heat, line]
    start.click(
        _make_detector(workshop, jobs),
        [given, model],
        [*seen, *sliders, found],
        api_name="detect",
        concurrency_limit=None,
        show_progress_on=[picture],
    )
    stop.click(jobs.call_off, queue=False, api_visibility="private")
    for slider in sliders:
        slider.input(
            _redraw,
            [found, *sliders],
            seen,
            api_visibility="private",
            concurrency_limit=None,
            show_progress="hidden",
            trigger_mode="always_last",
        )
    for one in (given, model):
        one.change(
            _clear,
            None,
            [*seen, *sliders, found],
            api_visibility="private",
            show_progress="hidden",
        )
    return model


def _make_detector(workshop: Workshop, jobs: PageJobs) -> Callable[..., tuple[Any, ...]]:
    def detect(
        given: str | None,
        model: str | None,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[Any, ...]:
        """Find what is not normal: the verdict, heat and mask, and the score among normal ones."""
        if not given:
            raise gr.Error("Give a picture first.", print_exception=False)

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[Any, ...]:
            detector, detection = anomalies.look(workshop, named(model), paths[0])
            calibrations = detector.card.calibrations
            shown = anomalies.reduce(detection)
            sliders = [
                _slider(calibrations["heat"], shown.heat_threshold, float(shown.heat.max())),
                _slider(calibrations["score"], shown.threshold, shown.score),
            ]
            kept = (shown, calibrations["score"])
            return (*_show(*kept), *sliders, kept)

        return jobs.run(request, progress, [given], work)

    return detect


def _redraw(
    kept: tuple[Detection, Calibration] | None, heat: float | None, line: float | None
) -> tuple[Any, ...]:
    """Show what was found with other thresholds, without running the model again."""
    if kept is None or heat is None or line is None:
        return (gr.skip(),) * 3
    return _show(replace(kept[0], threshold=line, heat_threshold=heat), kept[1])


def _clear() -> tuple[Any, ...]:
    return ("", "", "", *[gr.Slider(visible=False)] * 2, None)


def _slider(normal: Calibration, threshold: float, greatest: float) -> gr.Slider:
    low, high = anomalies.bounds(normal, threshold, greatest)
    step = (high - low) / 500
    return gr.Slider(minimum=low, maximum=high, step=step, value=threshold, visible=True)


def _show(found: Detection, normal: Calibration) -> tuple[str, str, str]:
    drawn = anomalies.draw_normal(normal, found.score, threshold=found.threshold, name="score")
    return anomalies.say(found), anomalies.draw_found(found), drawn


def _build_ranking(workshop: Workshop) -> gr.Dropdown:
    jobs = PageJobs(workshop)
    model = _choose_model(workshop, anomalies.OUTLIERS, "Finder of outliers", _NO_FINDER)
    names = _scores(workshop, model.value)
    scores = gr.CheckboxGroup(
        names, value=names[:1], label="Judged by: any of them makes an outlier"
    )
    given = gr.File(
        label="Pictures to rank",
        file_count="multiple",
        file_types=sorted(SUFFIXES),
        type="filepath",
        height=140,
    )
    with gr.Row():
        start = gr.Button("Rank them", variant="primary")
        stop = gr.Button("Cancel")
    said = gr.Markdown(container=False)
    gallery = gr.HTML(padding=False)
    chart = gr.HTML(padding=False, elem_classes="drawn")
    table = gr.HTML(padding=False)

    start.click(
        _make_ranker(workshop, jobs),
        [given, model, scores],
        [said, gallery, chart, table],
        api_name="outliers",
        concurrency_limit=None,
        show_progress_on=[gallery],
    )
    stop.click(jobs.call_off, queue=False, api_visibility="private")

    def offer(model: str | None) -> gr.CheckboxGroup:
        names = _scores(workshop, model)
        return gr.CheckboxGroup(choices=names, value=names[:1])

    model.change(
        offer,
        model,
        scores,
        api_visibility="private",
        show_progress="hidden",
    )
    return model


def _make_ranker(workshop: Workshop, jobs: PageJobs) -> Callable[..., tuple[str, str, str, str]]:
    def rank(
        given: list[str] | None,
        model: str | None,
        scores: list[str],
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),
    ) -> tuple[str, str, str, str]:
        """Rank pictures by how strange they are: in words, as pictures, a chart and a table."""
        if not given:
            raise gr.Error("Give pictures first.", print_exception=False)

        def work(job: Job, paths: list[Path], folder: Path) -> tuple[str, str, str, str]:
            finder, ranked = anomalies.rank(workshop, job, paths, model=named(model), by=scores)
            good = [one.found for one in ranked if one.found]
            words = f"{sum(one.outlier for one in good)} of {len(good)} pictures are outliers."
            by = good[0].by
            normal = finder.card.calibrations[by]
            drawn = anomalies.draw_normal(
                normal, good[0].scores[by], threshold=normal.threshold, name=by
            )
            table = anomalies.draw_table(finder, ranked)
            return words, anomalies.draw_gallery(ranked), drawn, table

        return jobs.run(request, progress, given, work)

    return rank


def _scores(workshop: Workshop, model: Any) -> list[str]:
    """Return the scores of a model, the best first; none of no model."""
    if not model:
        return []
    found = workshop.shelf.find(model, task=anomalies.OUTLIERS)
    return [port.name for port in found.card.outputs]
