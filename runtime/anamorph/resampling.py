"""Change the rate of a stream of sound: SoX's resampler, band-limited, to an exact length."""

from collections.abc import Iterable, Iterator

import numpy as np


def rate_length(samples: int, sample_rate: int, wanted: int) -> int:
    """Return how many samples as long a stretch of time has at another rate, at least one."""
    return max(1, (2 * samples * wanted + sample_rate) // (2 * sample_rate))


def resample_blocks(
    blocks: Iterable[np.ndarray], sample_rate: int, wanted: int, *, length: int
) -> Iterator[np.ndarray]:
    """Resample a stream.

    Args:
        blocks: float32 (channels, samples) each, one at least.
        sample_rate: Hz, of what comes in.
        wanted: Hz, of what goes out.
        length: Samples to go out, per channel; the resampler may be off by a few.
    """
    left = length
    for block in _resampled(blocks, sample_rate, wanted):
        kept = block[:, :left]
        left -= kept.shape[1]
        last = block
        if kept.shape[1]:
            yield kept
    if left:
        yield np.zeros((last.shape[0], left), np.float32)


def _resampled(blocks: Iterable[np.ndarray], sample_rate: int, wanted: int) -> Iterator[np.ndarray]:
    if sample_rate == wanted:
        yield from blocks
        return
    import soxr

    stream = None
    for block in blocks:
        if stream is None:
            stream = soxr.ResampleStream(
                sample_rate, wanted, block.shape[0], dtype="float32", quality="VHQ"
            )
        yield stream.resample_chunk(np.ascontiguousarray(block.T)).T
    assert stream is not None, "a stream has one block at least"
    yield stream.resample_chunk(np.zeros((0, block.shape[0]), np.float32), last=True).T
