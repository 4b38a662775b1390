"""The verbs that training brings to the command line: ``train`` and ``evaluate``.

Nothing here imports PyTorch: a recipe is imported when it is run or asked for its help.
"""

import ast
import pkgutil
from pathlib import Path

from cyclopts import App

from anamorph_training import recipes


def recipe_names() -> dict[str, str]:
    """Return every recipe's name and the first line of its module, without importing it."""
    names = {}
    for module in pkgutil.iter_modules(recipes.__path__):
        source = Path(recipes.__path__[0]) / f"{module.name}.py"
        docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        names[module.name] = docstring.partition("\n")[0]
    return names


def _train_app() -> App:
    app = App(
        name="train",
        help="Train a model. `anamorph train RECIPE --help` explains a recipe and its options.",
    )
    for name, summary in recipe_names().items():
        app.command(f"anamorph_training.recipes.{name}:main", name=name, help=summary)
    return app


train = _train_app()
evaluate = App(name="evaluate", help="Measure models on test sets.")
evaluate.command(
    "anamorph_training.evaluation.command:upscale",
    name="upscale",
    help="PSNR and SSIM of upscalers against the truth.",
)
