"""A verified model in ONNX Runtime, on the device that was asked for.

Options of the session were chosen by measurement (figures in docs/RESULTS.md):

- The CPU memory arena is on: upscaling in tiles took 0.88 to 0.99 of the processor time with it,
  and 175 instead of 292 MB at the peak. Tiles bound what it keeps; without it, the C library's
  heap falls to pieces between tiles of different shapes.
- All graph optimisations are on: weights take the processor's layout once, at load; with the
  extended set alone a run takes 1.8 to 2.0 times as long.
- Threads wait without spinning: where another process keeps a core busy, as decoding and encoding
  of pictures does, runs take 0.56 (32 x 32) to 0.97 (256 x 256) of the time with spinning.
- Memory patterns and prepacking change nothing beyond noise; patterns, which plan for one shape,
  are off, as DirectML requires.
"""

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from anamorph import providers
from anamorph.cache import cache_folder
from anamorph.card import Card, printable
from anamorph.errors import InputError, ModelFileError, UnavailableError
from anamorph.model_file import ModelFile
from anamorph.ports import check_ports
from anamorph.threads import check_threads, default_threads

_PROBE_LIMIT: Final = 512  # pixels; a model whose least picture is larger is not tried at load

Array = npt.NDArray[Any]


class Session:
    """One graph that is ready to run.

    Attributes:
        card: What the model says of itself.
        origin: Where it came from, for messages.
        device: Device that runs it, such as ``cpu``; never ``auto``.
        provider: ONNX Runtime's name of it, such as ``CPUExecutionProvider``.
        threads: Threads that it uses on the CPU.
    """

    def __init__(self, card: Card, origin: str, *, session: Any, device: str, threads: int) -> None:
        self.card = card
        self.origin = origin
        self.device = device
        self.provider = str(session.get_providers()[0])
        self.threads = threads
        self._session = session
        self._outputs = [port.name for port in card.outputs]

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Run a graph of one input and one output.

        Args:
            batch: float32, axes as the card's one input says: for pictures
                (batch, 3, height, width) in [0, 1].

        Returns:
            float32, axes as the card's one output says: for pictures
            (batch, 3, scale * height, scale * width).

        Raises:
            ModelFileError: The graph fails, or returns another shape than its card says.
            InputError: There is not enough memory.
        """
        result: npt.NDArray[np.float32] = self._run({self.card.inputs[0].name: batch})[0]
        if self.card.task == "upscale":
            self._check_scale(batch.shape, result.shape)
        elif self.card.task in ("convert", "vocode"):
            self._check_length(batch.shape, result.shape)
        return result

    def run_named(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Run a graph of any number of inputs and outputs, each by its name on the card."""
        return dict(zip(self._outputs, self._run(dict(inputs)), strict=True))

    def _run(self, inputs: dict[str, Array]) -> list[Array]:
        try:
            results: list[Array] = self._session.run(self._outputs, inputs)
        except Exception as error:
            reason = _one_line(error)
            shapes = ", ".join(f"{name} {value.shape}" for name, value in inputs.items())
            if "alloc" in reason.lower() or "out of memory" in reason.lower():
                cures = {"upscale": "smaller tile", "convert": "shorter chunk"}
                cures["vocode"] = cures["convert"]
                cure = cures.get(self.card.task, "smaller picture")
                raise InputError(
                    f"{self.origin}: not enough memory for {shapes}; use a {cure}"
                ) from None
            raise ModelFileError(
                f"{self.origin}: the graph fails on {shapes} ({reason}); check it with: "
                "anamorph check"
            ) from None
        return results

    def _check_length(self, given: tuple[int, ...], returned: tuple[int, ...]) -> None:
        expected = (given[0], given[-1] * (self.card.hop_length or 1))
        if returned != expected:
            raise ModelFileError(
                f"{self.origin}: made {returned} of {given} where its card promises {expected}; "
                "export the model again"
            )

    def _check_scale(self, given: tuple[int, ...], returned: tuple[int, ...]) -> None:
        batch, _, height, width = given
        scale = self.card.scale
        channels = len(self.card.outputs[0].channels)
        expected = (batch, channels, scale * height, scale * width)
        if returned != expected:
            raise ModelFileError(
                f"{self.origin}: made {returned} of {given} where its card promises {expected}; "
                "export the model again"
            )


