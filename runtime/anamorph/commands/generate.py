"""`anamorph generate`: draw pictures that never were."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from anamorph.commands.progress import locate
from anamorph.commands.running import Switch, made_folder
from anamorph.errors import UsageError
from anamorph.new_file import check_target
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.picture import Picture

_MOST = 10_000


def generate(
    *,
    output: Annotated[Path, Parameter(alias="-o")],
    model: Annotated[str, Parameter(alias="-m")] = "faces",
    count: int = 16,
    seed: int = 0,
    map: Switch = False,
    device: Device = "auto",
    threads: int | None = None,
    force: Switch = False,
) -> int:
    """Draw pictures from a model's prior: a sheet of them, or a folder.

    Args:
        output: Sheet to write; a name without a suffix is a folder, which gets a file for each.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        count: Number of pictures.
        seed: Of what is drawn; the same seed gives the same pictures.
        map: Show the whole latent space of a model of two numbers instead, as a grid.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        force: Replace outputs that exist.
    """
    if not 1 <= count <= _MOST:
        raise UsageError(f"--count {count}: give 1 to {_MOST:,}")
    if seed < 0:
        raise UsageError(f"--seed {seed}: give 0 or more")

    from anamorph.loading import load_autoencoder
    from anamorph.picture_format import format_for
    from anamorph.picture_sheet import make_sheet

    if output.suffix:
        format_for(output)
    elif map:
        raise UsageError("--map is one picture; give -o a name such as map.png")
    autoencoder = load_autoencoder(locate(model), device=device, threads=threads)
    if output.suffix:
        pictures = autoencoder.sample(count, seed=seed) if not map else []
        columns = round(count**0.5 + 0.499)
        rows = autoencoder.map() if map else _cut(pictures, columns)
        with made_folder(output):
            check_target(output, force=force)
            make_sheet(rows).save(output, force=force)
    else:
        targets = [output / f"{number:04}.png" for number in range(count)]
        with made_folder(targets[0]):
            for target in targets:
                check_target(target, force=force)
            for target, picture in zip(targets, autoencoder.sample(count, seed=seed), strict=True):
                picture.save(target, force=force)
    print(f"written  {output}  ({autoencoder.origin} on {autoencoder.device})", file=sys.stderr)
    return 0


def _cut(items: "list[Picture]", length: int) -> "list[list[Picture]]":
    return [items[i : i + length] for i in range(0, len(items), length)]
