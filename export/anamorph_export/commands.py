"""`anamorph export`: turn a training run into a gated, self-describing ONNX file."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from cyclopts import App, Parameter

from anamorph.errors import InputError

if TYPE_CHECKING:
    from anamorph.card import Ancestor, Card, Provenance
    from anamorph_export.deploying import Identity
    from anamorph_export.gate import Finding
    from anamorph_training.evaluation.upscaling import Example
    from anamorph_training.finished_run import Run

_CODE_RECIPES: Final = ("autoencoder", "denoising_autoencoder", "vae", "beta_vae", "debiasing_vae")
# Those that say something to a run of a recipe, where it is not an upscaler's.
_OPTIONS: Final[dict[str, tuple[str, ...]]] = {
    "cyclegan_voice": ("vocoder", "direction"),
    "distill_voice": ("vocoder",),
    "vocoder": (),
    **dict.fromkeys(_CODE_RECIPES, ("task", "false_positive_rate")),
}
_OWNERS: Final = {
    "test_set": "upscalers",
    "vocoder": "voice converters",
    "direction": "runs of cyclegan_voice",
    "task": "autoencoders and VAEs",
    "false_positive_rate": "autoencoders and VAEs",
}
Task = Literal["reconstruct", "detect", "outliers"]
_FALSE_POSITIVES: Final = 0.05
_Text = Annotated[str, Parameter(show_default=False)]

export = App(
    name="export",
    help="Turn a training run into a gated, self-describing .onnx file.",
    help_epilogue="""\
Example:
  anamorph export runs/photo-x4 -o photo-x4.onnx --licence CC-BY-SA-4.0

The file is written only if it passes the gate: the ONNX checker, ONNX
Runtime against PyTorch, range, context, files through the runtime, and
quality on what was held out from training.""",
    help_format="plaintext",
)


@export.default
def export_run(
    run: Path,
    *,
    output: Annotated[Path, Parameter(name=("--output", "-o"))],
    name: _Text = "",
    model_version: int = 1,
    description: _Text = "",
    licence: str = "unstated",
    attribution: _Text = "",
    test_set: Annotated[tuple[str, ...], Parameter(negative=(), show_default=False)] = (),
    vocoder: Annotated[str | None, Parameter(show_default=False)] = None,
    direction: Literal["target", "source"] | None = None,
    task: Task | None = None,
    false_positive_rate: Annotated[float | None, Parameter(show_default=False)] = None,
    force: Annotated[bool, Parameter(negative=())] = False,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Export a run, or say which check refuses it and write nothing.

    Args:
        run: Folder that `anamorph train` wrote with --out.
        output: File to write; it must end in .onnx.
        name: Name of the model; by default the file's.
        model_version: Version of the weights, counted from 1.
        description: One sentence for people.
        licence: Licence of the weights, as an SPDX identifier.
        attribution: Whom that licence asks to name.
        test_set: For upscalers: NAME=DIR with NAME_HR.png and NAME_LR.png, measured for the card;
            repeatable.
        vocoder: For converters: name, file or run of the vocoder that becomes part of the file; by
            default vocoder-22k.
        direction: For converters: into the target's voice, which is the default, or back into the
            source's.
        task: For autoencoders and VAEs: what the files are for. reconstruct (the default) writes
            NAME.encoder.onnx and NAME.decoder.onnx; detect finds anomalies, which is the default
            of denoising_autoencoder; outliers ranks pictures.
        false_positive_rate: For detectors and finders of outliers: the share of normal pictures
            that may lie above the threshold; by default 0.05.
        force: Replace an existing file.
        json: Print the findings and the card as one JSON object.
    """
    from anamorph_export.deploying import Identity, check_target
    from anamorph_training.finished_run import read_run

    check_target(output, force=force)
    if false_positive_rate is not None and not 0 < false_positive_rate < 1:
        raise InputError(f"--false-positive-rate {false_positive_rate:g}: give a share below 1")
    identity = Identity(
        name=_model_name(name or output.stem),
        model_version=_at_least_one(model_version),
        description=description,
        licence=licence,
        attribution=attribution,
    )
    trained = read_run(run)
    findings: list[Finding] = []

    def report(finding: "Finding") -> None:
        findings.append(finding)
        print(f"passed: {finding.check}", file=sys.stderr, flush=True)

    place = Place(run, output, force, report)
    _refuse_foreign(
        trained.recipe,
        test_set=test_set,
        vocoder=vocoder,
        direction=direction,
        task=task,
        false_positive_rate=false_positive_rate,
    )
    if trained.recipe in _CODE_RECIPES:
        card, output = _deploy_codes(
            trained, identity, place, task, false_positive_rate or _FALSE_POSITIVES
        )
    elif trained.recipe == "vocoder":
        card = _deploy_vocoder(trained, identity, place)
    elif "vocoder" in _OPTIONS.get(trained.recipe, ()):
        if trained.recipe == "distill_voice" and not vocoder:
            raise InputError(
                f"{run}: is a live voice, and vocoder-22k looks far ahead; give it one of its own "
                "(anamorph train vocoder --voice RUN --look-ahead 2) as --vocoder"
            )
        card = _deploy_converter(
            trained, identity, place, vocoder or "vocoder-22k", direction or "target"
        )
    else:
        card = _deploy_upscaler(trained, identity, place, test_set)
    show(output, card, findings, json=json)
    return 0


