"""`anamorph evaluate disentanglement` and `reconstruction`: how good codes are."""

import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from cyclopts import Parameter
from numpy.typing import NDArray

from anamorph.errors import InputError
from anamorph_training.evaluation.table import aligned
from anamorph_training.options import Positive

_NAMES: Final = {
    "beta_vae": "beta-VAE score",
    "factor_vae": "FactorVAE score",
    "mig": "MIG",
    "dci_disentanglement": "DCI disentanglement",
    "dci_completeness": "DCI completeness",
    "dci_informativeness": "DCI informativeness",
    "sap": "SAP",
}


def disentanglement(
    *models: str,
    votes: Positive = 2000,
    samples: Positive = 10_000,
    seed: int = 0,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure how far single latents stand for single factors of dSprites.

    Args:
        models: Runs, zoo names or files of encoders of dSprites.
        votes: Times that pictures which share a factor are drawn, for the first two scores.
        samples: Pictures that the other scores are taken on.
        seed: Of what is drawn.
        json: Print one JSON object per model instead of a table.
    """
    from anamorph_training.data.sprites import SIZES, Sprites
    from anamorph_training.evaluation.disentanglement import measure_disentanglement
    from anamorph_training.evaluation.encoders import find_encoder

    if not models:
        raise InputError("no model given; name a run, a zoo model or a file that encodes dSprites")
    sprites = Sprites()
    found = {}
    for name in models:
        encode = find_encoder(name)

        def represent(factors: NDArray[np.int64], encode: Any = encode) -> NDArray[np.float32]:
            codes: NDArray[np.float32] = encode(sprites.draw(factors))
            return codes

        found[name] = measure_disentanglement(
            represent, SIZES, categorical=(0,), votes=votes, samples=samples, seed=seed
        )
        if json:
            line = msgspec.json.encode({"model": name, **asdict(found[name])}).decode()
            sys.stdout.write(line + "\n")
    if not json:
        rows = [["", *(Path(name).stem for name in found)]]
        rows += [
            [title, *(f"{getattr(one, field):.3f}" for one in found.values())]
            for field, title in _NAMES.items()
        ]
        sys.stdout.write(aligned(rows))


@dataclass(frozen=True)
class Reconstruction:
    """How near pictures come back.

    Attributes:
        method: What brought them back.
        ssim: Mean structural similarity, at most 1.
        psnr: Of all pixels together, in dB.
    """

    method: str
    ssim: float
    psnr: float


def reconstruction(
    *models: str,
    data: Path,
    by_folder: bool = False,
    components: int | None = None,
    sheet: Path | None = None,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Measure how near held-out pictures come back from their codes, beside PCA of equal width.

    Pictures are brought to the model's size; every fifth, or every fifth sub-folder, is held out,
    as the recipes do. SSIM with a window of 7 x 7 on grey pictures in 0..255.

    Args:
        models: Zoo names or files of encoders.
        data: Folder of pictures, IDX file or MedMNIST .npz that they were trained on.
        by_folder: Hold out whole sub-folders.
        components: Of the PCA, fitted to the training part; by default the first model's latents.
        sheet: Also write this PNG: held-out pictures beside what each method makes of them.
        json: Print one JSON object per method instead of a table.
    """
    from anamorph.loading import load_autoencoder
    from anamorph_training.sheets import check_sheet

    if not models:
        raise InputError("no model given; name a zoo model or a file")
    if sheet is not None:
        check_sheet(sheet)
    loaded = {name: load_autoencoder(name, device="cpu") for name in models}
    card = next(iter(loaded.values())).card
    training, held = _read(data, by_folder=by_folder, height=card.height, width=card.width)
    width = components or card.latent_width
    made = {f"PCA {width}": principal(training, held, width)}
    for name, model in loaded.items():
        pictures = [model.reconstruct(np.repeat(one[0][..., None], 3, axis=2)) for one in held]
        made[Path(name).stem] = np.stack(
            [one.pixels[..., :1].transpose(2, 0, 1) for one in pictures]
        )
    found = [_compare(name, one, held) for name, one in made.items()]
    if sheet is not None:
        _draw(sheet, held, made)
    if json:
        for one in found:
            sys.stdout.write(msgspec.json.encode(asdict(one)).decode() + "\n")
        return
    rows = [["", "SSIM", "PSNR in dB"]]
    rows += [[one.method, f"{one.ssim:.4f}", f"{one.psnr:.2f}"] for one in found]
    sys.stdout.write(aligned(rows))


@dataclass(frozen=True)
class _Format:
    data: Path
    by_folder: bool
    height: int
    width: int
    colour: str = "grey"
    equal_energy: bool = False
    likelihood: str = "gaussian"
    data_name: str = ""
    licence: str = ""
    only: tuple[int, ...] = ()
    without: tuple[int, ...] = ()


def _read(
    data: Path, *, by_folder: bool, height: int, width: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return what is trained on and what is held out: uint8 (n, 1, height, width) each."""
    from anamorph_training.data.images import split_images

    training, held, _ = split_images(_Format(data, by_folder, height, width))  # type: ignore[arg-type]
    return training.pixels, held.pixels


def principal(
    training: NDArray[np.uint8], held: NDArray[np.uint8], components: int
) -> NDArray[np.uint8]:
    """Return what principal components of the one set make of the other.

    Args:
        training: uint8 (n, bands, height, width), that the components are taken from.
        held: uint8 (m, bands, height, width).
        components: How many.

    Returns:
        uint8, shaped as ``held``.
    """
    from sklearn.decomposition import PCA

    flat = training.reshape(len(training), -1).astype(np.float64)
    pca = PCA(min(components, len(flat))).fit(flat)
    back = pca.inverse_transform(pca.transform(held.reshape(len(held), -1).astype(np.float64)))
    pixels: NDArray[np.uint8] = np.clip(np.rint(back), 0, 255).astype(np.uint8).reshape(held.shape)
    return pixels


def _compare(method: str, made: NDArray[np.uint8], truth: NDArray[np.uint8]) -> Reconstruction:
    from skimage.metrics import structural_similarity

    ssim = [
        structural_similarity(one[0], other[0], data_range=255)  # type: ignore[no-untyped-call]
        for one, other in zip(made, truth, strict=True)
    ]
    error = float(np.mean((made.astype(float) - truth) ** 2))
    return Reconstruction(
        method, float(np.mean(ssim)), 10 * float(np.log10(255**2 / max(error, 1e-6)))
    )


def _draw(sheet: Path, held: NDArray[np.uint8], made: dict[str, NDArray[np.uint8]]) -> None:
    from anamorph_training.code_watch import to_rgb
    from anamorph_training.sheets import write_sheet

    step = max(1, len(held) // 8)
    columns: Sequence[str] = ["held out", *made]
    chosen = range(0, len(held), step)
    rows = [[to_rgb(one) for one in (held[i], *(m[i] for m in made.values()))] for i in chosen]
    write_sheet(sheet, columns, rows[:8])
