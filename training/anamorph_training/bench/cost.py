"""What `anamorph upscale` of one file costs, as a whole process."""

import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from anamorph.errors import InputError
from anamorph.loading import resolve
from anamorph.model_file import read_card
from anamorph_training.bench.samples import Paint, paint_noise

OutputFormat = Literal["png", "jpeg", "tiff"]

# A process of its own, without PyTorch, that tells its greatest resident memory in kilobytes. Linux
# hands a parent's ru_maxrss down to its children, but counts VmHWM anew for every program.
REPORT_PEAK: Final = """
import sys
from pathlib import Path
from anamorph.cli import main
code = main(sys.argv[1:])
print(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


@dataclass(frozen=True)
class Cost:
    """What `anamorph upscale` of one picture costs, as a whole process.

    Attributes:
        input_megapixels: Size of the picture.
        output_megapixels: Size of what came out.
        seconds: Wall time.
        seconds_per_output_megapixel: Wall time over the output's size.
        peak_mb: Greatest resident memory of the process, in units of 1e6 bytes.
    """

    input_megapixels: float
    output_megapixels: float
    seconds: float
    seconds_per_output_megapixel: float
    peak_mb: float

    def sentence(self) -> str:
        """Return it as one line for people."""
        return (
            f"{self.input_megapixels:.2f} -> {self.output_megapixels:.1f} megapixels: "
            f"{self.seconds:.2f} s, {self.seconds_per_output_megapixel:.3f} s per output megapixel,"
            f" peak {self.peak_mb:.0f} MB"
        )


def measure_cost(
    model: str,
    *,
    megapixels: float,
    threads: int,
    paint: Paint = paint_noise,
    aspect: float = 1.0,
    format: OutputFormat = "png",
) -> Cost:
    """Upscale one PNG from the command line and read the process's time and peak memory.

    Args:
        model: Name or path of an upscaler.
        megapixels: Size of the picture.
        threads: CPU threads.
        paint: What makes the picture.
        aspect: Its width over its height.
        format: Format of the output.

    Raises:
        InputError: The command fails, as where there is no space for its output.
    """
    height = max(1, round((megapixels * 1e6 / aspect) ** 0.5))
    width = max(1, round(megapixels * 1e6 / height))
    with tempfile.TemporaryDirectory(prefix="anamorph-bench-") as folder:
        source, target = Path(folder, "in.png"), Path(folder, f"out.{format}")
        paint(source, height, width)
        arguments = [str(source), "-o", str(target), "-m", model, "--device", "cpu"]
        arguments += ["--threads", str(threads), "--max-megapixels", str(megapixels + 1)]
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", REPORT_PEAK, "upscale", *arguments],
            check=False,
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - begun
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise InputError(
            f"{megapixels:g} megapixels: anamorph upscale failed ({said[-1] if said else ''}); "
            "name a folder with more space in TMPDIR, or give smaller --megapixels"
        )
    outputs = height * width * read_card(resolve(model)).scale ** 2 / 1e6
    peak = float(done.stdout.split()[-1]) * 1024 / 1e6
    return Cost(height * width / 1e6, outputs, seconds, seconds / outputs, peak)
