import json
import subprocess
import sys
from pathlib import Path

from tests.runtime.tiny_models import tiny_upscaler

HIDE = """
import importlib.abc, sys
HIDDEN = {"torch", "onnx", "onnxscript", "librosa", "lightning_fabric", "skimage", "scipy"}
class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in HIDDEN:
            raise ModuleNotFoundError(f"hidden: {name}", name=name)
sys.meta_path.insert(0, Hide())
"""

RUN = """
import importlib, pkgutil
import numpy
import anamorph
names = [module.name for module in pkgutil.walk_packages(anamorph.__path__, "anamorph.")]
for name in names:
    if not name.endswith("__main__"):
        importlib.import_module(name)
assert len(names) > 15, names
picture = anamorph.load(sys.argv[1], device="cpu").upscale(numpy.zeros((4, 5, 3), numpy.uint8))
assert picture.pixels.shape == (8, 10, 3)
assert not HIDDEN & set(sys.modules)
"""

LOADED = """
import json, sys
import anamorph
assert "load" in dir(anamorph)
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def _run(script: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_runtime_works_where_training_packages_are_absent(tmp_path: Path) -> None:
    _run(HIDE + RUN, str(tiny_upscaler(tmp_path / "tiny.onnx")))


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"onnxruntime", "pyvips", "msgspec", "cyclopts", "numpy", "soundfile", "urllib3"}
    assert not heavy & set(json.loads(_run(LOADED)))
