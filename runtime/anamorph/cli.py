"""The command line: `anamorph VERB ...`.

Verbs load on use, so that `anamorph --help` is quick; verbs that live in other packages
register under the entry-point group `anamorph.commands`.
"""

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any, Final, NoReturn

from anamorph.errors import AnamorphError, UsageError

if TYPE_CHECKING:
    from cyclopts import App

USAGE_ERROR: Final = 2
INTERRUPTED: Final = 130
TERMINATED: Final = 143

VERBS: Final = {
    "convert": "Speak the same words in another voice: files, folders or a pipe.",
    "live": "Speak into the microphone in another voice (extra: live).",
    "upscale": "Enlarge pictures: files, folders or a pipe.",
    "detect": "Find what is not normal in pictures: heat map, mask and score.",
    "outliers": "Rank a folder of pictures by how new or rare they are.",
    "reconstruct": "Turn pictures into codes of a few numbers, and codes into pictures.",
    "traverse": "Move one number of a picture's code, or go from one picture to another.",
    "generate": "Draw pictures that never were: a sheet or a folder of them.",
    "divergence": "Say how far distributions are apart: entropy, KL, and the nearest of a family.",
    "models": "List the models that can be used by name.",
    "info": "Show a model's card: what it does, its data, licence, figures and gate result.",
    "check": "Verify a model file: card, digest, shapes, determinism and context.",
    "cache": "List or remove downloaded models.",
}
PLUGIN_VERBS: Final = {
    "serve": "Open a page for voices, pictures and models, and HTTP routes (extra: ui).",
    "train": "Train a model on your own data (extra: train).",
    "export": "Turn a training run into a gated, self-describing .onnx file (extra: train).",
    "evaluate": "Measure a model's quality on a test set (extra: train).",
    "bench": "Measure speed, memory and start-up as ratios in one run (extra: train).",
}
EXAMPLES: Final = {
    "convert": """\
Examples:
  anamorph convert me.wav -m nathalie            writes me-nathalie.wav beside it
  anamorph convert me.mp3 -o her.flac -m nathalie
  anamorph convert talks/ -o hers/ -m nathalie   a whole folder, its tree kept
  cat me.wav | anamorph convert - -o - -m nathalie > her.wav
  recorder | anamorph convert - -o - --raw s16le --rate 48000 -m nathalie-live | player""",
    "live": """\
Examples:
  anamorph live --list-devices
  anamorph live -m nathalie-live
  anamorph live -m her-live.onnx --input Headset --output 3 --gain 6""",
    "upscale": """\
Examples:
  anamorph upscale small.jpg                     writes small-x4.jpg beside it
  anamorph upscale small.jpg -o large.png        any of png, jpeg, webp, tiff, avif, gif
  anamorph upscale holiday/ -o enlarged/         a whole folder, its tree kept
  cat small.png | anamorph upscale - -o - > large.png""",
    "detect": """\
Examples:
  anamorph detect tile.jpg                       writes tile-heat.png and tile-mask.png beside it
  anamorph detect parts/ -o found/ --json        a whole folder; scores for machines
  anamorph detect lungs.png -m chest-xray --threshold 0.02""",
    "outliers": """\
Examples:
  anamorph outliers scans/ -o strangest.png
  anamorph outliers scans/ --score neighbours --score elbo --top 40
  anamorph outliers scans/ --json > ranking.jsonl""",
    "reconstruct": """\
Examples:
  anamorph reconstruct me.jpg -m faces           writes me-reconstructed.jpg beside it
  anamorph reconstruct me.jpg -m faces -o me.npy        its code
  anamorph reconstruct me.npy -m faces -o again.png     and back""",
    "traverse": """\
Examples:
  anamorph traverse me.jpg -m faces --dim 3 --from -3 --to 3 --steps 9
  anamorph traverse me.jpg -m faces -o me.gif    the latents that say most, moving
  anamorph traverse me.jpg -m faces --to-image you.jpg -o between.gif""",
    "generate": """\
Examples:
  anamorph generate -m faces -o new.png --count 36
  anamorph generate -m digits-2d --map -o map.png""",
    "divergence": """\
Examples:
  anamorph divergence                            the lecture's teeth beside even chances
  anamorph divergence 3,5,2 1,1,1 --unit nats
  anamorph divergence teeth binomial:0.57
  anamorph divergence teeth --fit two-level --split 6 -o curve.svg""",
    "serve": """\
Examples:
  anamorph serve                                 http://127.0.0.1:7860, for this machine alone
  anamorph serve --host 0.0.0.0 --auth me:secret
  curl -F file=@me.wav -F model=nathalie http://127.0.0.1:7860/v1/convert -o her.wav""",
    "info": "Example:\n  anamorph info photo-x4",
    "check": "Example:\n  anamorph check downloaded.onnx",
}
EXTRAS: Final = {
    "onnxruntime": "cpu",
    "huggingface_hub": "hub",
    "pyworld": "evaluate",
    "resemblyzer": "evaluate",
    "pkg_resources": "evaluate",
    "speechmos": "evaluate",
    "pocketsphinx": "evaluate",
    "jiwer": "evaluate",
    "sounddevice": "live",
    "gradio": "ui",
    "matplotlib": "evaluate",  # bench says itself which extra it needs it from
}


