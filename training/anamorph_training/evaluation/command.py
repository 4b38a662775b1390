"""`anamorph evaluate upscale`: PSNR and SSIM of upscalers on a test set."""

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from cyclopts import Parameter

from anamorph.errors import InputError
from anamorph_training.evaluation.table import aligned
from anamorph_training.evaluation.texture import Texture, check_sizes, measure_texture
from anamorph_training.evaluation.upscaling import (
    KERNELS,
    Degradation,
    Example,
    Result,
    Score,
    find_method,
    measure,
    read_folder,
    read_pairs,
    write_crops,
)
from anamorph_training.sheets import check_sheet


def upscale(
    *,
    model: Annotated[tuple[str, ...], Parameter(alias="-m", negative=())] = ("bicubic", "photo-x4"),
    pairs: Path | None = None,
    data: Path | None = None,
    scale: Literal[2, 3, 4] = 4,
    degradation: Degradation = "bicubic",
    seed: int = 0,
    sheet: Path | None = None,
    texture: Annotated[bool, Parameter(negative=())] = False,
    tta: Annotated[bool, Parameter(negative=())] = False,
    device: str = "auto",
    threads: int | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure how near upscaled pictures come to the truth.

    PSNR and SSIM on the luma of BT.601, a border of SCALE pixels cut off, as in the literature.

    Args:
        model: Zoo name or file of an upscaler, bicubic, or lanczos; repeat for several.
        pairs: Folder of NAME_HR.png and NAME_LR.png.
        data: Folder of large pictures instead, which are shrunk by --scale.
        scale: How much --data is shrunk, pixels per pixel along each axis.
        degradation: How --data is shrunk: bicubic, or practical, which also blurs, adds noise and
            compresses as phones and web pages do.
        seed: What --degradation practical draws from; the same seed gives the same pictures.
        sheet: Also write this PNG: crops of every method side by side.
        texture: Also compare the texture with the truth's: grids, colours, fine detail.
        tta: Measure every model also with `anamorph upscale --tta`, as "MODEL +tta".
        device: What to run models on; see anamorph upscale --help.
        threads: Processor threads of a model; by default the runtime's choice.
        json: Print one JSON object instead of a table.

    Raises:
        InputError: Not exactly one of --pairs and --data is given, pairs are to be degraded, or
            the set cannot be used.
        OutputError: The sheet cannot be written; said before anything is measured.
    """
    if sheet is not None:
        check_sheet(sheet)
    examples = _read(pairs, data, scale, degradation, seed)
    if texture:
        check_sizes(examples)
    results, pictures, methods = [], [], _methods(model, tta=tta)
    for name, mark in methods:
        enlarge = find_method(
            name, examples[0].scale, device=device, threads=threads, tta=bool(mark)
        )
        result, made = measure(name + mark, enlarge, examples)
        results.append(result)
        pictures.append(made)
    if sheet is not None:
        write_crops(sheet, examples, [Path(name).stem + mark for name, mark in methods], pictures)
    textures = [measure_texture(made, examples) for made in pictures] if texture else []
    if json:
        described: dict[str, Any] = {"set": str(pairs or data), "scale": examples[0].scale}
        if degradation == "practical":
            described |= {"degradation": degradation, "seed": seed}
        sys.stdout.write(_report(described, results, textures))
    else:
        sys.stdout.write(_table(results) + _texture_table(results, textures))


def _methods(models: Sequence[str], *, tta: bool) -> list[tuple[str, str]]:
    """Return each name with what marks its column; turning changes nothing for kernels."""
    return [
        (name, mark)
        for name in models
        for mark in (("", " +tta") if tta and name not in KERNELS else ("",))
    ]


def _read(
    pairs: Path | None, data: Path | None, scale: int, degradation: Degradation, seed: int
) -> list[Example]:
    if pairs is not None and data is None:
        if degradation != "bicubic":
            raise InputError(
                f"{pairs}: pairs hold their low resolution already; "
                f"give large pictures as --data DIR for --degradation {degradation}"
            )
        examples = read_pairs(pairs)
        if len(scales := {example.scale for example in examples}) > 1:
            raise InputError(
                f"{pairs}: pairs of several scales {sorted(scales)}; keep one per folder"
            )
        return examples
    if data is not None and pairs is None:
        return read_folder(data, scale, degradation=degradation, seed=seed)
    raise InputError("give the test set either as --pairs DIR or as --data DIR")


def _report(
    described: dict[str, Any], results: Sequence[Result], textures: Sequence[Texture]
) -> str:
    """Return one line of JSON; with the textures, where they were asked for."""
    entries: list[dict[str, Any]] = [asdict(result) for result in results]
    for entry, one in zip(entries, textures, strict=False):
        entry["texture"] = asdict(one)
    return msgspec.json.encode(described | {"results": entries}).decode() + "\n"


def _table(results: list[Result]) -> str:
    """Return one row per picture and one for the mean: dB / SSIM of each method."""
    rows = [["", *(result.model for result in results)]]
    for index, score in enumerate(results[0].images):
        rows.append([score.image, *(_cell(result.images[index]) for result in results)])
    rows.append(["mean", *(_cell(result) for result in results)])
    return aligned(rows)


def _texture_table(results: Sequence[Result], textures: Sequence[Texture]) -> str:
    """Return one row per figure, or nothing where none was taken."""
    if not textures:
        return ""
    return "\n" + aligned(
        [
            ["", *(result.model for result in results)],
            ["spectral peak / truth's", *(f"{one.spectral_peak:.3f}" for one in textures)],
            ["greatest harmonic / truth's", *(f"{one.greatest_harmonic:.3f}" for one in textures)],
            ["colour cast of 255", *(f"{one.colour_cast:.3f}" for one in textures)],
            ["colour error of 255", *(f"{one.colour_error:.3f}" for one in textures)],
            ["fine detail / truth's", *(f"{one.high_frequency_energy:.3f}" for one in textures)],
        ]
    )


def _cell(score: Score | Result) -> str:
    return f"{score.psnr_y:.2f} / {score.ssim_y:.4f}"
