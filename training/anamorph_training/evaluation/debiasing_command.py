"""`anamorph evaluate debiasing`: what a classifier makes of a kind that was rare in training."""

import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import torch
from cyclopts import Parameter

from anamorph.errors import InputError
from anamorph_training.data.bias import make_biased
from anamorph_training.evaluation.table import aligned
from anamorph_training.loop.checkpoints import load_checkpoint

_AT_ONCE: Final = 256


@dataclass(frozen=True)
class Judged:
    """Accuracy of one run on a test that holds both kinds evenly.

    Attributes:
        run: Its folder.
        seed: Of the run.
        share: Of the rare kind in training.
        debiased: Whether rare codes were drawn more often.
        common: Accuracy on the common kind.
        rare: Accuracy on the rare kind.
        drawn: Share of the rare kind among what was drawn at the end.
    """

    run: str
    seed: int
    share: float
    debiased: bool
    common: float
    rare: float
    drawn: float

    @property
    def worst(self) -> float:
        """Accuracy on the kind that fares worse."""
        return min(self.common, self.rare)

    @property
    def mean(self) -> float:
        """Accuracy on both kinds together."""
        return (self.common + self.rare) / 2


def debiasing(
    *runs: Path, data: Path, json: Annotated[bool, Parameter(negative=())] = False
) -> None:
    """Measure runs of debiasing_vae with --rare-share on a test that holds both kinds evenly.

    Args:
        runs: Folders of runs, with and without debiasing (--resample-every 0), of several seeds.
        data: IDX file of digits that they were trained on, or sprites.
        json: Print one JSON object per run instead of a table of means and standard deviations.
    """
    if not runs:
        raise InputError("no run given; name folders that anamorph train debiasing_vae wrote")
    judged = [judge(run, data) for run in runs]
    if json:
        for one in judged:
            fields = asdict(one) | {"worst": one.worst, "mean": one.mean}
            sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
    else:
        sys.stdout.write(_table(judged))


@torch.inference_mode()
def judge(run: Path, data: Path) -> Judged:
    """Measure one run.

    Args:
        run: Its folder.
        data: What it was trained on.

    Raises:
        InputError: It is no run of debiasing_vae with a rare kind, or learnt from other data.
    """
    from anamorph_training.data.batches import prepare
    from anamorph_training.finished_run import read_config, read_run

    trained = read_run(run)
    config = read_config(run, data) if trained.recipe == "debiasing_vae" else None
    if config is None or not config.rare_share:
        raise InputError(f"{run}: is no run of debiasing_vae with --rare-share; give one")
    learnt = make_biased(data, "train", config, share=config.rare_share, seed=config.seed)
    trained.check_learnt(learnt.digest, data)
    network: Any = trained.network
    test = make_biased(data, "test", config, share=0.5, seed=config.seed)
    answers = [
        network.classify(prepare(test.pixels[i : i + _AT_ONCE], equal_energy=config.equal_energy))
        .argmax(1)
        .numpy()
        for i in range(0, len(test.pixels), _AT_ONCE)
    ]
    right = np.concatenate(answers) == test.labels
    return Judged(
        run=run.name,
        seed=config.seed,
        share=config.rare_share,
        debiased=config.resample_every > 0,
        common=float(right[~test.rare].mean()),
        rare=float(right[test.rare].mean()),
        drawn=float(_weights(run)[learnt.rare].sum()),
    )


def _weights(run: Path) -> Any:
    found = load_checkpoint(run)
    assert found is not None, "read_run found one"
    return found[1]["rarity"]["weights"].numpy()


def _table(judged: Sequence[Judged]) -> str:
    """Return one row per share, with and without debiasing: means and deviations over seeds."""
    groups: dict[tuple[float, bool], list[Judged]] = defaultdict(list)
    for one in judged:
        groups[one.share, one.debiased].append(one)
    rows = [["rare in training", "debiased", "seeds", "worst kind", "common", "mean", "rare drawn"]]
    for (share, debiased), ones in sorted(groups.items()):
        columns = (
            [getattr(one, name) for one in ones] for name in ("worst", "common", "mean", "drawn")
        )
        cells = [f"{np.mean(values):.1%} ± {np.std(values):.1%}" for values in columns]
        rows.append([f"{share:g}", "yes" if debiased else "no", str(len(ones)), *cells])
    return aligned(rows)
