"""How quickly Anamorph starts, against what it stands on."""

import subprocess
import sys
from collections.abc import Callable

from anamorph_training.bench.rounds import Ratio, ratio, time_interleaved

IMPORT_BOUND = 1.2
HELP_BOUND = 2.5


def measure_startup(*, rounds: int) -> list[Ratio]:
    """Time `import anamorph` and `anamorph --help` as whole processes."""
    seconds = time_interleaved(
        {
            "import anamorph": _python("import anamorph"),
            "import numpy": _python("import numpy"),
            "anamorph --help": _python(
                "import sys; from anamorph.cli import main; sys.exit(main(['--help']))"
            ),
            "import numpy, onnxruntime": _python("import numpy, onnxruntime"),
        },
        rounds=rounds,
    )
    return [
        ratio(seconds, "import anamorph", "import numpy", bound=IMPORT_BOUND),
        ratio(seconds, "anamorph --help", "import numpy, onnxruntime", bound=HELP_BOUND),
    ]


def _python(code: str) -> Callable[[], object]:
    command = [sys.executable, "-c", code]
    return lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
