"""Enlarge pictures with a super-resolution model."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from anamorph.errors import InputError
from anamorph.loaded_model import LoadedModel
from anamorph.new_file import check_target
from anamorph.picture import Picture
from anamorph.picture_format import check_fits, check_quality, format_for
from anamorph.picture_reader import MAX_PIXELS, open_picture
from anamorph.picture_writer import save_image
from anamorph.pixels import ArrayPixels, Pixels
from anamorph.self_ensemble import SelfEnsemble
from anamorph.spool import Spool
from anamorph.upscaling import ArraySink, Plan, Session, plan_tiles, upscale_pixels

if TYPE_CHECKING:
    from PIL.Image import Image as PillowImage

# Share of the progress that computing makes up; the rest is compressing the file.
_COMPUTING: Final = 0.95


@dataclass(frozen=True)
class UpscaleReport:
    """What ``Upscaler.upscale_file`` did.

    Attributes:
        target: File that was written.
        source_width: Pixels across that came in.
        source_height: Pixels down that came in.
        width: Pixels across that were written.
        height: Pixels down that were written.
        tiles: Number of tiles that were run.
        seconds: Time that all took.
        model: Name and version of the model.
        device: Device that ran it.
        provider: ONNX Runtime's name of what ran it.
    """

    target: Path
    source_width: int
    source_height: int
    width: int
    height: int
    tiles: int
    seconds: float
    model: str
    device: str
    provider: str


class Upscaler(LoadedModel):
    """Enlarges pictures; made by ``anamorph.load``.

    Args:
        session: What runs the graph.
    """

    def __repr__(self) -> str:
        return f"Upscaler({self.origin}, x{self.card.scale}, {self.provider})"

    def upscale(
        self,
        picture: "str | os.PathLike[str] | bytes | Picture | PillowImage | np.ndarray",
        *,
        tile: int | None = None,
        tta: bool = False,
    ) -> Picture:
        """Enlarge a picture in memory.

        Depth, grey, alpha, profile, resolution and EXIF stay. For large files ``upscale_file``
        needs far less memory.

        Args:
            picture: Path or content of a file, a Picture, a Pillow image, or an array as
                ``Picture.pixels`` describes it.
            tile: Greatest side of the tiles in input pixels, context included; smaller needs less
                memory, the result is the same. None chooses.
            tta: Take the mean over all eight rotations and reflections of the picture, a little
                closer to the truth in eight times the time (geometric self-ensemble).

        Returns:
            A picture of ``card.scale`` times the width and height, of the same dtype and mode.

        Raises:
            InputError: The picture cannot be used, or the tile is too small for the model.
            ModelFileError: The graph contradicts its card.
        """
        given = as_picture(picture)
        height, width, bands = given.bands.shape
        session = self._choose(tta=tta)
        alpha = bands in (2, 4)
        plan = plan_tiles(session.card, height=height, width=width, alpha=alpha, tile=tile)
        scale = self.card.scale
        sink = ArraySink((height * scale, width * scale, bands), given.pixels.dtype.name)
        upscale_pixels(session, ArrayPixels(given.bands), sink, plan)
        sink.array.flags.writeable = False
        return Picture(sink.array, **vars(given.metadata), origin=self.origin)

    def upscale_file(
        self,
        source: str | os.PathLike[str] | bytes,
        target: str | os.PathLike[str],
        *,
        tile: int | None = None,
        tta: bool = False,
        quality: int | None = None,
        force: bool = False,
        format: str | None = None,
        max_pixels: int = MAX_PIXELS,
        progress: Callable[[float], None] | None = None,
    ) -> UpscaleReport:
        """Enlarge a picture file into another, with memory that does not grow with its size.

        All that can be refused is refused before computing. The target is there whole or not at
        all, whatever is raised.

        Args:
            source: Path of a picture file, or its content.
            target: File to write.
            tile: As in ``upscale``.
            tta: As in ``upscale``.
            quality: 1 to 100 for JPEG, WebP and AVIF; the others lose nothing and ignore it.
            force: Replace a file that exists.
            format: png, jpeg, webp, tiff, avif or gif; by default as the target's suffix has it.
            max_pixels: Greatest number of input pixels that is accepted.
            progress: Called with the share that is done, in [0, 1].

        Raises:
            InputError: The source cannot be used, or the tile is too small for the model.
            OutputError: The target exists, its format cannot hold the result, or the disk refuses.
            ModelFileError: The graph contradicts its card.
        """
        begun = time.perf_counter()
        path = Path(target)
        check_quality(quality)
        file = open_picture(source, max_pixels=max_pixels)
        form = format_for(path, format)
        check_target(path, force=force)
        pixels = file.pixels if form.alpha else file.pixels.without_opaque_alpha()
        height, width, bands = pixels.shape
        large = (height * self.card.scale, width * self.card.scale)
        check_fits(str(path), form, height=large[0], width=large[1], bands=bands)
        session = self._choose(tta=tta)
        alpha = bands in (2, 4)
        plan = plan_tiles(session.card, height=height, width=width, alpha=alpha, tile=tile)
        save = partial(
            save_image,
            target=path,
            form=form,
            metadata=file.metadata,
            origin=self.origin,
            quality=quality,
            force=force,
        )
        with Spool(path, (*large, bands), pixels.dtype) as spool:
            _run(session, pixels, spool, plan, save, progress or (lambda _: None))
        return UpscaleReport(
            target=path,
            source_width=width,
            source_height=height,
            width=large[1],
            height=large[0],
            tiles=plan.count,
            seconds=time.perf_counter() - begun,
            model=self.origin,
            device=self.device,
            provider=self.provider,
        )

    def _choose(self, *, tta: bool) -> Session:
        return SelfEnsemble(self._session) if tta else self._session


def _run(
    session: Session,
    pixels: Pixels,
    spool: Spool,
    plan: Plan,
    save: Callable[..., None],
    report: Callable[[float], None],
) -> None:
    upscale_pixels(session, pixels, spool, plan, progress=lambda share: report(share * _COMPUTING))
    save(spool.image, progress=lambda share: report(_COMPUTING + share * (1 - _COMPUTING)))


def as_picture(
    picture: "str | os.PathLike[str] | bytes | Picture | PillowImage | np.ndarray",
) -> Picture:
    """Return anything that can be upscaled as a Picture.

    Raises:
        InputError: It is nothing of the kind, or cannot be used.
    """
    if isinstance(picture, Picture):
        return picture
    if isinstance(picture, np.ndarray):
        return Picture(picture)
    if isinstance(picture, str | bytes | os.PathLike):
        return Picture.open(picture)
    # Whoever holds a Pillow image has imported Pillow, so there is no need to.
    if any(cls.__module__.partition(".")[0] == "PIL" for cls in type(picture).__mro__):
        return Picture.from_pillow(picture)
    raise InputError(
        f"a picture of type {type(picture).__name__}; accepted are a path, bytes, Picture, "
        "Pillow image or NumPy array"
    )
