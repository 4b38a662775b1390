"""`anamorph evaluate rarity`: which pictures the density of codes calls rare, and shows them."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import torch
from cyclopts import Parameter
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph_training.data.images import Stack
from anamorph_training.evaluation.table import aligned
from anamorph_training.sheets import check_sheet, write_sheet

RECIPES: Final = ("vae", "beta_vae", "debiasing_vae")
_ROWS: Final = 6
_COLUMNS: Final = 8
_GAP: Final = 2  # pixels between pictures of one block


@dataclass(frozen=True)
class Drawn:
    """How unevenly a run's codes would have its pictures drawn.

    Attributes:
        run: Its folder.
        pictures: That it learnt from.
        alike: Pictures that, drawn alike, would vary as much: one over the sum of squared chances.
        rarest_tenth: How often one of the rarest tenth is drawn, as a share; 0.1 where all are
            drawn alike.
        rare: How often one of the kind is drawn that was made rare on purpose; None without one.
    """

    run: str
    pictures: int
    alike: float
    rarest_tenth: float
    rare: float | None


def rarity(
    *runs: Path,
    data: Path,
    sheet: Path | None = None,
    seed: int = 0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Tell which of its training pictures a run calls rare, by the density of their codes.

    With one run drawn alike (--resample-every 0) and one debiased, the sheet shows before and
    after: a batch as it is drawn, and the rarest pictures.

    Args:
        runs: Folders of runs of vae, beta_vae or debiasing_vae.
        data: What they were trained on.
        sheet: Also write this PNG: pictures drawn alike, then for each run the rarest ones and
            some as its rarity has them drawn.
        seed: Of what is drawn.
        json: Print one JSON object per run instead of a table.
    """
    if not runs:
        raise InputError(f"no run given; name folders that anamorph train {RECIPES[-1]} wrote")
    if sheet is not None:
        check_sheet(sheet)
    found = []
    blocks: dict[str, NDArray[np.uint8]] = {}
    for run in runs:
        stack, chances, kind = _weigh(run, data)
        rarest = np.argsort(-chances, kind="stable")
        tenth = float(chances[rarest[: max(1, len(rarest) // 10)]].sum())
        rare = None if kind is None else float(chances[kind].sum())
        found.append(Drawn(run.name, len(stack), float(1 / (chances**2).sum()), tenth, rare))
        if json:
            sys.stdout.write(msgspec.json.encode(asdict(found[-1])).decode() + "\n")
        generator = np.random.default_rng(seed)
        if not blocks:
            blocks["drawn alike"] = _block(
                stack, generator.integers(len(stack), size=_ROWS * _COLUMNS)
            )
        blocks[f"{run.name}: rarest"] = _block(stack, rarest[: _ROWS * _COLUMNS])
        drawn = generator.choice(len(stack), _ROWS * _COLUMNS, p=chances)
        blocks[f"{run.name}: drawn"] = _block(stack, drawn)
    if not json:
        sys.stdout.write(_table(found))
    if sheet is not None:
        write_sheet(sheet, list(blocks), [list(blocks.values())])


def _weigh(run: Path, data: Path) -> tuple[Stack, NDArray[np.float64], NDArray[np.bool_] | None]:
    """Return what a run learnt from, each picture's chance, and which were made rare on purpose.

    Raises:
        InputError: It is no such run, or the data are other ones.
    """
    from anamorph_training.data.bias import make_biased
    from anamorph_training.data.images import ArrayStack, read_images
    from anamorph_training.data.rarity import check_countable, encode_all
    from anamorph_training.data.rarity import rarity as weigh
    from anamorph_training.finished_run import read_config, read_run

    trained = read_run(run)
    if trained.recipe not in RECIPES:
        raise InputError(f"{run}: is a run of {trained.recipe}; give one of {', '.join(RECIPES)}")
    config: Any = read_config(run, data)
    stack: Stack
    if share := getattr(config, "rare_share", 0):
        made = make_biased(data, "train", config, share=share, seed=config.seed)
        stack, digest, kind = ArrayStack(made.pixels), made.digest, made.rare
    else:
        images = read_images(config)
        stack, digest, kind = images.training, images.dataset.digest, None
    trained.check_learnt(digest, data)
    check_countable(stack, f"evaluate rarity {run}")
    codes = encode_all(trained.network, stack, torch.device("cpu"))
    return stack, weigh(codes, config), kind


def _block(stack: Stack, chosen: NDArray[np.integer]) -> NDArray[np.uint8]:
    """Return pictures of a stack side by side, uint8 (height, width, 3)."""
    from anamorph_training.code_watch import to_rgb

    pictures = [to_rgb(one) for one in stack.take(chosen)]
    height, width = (side + _GAP for side in pictures[0].shape[:2])
    block = np.full((_ROWS * height, _COLUMNS * width, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // _COLUMNS * height, number % _COLUMNS * width
        block[top : top + height - _GAP, left : left + width - _GAP] = picture
    return block


def _table(found: Sequence[Drawn]) -> str:
    rows = [["", "pictures", "worth as many alike", "rarest tenth drawn", "rare kind drawn"]]
    for one in found:
        rare = "" if one.rare is None else f"{one.rare:.1%}"
        cells = [f"{one.pictures:,}", f"{one.alike:,.0f}", f"{one.rarest_tenth:.1%}", rare]
        rows.append([one.run, *cells])
    return aligned(rows)
