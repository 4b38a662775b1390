"""Read the weights of exported voices back into PyTorch: a zoo file is a start like a run."""

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
from anamorph_training.networks.voice_gan import VoiceGenerator, VoicePair
from anamorph_training.rebuilding import rebuild

_HALF: Final = ".float16"
_TURNED: Final = ".T"
_RECIPES: Final = ("cyclegan_voice", "distill_voice")  # of converters


def read_weights(data: bytes) -> dict[str, Tensor]:
    """Return the weights of an ONNX file by the names of their parameters, as float32.

    Args:
        data: A file that `anamorph export` wrote.
    """
    weights = {}
    graph = onnx.load_from_string(data).graph
    kernels = _folded_kernels(graph)
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype not in (np.float16, np.float32):
            continue
        name, array = tensor.name.removesuffix(_HALF), values.astype(np.float32)
        if name.endswith(_TURNED):
            name, array = name.removesuffix(_TURNED), array.T
        if name in kernels and array.ndim == 4:
            name, array = kernels[name], array[..., 0]
        weights[name] = torch.from_numpy(array.copy())
    return weights


def _folded_kernels(graph: onnx.GraphProto) -> dict[str, str]:
    """Return the names of kernels over time that were exported as pictures one pixel wide.

    Their last axis was folded into them, which cost them their names; their biases have theirs.
    """
    convolutions = [node for node in graph.node if node.op_type == "Conv" and len(node.input) == 3]
    return {
        kernel: bias.removesuffix(".bias") + ".weight"
        for _, kernel, bias in (node.input for node in convolutions)
        if bias.endswith(".depthwise.bias")
    }


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


def load_generator(name: str) -> VoiceGenerator:
    """Build the generator of a voice converter in PyTorch, in evaluation mode.

    Args:
        name: Zoo name, path or address of a converter, or the folder of a run; of a run of
            ``cyclegan_voice``, the generator into the target's voice.

    Raises:
        InputError: It is no converter that was trained here.
        ModelNotFoundError: No model answers to the name.
        ModelFileError: The file is damaged.
    """
    if Path(name).is_dir():
        return _generator_of(read_run(Path(name)).network, name)
    model = read_model(resolve(name))
    provenance = model.card.provenance
    if model.card.task != "convert" or provenance is None or provenance.recipe not in _RECIPES:
        raise InputError(f"{name}: is no voice converter that was trained here")
    weights = read_weights(model.data)
    if any(key.startswith("generator.generator.") for key in weights):
        raise InputError(f"{name}: converts back to its source; give one that does not")
    generator = _generator_of(rebuild(provenance.recipe, provenance.config), name)
    fill(generator, weights, prefix="generator.", name=name)
    return generator.eval()


def _generator_of(network: nn.Module, name: str) -> VoiceGenerator:
    generator = network.to_target if isinstance(network, VoicePair) else network
    if not isinstance(generator, VoiceGenerator):
        raise InputError(f"{name}: is no voice converter that was trained here")
    return generator


def read_voice(name: str) -> dict[str, Tensor]:
    """Return the weights of an exported vocoder or converter by their names in the graph.

    Args:
        name: Zoo name, path or address.

    Raises:
        InputError: It is neither.
        ModelNotFoundError: No model answers to the name.
        ModelFileError: The file is damaged.
    """
    model = read_model(resolve(name))
    if model.card.task not in ("vocode", "convert") or model.card.provenance is None:
        raise InputError(f"{name}: is no vocoder or voice that was trained here")
    return read_weights(model.data)


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
