"""Models that are loaded when they are first wanted, and kept while there is room for them."""

import hashlib
import os
import tempfile
import threading
from collections import Counter, OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anamorph import loading, manifest
from anamorph.card import Card
from anamorph.errors import InputError, ModelFileError, ModelNotFoundError
from anamorph.model_file import read_model

# Of a file's size that its session takes: weights are stored in half as many bits as they have.
_LOADED: Final = 3
_OWN: Final = "own-"
_DIGITS: Final = 12
TASKS: Final = ("convert", "upscale", "vocode", "reconstruct", "detect", "outliers")


@dataclass(frozen=True)
class Shelved:
    """A model that can be asked for.

    Attributes:
        name: That it is asked for by.
        path: Its file; of a family of several the encoder's, beside which the others lie.
        card: The card of that file.
        size: Bytes of all its files.
    """

    name: str
    path: Path
    card: Card
    size: int


class Shelf:
    """Knows the zoo's models and those that were added.

    Args:
        folder: Where added files are kept; it exists.
        memory_bytes: That loaded models may take, about; one is kept in any case.
        own_models: Added models that are kept; the oldest goes.
        device: As for ``anamorph.load``.
        threads: Likewise.
    """

    def __init__(
        self,
        folder: Path,
        *,
        memory_bytes: int,
        own_models: int,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self._folder = folder
        self._memory_bytes = memory_bytes
        self._own_models = own_models
        self._device, self._threads = device, threads
        entries = [entry for entry in manifest.models() if entry.path.is_file()]
        sizes: Counter[tuple[str, int]] = Counter()
        for entry in entries:
            sizes[entry.name, entry.version] += entry.size
        self._zoo = {
            entry.name: Shelved(
                entry.name, entry.path, entry.card(), sizes[entry.name, entry.version]
            )
            for entry in reversed(entries)  # the newest of several versions, and its encoder
        }
        self._own: OrderedDict[str, Shelved] = OrderedDict()
        self._loaded: OrderedDict[str, Any] = OrderedDict()
        self._lock = threading.Lock()

    def models(self, task: str | None = None) -> list[Shelved]:
        """Return the zoo's models, or those of a task, by name; none of those that were added."""
        found = [self._zoo[name] for name in sorted(self._zoo)]
        return [one for one in found if task in (None, one.card.task)]

    def find(self, name: str, *, task: str | None = None) -> Shelved:
        """Return a model; never a path, whatever the name looks like.

        Raises:
            ModelNotFoundError: There is none of that name.
            InputError: It is for another task.
        """
        found = self._zoo.get(name) or self._own.get(name)
        if found is None:
            known = ", ".join(one.name for one in self.models(task)) or "none"
            raise ModelNotFoundError(f"{name}: no such model here; there are {known}")
        if task not in (None, found.card.task):
            raise InputError(f"{name}: is a model for {found.card.task!r}, not for {task!r}")
        return found

    def load(self, name: str, *, task: str | None = None) -> Any:
        """Return a model ready to run, loaded now or earlier.

        Raises:
            ModelNotFoundError: As for ``find``.
            InputError: Likewise.
            ModelFileError: The file is damaged.
        """
        found = self.find(name, task=task)
        with self._lock:
            model = self._loaded.pop(name, None)
            if model is None:
                model = self._load(found)
            self._loaded[name] = model  # the most recently used is last
            self._make_room()
            return model

    def loaded(self) -> list[str]:
        """Return the names of the models that are loaded, the least recently used first."""
        return list(self._loaded)

    def add(self, data: bytes, *, name: str) -> Shelved:
        """Keep a model of somebody's own.

        Args:
            data: Content of its file.
            name: That it came with, for messages.

        Returns:
            It, under a name that is made of its content: whoever has the file can ask for it.

        Raises:
            ModelFileError: It is no Anamorph model, is damaged, or does what nothing here shows.
        """
        own = _OWN + hashlib.sha256(data).hexdigest()[:_DIGITS]
        # Under another name first: nobody shall find half a file, or lose one to a failure.
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, suffix=".onnx")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
            card = read_model(Path(temporary)).card
            _check_card(card, name)
            path = self._folder / f"{own}.onnx"
            with self._lock:
                Path(temporary).replace(path)
                shelved = Shelved(own, path, card, len(data))
                self._own.pop(own, None)
                self._own[own] = shelved
                while len(self._own) > self._own_models:
                    oldest, gone = self._own.popitem(last=False)
                    self._loaded.pop(oldest, None)
                    gone.path.unlink(missing_ok=True)
            return shelved
        except ModelFileError as error:
            raise ModelFileError(str(error).replace(temporary, name)) from None
        finally:
            Path(temporary).unlink(missing_ok=True)

    def _load(self, found: Shelved) -> Any:
        try:
            return loading.load(found.path, device=self._device, threads=self._threads)
        except (ModelFileError, ModelNotFoundError) as error:  # of a family a part may be missing
            words = str(error).replace(str(found.path), found.name)
            raise type(error)(words.replace(f"{found.path.parent}{os.sep}", "")) from None

    def _make_room(self) -> None:
        sizes = {name: _LOADED * self.find(name).size for name in self._loaded}
        while len(sizes) > 1 and sum(sizes.values()) > self._memory_bytes:
            oldest = next(iter(sizes))
            del sizes[oldest], self._loaded[oldest]


def _check_card(card: Card, name: str) -> None:
    """Refuse a model of one's own that nothing here can show.

    Raises:
        ModelFileError: Says why.
    """
    if card.task not in TASKS:
        raise ModelFileError(f"{name}: is for {card.task!r}, which nothing here shows")
    if card.task == "reconstruct":
        raise ModelFileError(
            f"{name}: is the {card.role} of a model of two files, and one file is taken here; use "
            f"it where both lie: anamorph traverse -m {name}"
        )
    if card.task in ("detect", "outliers"):
        for port in card.outputs:
            known = card.calibrations.get(port.name)
            if known is None or "0.5" not in known.quantiles:
                raise ModelFileError(
                    f"{name}: its card does not say what {port.name} normal pictures have; export "
                    "it again"
                )