def _refuse_foreign(recipe: str, **given: object) -> None:
    """Refuse options that say nothing to a run of this recipe."""
    own = _OPTIONS.get(recipe, ("test_set",))
    for name, value in given.items():
        if value and name not in own:
            option = name.replace("_", "-")
            raise InputError(f"--{option}: is for {_OWNERS[name]}; drop it for a run of {recipe}")


@dataclass(frozen=True)
class Place:
    """From where to where an export goes, and who is told of it."""

    run: Path
    output: Path
    force: bool
    report: "Callable[[Finding], None]"


def _deploy_upscaler(
    trained: "Run", identity: "Identity", place: Place, test_set: tuple[str, ...]
) -> "Card":
    from anamorph_export.deploying import deploy_upscaler
    from anamorph_export.measuring import read_holdout

    scale = int(trained.network.scale)  # type: ignore[arg-type]
    return deploy_upscaler(
        trained.network,
        place.output,
        identity=identity,
        provenance=trained.provenance,
        holdout=read_holdout(place.run, scale),
        test_sets=_read_test_sets(test_set, scale),
        perceptual=trained.perceptual,
        force=place.force,
        report=place.report,
    )


def _deploy_codes(
    trained: "Run",
    identity: "Identity",
    place: Place,
    task: Task | None,
    false_positives: float,
) -> tuple["Card", Path]:
    from anamorph_export.coding import code_files, deploy_codes
    from anamorph_export.deploying import check_target
    from anamorph_export.detecting import Tuning, deploy_detector, deploy_outlier_finder
    from anamorph_training.finished_run import (
        read_codes,
        read_held_pictures,
        read_learnt_pictures,
    )

    task = task or ("detect" if trained.recipe == "denoising_autoencoder" else "reconstruct")
    shared: dict[str, Any] = {
        "identity": identity,
        "provenance": trained.provenance,
        "held": read_held_pictures(place.run),
        "force": place.force,
        "report": place.report,
    }
    network, output = trained.network, place.output
    config = trained.provenance.config
    tuning = Tuning(false_positives=false_positives)
    if config.get("equal_energy") and task != "outliers":
        raise InputError(
            f"{place.run}: its pictures lost their energy; give --task outliers, or train without "
            "--equal-energy"
        )
    if task == "detect":
        learnt = read_learnt_pictures(place.run)
        return deploy_detector(network, output, learnt=learnt, tuning=tuning, **shared), output
    known = read_codes(place.run, steps=trained.provenance.steps)
    if task == "outliers":
        noise = config["noise"] if config["likelihood"] == "gaussian" else 0.0
        card = deploy_outlier_finder(
            network, output, known=known, noise=noise, tuning=tuning, **shared
        )
        return card, output
    _model_name(output.stem)
    files = code_files(output)
    for file in files.values():
        check_target(file, force=place.force)
    labels = tuple(str(i) for i in range(config.get("classes", 0)))
    card = deploy_codes(network, output, known=known, labels=labels, **shared)
    return card, files["encoder"]


