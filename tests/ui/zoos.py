"""A zoo for the length of a test: the real one's models, and tiny ones of codes and anomalies."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.runtime.tiny_codes import tiny_autoencoder, tiny_detector, tiny_outlier_finder

from anamorph import manifest

KEPT = ("nathalie", "photo-x2", "vocoder-22k")  # of the real zoo
TINY = ("plain", "tiny", "tiny-detector", "tiny-map", "tiny-outliers")


@contextmanager
def tiny_zoo(folder: Path, *, models: bool = True) -> Iterator[Path]:
    """Let servers that are built meanwhile offer other models.

    Args:
        folder: For the files.
        models: Whether there are any of codes and anomalies.
    """
    for name in KEPT:
        entry = manifest.find(name)
        shutil.copy(entry.path, folder / entry.file)
    if models:
        tiny_autoencoder(folder, latent=5, labels=("cat", "<dog>"))
        tiny_autoencoder(folder, name="tiny-map", latent=2)
        tiny_autoencoder(folder, name="plain", prior="")
        tiny_detector(folder / "tiny-detector.onnx")
        tiny_outlier_finder(folder / "tiny-outliers.onnx")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest, "ZOO", folder)
        manifest.write_manifest(folder)
        yield folder
