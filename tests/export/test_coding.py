"""Autoencoders, detectors and finders of outliers pass the gate, or leave no file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.conftest import smooth_picture

import anamorph
from anamorph.card import Provenance
from anamorph.checking import check
from anamorph.cli import main
from anamorph.errors import InputError
from anamorph.model_file import read_card
from anamorph.picture import Picture
from anamorph_export.code_graphs import DetectorGraph, OutlierGraph
from anamorph_export.coding import code_files, deploy_codes
from anamorph_export.deploying import Identity
from anamorph_export.detecting import Tuning, calibrate, deploy_detector, deploy_outlier_finder
from anamorph_export.gate import GateError
from anamorph_training.finished_run import KnownCodes
from anamorph_training.networks.autoencoder import VAE, Size
from anamorph_training.recipes import vae

NAME = Identity(name="waves", licence="CC0-1.0")


def wave(seed: int) -> np.ndarray:
    """Return uint8 (16, 16, 3): a mixture of three waves, which a short code can hold."""
    generator = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:16, 0:16] / 16
    mixed = sum(
        share * np.sin(6 * (across * rows + (2 - across) * columns))
        for across, share in enumerate(generator.uniform(-30, 30, 3))
    )
    return np.asarray(np.rint(127 + mixed)[..., None].repeat(3, 2), np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run of a VAE that has learnt a little, from a few smooth pictures."""
    folder = tmp_path_factory.mktemp("waves")
    (folder / "data").mkdir()
    for seed in range(30):
        Picture(wave(seed)).save(folder / "data" / f"{seed:02}.png")
    config = vae.Config(
        data=folder / "data",
        height=16,
        width=16,
        channels=4,
        hidden=0,
        latent=6,
        linear=True,
        likelihood="gaussian",
        steps=40,
        batch=8,
        check_every=40,
        sample_every=40,
        threads=1,
        tensorboard=False,
    )
    vae.train(config, folder / "run")
    return folder / "run"


def options(run: Path) -> dict[str, Any]:
    from anamorph_training.finished_run import read_held_pictures, read_run

    trained = read_run(run)
    return {
        "identity": NAME,
        "provenance": trained.provenance,
        "held": read_held_pictures(run),
    }


def network(run: Path) -> Any:
    from anamorph_training.finished_run import read_run

    return read_run(run).network


def test_both_halves_are_written_and_tell_of_each_other(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "waves.onnx"
    assert main(["export", str(run), "-o", str(output)]) == 0
    files = code_files(output)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "waves.decoder.onnx",
        "waves.encoder.onnx",
    ]
    encoder, decoder = (read_card(files[role]) for role in ("encoder", "decoder"))
    assert encoder.family == decoder.family == "waves"
    assert encoder.family_digest == decoder.family_digest
    assert encoder.digest != decoder.digest
    assert (encoder.latent_width, len(encoder.latents), encoder.prior) == (6, 6, "normal")
    assert isinstance(encoder.provenance, Provenance)
    assert encoder.provenance.recipe == "vae"
    assert check(files["encoder"]).ok
    model = anamorph.load(files["encoder"])
    pixels = smooth_picture(3, 20, 31)
    made = model.reconstruct(pixels)
    graph_in = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    from anamorph_export.code_graphs import DecoderGraph, EncoderGraph

    with torch.no_grad():
        (code,) = EncoderGraph(network(run))(graph_in)
        expected = DecoderGraph(network(run))(code)[0].numpy().transpose(1, 2, 0)
    assert model.encode(pixels) == pytest.approx(code[0].numpy(), abs=0.02)
    assert np.abs(made.pixels / 255 - expected).max() < 0.01
    assert main(["export", str(run), "-o", str(output)]) == 1  # both are kept


def test_codes_of_another_step_are_refused(run: Path, tmp_path: Path) -> None:
    import shutil

    from anamorph_training.finished_run import read_codes

    copied = tmp_path / "run"
    shutil.copytree(run, copied)
    assert len(read_codes(copied, steps=40).mean) == 24
    with pytest.raises(InputError, match="is of step 40, the checkpoint of step 41"):
        read_codes(copied, steps=41)


