"""`anamorph traverse`: move one number of a picture's code, or go from one picture to another."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anamorph.commands.progress import locate
from anamorph.commands.running import Switch, made_folder
from anamorph.errors import InputError, OutputError, UsageError
from anamorph.new_file import check_target
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.autoencoder import Autoencoder
    from anamorph.picture import Picture

_MOST_ROWS = 12


def traverse(
    picture: Path | None = None,
    *,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    model: Annotated[str, Parameter(alias="-m")] = "faces",
    dim: Annotated[tuple[int, ...], Parameter(negative=())] = (),
    low: Annotated[float, Parameter(name="--from")] = -3.0,
    high: Annotated[float, Parameter(name="--to")] = 3.0,
    steps: int = 9,
    to_image: Path | None = None,
    seconds: float = 3.0,
    device: Device = "auto",
    threads: int | None = None,
    force: Switch = False,
) -> int:
    """Show what the numbers of a code mean: one moves, the others are held.

    Args:
        picture: Picture whose code is changed, or a .npy file of one code; without it, the middle
            of all codes.
        output: Sheet to write (.png and other pictures), or animation (.gif, .webp); by default a
            sheet beside the picture.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        dim: Number of the latent that moves, from 0; repeat for several rows. By default the
            latents that say most.
        low: Where it begins, in standard deviations of the prior.
        high: Where it ends.
        steps: Number of pictures.
        to_image: Go straight from the picture's code to this picture's instead.
        seconds: How long an animation takes.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        force: Replace an output that exists.
    """
    if steps < 2:
        raise UsageError(f"--steps {steps}: give 2 or more")
    if not 0 < seconds < 3600:
        raise UsageError(f"--seconds {seconds:g}: give a time above 0 and below an hour")
    if to_image and (picture is None or dim):
        raise UsageError("--to-image goes from one picture to another; give a picture and no --dim")
    target = output or _beside(picture)

    from anamorph.loading import load_autoencoder
    from anamorph.picture_format import format_for
    from anamorph.picture_sheet import ANIMATED, make_sheet, save_animation

    if target.resolve() in {one.resolve() for one in (picture, to_image) if one}:
        raise OutputError(f"{target}: is the input itself, which is kept; choose another -o")
    if target.parent.is_dir():
        check_target(target, force=force)
    format_for(target)
    autoencoder = load_autoencoder(locate(model), device=device, threads=threads)
    rows = _rows(autoencoder, picture, to_image, dim, low=low, high=high, steps=steps)
    with made_folder(target):
        if target.suffix.lower() in ANIMATED:
            columns = list(zip(*rows, strict=True))
            there = [make_sheet([[one] for one in column]) for column in columns]
            save_animation([*there, *there[-2:0:-1]], target, seconds=seconds, force=force)
        else:
            make_sheet(rows).save(target, force=force)
    print(f"written  {target}  ({autoencoder.origin} on {autoencoder.device})", file=sys.stderr)
    return 0


def _beside(picture: Path | None) -> Path:
    if picture is None:
        raise UsageError("without a picture there is no place for the sheet; give -o FILE")
    return picture.with_name(f"{picture.stem}-traversal.png")


def _rows(
    autoencoder: "Autoencoder",
    picture: Path | None,
    to_image: Path | None,
    dim: tuple[int, ...],
    *,
    low: float,
    high: float,
    steps: int,
) -> list[list["Picture"]]:
    code = autoencoder.middle() if picture is None else read_code(autoencoder, picture)
    if to_image:
        return [autoencoder.interpolate(code, read_code(autoencoder, to_image), steps=steps)]
    dims = dim or tuple(autoencoder.active()[:_MOST_ROWS])
    return [autoencoder.traverse(code, one, low=low, high=high, steps=steps) for one in dims]


def read_code(autoencoder: "Autoencoder", source: Path) -> "list[float]":
    """Return the code of a picture file, or the one that a .npy file holds.

    Raises:
        InputError: The file cannot be used, or holds several codes.
    """
    from anamorph.autoencoder import load_codes

    if source.suffix.lower() != ".npy":
        code: list[float] = autoencoder.encode(source).tolist()
        return code
    codes = load_codes(source, str(source))
    if codes.ndim != 1:
        raise InputError(f"{source}: holds {len(codes)} codes; give a file of one")
    one: list[float] = autoencoder.checked(codes)[0].tolist()
    return one
