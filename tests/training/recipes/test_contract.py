"""What every recipe keeps: four names, learning, and a resume that changes nothing."""

import dataclasses
import inspect
import json
import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tests.training.conftest import smooth_picture, spoken_wave
from torch import Tensor, nn

from anamorph.errors import InputError, UnavailableError
from anamorph.picture import Picture
from anamorph_training.commands import recipe_names
from anamorph_training.data.speech import write_wav
from anamorph_training.loop.checkpoints import load_checkpoint
from anamorph_training.loop.journal import read_metrics


@dataclass(frozen=True)
class Tiny:
    """The least of a recipe: its options, and the loss below which it overfits one batch."""

    options: dict[str, Any]
    overfit: dict[str, Any]
    bound: float
    make_data: Callable[[Path, int], None]
    places: Callable[[Path], dict[str, Any]] = lambda data: {"data": data}
    separate_valid: bool = True
    kept: str = "*.png"  # in the run's folder of what is held out


def make_pictures(folder: Path, count: int, side: int = 24) -> None:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        Picture(smooth_picture(seed, side, side)).save(folder / f"{seed}.png")


def make_larger_pictures(folder: Path, count: int) -> None:
    make_pictures(folder, count, 32)


def make_recordings(folder: Path, count: int) -> None:
    folder.mkdir(exist_ok=True)
    for seed in range(count):
        write_wav(folder / f"{seed}.wav", spoken_wave(seed, seconds=0.3), 22050)


