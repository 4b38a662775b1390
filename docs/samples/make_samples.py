"""Make the sample pictures from scikit-image's CC0 photographs, and keep the originals in out/.

Usage: .venv/bin/python docs/samples/make_samples.py
"""

from pathlib import Path

from skimage import data, io

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
        io.imsave(ORIGINALS / f"{Path(name).stem}.png", original)
        options = {"quality": 95} if name.endswith("jpg") else {}
        io.imsave(HERE / name, shrink(original, SCALE), check_contrast=False, **options)
