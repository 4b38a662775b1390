"""Arrays in files: written whole or not at all, memory-mapped without a descriptor each."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray


def save_array(target: Path, values: NDArray[Any]) -> None:
    """Write an array that is there whole or not at all, whoever else writes the same one."""
    temporary = target.with_name(f"{target.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as stream:
            np.save(stream, values, allow_pickle=False)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def map_array(file: Path) -> NDArray[Any]:
    """Memory-map an array that `save_array` wrote.

    NumPy's maps keep their files open, and many systems let a process open 1024. PyTorch's do not.
    """
    with file.open("rb") as stream:
        npy.read_magic(stream)
        shape, by_columns, kind = npy.read_array_header_1_0(stream)
        begin = stream.tell()
    size = file.stat().st_size
    mapped = torch.from_file(str(file), shared=False, size=size, dtype=torch.uint8).numpy()
    mapped.flags.writeable = False
    return mapped[begin:].view(kind).reshape(shape, order="F" if by_columns else "C")
