"""`anamorph reconstruct`: turn pictures into codes, and codes into pictures."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from anamorph import batch
from anamorph.commands.progress import locate
from anamorph.commands.running import Outcome, Switch, attempt, check_places, run_all
from anamorph.errors import UsageError
from anamorph.new_file import check_target, write_whole
from anamorph.picture_format import SUFFIXES
from anamorph.providers import Device

if TYPE_CHECKING:
    from anamorph.autoencoder import Autoencoder

_CODE_SUFFIX = ".npy"


@dataclass(frozen=True, kw_only=True)
class CodeOutcome(Outcome):
    """What became of one picture or code."""

    latent_width: int = 0

    def size(self) -> str:
        """Return the width of the code."""
        return f"{self.latent_width} numbers"


def reconstruct(
    *inputs: str,
    output: Annotated[str | None, Parameter(alias="-o")] = None,
    model: Annotated[str, Parameter(alias="-m")] = "faces",
    to: Literal["picture", "code"] | None = None,
    device: Device = "auto",
    threads: int | None = None,
    force: Switch = False,
    skip_existing: Switch = False,
    json: Switch = False,
) -> int:
    """Turn pictures into codes of a few numbers, and codes into pictures again.

    A picture comes back as the model sees it, after its code; a .npy file of codes is decoded.

    Args:
        inputs: Pictures, .npy files of one code each, or folders (searched recursively).
        output: File or folder; a name that ends in .npy gets the code. By default beside each
            input.
        model: Name (see `anamorph models`), path, https:// or hf:// address of a model.
        to: What is written: pictures, or codes as .npy; by default what -o names, else pictures.
        device: Where to run; auto takes the best that is there.
        threads: CPU threads; by default all cores this process may use.
        force: Replace outputs that exist.
        skip_existing: Leave outputs that exist, and go on with the others.
        json: Print one JSON object per input to standard output.
    """
    if "-" in inputs:
        raise UsageError("reconstruct reads files and folders, no standard input; name a file")
    check_places(inputs, output, what="picture", json=json)
    named = Path(output or "").suffix.lower()
    if (to == "code" and named in SUFFIXES) or (to == "picture" and named == _CODE_SUFFIX):
        raise UsageError(f"-o {output}: its suffix contradicts --to {to}; drop one")
    kind = to or ("code" if output and output.endswith(_CODE_SUFFIX) else "picture")

    from anamorph.loading import load_autoencoder

    autoencoder = load_autoencoder(locate(model), device=device, threads=threads)
    jobs = batch.plan(
        [Path(given) for given in inputs],
        output=output,
        mark="-code" if kind == "code" else "-reconstructed",
        suffixes=SUFFIXES | {_CODE_SUFFIX},
        suffix=_CODE_SUFFIX if kind == "code" else None,
    )
    if kind == "picture":
        jobs = [_as_picture(job) for job in jobs]
        batch.refuse_collisions(jobs)

    def work(
        source: Path | bytes, target: Path, progress: Callable[[float], None] | None
    ) -> dict[str, Any]:
        assert isinstance(source, Path)
        check_target(target, force=force)
        _convert(autoencoder, source, target, kind, force=force)
        return {"latent_width": autoencoder.latent_width}

    return run_all(
        jobs,
        lambda job, progress: attempt(
            CodeOutcome,
            job.source,
            job.target,
            work,
            skip_existing=skip_existing,
            model=autoencoder.origin,
            device=autoencoder.device,
            cure="try a smaller picture",
            progress=progress,
        ),
        title=f"{autoencoder.origin} on {autoencoder.device}",
        what="inputs",
        json=json,
    )


def _as_picture(job: batch.Job) -> batch.Job:
    """Write PNG where the input is a code."""
    if job.target.suffix.lower() != _CODE_SUFFIX:
        return job
    return batch.Job(job.source, job.target.with_suffix(".png"))


def _convert(
    autoencoder: "Autoencoder", source: Path, target: Path, kind: str, *, force: bool
) -> None:
    import numpy as np

    from anamorph.commands.traverse import read_code

    codes = np.asarray(read_code(autoencoder, source), np.float32)
    if kind == "picture":
        autoencoder.decode(codes)[0].save(target, force=force)
        return
    buffer = io.BytesIO()
    np.save(buffer, codes, allow_pickle=False)
    write_whole(target, buffer.getvalue(), force=force)
