"""How fast a model is on this machine, by trying."""

import time
from typing import Any, Final

import numpy as np

from anamorph.audio import Audio

_SIDE: Final = 192  # pixels
_SECONDS: Final = 5.0
_FRAMES: Final = 400
_TRIES: Final = 3


def measure_speed(model: Any) -> str:
    """Run a model three times after once, and tell the middle time in a sentence.

    Args:
        model: As ``anamorph.load`` returns it.
    """
    card = model.card
    noise = np.random.default_rng(1)
    if card.task == "upscale":
        pixels = noise.integers(0, 256, (_SIDE, _SIDE, 3), np.uint8)
        seconds = _time(lambda: model.upscale(pixels))
        made = (_SIDE * card.scale) ** 2 / 1e6
        return f"{seconds / made:.2f} s for a megapixel that comes out ({model.provider})"
    if card.task in ("reconstruct", "detect", "outliers"):
        height, width = card.height or _SIDE, card.width or _SIDE
        pixels = noise.integers(0, 256, (height, width, 3), np.uint8)
        run, words = {
            "reconstruct": (lambda: model.reconstruct(pixels), "for a picture there and back"),
            "detect": (lambda: model.detect(pixels), "for a picture"),
            "outliers": (lambda: model.measure(pixels), "for a picture"),
        }[card.task]
        return f"{1000 * _time(run):.1f} ms {words} ({model.provider})"
    if card.task == "convert":
        sound = noise.normal(0, 0.05, int(_SECONDS * card.sample_rate)).astype(np.float32)
        seconds = _time(lambda: model.convert(Audio(sound, card.sample_rate)))
        length = _SECONDS
    else:
        mel = noise.normal(-5, 1, (len(card.inputs[0].channels), _FRAMES)).astype(np.float32)
        seconds = _time(lambda: model.synthesize(mel))
        length = _FRAMES * card.hop_length / card.sample_rate
    return f"{length / seconds:.0f} times as fast as it is spoken ({model.provider})"


def _time(run: Any) -> float:
    run()
    times = []
    for _ in range(_TRIES):
        begun = time.perf_counter()
        run()
        times.append(time.perf_counter() - begun)
    return sorted(times)[_TRIES // 2]
