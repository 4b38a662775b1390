"""HTTP routes of autoencoders: there, back, along a latent, and from the prior."""

from pathlib import Path
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Body, File, Form, Request, Response, UploadFile
from pydantic import BaseModel, Field

from anamorph.errors import InputError
from anamorph_ui import latent_codes as codes
from anamorph_ui.answers import RESPONSES, answer, answer_all
from anamorph_ui.jobs import Job
from anamorph_ui.workshop import Workshop

_PICTURE: Final = File(description="PNG, JPEG, WebP, TIFF, AVIF or still GIF.")
Upload = Annotated[UploadFile, _PICTURE]
Model = Annotated[str, Form(description="A model for reconstruct, see /v1/models.")]


class Codes(BaseModel):
    """What is decoded."""

    model: str = Field("faces", description="A model for reconstruct, see /v1/models.")
    code: list[Any] = Field(
        description="Numbers of one code, or a list of such lists, which become a sheet.",
        min_length=1,
    )


def make_router(workshop: Workshop) -> APIRouter:
    """Return ``/v1/encode``, ``/v1/decode``, ``/v1/reconstruct``, and what lies between codes."""
    router = APIRouter(prefix="/v1", tags=["Latent space"])
    _add_there_and_back(router, workshop)
    _add_traverse(router, workshop)
    _add_generate(router, workshop)
    return router


def _add_there_and_back(router: APIRouter, workshop: Workshop) -> None:
    @router.post("/encode", response_class=Response, responses=RESPONSES)
    async def encode_picture(request: Request, file: Upload, model: Model = "faces") -> Response:
        """Turn a picture into its code: {"code": [...], "deviation": [...], "chances": {...}}.

        The deviation is told by VAEs, the chances by classifiers.
        Example: curl -F file=@me.png -F model=faces http://127.0.0.1:7860/v1/encode
        """

        def work(job: Job, given: list[Path], folder: Path) -> dict[str, Any]:
            autoencoder = codes.load(workshop, model)
            found = autoencoder.examine(codes.open_bounded(workshop, given[0]))
            return codes.tell(autoencoder, found)

        return await answer_all(request, workshop, [file], work)

    @router.post("/decode", response_class=Response, responses=RESPONSES)
    async def decode_codes(request: Request, body: Annotated[Codes, Body()]) -> Response:
        """Turn a code into its picture, or several into a sheet, as PNG.

        Example: curl -H "Content-Type: application/json" -d '{"model": "digits-2d", "code":
            [0.5, -1]}' http://127.0.0.1:7860/v1/decode -o digit.png
        """

        def work(job: Job, given: list[Path], folder: Path) -> Path:
            if len(body.code) > codes.MOST_PICTURES and isinstance(body.code[0], list):
                most = codes.MOST_PICTURES
                raise InputError(f"{len(body.code)} codes at once, {most} are the most; give fewer")
            pictures = codes.load(workshop, body.model).decode(body.code)
            target = folder / f"{body.model}.png"
            (pictures[0] if len(pictures) == 1 else codes.as_sheet(pictures)).save(target)
            return target

        return await answer_all(request, workshop, [], work)

    @router.post("/reconstruct", response_class=Response, responses=RESPONSES)
    async def reconstruct_picture(
        request: Request, file: Upload, model: Model = "faces"
    ) -> Response:
        """Turn a picture into its code and back, as PNG.

        Example: curl -F file=@me.png -F model=faces http://127.0.0.1:7860/v1/reconstruct
            -o again.png
        """

        def work(job: Job, given: Path, folder: Path) -> Path:
            target = folder / f"{given.stem}-{model}.png"
            picture = codes.open_bounded(workshop, given)
            codes.load(workshop, model).reconstruct(picture).save(target)
            return target

        return await answer(request, workshop, file, work)


def _add_traverse(router: APIRouter, workshop: Workshop) -> None:
    @router.post("/traverse", response_class=Response, responses=RESPONSES)
    async def traverse_latent(
        request: Request,
        file: Upload,
        model: Model = "faces",
        dim: Annotated[
            int | None,
            Form(description="Number of the latent, from 0; the most telling one if absent."),
        ] = None,
        low: Annotated[
            float,
            Form(alias="from", description="Where it begins, in deviations.", allow_inf_nan=False),
        ] = -3.0,
        high: Annotated[
            float, Form(alias="to", description="Where it ends.", allow_inf_nan=False)
        ] = 3.0,
        steps: Annotated[int, Form(description=f"2 to {codes.MOST_STEPS} pictures.")] = 9,
        to_image: Annotated[
            UploadFile | None, File(description="Go straight to this picture's code instead.")
        ] = None,
        format: Annotated[
            Literal["png", "gif"], Form(description="A sheet, or an animation.")
        ] = "png",
    ) -> Response:
        """Move one number of a picture's code, or go from one picture to another.

        Example: curl -F file=@me.png -F model=faces -F dim=3 -F format=gif
            http://127.0.0.1:7860/v1/traverse -o latent.gif
        """

        def work(job: Job, given: list[Path], folder: Path) -> Path:
            codes.check_way(steps, low, high)
            autoencoder = codes.load(workshop, model)
            here, *there = (autoencoder.encode(codes.open_bounded(workshop, one)) for one in given)
            if there and dim is not None:
                raise InputError("to_image goes from picture to picture; give it or dim, not both")
            if there:
                pictures = autoencoder.interpolate(here, there[0], steps=steps)
            else:
                moved = autoencoder.active()[0] if dim is None else dim
                pictures = autoencoder.traverse(here, moved, low=low, high=high, steps=steps)
            return codes.save_strip(pictures, folder / f"{given[0].stem}-traversal.{format}")

        uploads = [file] if to_image is None else [file, to_image]
        return await answer_all(request, workshop, uploads, work)


def _add_generate(router: APIRouter, workshop: Workshop) -> None:
    @router.post("/generate", response_class=Response, responses=RESPONSES)
    async def generate_pictures(
        request: Request,
        model: Model = "faces",
        count: Annotated[int, Form(description=f"1 to {codes.MOST_PICTURES} pictures.")] = 16,
        seed: Annotated[int, Form(description="The same one gives the same pictures.")] = 0,
    ) -> Response:
        """Draw pictures from a model's prior, as one PNG sheet.

        Example: curl -F model=faces -F count=16 -F seed=1 http://127.0.0.1:7860/v1/generate
            -o faces.png
        """

        def work(job: Job, given: list[Path], folder: Path) -> Path:
            target = folder / f"{model}-{seed}.png"
            codes.generate(codes.load(workshop, model), count, seed).save(target)
            return target

        return await answer_all(request, workshop, [], work)
