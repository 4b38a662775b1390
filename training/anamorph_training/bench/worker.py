"""The far side of a contestant: one engine in a process of its own, told what to do line by line.

Run as a script, possibly by the Python of another environment: standard library and NumPy alone.

    python -P worker.py FILE:FUNCTION OPTIONS

``FUNCTION(**OPTIONS)`` of the Python file prepares an engine and returns ``(run, facts)``: ``run``
makes one array of another, ``facts`` is what the engine says of itself. Orders are lines on
standard input (``give PATH.npy``, ``run``, ``keep PATH.npy``), each answered by a line of JSON.
"""

import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np

STATUS: Final = Path("/proc/self/status")


def memory_mb(kind: str) -> float:
    """Return this process's resident memory in units of 1e6 bytes.

    Linux hands a parent's ru_maxrss down to its children, but counts VmHWM anew for every program.

    Args:
        kind: ``VmRSS`` for now, ``VmHWM`` for its greatest so far.
    """
    return float(STATUS.read_text().split(f"{kind}:")[1].split()[0]) * 1024 / 1e6


def main() -> None:
    """Prepare the engine that the command line names, and serve until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the engine's own libraries print goes to the error log

    def answer(**values: Any) -> None:
        answers.write(json.dumps(values | {"peak_mb": memory_mb("VmHWM")}) + "\n")

    file, _, function = sys.argv[1].rpartition(":")
    run, facts = runpy.run_path(file)[function](**json.loads(sys.argv[2]))
    answer(facts=facts, ready_mb=memory_mb("VmRSS"))
    given: Any = None
    made: Any = None
    for line in sys.stdin:
        order, _, path = line.rstrip("\n").partition(" ")
        if order == "give":
            given = np.load(path)
        elif order == "run":
            made = run(given)
        elif order == "keep":
            np.save(path, made)
        else:
            raise SystemExit(f"unknown order {order!r}")
        answer()


if __name__ == "__main__":
    main()
