"""Make the sample pictures from scikit-image's CC0 photographs, and keep the originals in out/.

Usage: .venv/bin/python docs/samples/make_samples.py
"""

from pathlib import Path

import imageio.v3 as imageio
from skimage import data

from anamorph_training.degradation import shrink

HERE = Path(__file__).parent
ORIGINALS = Path("out/originals")
SCALE = 4

if __name__ == "__main__":
    ORIGINALS.mkdir(parents=True, exist_ok=True)
    photographs = {"coffee.png": data.coffee(), "cat.jpg": data.chelsea()}
    for name, pixels in photographs.items():
        height, width = (side - side % SCALE for side in pixels.shape[:2])
        original = pixels[:height, :width]
        imageio.imwrite(ORIGINALS / f"{Path(name).stem}.png", original)
        options = {"quality": 95} if name.endswith("jpg") else {}
        imageio.imwrite(HERE / name, shrink(original, SCALE), **options)
