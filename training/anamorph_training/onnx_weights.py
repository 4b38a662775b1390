"""Read the weights of an exported model back into PyTorch: a zoo file is a start like a run."""

from pathlib import Path
from typing import Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

from anamorph.card import Provenance
from anamorph.errors import InputError
from anamorph.loading import resolve
from anamorph.model_file import read_model
from anamorph_training.finished_run import read_run
from anamorph_training.networks.vocos import Vocoder
from anamorph_training.rebuilding import rebuild

_HALF: Final = ".float16"
_TURNED: Final = ".T"


def read_weights(data: bytes) -> dict[str, Tensor]:
    """Return the weights of an ONNX file by the names of their parameters, as float32.

    Args:
        data: A file that `anamorph export` wrote.
    """
    weights = {}
    for tensor in onnx.load_from_string(data).graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype not in (np.float16, np.float32):
            continue
        name, array = tensor.name.removesuffix(_HALF), values.astype(np.float32)
        if name.endswith(_TURNED):
            name, array = name.removesuffix(_TURNED), array.T
        weights[name] = torch.from_numpy(array.copy())
    return weights


def load_vocoder(name: str) -> tuple[Vocoder, Provenance]:
    """Build a vocoder in PyTorch from its file or run, in evaluation mode; and how it came to be.

    Args:
        name: Zoo name, path or address of a vocoder, or the folder of a run.

    Raises:
        InputError: It is no vocoder, or was exported by a version that named its weights otherwise.
        ModelNotFoundError: No model answers to the name.
        ModelFileError: The file is damaged.
    """
    if Path(name).is_dir():
        run = read_run(Path(name))
        if not isinstance(run.network, Vocoder):
            raise InputError(f"{name}: is no run of the recipe vocoder")
        return run.network, run.provenance
    model = read_model(resolve(name))
    provenance = model.card.provenance
    if model.card.task != "vocode" or provenance is None or provenance.recipe != "vocoder":
        raise InputError(f"{name}: is no vocoder that was trained here; see: anamorph models")
    network = rebuild(provenance.recipe, provenance.config)
    assert isinstance(network, Vocoder)
    fill(network, read_weights(model.data), prefix="vocoder.", name=name)
    return network.eval(), provenance


def fill(network: nn.Module, weights: dict[str, Tensor], *, prefix: str, name: str) -> None:
    """Load the weights of a part of a graph into its network.

    Args:
        network: Changed in place.
        weights: As `read_weights` returns them.
        prefix: Of the part's names within the graph.
        name: Of the file, for messages.

    Raises:
        InputError: A weight is missing or of another shape.
    """
    own = network.state_dict()
    found = {key: weights[prefix + key] for key in own if prefix + key in weights}
    wrong = [key for key in own if key not in found or found[key].shape != own[key].shape]
    if wrong:
        raise InputError(
            f"{name}: holds no weight {wrong[0]!r} of the shape that its card tells; export it "
            "again with this version"
        )
    network.load_state_dict(found)