def test_an_untrained_network_leaves_no_file(run: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    size = Size(bands=1, height=16, width=16, channels=4, hidden=4)
    codes = KnownCodes(np.random.default_rng(0).normal(size=(50, 3)).astype(np.float32))
    with pytest.raises(GateError, match="their mean gives"):
        deploy_codes(
            VAE(size, latent=3).eval(),
            tmp_path / "bad.onnx",
            known=KnownCodes(codes.mean, codes.mean * 0),
            **options(run),
        )
    assert not list(tmp_path.iterdir())


def test_a_detector_finds_a_blot_where_it_is(run: Path, tmp_path: Path) -> None:
    from anamorph_training.finished_run import read_learnt_pictures

    output = tmp_path / "d.onnx"
    card = deploy_detector(
        network(run),
        output,
        learnt=read_learnt_pictures(run),
        tuning=Tuning(false_positives=0.2),
        **options(run),
    )
    assert card.calibrations["score"].false_positive_rate == pytest.approx(1 / 6, abs=1e-6)
    assert card.metrics[0].value >= 0.75
    assert check(output).ok
    detector = anamorph.load(output)
    picture = options(run)["held"][0].copy()
    picture[4:9, 6:11] = 255
    heat = detector.detect(picture).heat
    assert heat.shape == (16, 16)
    assert heat[4:9, 6:11].mean() > 2 * heat[11:].mean()


def test_a_finder_of_outliers_has_four_scores_with_thresholds(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "o.onnx"
    assert main(["export", str(run), "-o", str(output), "--task", "outliers"]) == 0
    finder = anamorph.load(output)
    assert finder.scores == ("neighbours", "density", "mahalanobis", "elbo")
    assert set(finder.card.calibrations) == set(finder.scores)
    noise = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    found = finder.measure(noise, by=finder.scores)
    assert found.outlier
    held = options(run)["held"]
    usual = [finder.measure(one, by=("neighbours",)).strangeness for one in held]
    assert np.mean(np.array(usual) > 1) <= 0.34
    assert found.scores["elbo"] > max(finder.measure(one).scores["elbo"] for one in held)


def test_scores_are_what_they_are_called(run: Path) -> None:
    generator = np.random.default_rng(1)
    net = network(run)
    codes = torch.from_numpy(generator.normal(size=(200, 6)).astype(np.float32))
    deviations = torch.linspace(0.5, 2, 6)
    graph = OutlierGraph(net, codes, deviations, neighbours=3, bins=8, alpha=0.01, noise=0.1)
    picture = torch.rand(2, 3, 16, 16)
    with torch.no_grad():
        far, sparse, away, _ = graph(picture)
        mean, _ = net.posterior(graph.inlet(picture))
    distance = np.linalg.norm((mean[:, None] - codes[None]) / deviations, axis=2)
    assert far.numpy() == pytest.approx(np.sort(distance, 1)[:, :3].mean(1), rel=2e-3)
    spread = np.cov(codes.T.numpy(), bias=True)
    centred = (mean - codes.mean(0)).numpy()
    expected = np.sqrt(np.einsum("bi,ij,bj->b", centred, np.linalg.inv(spread), centred))
    assert away.numpy() == pytest.approx(expected, rel=1e-3)
    total = np.zeros(2)
    for i in range(6):
        values = codes[:, i].numpy()
        counts, edges = np.histogram(values, 8)
        place = np.clip(np.digitize(mean[:, i].numpy(), edges) - 1, 0, 7)
        total -= np.log(counts[place] / len(values) + 0.01)
    assert sparse.numpy() == pytest.approx(total, rel=1e-3)


def test_the_median_takes_single_pixels_away(run: Path) -> None:
    net = network(run)
    graph = DetectorGraph(net, torch.ones(16, 16), median=3, hottest=0.01)
    picture = torch.full((1, 3, 16, 16), 0.5)
    with torch.no_grad():
        before = graph.error(picture)
        picture[..., 8, 8] = 1.0
        after = graph.error(picture)
    assert (after - before).abs()[0, 7:10, 7:10].max() < 0.1
    assert before.shape == (1, 16, 16)


def test_thresholds_are_quantiles_of_what_is_normal() -> None:
    found = calibrate(np.arange(101.0), 0.05)
    assert found.threshold == 95
    assert found.quantiles["0.5"] == 50
    assert found.quantiles["1"] == 100


def test_too_few_pictures_and_autoencoders_are_refused(run: Path, tmp_path: Path) -> None:
    given = options(run) | {"held": options(run)["held"][:1]}
    with pytest.raises(InputError, match="too few to calibrate with"):
        deploy_detector(
            network(run), tmp_path / "d.onnx", learnt=given["held"], tuning=Tuning(), **given
        )
    with pytest.raises(InputError, match="takes a VAE"):
        deploy_outlier_finder(
            network(run),
            tmp_path / "o.onnx",
            known=KnownCodes(np.zeros((9, 6), np.float32)),
            noise=0.1,
            tuning=Tuning(),
            **options(run),
        )


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--vocoder", "x"], "--vocoder: is for voice converters"),
        (["--false-positive-rate", "2"], "give a share below 1"),
    ],
)
def test_options_that_say_nothing_are_refused(
    run: Path, tmp_path: Path, extra: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(run), "-o", str(tmp_path / "x.onnx"), *extra]) == 1
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
