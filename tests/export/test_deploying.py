"""A file or none: whole exports, good ones and refused ones."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from msgspec.structs import replace
from tests.export.conftest import Exported
from tests.export.networks import LinearUpscaler, fitted_upscaler, made_examples
from tests.export.test_gate import BatchStatistics, Noisy, Resizing
from torch import Tensor, nn

import anamorph
from anamorph.card import Provenance
from anamorph.errors import InputError, OutputError
from anamorph.model_file import embed_card, read_card, read_model
from anamorph_export import deploying
from anamorph_export.deploying import Identity, deploy_upscaler, write_model
from anamorph_export.exporting import to_onnx
from anamorph_export.gate import GateError
from anamorph_training.networks.srresnet import SRResNet

IDENTITY = Identity(name="linear-x2", licence="CC0-1.0")
HOLDOUT = made_examples(2, seed=99)


def fit(network: LinearUpscaler) -> LinearUpscaler:
    network.load_state_dict(fitted_upscaler().state_dict())
    return network.eval()


def assert_refused(network: nn.Module, folder: Path, message: str) -> None:
    with pytest.raises(GateError, match=message) as refusal:
        deploy_upscaler(network, folder / "model.onnx", identity=IDENTITY, holdout=HOLDOUT)
    assert "\n" not in str(refusal.value)
    assert not list(folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The target's folder; the one for temporary files has to be empty in the end."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    target = tmp_path / "target"
    target.mkdir()
    yield target
    assert not list(temporary.iterdir())


@pytest.fixture
def at_hand(exported: Exported, monkeypatch: pytest.MonkeyPatch) -> LinearUpscaler:
    """The fitted network, whose graph need not be exported again."""
    monkeypatch.setattr(deploying, "upscaler_onnx", lambda graph: exported.data)
    return fitted_upscaler()


def test_a_good_file_loads_and_runs_with_a_full_card(good_file: Path) -> None:
    card = read_model(good_file).card
    assert (card.scale, card.context_before, card.context_after) == (2, 3, 3)
    assert card.gate is not None
    assert card.gate.greatest_error <= card.gate.tolerance
    assert card.digest
    assert card.minimum_onnxruntime == "1.15"
    psnr = next(metric for metric in card.metrics if metric.name == "psnr_y")
    assert psnr.baseline is not None
    assert psnr.value > psnr.baseline + 0.3
    large = anamorph.load(good_file).upscale(HOLDOUT[0].low)
    assert large.pixels.shape == HOLDOUT[0].high.shape
    assert [path.name for path in good_file.parent.iterdir()] == [good_file.name]


def test_dropout_left_on_leaves_no_file(folder: Path) -> None:
    assert_refused(fit(Noisy()), folder, "determinism")


def test_layers_in_training_mode_leave_no_file(folder: Path) -> None:
    network = fit(LinearUpscaler())
    network.convolution.train()
    assert_refused(network, folder, "mode: network.convolution")


def test_batch_norm_in_training_mode_leaves_no_file(folder: Path) -> None:
    assert_refused(fit(BatchStatistics()), folder, "batch norm")


def test_nan_in_the_weights_leaves_no_file(folder: Path) -> None:
    network = fit(LinearUpscaler())
    with torch.no_grad():
        network.convolution.weight[0] = torch.nan
    assert_refused(network, folder, "weights: ")


def test_untrained_weights_leave_no_file(folder: Path) -> None:
    torch.manual_seed(0)
    network = SRResNet(
        scale=2,
        channels=8,
        blocks=1,
        head_kernel=3,
        tail_kernel=3,
        batch_norm=False,
        upsampling="direct",
        image_skip=True,
    )
    assert_refused(network.eval(), folder, "quality: on 2 held-out pictures")


def test_a_context_that_is_too_small_leaves_no_file(folder: Path, at_hand: LinearUpscaler) -> None:
    at_hand.context -= 1
    assert_refused(at_hand, folder, "3 pixels before and 3 after it, the card says 2 and 2")


def test_a_wrong_range_leaves_no_file(folder: Path) -> None:
    class Bytes(LinearUpscaler):
        def forward(self, image: Tensor) -> Tensor:
            return super().forward(image / 255)

    assert_refused(fit(Bytes()), folder, "range: the mean of a colour")


def test_a_resize_with_another_alignment_leaves_no_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export: Callable[..., onnx.ModelProto] = to_onnx

    def misaligned(*arguments: object, **options: object) -> onnx.ModelProto:
        model = export(*arguments, **options)
        for node in model.graph.node:
            for attribute in node.attribute:
                if attribute.name == "coordinate_transformation_mode":
                    attribute.s = b"align_corners"
        return model

    monkeypatch.setattr("anamorph_export.deploying.to_onnx", misaligned)
    assert_refused(Resizing().eval(), folder, "parity: ")


def test_a_failing_check_of_the_runtime_leaves_no_file(
    folder: Path, at_hand: LinearUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def false_digest(data: bytes, card: anamorph.Card) -> bytes:
        whole = embed_card(data, card)
        return whole.replace(b"widen ", b"narrow", 1) if card.gate else whole

    monkeypatch.setattr("anamorph_export.deploying.embed_card", false_digest)
    assert_refused(at_hand, folder, "anamorph check finds digest")


def test_a_card_with_a_local_path_leaves_no_file(folder: Path, at_hand: LinearUpscaler) -> None:
    identity = replace_identity(description=f"Made in {Path.cwd()}.")
    with pytest.raises(GateError, match="holds the local path"):
        deploy_upscaler(at_hand, folder / "model.onnx", identity=identity, holdout=HOLDOUT)
    assert not list(folder.iterdir())


def test_provenance_is_dated_and_test_sets_are_measured(
    tmp_path: Path, at_hand: LinearUpscaler
) -> None:
    card = deploy_upscaler(
        at_hand,
        tmp_path / "new" / "model.onnx",
        identity=replace_identity(description="Sharpens.", attribution="Nobody"),
        provenance=Provenance(recipe="linear", config={"kernel": 7}, seed=7, steps=1),
        holdout=HOLDOUT,
        test_sets={"made": made_examples(1, seed=1)},
    )
    assert card == read_card(tmp_path / "new" / "model.onnx")
    assert card.provenance is not None
    assert len(card.provenance.date) == len("2026-01-31")
    assert {metric.on for metric in card.metrics} == {deploying.HOLDOUT, "made"}
    assert (card.description, card.attribution) == ("Sharpens.", "Nobody")


def test_a_model_that_invents_detail_is_judged_by_its_texture(
    tmp_path: Path, at_hand: LinearUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One convolution on pictures without fine detail: not good enough for the real bounds.
    monkeypatch.setattr("anamorph_export.upscaling.GREATEST_SPECTRAL_PEAK", 2.0)
    monkeypatch.setattr("anamorph_export.upscaling.HIGH_FREQUENCY_ENERGY", (0.0, 100.0))
    monkeypatch.setattr("anamorph_export.upscaling.GREATEST_COLOUR_ERROR", 2.0)
    said: list[str] = []
    card = deploy_upscaler(
        at_hand,
        tmp_path / "model.onnx",
        identity=IDENTITY,
        holdout=HOLDOUT,
        perceptual=True,
        report=lambda finding: said.append(finding.check),
    )
    assert "texture" in said
    figures = {metric.name: metric.value for metric in card.metrics}
    assert 0 < figures["colour_error"] < 2
    assert figures.keys() >= {"psnr_y", "ssim_y", "spectral_peak", "high_frequency_energy"}


def test_a_texture_that_is_off_leaves_no_file(
    folder: Path, at_hand: LinearUpscaler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anamorph_export.upscaling.GREATEST_SPECTRAL_PEAK", 0.01)
    with pytest.raises(GateError, match="texture: a grid"):
        deploy_upscaler(
            at_hand,
            folder / "model.onnx",
            identity=IDENTITY,
            holdout=HOLDOUT,
            perceptual=True,
        )
    assert not list(folder.iterdir())


def replace_identity(**fields: str) -> Identity:
    return Identity(name="linear-x2", licence="CC0-1.0", **fields)  # type: ignore[arg-type]


def test_quality_cannot_be_skipped(folder: Path) -> None:
    with pytest.raises(InputError, match="no held-out pictures"):
        deploy_upscaler(fitted_upscaler(), folder / "model.onnx", identity=IDENTITY, holdout=[])


@pytest.mark.parametrize(
    ("name", "message"),
    [("model.pt", "models end in .onnx"), ("folder.onnx", "is a folder"), ("old.onnx", "--force")],
)
def test_a_target_is_refused_before_any_work(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "old.onnx").write_bytes(b"old")
    with pytest.raises(OutputError, match=message):
        deploy_upscaler(fitted_upscaler(), tmp_path / name, identity=IDENTITY, holdout=HOLDOUT)
    assert (tmp_path / "old.onnx").read_bytes() == b"old"


def test_a_file_is_replaced_only_when_forced(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    write_model(target, b"one", force=False)
    with pytest.raises(OutputError, match="exists already"):
        write_model(target, b"two", force=False)
    assert target.read_bytes() == b"one"
    write_model(target, b"two", force=True)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"two"]


def test_a_disk_that_refuses_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot be written"):
        write_model(tmp_path / "file" / "model.onnx", b"data", force=False)


def test_pictures_of_the_gate_are_made_alike_each_time() -> None:
    card = deploying.upscaler_card(fitted_upscaler(), IDENTITY, None)
    first, second = deploying.unseen_batches(card), deploying.unseen_batches(card)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(batch.min() >= 0 and batch.max() <= 1 for batch in first)
    assert replace(card, size_multiple=1) == card