def build_app(verb: str) -> "App":
    """Return the command-line application, in which only ``verb`` is imported."""
    from cyclopts import App

    app = App(
        name="anamorph",
        help="Turn one signal into another with deep generative models, without PyTorch.",
        help_epilogue="Every verb explains itself: anamorph VERB --help. "
        "Add --debug to any command for the full traceback of an error.",
        version=lambda: version("anamorph"),
        suppress_keyboard_interrupt=False,
    )
    points = {point.name: point for point in entry_points(group="anamorph.commands")}
    for name in [*VERBS, *sorted(points.keys() - VERBS.keys())]:
        if name != verb:
            summary = VERBS.get(name) or PLUGIN_VERBS.get(name) or f"From {points[name].value}."
            app.command(_not_imported, name=name, help=summary)
            continue
        command = _import_verb(name) if name in VERBS else points[name].load()
        if isinstance(command, App):
            app.command(command)
        else:
            epilogue = EXAMPLES.get(name)
            app.command(command, name=name, help_epilogue=epilogue, help_format="plaintext")
    return app


def _import_verb(name: str) -> Any:
    return getattr(import_module(f"anamorph.commands.{name}"), name)


def _not_imported() -> None:
    raise AssertionError("only the verb that was asked for is run")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 done, 1 failed, 2 not understood."""
    tokens = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in tokens or bool(os.environ.get("ANAMORPH_DEBUG"))
    tokens = [word for word in tokens if word != "--debug"]
    verb = tokens[0] if tokens else ""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        result = build_app(verb)(
            tokens, result_action="return_value", exit_on_error=False, print_error=False
        )
        if sys.stdout:
            sys.stdout.flush()
    except Exception as error:
        if debug:
            raise
        return _report(error, verb=verb)
    except KeyboardInterrupt:
        return _fail("interrupted; what was written before is whole", INTERRUPTED)
    except SystemExit as error:
        if error.code == TERMINATED:
            return _fail("terminated; what was written before is whole", TERMINATED)
        raise
    return result if isinstance(result, int) else 0


def _terminate(signum: int, frame: object) -> NoReturn:
    # An exception, so that every `finally` on the way out removes its temporary files.
    raise SystemExit(TERMINATED)


def _report(error: Exception, *, verb: str) -> int:
    from cyclopts import CycloptsError

    if isinstance(error, BrokenPipeError):
        sys.stderr.close()  # the reader has gone: nobody is left to tell
        return 1
    if isinstance(error, CycloptsError | UsageError):
        known = verb if verb in VERBS or verb in PLUGIN_VERBS else ""
        reason = str(error).strip().removesuffix(".").removesuffix(", ..")
        return _fail(f"{reason}; see: anamorph {known} --help", USAGE_ERROR)
    return _fail(explain(error, verb), 1)


def explain(error: Exception, verb: str) -> str:
    """Return what went wrong in a verb and what helps, as one line."""
    if isinstance(error, AnamorphError):  # first: it may have been raised in place of another
        return str(error)
    if missing := _missing_module(error):
        extra = EXTRAS.get(missing, "train")
        return f"`anamorph {verb}` needs {missing}: pip install 'anamorph[{extra}]'"
    match error:
        case MemoryError():
            cure = {"upscale": "a smaller --tile or ", "convert": "a shorter --chunk or "}
            return f"out of memory; try {cure.get(verb, '')}a smaller input"
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            return f"{where}{error.strerror or error}; check space and permissions"
        case _:
            return f"unexpected {type(error).__name__}: {error} (--debug shows where)"


def _missing_module(error: BaseException | None) -> str:
    """Return the module whose absence is behind an error, if that is what it is."""
    while error is not None:
        if isinstance(error, ModuleNotFoundError):
            return (error.name or "").partition(".")[0]
        error = error.__cause__ or error.__context__
    return ""


def _fail(message: str, code: int) -> int:
    line = "".join(letter if letter.isprintable() else " " for letter in message)
    line = " ".join(line.split())
    print(f"anamorph: error: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
