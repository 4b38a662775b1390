"""HTTP routes of detectors and of finders of outliers."""

from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Form, Request, Response, UploadFile

from anamorph.errors import InputError
from anamorph_ui import anomalies
from anamorph_ui.answers import RESPONSES, answer_all, refuse
from anamorph_ui.jobs import Job
from anamorph_ui.workshop import Workshop


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/detect`` and ``/v1/outliers``."""
    router = APIRouter(prefix="/v1", tags=["Anomalies and outliers"])
    _add_detect(router, workshop)
    _add_outliers(router, workshop)
    return router


def _add_detect(router: APIRouter, workshop: Workshop) -> None:
    @router.post("/detect", response_class=Response, responses=RESPONSES)
    async def detect_anomalies(
        request: Request,
        file: Annotated[UploadFile, File(description="PNG, JPEG, WebP, TIFF, AVIF or still GIF.")],
        model: Annotated[
            str, Form(description="A model for detect, see /v1/models.")
        ] = "magnetic-tile",
        threshold: Annotated[
            float | None,
            Form(description="Of the score; the card's if absent.", allow_inf_nan=False),
        ] = None,
        heat_threshold: Annotated[
            float | None,
            Form(description="Of each pixel; the card's if absent.", allow_inf_nan=False),
        ] = None,
        answer: Annotated[
            Literal["json", "heat", "mask"],
            Form(description="The figures, or a PNG: the heat over the picture, or the mask."),
        ] = "json",
    ) -> Response:
        """Find what is not normal in a picture: its score, the threshold, the share of its area.

        Example: curl -F file=@tile.png -F model=magnetic-tile -F answer=heat
            http://127.0.0.1:7860/v1/detect -o heat.png
        """

        def work(job: Job, given: list[Path], folder: Path) -> Path | dict[str, Any]:
            _, found = anomalies.look(
                workshop, model, given[0], threshold=threshold, heat_threshold=heat_threshold
            )
            if answer == "json":
                return anomalies.tell(found)
            target = folder / f"{given[0].stem}-{answer}.png"
            made = found.heat_picture() if answer == "heat" else found.mask_picture()
            made.save(target)
            return target

        return await answer_all(request, workshop, [file], work)


def _add_outliers(router: APIRouter, workshop: Workshop) -> None:
    @router.post("/outliers", response_class=Response, responses=RESPONSES)
    async def rank_outliers(
        request: Request,
        files: Annotated[list[UploadFile], File(description="Pictures; repeat the field.")],
        model: Annotated[
            str, Form(description="A model for outliers, see /v1/models.")
        ] = "digits-outliers",
        score: Annotated[
            list[str] | None,
            Form(description="To judge by, of which any makes an outlier; the best if absent."),
        ] = None,
    ) -> Response:
        """Rank pictures, the strangest first: 0 is the median of the normal ones, 1 the threshold.

        Example: curl -F files=@a.png -F files=@b.png -F model=digits-outliers
            http://127.0.0.1:7860/v1/outliers
        """

        def work(job: Job, given: list[Path], folder: Path) -> list[dict[str, Any]]:
            _, ranked = anomalies.rank(workshop, job, given, model=model, by=score or ())
            return [anomalies.tell_ranked(one) for one in ranked]

        try:
            anomalies.check_count(workshop, len(files))  # before any is written
        except InputError as error:
            return refuse(error, workshop)
        return await answer_all(request, workshop, files, work)
