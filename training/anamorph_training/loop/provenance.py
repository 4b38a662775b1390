"""Where the weights of a run come from, as its card will tell."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from anamorph.errors import InputError
from anamorph_training.loop.run_folder import code_revision, settings, write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from anamorph.card import Dataset


def check_datasets(run: Path, datasets: "list[Dataset]") -> None:
    """See that a run continues on the very data that it began with.

    Raises:
        InputError: The data have changed since the last checkpoint.
    """
    file = run / "provenance.json"
    if not file.exists():
        return
    before = [one["digest"] for one in json.loads(file.read_text(encoding="utf-8"))["datasets"]]
    if before != [one.digest for one in datasets]:
        raise InputError(
            f"{run}: its data have changed since it began; restore them, or choose another --out"
        )


def write_provenance(
    run: Path,
    *,
    recipe: str,
    config: "DataclassInstance",
    datasets: "list[Dataset]",
    seed: int,
    steps: int,
    cpu_seconds: float,
) -> None:
    """Write ``provenance.json``: the fields of `anamorph.card.Provenance`, known so far."""
    import msgspec

    write_json(
        run / "provenance.json",
        {
            "recipe": recipe,
            "config": settings(config),
            "seed": seed,
            "steps": steps,
            "cpu_hours": round(cpu_seconds / 3600, 4),
            "datasets": msgspec.to_builtins(datasets),
            "code_revision": code_revision(),
        },
    )