QUIET = {"threads": 1, "device": "cpu", "tensorboard": False, "seed": 3}
RECIPES = {
    "srresnet": Tiny(
        options=QUIET
        | {"scale": 2, "channels": 8, "blocks": 1, "head_kernel": 3, "tail_kernel": 3}
        | {"batch": 2, "patch": 8, "steps": 40, "warm_up": 4, "learning_rate": 1e-3}
        | {"log_every": 5, "check_every": 5, "sample_every": 40},
        overfit={"steps": 300, "patch": 12, "channels": 16, "learning_rate": 5e-3}
        | {"batch_norm": False, "upsampling": "direct", "image_skip": True, "check_every": 300},
        bound=0.02,
        make_data=make_pictures,
    ),
    "repsr": Tiny(
        options=QUIET
        | {"scale": 2, "channels": 8, "blocks": 1, "branches": True, "batch": 2, "patch": 8}
        | {"late_patch": 10, "steps": 40, "warm_up": 4, "learning_rate": 1e-3}
        | {"log_every": 5, "check_every": 5, "sample_every": 40},
        overfit={"steps": 200, "patch": 12, "late_share": 0.0, "channels": 16}
        | {"learning_rate": 1e-2, "check_every": 200},
        bound=0.02,
        make_data=make_pictures,
    ),
    "srgan": Tiny(
        options=QUIET
        | {"scale": 2, "channels": 8, "blocks": 1, "branches": True, "batch": 2, "patch": 8}
        | {"discriminator_channels": 2, "discriminator_dense": 4, "discriminator_warm_up": 3}
        | {"steps": 40, "learning_rate": 1e-3}
        | {"log_every": 5, "check_every": 5, "sample_every": 40},
        overfit={"steps": 200, "patch": 16, "channels": 16, "learning_rate": 1e-2}
        | {"perceptual_weight": 1e-3, "adversarial_weight": 1e-3, "check_every": 200},
        bound=0.05,
        make_data=make_larger_pictures,
    ),
    "cyclegan_voice": Tiny(
        options=QUIET
        | {"channels": 8, "hidden": 8, "blocks": 1, "discriminator_channels": 2, "batch": 2}
        | {"frames": 16, "variants": 0, "steps": 40, "warm_up": 4, "learning_rate": 1e-3}
        | {"accept_faults": True}
        | {"log_every": 5, "check_every": 5, "sample_every": 40},
        overfit={"steps": 150, "channels": 32, "hidden": 32, "learning_rate": 1e-2}
        | {"other_learning_rate": 1e-2, "masked_share": 0.0, "check_every": 150},
        bound=6.0,
        make_data=make_recordings,
        places=lambda data: {"source": (data,), "target": (data,)},
        separate_valid=False,
        kept="*.wav",
    ),
    "distill_voice": Tiny(
        options=QUIET
        | {"channels": 8, "hidden": 8, "blocks": 1, "look_ahead": 1, "batch": 2, "frames": 16}
        | {"variants": 0, "steps": 40, "warm_up": 4, "learning_rate": 1e-3}
        | {"log_every": 5, "check_every": 5, "sample_every": 40},
        overfit={"steps": 150, "channels": 32, "hidden": 32, "learning_rate": 1e-2, "noisy": 0.0}
        | {"other_learning_rate": 1e-2, "least_gain": 0.0, "greatest_gain": 0.0}
        | {"check_every": 150},
        bound=0.5,
        make_data=make_recordings,
        places=lambda data: {"source": (data,), "target": (data,), "teacher": Path("nathalie")},
        separate_valid=False,
        kept="*.wav",
    ),
    "vocoder": Tiny(
        options=QUIET
        | {"channels": 8, "hidden": 12, "blocks": 1, "period_channels": 2, "frames": 8}
        | {"resolution_channels": 2, "batch": 2, "judged": 1, "judged_frames": 8}
        | {"steps": 40, "adversarial_from": 10, "warm_up": 4, "learning_rate": 1e-3}
        | {"log_every": 5, "check_every": 5, "sample_every": 40},
        overfit={"steps": 150, "adversarial_from": 150, "channels": 32, "hidden": 64}
        | {"learning_rate": 1e-2, "other_learning_rate": 1e-2, "check_every": 150}
        | {"least_gain": 0.0, "greatest_gain": 0.0},
        bound=25.0,
        make_data=make_recordings,
        places=lambda data: {"data": (data,)},
        separate_valid=False,
        kept="*.wav",
    ),
}
CODES = (
    QUIET
    | {"height": 16, "width": 16, "channels": 4, "hidden": 16, "latent": 3, "batch": 2}
    | {"likelihood": "gaussian", "steps": 40, "warm_up": 4, "learning_rate": 1e-3}
    | {"log_every": 5, "check_every": 5, "sample_every": 40}
)
OVERFIT = {"steps": 300, "channels": 16, "hidden": 32, "learning_rate": 5e-3, "check_every": 300}
for name, options, overfit in (
    ("autoencoder", {}, {}),
    ("denoising_autoencoder", {}, {"deviation": 0.01}),
    ("vae", {"mine_outliers": True, "resample_every": 10}, {}),
    ("beta_vae", {"mine_outliers": True, "resample_every": 10}, {"beta": 1.5}),
    ("debiasing_vae", {"classes": 1, "resample_every": 10}, {}),
):
    RECIPES[name] = Tiny(
        options=CODES | options,
        overfit=OVERFIT | overfit,
        bound=0.0,
        make_data=make_pictures,
        separate_valid=False,
    )
EACH = pytest.mark.parametrize("name", sorted(RECIPES))


def recipe(name: str) -> ModuleType:
    return import_module(f"anamorph_training.recipes.{name}")


def configure(name: str, data: Path, **changes: Any) -> Any:
    return recipe(name).Config(**{**RECIPES[name].places(data), **RECIPES[name].options, **changes})


def last_state(run: Path) -> dict[str, Tensor]:
    found = load_checkpoint(run)
    assert found is not None
    step, state = found
    moments = {
        f"{name}.{i}.{k}": value
        for name, part in state.items()
        if name.startswith("optimizer")
        for i, moment in part["state"].items()
        for k, value in moment.items()
    }
    weights = {
        f"{name}.{k}": value
        for name in state.keys() & {"network", "average", "discriminator"}
        for k, value in state[name].items()
    }
    return {"step": torch.tensor(step), **weights, **moments}


