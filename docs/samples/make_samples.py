"""Make the samples: pictures from scikit-image's CC0 photographs, and a sentence by flite.

The originals of the pictures are kept in out/. flite is a Debian package of its name.

Usage: .venv/bin/python docs/samples/make_samples.py
"""

import subprocess
from pathlib import Path

import imageio.v3 as imageio
import soundfile
from skimage import data

from anamorph_training.degradation import shrink

HERE = Path(__file__).parent
ORIGINALS = Path("out/originals")
SCALE = 4
SENTENCE = "Nobody has ever said these words: a machine spoke them, and another voice repeats them."
VOICE = "rms"  # of CMU ARCTIC, a man

if __name__ == "__main__":
    ORIGINALS.mkdir(parents=True, exist_ok=True)
    photographs = {"coffee.png": data.coffee(), "cat.jpg": data.chelsea()}
    for name, pixels in photographs.items():
        height, width = (side - side % SCALE for side in pixels.shape[:2])
        original = pixels[:height, :width]
        imageio.imwrite(ORIGINALS / f"{Path(name).stem}.png", original)
        options = {"quality": 95} if name.endswith("jpg") else {}
        imageio.imwrite(HERE / name, shrink(original, SCALE), **options)
    spoken = ORIGINALS / "sentence.wav"
    command = ["flite", "-voice", VOICE, "-t", SENTENCE, "-o", str(spoken)]
    subprocess.run(command, check=True)
    soundfile.write(HERE / "sentence.flac", *soundfile.read(spoken, dtype="int16"))