def _deploy_vocoder(trained: "Run", identity: "Identity", place: Place) -> "Card":
    from anamorph_export.vocoding import deploy_vocoder
    from anamorph_training.data.speech import read_held
    from anamorph_training.networks.vocos import Vocoder

    assert isinstance(trained.network, Vocoder)
    return deploy_vocoder(
        trained.network,
        place.output,
        identity=identity,
        provenance=trained.provenance,
        held=read_held(place.run),
        force=place.force,
        report=place.report,
    )


def _deploy_converter(
    trained: "Run", identity: "Identity", place: Place, vocoder: str, direction: str
) -> "Card":
    from msgspec.structs import replace

    from anamorph_export.converting import Generator, deploy_converter, way_back
    from anamorph_training.data.speech import read_held
    from anamorph_training.networks.voice_gan import VoiceGenerator, VoicePair
    from anamorph_training.onnx_weights import load_vocoder

    network = trained.network
    source, wanted = read_held(place.run), read_held(place.run, kind="target-")
    generator: Generator
    if isinstance(network, VoicePair):
        generator = network.to_target
        if direction == "source":
            generator, judges = way_back(network, source, place.run)
            source, wanted = wanted, judges
    else:
        assert isinstance(network, VoiceGenerator)
        generator = network
    speaker, made_with = load_vocoder(vocoder)
    known = {one.digest for one in trained.provenance.datasets}
    more = [one for one in made_with.datasets if one.digest not in known]
    datasets = (*trained.provenance.datasets, *more)
    return deploy_converter(
        generator,
        speaker,
        place.output,
        identity=identity,
        provenance=replace(trained.provenance, datasets=datasets, parts=(_as_part(made_with),)),
        source=source,
        wanted=wanted,
        force=place.force,
        report=place.report,
    )


def _as_part(made: "Provenance") -> "Ancestor":
    """Tell of a network that becomes part of a file beside the one that the run trained."""
    from anamorph.card import Ancestor

    return msgspec.convert(made, Ancestor, from_attributes=True)


def _model_name(name: str) -> str:
    import re

    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
        raise InputError(
            f"model name {name!r}: accepted are lower case letters, digits, dots, dashes and "
            "underscores; give another --name"
        )
    return name


def _at_least_one(model_version: int) -> int:
    if model_version < 1:
        raise InputError(f"model version {model_version}: versions count from 1")
    return model_version


def _read_test_sets(options: tuple[str, ...], scale: int) -> "dict[str, list[Example]]":
    from anamorph_export.measuring import read_test_set

    sets = {}
    for option in options:
        name, equals, folder = option.partition("=")
        if not (name and equals and folder):
            raise InputError(f"test set {option!r}: give NAME=DIR, such as Set5=data/Set5/x4")
        sets[name] = read_test_set(Path(folder), scale)
    return sets


def show(output: Path, card: "Card", findings: "list[Finding]", *, json: bool) -> None:
    """Print what the gate found, for people or for machines."""
    if json:
        report = {
            "file": str(output),
            "bytes": output.stat().st_size,
            "findings": [vars(finding) for finding in findings],
            "card": card,
        }
        print(msgspec.json.encode(report).decode())
        return
    rows = [("check", "found", "allowed")]
    rows += [(finding.check, finding.found, finding.allowed) for finding in findings]
    first, second = (max(len(row[column]) for row in rows) for column in (0, 1))
    for check, found, allowed in rows:
        print(f"{check:<{first}}  {found:<{second}}  {allowed}")
    for metric in card.metrics:
        baseline = "" if metric.baseline is None else f" (without: {metric.baseline:g})"
        print(f"{metric.on}: {metric.name} {metric.value:g} {metric.unit}".rstrip() + baseline)
    print(f"{output}: {card.name}@{card.model_version}, {output.stat().st_size:,} bytes")
