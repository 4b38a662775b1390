"""The verbs that training brings to the command line: ``train`` and ``evaluate``.

Nothing here imports PyTorch: a recipe is imported when it is run or asked for its help.
"""

import ast
import pkgutil
import textwrap
from functools import cache
from pathlib import Path

from cyclopts import App

from anamorph_training import recipes


def recipe_names() -> list[str]:
    """Return the name of every recipe, without importing it."""
    return sorted(module.name for module in pkgutil.iter_modules(recipes.__path__))


def read_teaching(name: str) -> tuple[str, str]:
    """Return the help of a recipe and its example, from its ``main``, without importing it.

    Returns:
        Paragraphs of one line each, the first a summary; and the lines from "Example" on.
    """
    source = Path(recipes.__path__[0], f"{name}.py").read_text(encoding="utf-8")
    (main,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and node.name == "main"
    )
    text, mark, example = (ast.get_docstring(main) or "").partition("Example:\n")
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))
    return "\n\n".join(paragraphs), mark + textwrap.indent(textwrap.dedent(example), "  ")


@cache
def _train_app() -> App:
    app = App(
        name="train",
        help="Train a model. `anamorph train RECIPE --help` explains a recipe and its options.",
    )
    for name in recipe_names():
        text, example = read_teaching(name)
        app.command(
            f"anamorph_training.recipes.{name}:main",
            name=name,
            help=text,
            help_epilogue=example,
            help_format="plaintext",
        )
    return app


def __getattr__(name: str) -> App:
    """Make ``train`` when it is asked for: recipes are read then, not when this is imported."""
    if name == "train":
        return _train_app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


evaluate = App(name="evaluate", help="Measure models on test sets.")
evaluate.command(
    "anamorph_training.evaluation.command:upscale",
    name="upscale",
    help="PSNR and SSIM of upscalers against the truth.",
)
evaluate.command(
    "anamorph_training.evaluation.code_command:disentanglement",
    name="disentanglement",
    help="Whether single latents stand for single factors of dSprites: five scores.",
)
evaluate.command(
    "anamorph_training.evaluation.code_command:reconstruction",
    name="reconstruction",
    help="How near pictures come back from their codes, beside PCA.",
)
evaluate.command(
    "anamorph_training.evaluation.anomaly_command:anomalies",
    name="anomalies",
    help="How well detectors tell anomalous pictures and pixels, beside PCA.",
)
evaluate.command(
    "anamorph_training.evaluation.outlier_command:outliers",
    name="outliers",
    help="How well the class that a finder of outliers never saw is told, beside PCA.",
)
evaluate.command(
    "anamorph_training.evaluation.debiasing_command:debiasing",
    name="debiasing",
    help="What a classifier makes of a kind that was rare in training.",
)
evaluate.command(
    "anamorph_training.evaluation.rarity_command:rarity",
    name="rarity",
    help="Which training pictures the density of codes calls rare, and what is drawn for it.",
)
evaluate.command(
    "anamorph_training.evaluation.width_command:widths",
    name="widths",
    help="How near pictures come back, by the width of the latent space: a curve.",
)
evaluate.command(
    "anamorph_training.evaluation.voice_command:voice",
    name="voice",
    help="Distortion, pitch, speaker similarity and quality of converted speech.",
)
evaluate.command(
    "anamorph_training.evaluation.voice_command:vocoder",
    name="vocoder",
    help="Quality of speech that vocoders make of its own spectrograms.",
)
evaluate.command(
    "anamorph_training.evaluation.converter_command:converter",
    name="converter",
    help="Voice converters beside unconverted speech and WORLD.",
)
evaluate.command(
    "anamorph_training.evaluation.converter_command:pitch",
    name="pitch",
    help="Where converters bring low and high voices.",
)
evaluate.command(
    "anamorph_training.evaluation.converter_command:words",
    name="words",
    help="Words that a recogniser still understands after conversion.",
)
