"""`anamorph detect`: find what is not normal in pictures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import locate
from anamorph.commands.running import Outcome, Switch, attempt, check_places, run_all
from anamorph.errors import InputError, UsageError
from anamorph.new_file import check_target
from anamorph.picture_format import SUFFIXES, format_for
from anamorph.providers import Device

_HEAT = "-heat"
_MASK = "-mask"


@dataclass(frozen=True, kw_only=True)
class Finding(Outcome):
    """What was found in one picture."""

    mask: str = ""
    score: float = 0.0
    threshold: float = 0.0
    anomalous: bool = False
    area: float = 0.0

    def size(self) -> str:
        """Return the verdict."""
        verdict = "not normal" if self.anomalous else "normal"
        return f"{verdict}: {self.score:.4g} of {self.threshold:.4g}, {self.area:.1%} of its area"


def detect(
    *inputs: str,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    model: Annotated[str, Parameter(alias="-m")] = "magnetic-tile",
    threshold: float | None = None,
    heat_threshold: float | None = None,
    device: Device = "auto",
    threads: int | None = None,
    force: Switch = False,
    skip_existing: Switch = False,
    json: Switch = False,
) -> int:
    """Find what is not normal: a heat map over the picture, a mask, and a score.

    Each picture gets NAME-heat.png and NAME-mask.png.

    Args:
        inputs: Pictures or folders (searched recursively).
        output: Folder, or for one picture the name of its heat map; by default beside each input.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        threshold: Score above which a picture is not normal; by default the card's.
        heat_threshold: Heat above which a pixel is not normal; by default the card's.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        force: Replace outputs that exist.
        skip_existing: Leave outputs that exist, and go on with the others.
        json: Print one JSON object per picture to standard output.
    """
    if "-" in inputs:
        raise UsageError("detect reads files and folders, no standard input; name a file")
    check_places(inputs, output, what="picture", json=json)

    from anamorph.loading import load_detector

    detector = load_detector(locate(model), device=device, threads=threads)
    jobs = batch.plan(
        [Path(given) for given in inputs],
        output=output,
        mark=_HEAT,
        suffixes=SUFFIXES,
        suffix=None if output is not None and batch.names_a_file(output) else ".png",
    )
    check_masks(jobs)

    def work(
        source: Path | bytes, target: Path, progress: Callable[[float], None] | None
    ) -> dict[str, Any]:
        mask = mask_file(target)
        format_for(target)
        check_target(target, force=force)
        # A mask without its heat map is what an interrupted run left.
        check_target(mask, force=force or skip_existing)
        found = detector.detect(source, threshold=threshold, heat_threshold=heat_threshold)
        found.mask_picture().save(mask, force=force or skip_existing)
        found.heat_picture().save(target, force=force)
        return {
            "mask": str(mask),
            "score": found.score,
            "threshold": found.threshold,
            "anomalous": found.anomalous,
            "area": float(found.mask.mean()),
        }

    return run_all(
        jobs,
        lambda job, progress: attempt(
            Finding,
            job.source,
            job.target,
            work,
            skip_existing=skip_existing,
            model=detector.origin,
            device=detector.device,
            cure="try a smaller picture",
            progress=progress,
        ),
        title=f"{detector.origin} on {detector.device}",
        what="pictures",
        json=json,
    )


def check_masks(jobs: Sequence[batch.Job]) -> None:
    """Refuse jobs whose masks would take the place of an input or of another output.

    Raises:
        InputError: Some would.
    """
    taken = {job.source.resolve() for job in jobs} | {job.target.resolve() for job in jobs}
    for job in jobs:
        mask = mask_file(job.target)
        if mask.resolve() in taken:
            raise InputError(
                f"{mask}: would be the mask of {job.source}, but is an input or an output itself; "
                "give another folder with -o, or rename one"
            )
        taken.add(mask.resolve())


def mask_file(heat: Path) -> Path:
    """Return the name of the mask beside a heat map."""
    return heat.with_name(f"{heat.stem.removesuffix(_HEAT)}{_MASK}.png")
