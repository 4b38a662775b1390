"""`anamorph divergence`: how far one distribution is from another."""

from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from cyclopts import Parameter

from anamorph import divergence as measures
from anamorph.commands.running import Switch, made_folder
from anamorph.divergence import Family, Probabilities, Unit
from anamorph.errors import InputError, OutputError, UsageError
from anamorph.new_file import check_target, write_whole

FamilyName = Literal["binomial", "two-level", "geometric"]
FAMILIES: Final = ("binomial", "two-level", "geometric")
TEETH: Final = "teeth"


def divergence(
    observed: str = TEETH,
    expected: str = "uniform",
    *,
    unit: Unit = "bits",
    fit: FamilyName | None = None,
    split: int | None = None,
    reverse: Switch = False,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    force: Switch = False,
    json: Switch = False,
) -> int:
    """Say how far two distributions are apart, and find the member of a family that is nearest.

    Args:
        observed: Counts or chances with commas between them, such as 3,5,2; or teeth, the
            lecture's example, reconstructed from its printed figures.
        expected: Likewise; or uniform, or binomial:P with the chance of a success.
        unit: bits or nats.
        fit: Find the nearest member of this family as well.
        split: First outcome of the upper level of two-level; by default the middle.
        reverse: Minimise the divergence of the family from the observed instead.
        output: Also draw them to this .svg file; with --fit, the curve over the parameter.
        force: Replace a drawing that exists.
        json: Print one JSON object.
    """
    first = parse(observed, outcomes=None)
    second = parse(expected, outcomes=len(first))
    found: dict[str, object] = {
        "unit": unit,
        "entropy_observed": measures.entropy(first, unit),
        "entropy_expected": measures.entropy(second, unit),
        "kl_observed_expected": measures.kl_divergence(first, second, unit),
        "kl_expected_observed": measures.kl_divergence(second, first, unit),
        "jensen_shannon": measures.jensen_shannon(first, second, unit),
    }
    if not fit and (split is not None or reverse):
        raise UsageError("--split and --reverse are for a family; give --fit")
    nearest = None
    if fit:
        family = make_family(fit, len(first), split)
        nearest = measures.fit(first, family, unit=unit, reverse=reverse)
        found |= {"family": fit, "p": nearest.parameter, "least": nearest.divergence}
    if output is not None:
        from anamorph.divergence_chart import draw_curve, draw_distributions

        names = (observed if observed == TEETH else "observed", "expected")
        drawn = draw_curve(nearest) if nearest else draw_distributions(first, second, names)
        _write(output, drawn, force=force)
    if json:
        print(msgspec.json.encode(found).decode())
        return 0
    for name, value in found.items():
        shown = f"{value:.4f} {unit}" if isinstance(value, float) and name != "p" else value
        print(f"{name.replace('_', ' '):<22} {shown}")
    return 0


def parse(text: str, *, outcomes: int | None) -> Probabilities:
    """Return the chances that a text names.

    Args:
        text: Numbers with commas, ``teeth``, and with ``outcomes`` ``uniform`` or ``binomial:P``.
        outcomes: How many there must be, where that is known.

    Raises:
        UsageError: It names none.
        InputError: The numbers are no distribution.
    """
    if text == TEETH:
        return measures.probabilities(measures.TEETH)
    name, _, number = text.partition(":")
    try:
        if outcomes and name == "uniform" and not number:
            return measures.uniform(outcomes)
        if outcomes and name == "binomial":
            return measures.binomial(outcomes - 1, float(number))
        return measures.probabilities([float(one) for one in text.split(",")])
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise UsageError(
            f"distribution {text!r}: give numbers with commas between them, such as 3,5,2, teeth, "
            "or for the expected one uniform or binomial:0.5"
        ) from None


def make_family(name: str, outcomes: int, split: int | None) -> Family:
    """Return a family of distributions over so many outcomes, by its name.

    Raises:
        InputError: The split leaves one side empty.
    """
    if name == "two-level":
        middle = split if split is not None else (outcomes + 1) // 2
        measures.two_level(outcomes, middle, 0.5)
        return partial(measures.two_level, outcomes, middle)
    if split is not None:
        raise UsageError(f"--split: is for two-level; drop it for {name}")
    if name == "binomial":
        return partial(measures.binomial, outcomes - 1)
    return partial(measures.geometric, outcomes)


def _write(target: Path, drawn: str, *, force: bool) -> None:
    if target.suffix.lower() != ".svg":
        raise OutputError(f"{target}: is drawn as SVG; give a name that ends in .svg")
    with made_folder(target):
        check_target(target, force=force)
        write_whole(target, drawn.encode(), force=force)