def assert_same_state(one: Path, other: Path) -> None:
    first, second = last_state(one), last_state(other)
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name


def train_until_17(
    module: ModuleType, config: Any, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train, and be told to stop in step 17."""
    steps = 0

    def interrupt(*arguments: Any, **options: Any) -> None:
        nonlocal steps
        steps += 1
        if steps == 17:
            signal.raise_signal(signal.SIGTERM)
        update(*arguments, **options)

    update = module.update_average
    with monkeypatch.context() as patch:
        patch.setattr(module, "update_average", interrupt)
        with pytest.raises(SystemExit) as left:
            module.train(config, run)
    assert left.value.code == 143
    assert last_state(run)["step"] == 17


def test_every_recipe_is_tested_here() -> None:
    assert set(recipe_names()) == set(RECIPES)


@EACH
def test_has_the_four_names_in_order(name: str) -> None:
    module = recipe(name)
    source = inspect.getsource(module)
    places = [
        source.index(start) for start in ("class Config", "def build(", "def train(", "def main(")
    ]
    assert places == sorted(places)
    assert dataclasses.is_dataclass(module.Config)
    for word in ("zero_grad()", "backward(", ".step()"):
        assert word in inspect.getsource(module.train)


@EACH
def test_documents_every_field(name: str) -> None:
    classes = [one for one in recipe(name).Config.__mro__ if dataclasses.is_dataclass(one)]
    lines = (inspect.getsource(one).splitlines() for one in classes if isinstance(one, type))
    source = [line for one in lines for line in one]
    for field in dataclasses.fields(recipe(name).Config):
        (line,) = (i for i, text in enumerate(source) if text.startswith(f"    {field.name}: "))
        assert source[line + 1].strip().startswith('"""'), field.name


@EACH
def test_overfits_one_batch(name: str, tmp_path: Path) -> None:
    options = dict(RECIPES[name].overfit)
    if RECIPES[name].separate_valid:
        RECIPES[name].make_data(tmp_path / "data", 1)
        RECIPES[name].make_data(tmp_path / "valid", 2)
        options["valid"] = tmp_path / "valid"
    else:  # one of the two is held out
        RECIPES[name].make_data(tmp_path / "data", 2)
    config = configure(name, tmp_path / "data", **options)
    recipe(name).train(config, tmp_path / "run")
    losses = [row["loss"] for row in read_metrics(tmp_path / "run") if "loss" in row]
    assert losses[-1] < RECIPES[name].bound < losses[0]


@EACH
def test_builds_a_network_that_learns_from_its_seed_alone(name: str, tmp_path: Path) -> None:
    config = configure(name, tmp_path)
    networks: list[nn.Module] = []
    for _ in range(2):
        torch.manual_seed(5)
        networks.append(recipe(name).build(config))
    for one, other in zip(*(network.parameters() for network in networks), strict=True):
        assert torch.equal(one, other)


@EACH
def test_stopped_half_way_and_resumed_ends_in_the_same_weights(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    RECIPES[name].make_data(tmp_path / "data", 4)
    config = configure(name, tmp_path / "data")
    module = recipe(name)
    module.train(config, tmp_path / "unbroken")
    train_until_17(module, config, tmp_path / "broken", monkeypatch)
    module.train(config, tmp_path / "broken")
    assert_same_state(tmp_path / "unbroken", tmp_path / "broken")
    rows = [row["step"] for row in read_metrics(tmp_path / "broken") if "loss" in row]
    assert rows == list(range(5, 41, 5))


@EACH
def test_survives_ten_kills_with_the_same_weights(name: str, tmp_path: Path) -> None:
    RECIPES[name].make_data(tmp_path / "data", 4)
    config = configure(name, tmp_path / "data", steps=150, check_every=3)
    # A server that has imported everything forks each attempt in milliseconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([f"anamorph_training.recipes.{name}"])
    train = recipe(name).train

    def start(run: Path) -> multiprocessing.process.BaseProcess:
        process = context.Process(target=train, args=(config, run))
        process.start()
        return process

    start(tmp_path / "first").join()  # pays for the imports and for decoding
    begin = time.monotonic()
    start(tmp_path / "unbroken").join()
    duration = time.monotonic() - begin
    moments = random.Random(time.time_ns())
    kills = 0
    while kills < 10:
        process = start(tmp_path / "killed")
        process.join(moments.uniform(0, duration / 4))
        assert process.exitcode in (None, 0)
        if process.exitcode == 0:  # done before ten kills: break another run
            assert_same_state(tmp_path / "unbroken", tmp_path / "killed")
            (tmp_path / "killed").rename(tmp_path / f"done{kills}")
            continue
        process.kill()
        process.join()
        kills += process.exitcode == -signal.SIGKILL
    process = start(tmp_path / "killed")
    process.join()
    assert process.exitcode == 0
    assert_same_state(tmp_path / "unbroken", tmp_path / "killed")
    steps = [row["step"] for row in read_metrics(tmp_path / "killed") if "loss" in row]
    assert steps == sorted(set(steps))


@EACH
def test_leaves_everything_that_export_needs(name: str, tmp_path: Path) -> None:
    RECIPES[name].make_data(tmp_path / "data", 4)
    naming = {"source_name": "waves", "source_licence": "CC0-1.0"}
    if "data" in RECIPES[name].places(tmp_path):
        naming = {"data_name": "waves", "licence": "CC0-1.0"}
    config = configure(name, tmp_path / "data", **naming)
    recipe(name).train(config, tmp_path / "run")
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["recipe"] == name
    assert provenance["steps"] == config.steps
    assert provenance["cpu_hours"] >= 0
    assert provenance["gpu_hours"] == 0
    dataset, *_ = provenance["datasets"]
    assert (dataset["name"], dataset["licence"], dataset["items"]) == ("waves", "CC0-1.0", 3)
    assert list((tmp_path / "run" / "holdout").glob(RECIPES[name].kept))
    assert list((tmp_path / "run" / "samples").glob("*.png"))
    waits = [row["data_wait_share"] for row in read_metrics(tmp_path / "run") if "loss" in row]
    assert all(0 <= share <= 1 for share in waits)
    config = dataclasses.replace(config, learning_rate=0.5)
    with pytest.raises(InputError, match=r"learning_rate 0\.001 -> 0\.5"):
        recipe(name).train(config, tmp_path / "run")


@EACH
def test_a_finished_run_is_left_as_it_is(name: str, tmp_path: Path) -> None:
    RECIPES[name].make_data(tmp_path / "data", 2)
    config = configure(name, tmp_path / "data")
    recipe(name).train(config, tmp_path / "run")
    before = last_state(tmp_path / "run")
    recipe(name).train(config, tmp_path / "run")
    after = last_state(tmp_path / "run")
    assert all(torch.equal(value, after[key]) for key, value in before.items())


@EACH
def test_a_run_refuses_to_continue_on_other_data(name: str, tmp_path: Path) -> None:
    RECIPES[name].make_data(tmp_path / "data", 3)
    config = configure(name, tmp_path / "data")
    recipe(name).train(config, tmp_path / "run")
    RECIPES[name].make_data(tmp_path / "more", 5)
    with pytest.raises(InputError, match="have changed since it began"):
        recipe(name).train(configure(name, tmp_path / "more"), tmp_path / "run")


@EACH
def test_an_absent_device_is_an_error_before_a_run_begins(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    RECIPES[name].make_data(tmp_path / "data", 2)
    with pytest.raises(UnavailableError, match="--device cuda"):
        recipe(name).train(configure(name, tmp_path / "data", device="cuda"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@EACH
def test_bad_data_is_an_error_before_a_run_begins(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        recipe(name).train(configure(name, tmp_path / "absent"), tmp_path / "run")
    assert not (tmp_path / "run").exists()
