"""Anamorph: turn one signal into another with deep generative models, without PyTorch.

>>> import anamorph
>>> upscaler = anamorph.load("photo-x4")
>>> upscaler.upscale("small.jpg").save("large.png")
"""

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from anamorph.audio import Audio
    from anamorph.autoencoder import Autoencoder
    from anamorph.card import Card
    from anamorph.converter import VoiceConverter
    from anamorph.detector import Detector
    from anamorph.errors import AnamorphError
    from anamorph.loading import load
    from anamorph.outliers import OutlierFinder
    from anamorph.picture import Picture
    from anamorph.upscaler import Upscaler
    from anamorph.vocoder import Vocoder

__all__ = [
    "AnamorphError",
    "Audio",
    "Autoencoder",
    "Card",
    "Detector",
    "OutlierFinder",
    "Picture",
    "Upscaler",
    "Vocoder",
    "VoiceConverter",
    "load",
]

# Names are found on first use (PEP 562), so that `import anamorph` costs next to nothing.
_HOMES: Final = {
    "AnamorphError": "anamorph.errors",
    "Audio": "anamorph.audio",
    "Autoencoder": "anamorph.autoencoder",
    "Card": "anamorph.card",
    "Detector": "anamorph.detector",
    "OutlierFinder": "anamorph.outliers",
    "Picture": "anamorph.picture",
    "Upscaler": "anamorph.upscaler",
    "Vocoder": "anamorph.vocoder",
    "VoiceConverter": "anamorph.converter",
    "load": "anamorph.loading",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'anamorph' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