def open_session(model: ModelFile, *, device: str = "auto", threads: int | None = None) -> Session:
    """Build a session from the verified bytes of a model.

    Args:
        model: As ``read_model`` returns it.
        device: One of ``providers.DEVICES``; ``auto`` takes the best that loads.
        threads: Threads on the CPU; None takes ``default_threads``.

    Raises:
        InputError: ``device`` or ``threads`` is no valid choice.
        UnavailableError: ONNX Runtime or the device is not there.
        ModelFileError: ONNX Runtime refuses the graph, or it contradicts its card.
    """
    onnxruntime = providers.import_onnxruntime(model.card.minimum_onnxruntime, origin=model.origin)
    count = default_threads() if threads is None else check_threads(threads)
    devices = providers.candidates(device, onnxruntime)
    failures = []
    for name in devices:
        try:
            session = _build(onnxruntime, model, name, count, trial=len(devices) > 1)
        except UnavailableError as error:
            failures.append(error)
            continue
        check_ports(model.card, session, model.origin)
        opened = Session(model.card, model.origin, session=session, device=name, threads=count)
        _check_at_least_size(opened)
        return opened
    raise failures[-1]


def session_options(onnxruntime: ModuleType, threads: int) -> Any:
    """Return ONNX Runtime's session options, for the reasons given above."""
    chosen = onnxruntime.SessionOptions()
    chosen.intra_op_num_threads = threads
    chosen.inter_op_num_threads = 1
    chosen.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    chosen.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    chosen.enable_cpu_mem_arena = True
    chosen.enable_mem_pattern = False
    chosen.log_severity_level = 4  # what fails is raised, and said once
    chosen.add_session_config_entry("session.intra_op.allow_spinning", "0")
    chosen.add_session_config_entry("session.load_model_format", "ONNX")
    return chosen


def _build(
    onnxruntime: ModuleType, model: ModelFile, device: str, threads: int, *, trial: bool
) -> Any:
    """Build the session on one device, and make sure that it is the one that runs."""
    wanted = providers.PROVIDERS[device]
    try:
        with providers.quiet(onnxruntime):
            session = onnxruntime.InferenceSession(
                model.data,
                session_options(onnxruntime, threads),
                providers=providers.options(device, threads=threads, cache=cache_folder()),
                enable_fallback=0,
                read_config_from_model=0,
            )
    except Exception as error:
        if device == "cpu":
            raise _refused(model, error) from None
        # The CPU tells a model that is broken from a device that is.
        if not trial:
            _build(onnxruntime, model, "cpu", threads, trial=False)
        raise UnavailableError(
            f"device {device!r} fails on {model.origin} ({_one_line(error)}); use --device cpu"
        ) from None
    actual = session.get_providers()[0]
    if actual != wanted:
        raise UnavailableError(
            f"device {device!r} was asked for, but ONNX Runtime uses {actual}; check the device's "
            "driver and libraries, or use --device cpu"
        )
    return session


def _refused(model: ModelFile, error: Exception) -> ModelFileError:
    reason = _one_line(error)
    if "not a registered function/op" in reason or "No Op registered" in reason:
        cure = (
            "it uses an operator that ONNX Runtime lacks; upgrade ONNX Runtime or export it again"
        )
    else:
        cure = "export it again"
    return ModelFileError(f"{model.origin}: ONNX Runtime refuses its graph ({reason}); {cure}")


def _one_line(error: Exception) -> str:
    text = printable(" ".join(str(error).split()))  # it may quote names of the graph
    text = text.removeprefix("[ONNXRuntimeError] : ")
    return text if len(text) <= 300 else text[:297] + "..."


def _check_at_least_size(session: Session) -> None:
    """Upscale the least picture once, so that a card with a false scale fails at load."""
    card = session.card
    if card.task != "upscale" or session.device == "tensorrt":
        return  # TensorRT would compile an engine for this one size
    multiple = card.size_multiple
    side = -(-card.minimum_size // multiple) * multiple
    if side <= _PROBE_LIMIT:
        session.run(np.zeros((1, 3, side, side), np.float32))
