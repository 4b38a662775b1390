"""Pairs of a picture and its low-resolution partner, decoded once and memory-mapped after that.

Folders larger than memory work: each picture is two ``.npy`` files in a cache folder, and only the
pages that a crop touches are read.
"""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from anamorph.cache import cache_folder
from anamorph.errors import InputError, OutputError
from anamorph_training.data.arrays import map_array, save_array
from anamorph_training.data.folder import decode
from anamorph_training.degradation import imresize, shrink

# Part of each cache key: raise it when decoding or degradation changes.
_CACHE_VERSION: Final = 1


@dataclass(frozen=True)
class Pair:
    """A picture and its partner, memory-mapped.

    Attributes:
        high: uint8 (scale * height, scale * width, 3), sRGB.
        low: uint8 (height, width, 3), sRGB.
        source: File that it was decoded from.
    """

    high: NDArray[np.uint8]
    low: NDArray[np.uint8]
    source: Path


def default_cache() -> Path:
    """Return the folder that decoded pictures go to where none is given."""
    return cache_folder() / "pairs"


def crop_to_multiple(image: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    """Cut rows and columns off the end until both sides are multiples of ``scale``."""
    height, width = image.shape[:2]
    return image[: height // scale * scale, : width // scale * scale]


def prepare_pairs(
    files: list[Path],
    *,
    scale: int,
    patch: int,
    cache: Path,
    report: Callable[[str], None],
    zoom: float = 1.0,
) -> list[Pair]:
    """Decode pictures in parallel, or find them decoded, and memory-map them.

    Args:
        files: Picture files; unreadable and too small ones are reported and left out.
        scale: Pixels of a picture per pixel of its partner.
        patch: Least side of a partner, in pixels.
        cache: Folder for the decoded pictures; made where absent.
        report: Told of progress and of each picture left out, one line each.
        zoom: Shrink the pictures first, bicubically, to this share of their sides.

    Raises:
        InputError: No picture is left.
        OutputError: The cache's folder cannot be made.
    """
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{cache}: decoded pictures cannot be kept there ({error.strerror}); "
            "choose another --cache"
        ) from None
    pairs: list[Pair] = []
    failures: list[str] = []
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        tasks = [pool.submit(_load_pair, path, scale, patch, cache, zoom) for path in files]
        for done, task in enumerate(tasks, start=1):
            try:
                pairs.append(task.result())
            except InputError as error:
                failures.append(str(error))
                report(f"left out: {error}")
            if done % 100 == 0 or done == len(files):
                report(f"pictures ready: {done} of {len(files)}")
    if not pairs:
        raise InputError(
            f"none of {len(files)} pictures can be used (the first: {failures[0]}); "
            f"give readable pictures of at least {patch * scale} x {patch * scale} pixels"
        )
    return pairs


def _load_pair(path: Path, scale: int, patch: int, cache: Path, zoom: float) -> Pair:
    status = path.stat()
    key = f"{_CACHE_VERSION}\0{path.resolve()}\0{status.st_size}\0{status.st_mtime_ns}\0{scale}"
    key += f"\0{zoom}" if zoom != 1 else ""
    stem = hashlib.sha256(key.encode()).hexdigest()[:32]
    high_file, low_file = cache / f"{stem}.high.npy", cache / f"{stem}.low.npy"
    if not (high_file.exists() and low_file.exists()):
        picture = decode(path)
        high = crop_to_multiple(picture if zoom == 1 else imresize(picture, zoom), scale)
        if min(high.shape[:2]) < patch * scale:
            raise InputError(
                f"{path}: {high.shape[1]} x {high.shape[0]} pixels are too small for patches of "
                f"{patch * scale} x {patch * scale}; lower --patch or give larger pictures"
            )
        save_array(high_file, high)
        save_array(low_file, shrink(high, scale))
    pair = Pair(map_array(high_file), map_array(low_file), path)
    if min(pair.low.shape[:2]) < patch:  # cached by a run with smaller patches
        raise InputError(
            f"{path}: {pair.high.shape[1]} x {pair.high.shape[0]} pixels are too small for patches "
            f"of {patch * scale} x {patch * scale}; lower --patch or give larger pictures"
        )
    return pair
