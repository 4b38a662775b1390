"""`anamorph bench operators`: where ONNX Runtime spends its time, by operator and by node."""

import json as json_module
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import numpy as np
from cyclopts import Parameter

from anamorph.errors import UsageError
from anamorph.loading import resolve
from anamorph.model_file import ModelFile, read_model
from anamorph.session import session_options
from anamorph.threads import check_threads, default_threads

_KERNEL: Final = "_kernel_time"


@dataclass(frozen=True)
class Spent:
    """Time of one node, or of all nodes of an operator.

    Attributes:
        name: Name of the node or operator.
        operator: Operator, as ONNX Runtime runs it.
        nodes: Number of nodes.
        milliseconds: Time of one run of the graph.
        share: Of all nodes' time, 0 to 1.
        shape: Shape of a node's output; empty for an operator.
    """

    name: str
    operator: str
    nodes: int
    milliseconds: float
    share: float
    shape: str = ""


def operators(
    *,
    model: Annotated[str, Parameter(alias="-m")] = "photo-x4",
    side: int = 256,
    threads: int | None = None,
    runs: int = 10,
    slowest: int = 8,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> None:
    """Show ONNX Runtime's share of time per operator, and the slowest nodes.

    Args:
        model: Name or path of an upscaler.
        side: Height and width of the picture, in pixels.
        threads: CPU threads; by default all cores this process may use.
        runs: Runs of the graph to take the mean of, after one that is not counted.
        slowest: How many nodes to show.
        json: Print one JSON object.
    """
    if min(side, runs) < 1 or slowest < 0:
        raise UsageError(f"--side {side}, --runs {runs}, --slowest {slowest}: must be positive")
    cores = default_threads() if threads is None else check_threads(threads)
    events = profile(read_model(resolve(model)), side=side, threads=cores, runs=runs)
    by_operator, nodes = share_out(events)
    if json:
        report: dict[str, Any] = {
            "model": model,
            "side": side,
            "threads": cores,
            "operators": [asdict(one) for one in by_operator],
            "nodes": [asdict(one) for one in nodes],
        }
        sys.stdout.write(msgspec.json.encode(report).decode() + "\n")
        return
    total = sum(one.milliseconds for one in by_operator)
    lines = [f"{cores} threads, {side} x {side} input: {total:.1f} ms in {len(nodes)} nodes"]
    lines += [_line(one, f"{one.name} ({one.nodes})") for one in by_operator]
    lines += ["", "slowest nodes"] if slowest else []
    lines += [_line(one, f"{one.operator} {one.shape}  {one.name}") for one in nodes[:slowest]]
    sys.stdout.write("".join(line + "\n" for line in lines))


def _line(one: Spent, what: str) -> str:
    return f"{one.share:6.1%} {one.milliseconds:9.3f} ms  {what}"


def profile(model: ModelFile, *, side: int, threads: int, runs: int) -> list[dict[str, Any]]:
    """Run a model under ONNX Runtime's profiler, with the runtime's own session options.

    Returns:
        The profiler's events, in the order of time.
    """
    import onnxruntime

    batch = np.random.default_rng(0).random((1, 3, side, side), dtype=np.float32)
    with tempfile.TemporaryDirectory(prefix="anamorph-bench-") as folder:
        options = session_options(onnxruntime, threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder, "profile"))
        session = onnxruntime.InferenceSession(
            model.data, options, providers=["CPUExecutionProvider"]
        )
        for _ in range(runs + 1):
            session.run(None, {model.card.inputs[0].name: batch})
        text = Path(session.end_profiling()).read_text()
    events: list[dict[str, Any]] = json_module.loads(text)
    return events


def share_out(events: Iterable[Mapping[str, Any]]) -> tuple[list[Spent], list[Spent]]:
    """Sum a profile up by operator and by node, the slowest first.

    Args:
        events: As ``profile`` returns them; each node's first run is left out.
    """
    durations: dict[str, list[float]] = defaultdict(list)
    kinds: dict[str, tuple[str, str]] = {}
    for event in events:
        name = str(event.get("name", ""))
        if event.get("cat") == "Node" and name.endswith(_KERNEL):
            node = name.removesuffix(_KERNEL)
            durations[node].append(float(event["dur"]) / 1e3)
            told = event.get("args", {})
            kinds[node] = (str(told.get("op_name", "?")), _shape(told.get("output_type_shape")))
    means = {node: float(np.mean(times[1:] or times)) for node, times in durations.items()}
    total = sum(means.values()) or 1.0
    nodes = [
        Spent(node, kinds[node][0], 1, mean, mean / total, kinds[node][1])
        for node, mean in means.items()
    ]
    groups: dict[str, list[Spent]] = defaultdict(list)
    for one in nodes:
        groups[one.operator].append(one)
    by_operator = [
        Spent(
            name,
            name,
            len(group),
            sum(one.milliseconds for one in group),
            sum(one.share for one in group),
        )
        for name, group in groups.items()
    ]
    return _slowest_first(by_operator), _slowest_first(nodes)


def _slowest_first(spent: list[Spent]) -> list[Spent]:
    return sorted(spent, key=lambda one: one.milliseconds, reverse=True)


def _shape(told: Any) -> str:
    """Return ``1 x 48 x 64 x 64`` of the profiler's ``[{"float": [1, 48, 64, 64]}]``."""
    if not told:
        return ""
    (sides,) = list(told[0].values())[:1]
    return " x ".join(map(str, sides))
