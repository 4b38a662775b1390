"""The one place where libvips is set up: which loaders run, how much it caches, what it says."""

import logging
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, Final, TypeVar

from anamorph.errors import UnavailableError

# Fuzzed widely and fed by strangers every day. VipsForeignLoadRaw reads our own spool file and is
# never chosen by looking at a file's content.
_LOADERS: Final = ("Jpeg", "Png", "Webp", "Tiff", "Nsgif", "Heif", "Raw")

# What a decoded picture, or an enlarged one, may take before it waits on disk.
IN_MEMORY_BYTES: Final = 16 * 2**20

Result = TypeVar("Result")

DTYPES: Final = {"uchar": "uint8", "ushort": "uint16", "float": "float32"}
BAND_FORMATS: Final = {dtype: band_format for band_format, dtype in DTYPES.items()}


@cache
def load_vips() -> Any:
    """Return the module ``pyvips``, imported and set up on first use.

    Every loader but those of the six accepted formats is blocked for the whole process.

    Raises:
        UnavailableError: pyvips or the libvips library is not there.
    """
    # What is larger goes to a temporary file. libvips' own 100 MB would all be used before that.
    os.environ.setdefault("VIPS_DISC_THRESHOLD", f"{IN_MEMORY_BYTES}")
    try:
        import pyvips
    except (ImportError, OSError) as error:
        raise UnavailableError(
            f"pyvips cannot be loaded ({one_line(error)}); install it with: "
            "pip install 'pyvips[binary]'"
        ) from None
    # pyvips narrates every operation, and repeats libvips' warnings; what matters for a picture
    # comes back as an exception.
    logging.getLogger("pyvips").setLevel(logging.ERROR)
    # Each picture is read once, so remembered operations would only hold their pixels in memory.
    pyvips.cache_set_max(0)
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _LOADERS:
        pyvips.operation_block_set(f"VipsForeignLoad{loader}", False)
    return pyvips


def interruptibly(
    call: Callable[[], Result], *, on_interrupt: Callable[[], None] | None = None
) -> Result:
    """Run calls into libvips in another thread, and wait for it where Ctrl-C can be heard.

    Python handles signals in the main thread only. There libvips would keep it deaf while it
    works, or the signal would end in one of pyvips' callbacks, where exceptions are dropped.

    Args:
        call: What to run.
        on_interrupt: Called when the wait is over for another reason than that ``call`` is done;
            the wait then goes on until it is.

    Raises:
        BaseException: What ``call`` raises.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(call)
        try:
            return running.result()
        except BaseException:
            if on_interrupt and not running.done():
                on_interrupt()
            raise


def one_line(error: BaseException) -> str:
    """Return the first thing that libvips said, without the name of the failed operation."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if len(lines) > 1 and lines[0].startswith("unable to"):
        lines = lines[1:]
    return re.sub(r"\s+", " ", lines[0]) if lines else type(error).__name__


def to_array(image: Any) -> Any:
    """Return the pixels of a libvips image as an array (height, width, bands), not writable."""
    import numpy as np

    data = image.write_to_memory()
    shape = (image.height, image.width, image.bands)
    return np.frombuffer(data, DTYPES[image.format]).reshape(shape)


def from_array(pixels: Any) -> Any:
    """Return a libvips image of an array (height, width, bands) that it keeps alive."""
    import numpy as np

    height, width, bands = pixels.shape
    data = np.ascontiguousarray(pixels)
    band_format = BAND_FORMATS[data.dtype.name]
    image = load_vips().Image.new_from_memory(data.data, width, height, bands, band_format)
    return image.copy(interpretation=interpretation(bands, data.dtype.name))


def interpretation(bands: int, dtype: str) -> str:
    """Return libvips' name for what 1 to 4 bands of a dtype mean, so that savers agree."""
    if dtype == "uint16":
        return "grey16" if bands < 3 else "rgb16"
    if dtype == "float32":
        # "scrgb" would be taken for linear light and encoded once more on saving.
        return "multiband"
    return "b-w" if bands < 3 else "srgb"
