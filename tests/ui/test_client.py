"""The page's operations through gradio_client, as a program uses them."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from tests.ui.servers import Running, running

import anamorph
from anamorph.audio import Audio
from anamorph.picture import Picture
from anamorph_ui.samples import CAT, SENTENCE


@pytest.fixture(scope="module")
def client(server: Running, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(server.url, download_files=str(tmp_path_factory.mktemp("got")), verbose=False)


def test_the_operations_are_named_and_nothing_else_is(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {
        *("/convert", "/convert_all", "/upscale", "/measure"),
        *("/encode", "/middle", "/save_code", "/traverse", "/interpolate", "/generate"),
        *("/detect", "/outliers", "/divergence", "/gaussians"),
    }


def test_a_voice(client: Client) -> None:
    path, words, picture = client.predict(
        handle_file(SENTENCE), "nathalie", "wav", api_name="/convert"
    )
    made = Audio.open(path).samples
    expected = anamorph.load("nathalie", device="cpu").convert(SENTENCE).samples
    assert np.abs(made - expected).max() <= 1.01 / 2**15
    assert "median pitch 10" in words
    assert picture.startswith('<img class="spectrograms" src="data:image/png;base64,')
    assert 'alt="Spectrograms before and after nathalie, with one colour scale' in picture


def test_several_voices_of_which_one_is_none(client: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    files = [handle_file(one) for one in (SENTENCE, broken, SENTENCE)]
    archive, words = client.predict(files, "nathalie", "mp3", api_name="/convert_all")
    assert zipfile.ZipFile(archive).namelist() == [
        "sentence-nathalie.mp3",
        "sentence-2-nathalie.mp3",
    ]
    assert words.splitlines()[0] == "2 of 3 done."
    assert words.splitlines()[1].startswith("- broken.wav: is no recording")


def test_a_picture(client: Client) -> None:
    path, words, shown = client.predict(
        [handle_file(CAT)], "photo-x2", 0, "png", api_name="/upscale"
    )
    expected = anamorph.load("photo-x2", device="cpu").upscale(CAT).pixels
    assert np.array_equal(Picture.open(path).pixels, expected)
    assert words.startswith("112 x 75 pixels became 224 x 150")
    assert "data-compare" in shown


def test_how_fast_a_model_is(client: Client) -> None:
    for name, words in (
        ("photo-x2", "s for a megapixel"),
        ("nathalie", "times as fast"),
        ("vocoder-22k", "times as fast"),
    ):
        assert words in client.predict(name, api_name="/measure")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, "nathalie", "wav"), "Give a recording first"),
        ((handle_file(CAT), "nathalie", "wav"), "cat.jpg: "),
        ((handle_file(SENTENCE), "/etc/passwd", "wav"), "passwd"),
        ((handle_file(SENTENCE), "photo-x4", "wav"), "photo-x4"),
        ((handle_file(SENTENCE), "nathalie", "exe"), "exe"),
    ],
)
def test_errors_are_sentences(
    client: Client, server: Running, arguments: tuple[object, ...], message: str
) -> None:
    with pytest.raises((AppError, ValueError)) as caught:
        client.predict(*arguments, api_name="/convert")
    assert message in str(caught.value)
    assert str(server.workshop.folder) not in str(caught.value)


def test_a_password_goes_with_it(tmp_path: Path) -> None:
    with running(users=("me:secret",)) as guarded:
        with pytest.raises(Exception, match="credentials were not provided"):
            Client(guarded.url, verbose=False)
        headers = {"Authorization": "Basic bWU6c2VjcmV0"}
        client = Client(guarded.url, headers=headers, verbose=False, download_files=str(tmp_path))
        assert "s for a megapixel" in client.predict("photo-x2", api_name="/measure")
