import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from anamorph.errors import InputError
from anamorph_training.finished_run import read_run


@pytest.fixture
def run(run_folder: Path, tmp_path: Path) -> Path:
    """A copy that may be spoilt."""
    return Path(shutil.copytree(run_folder, tmp_path / "run"))


def set_config(run: Path, **fields: object) -> None:
    file = run / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | fields))


def test_a_run_gives_its_averaged_network_and_history(run: Path) -> None:
    found = read_run(run)
    assert found.recipe == found.provenance.recipe == "srresnet"
    assert not found.perceptual
    assert replace(found, recipe="srgan").perceptual
    assert not any(module.training for module in found.network.modules())
    assert found.provenance.steps == 120
    assert str(run.parent.parent) not in repr(found.provenance)
    assert isinstance(found.network, nn.Module)
    assert all(torch.isfinite(p).all() for p in found.network.parameters())


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no training run"):
        read_run(tmp_path)
    with pytest.raises(InputError, match="is no training run"):
        read_run(tmp_path / "absent")


def test_a_run_without_checkpoint_is_refused(run: Path) -> None:
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(InputError, match="no checkpoint"):
        read_run(run)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"recipe": "srresnet", "config": 3}'])
def test_a_damaged_configuration_is_refused(run: Path, text: str) -> None:
    (run / "config.json").write_text(text)
    with pytest.raises(InputError, match="is damaged"):
        read_run(run)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"recipe": "../../os"}, "is no name"),
        ({"recipe": "alchemy"}, "'alchemy' is unknown here"),
        ({"config": {"colour": 3}}, "does not fit recipe"),
        ({"config": {"scale": 7}}, "does not fit recipe"),
        ({"config": {"scale": 2, "channels": 24}}, "checkpoint does not fit its configuration"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    run: Path, fields: dict[str, object], message: str
) -> None:
    set_config(run, **fields)
    with pytest.raises(InputError, match=message) as refusal:
        read_run(run)
    assert "\n" not in str(refusal.value)


def test_a_run_without_provenance_is_refused(run: Path) -> None:
    (run / "provenance.json").write_text("{}")
    with pytest.raises(InputError, match=r"provenance\.json: cannot be read"):
        read_run(run)
    (run / "provenance.json").unlink()
    with pytest.raises(InputError, match=r"provenance\.json: cannot be read"):
        read_run(run)
