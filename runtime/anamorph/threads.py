"""How many threads a computation should use on this machine."""

import os
from pathlib import Path

from anamorph.errors import InputError


def default_threads() -> int:
    """Return ``ANAMORPH_THREADS``, or the cores that this process may use.

    Counted are physical cores (a second hardware thread of a core adds nothing to a convolution)
    within the CPU affinity, at most as many as a container's quota pays for.

    Raises:
        InputError: ``ANAMORPH_THREADS`` is no positive number.
    """
    given = os.environ.get("ANAMORPH_THREADS", "").strip()
    if given:
        return check_threads(given, "ANAMORPH_THREADS")
    return max(1, min(_cores(), _quota()))


def check_threads(given: str | int, name: str = "threads") -> int:
    """Return a number of threads that the user gave.

    Raises:
        InputError: It is no whole number from 1 to 1024.
    """
    try:
        threads = int(given)
    except ValueError:
        threads = 0
    if not 1 <= threads <= 1024:
        raise InputError(f"{name}={given}: give a whole number from 1 to 1024, or leave it out")
    return threads


def _cores() -> int:
    if not hasattr(os, "sched_getaffinity"):
        return os.cpu_count() or 1
    cpus = os.sched_getaffinity(0)
    cores = {_siblings(cpu) for cpu in cpus}
    return len(cores)


def _siblings(cpu: int) -> str:
    """Return a text that the hardware threads of one core share."""
    topology = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
    try:
        return topology.read_text().strip()
    except OSError:
        return f"cpu{cpu}"


def _quota(cpu_max: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Return the CPUs that a container may keep busy (cgroup v2), or a great number."""
    try:
        quota, period = cpu_max.read_text().split()
        return max(1, round(int(quota) / int(period)))
    except (OSError, ValueError, ZeroDivisionError):
        return 1 << 30
