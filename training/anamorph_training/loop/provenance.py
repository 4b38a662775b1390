"""Where the weights of a run come from, as its card will tell."""

from pathlib import Path
from typing import TYPE_CHECKING

from anamorph_training.loop.run_folder import code_revision, settings, write_json

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from anamorph.card import Dataset


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
