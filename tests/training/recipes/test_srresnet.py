"""What the recipe for photographs makes of its data: used, held out, and told to the card."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from tests.training.conftest import smooth_picture

from anamorph.card import Provenance
from anamorph.errors import InputError
from anamorph.picture import Picture
from anamorph_training.data.folder import decode
from anamorph_training.loop import checkpoints
from anamorph_training.recipes.srresnet import Config, train


def make_pictures(folder: Path, *seeds: int) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        Picture(smooth_picture(seed, 24, 24)).save(folder / f"{seed:03}.png")
    return folder


def tiny(data: Path, **changes: Any) -> Config:
    options: dict[str, Any] = {"scale": 2, "channels": 8, "blocks": 0, "batch": 1, "patch": 8}
    options |= {"head_kernel": 3, "tail_kernel": 3, "steps": 2, "check_every": 1, "warm_up": 1}
    options |= {"threads": 1, "device": "cpu", "tensorboard": False}
    return Config(data=data, **{**options, **changes})


def holdout(run: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((run / "holdout").iterdir())}


def test_a_run_without_checkpoint_holds_out_of_the_new_data(tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(tiny(make_pictures(tmp_path / "a", 1, 2), valid=make_pictures(tmp_path / "v", 3, 4)), run)
    assert len(holdout(run)) == 4
    shutil.rmtree(run / "checkpoints")  # as after a kill before the first one
    (run / "provenance.json").unlink()
    train(tiny(make_pictures(tmp_path / "b", 5, 6)), run)
    assert list(holdout(run)) == ["00_HR.png", "00_LR.png"]
    np.testing.assert_array_equal(decode(run / "holdout" / "00_HR.png"), smooth_picture(6, 24, 24))


def test_what_a_run_holds_out_outlives_every_resume(tmp_path: Path) -> None:
    run = tmp_path / "run"
    config = tiny(make_pictures(tmp_path / "a", 1, 2), valid=make_pictures(tmp_path / "v", 3))
    train(config, run)
    before = holdout(run)
    make_pictures(tmp_path / "v", 4)
    train(config, run)
    assert holdout(run) == before
    with pytest.raises(InputError, match="have changed since it began"):
        train(tiny(make_pictures(tmp_path / "b", 5, 6), valid=tmp_path / "v"), run)
    assert holdout(run) == before


def test_one_picture_is_refused_unless_others_are_held_out(tmp_path: Path) -> None:
    data = make_pictures(tmp_path / "a", 1)
    with pytest.raises(InputError, match=r"give two pictures.*--valid"):
        train(tiny(data), tmp_path / "run")
    train(tiny(data, valid=make_pictures(tmp_path / "v", 2)), tmp_path / "run")
    assert len(holdout(tmp_path / "run")) == 2


def test_broken_and_small_pictures_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make_pictures(tmp_path / "a", 1, 2, 3, 4)
    (data / "004.png").write_bytes((data / "004.png").read_bytes()[:60])
    Picture(smooth_picture(5, 8, 8)).save(data / "005.png")
    train(tiny(data), tmp_path / "run")
    assert capsys.readouterr().err.count("left out: ") == 2
    (dataset,) = json.loads((tmp_path / "run" / "provenance.json").read_text())["datasets"]
    assert dataset["items"] == 2
    np.testing.assert_array_equal(
        decode(tmp_path / "run" / "holdout" / "00_HR.png"), smooth_picture(3, 24, 24)
    )


@pytest.mark.parametrize("stale", [True, False])
def test_a_kill_between_checkpoint_and_provenance_is_mended(stale: bool, tmp_path: Path) -> None:
    run, config = tmp_path / "run", tiny(make_pictures(tmp_path / "a", 1, 2, 3))
    file = run / "provenance.json"
    train(config, run)
    before = file.read_text()
    if stale:
        file.write_text(json.dumps({**json.loads(before), "steps": 1}))
    else:
        file.unlink()
    with pytest.raises(InputError, match="have changed since it began"):
        train(tiny(make_pictures(tmp_path / "b", 5, 6)), run)
    train(config, run)
    assert file.read_text() == before
    assert msgspec.json.decode(before, type=Provenance).steps == 2


def test_a_checkpoint_of_old_is_mended_from_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, config = tmp_path / "run", tiny(make_pictures(tmp_path / "a", 1, 2, 3))
    save = checkpoints.save_checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(
            checkpoints,
            "save_checkpoint",
            lambda run, step, state: save(run, step, {k: state[k] for k in state if k != "record"}),
        )
        train(config, run)
    before = json.loads((run / "provenance.json").read_text())
    (run / "provenance.json").unlink()
    train(config, run)
    after = json.loads((run / "provenance.json").read_text())
    assert {**after, "cpu_hours": 0} == {**before, "cpu_hours": 0}


def test_held_out_pictures_inside_the_data_are_not_trained_on(tmp_path: Path) -> None:
    data = make_pictures(tmp_path / "a", 1, 2)
    valid = make_pictures(data / "valid", 3)
    train(tiny(data, valid=valid), tmp_path / "run")
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["datasets"][0]["items"] == 2
    with pytest.raises(InputError, match="all its pictures are in --valid too"):
        train(tiny(data, valid=data), tmp_path / "other")
