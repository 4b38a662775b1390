"""What a run keeps in its folder: checkpoints, each with where its weights come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anamorph_training.loop.checkpoints import Part, Resumed, resume_parts, save_parts
from anamorph_training.loop.effort import Spent
from anamorph_training.loop.provenance import (
    Record,
    check_datasets,
    check_voice,
    make_record,
    mend_provenance,
    write_provenance,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from anamorph.card import Dataset


def resume(
    run: Path, parts: Mapping[str, Part], *, steps: int, report: Callable[[str], None]
) -> Resumed:
    """Load the newest checkpoint, where there is one, and tell of it.

    Args:
        run: Folder of the run.
        parts: Networks and optimisers by their names in the checkpoint; changed in place.
        steps: Length of the run.
        report: Told in one line.
    """
    resumed = resume_parts(run, parts)
    if resumed.step:
        state = "is finished" if resumed.step == steps else "continues"
        report(f"{run}: {state} after step {resumed.step} of {steps}")
    return resumed


@dataclass(frozen=True)
class Keeper:
    """Keeps one run.

    Attributes:
        run: Its folder.
        recipe: Name of its recipe.
        config: Its configuration, with a ``seed``.
        datasets: What it learns from.
        start: The run whose weights it began with, as `describe_start` returns it.
        voice: The converter that made what it is shown, as `describe_model` returns it.
        voice_option: That the converter was given as, for messages.
    """

    run: Path
    recipe: str
    config: "DataclassInstance"
    datasets: "list[Dataset]"
    start: Record | None = None
    voice: Record | None = None
    voice_option: str = "--voice"

    def check(self, resumed: Resumed) -> None:
        """See that a run continues on its own data, and that its provenance is in place.

        Raises:
            InputError: The data or the converter have changed since it began.
        """
        if resumed.step:
            check_datasets(self.run, resumed.record, self.datasets)
            check_voice(self.run, resumed.record, self.voice, option=self.voice_option)
            record = resumed.record or self._record(resumed.step, resumed.spent)
            mend_provenance(self.run, record)

    def save(self, step: int, parts: Mapping[str, Part], spent: Spent) -> None:
        """Write a checkpoint after ``step`` steps, and where its weights come from."""
        record = self._record(step, spent)
        save_parts(self.run, step, parts, spent=spent, record=record)
        write_provenance(self.run, record)

    def _record(self, step: int, spent: Spent) -> Record:
        return make_record(
            recipe=self.recipe,
            config=self.config,
            datasets=self.datasets,
            seed=self.config.seed,  # type: ignore[attr-defined]
            steps=step,
            spent=spent,
            start=self.start,
            voice=self.voice,
        )
