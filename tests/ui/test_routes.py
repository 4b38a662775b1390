"""The HTTP routes, by a server that listens."""

import io
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import soundfile
from tests.runtime.tiny_models import tiny_upscaler
from tests.ui.servers import Running, running

import anamorph
from anamorph.audio import Audio
from anamorph.picture import Picture
from anamorph_ui.jobs import Job
from anamorph_ui.limits import Limits
from anamorph_ui.samples import CAT, SENTENCE


def upload(path: Path, name: str | None = None) -> dict[str, tuple[str, bytes]]:
    return {"file": (name or path.name, path.read_bytes())}


@contextmanager
def occupied(server: Running) -> Iterator[None]:
    """Keep the turn."""
    job = Job()
    server.workshop.desk.enter(job)
    with server.workshop.desk.turn(job):
        yield


def left_behind(server: Running) -> list[Path]:
    """Return the folders of jobs, once the last answer had time to delete its own."""
    work = server.workshop.folder / "work"
    for _ in range(100):
        if not list(work.iterdir()):
            break
        time.sleep(0.02)
    return list(work.iterdir())


def test_a_voice_is_converted_as_the_library_does(server: Running) -> None:
    found = server.client.post(
        "/v1/convert", files=upload(SENTENCE), data={"model": "nathalie", "format": "flac"}
    )
    assert found.status_code == 200
    assert found.headers["content-disposition"] == 'attachment; filename="sentence-nathalie.flac"'
    made = Audio.open(found.content)
    expected = anamorph.load("nathalie", device="cpu", threads=1).convert(SENTENCE)
    assert made.sample_rate == expected.sample_rate
    assert np.abs(made.samples - expected.samples).max() <= 1.01 / 2**16
    assert left_behind(server) == []


def test_a_picture_is_enlarged_as_the_library_does(server: Running) -> None:
    found = server.client.post("/v1/upscale", files=upload(CAT), data={"model": "photo-x2"})
    assert found.status_code == 200
    expected = anamorph.load("photo-x2", device="cpu", threads=1).upscale(CAT)
    assert np.array_equal(Picture.open(found.content).pixels, expected.pixels)
    assert left_behind(server) == []


def test_options_reach_the_library(server: Running) -> None:
    data = {"model": "photo-x2", "format": "webp", "quality": "30", "tile": "64"}
    found = server.client.post("/v1/upscale", files=upload(CAT), data=data)
    assert found.content[8:12] == b"WEBP"
    assert len(found.content) < 10_000
    loud, quiet = (
        Audio.open(
            server.client.post(
                "/v1/convert", files=upload(SENTENCE), data={"gain_db": gain}
            ).content
        )
        for gain in ("0", "-30")
    )
    assert np.abs(loud.samples - quiet.samples).max() > 0.01


def test_models_are_listed_with_what_they_do(server: Running) -> None:
    listed = server.client.get("/v1/models").json()
    names = [one["name"] for one in listed]
    assert names == sorted(names)
    by_name = {one["name"]: one for one in listed}
    assert by_name["photo-x4"]["scale"] == 4
    assert by_name["nathalie"]["task"] == "convert"
    assert by_name["nathalie"]["sample_rate"] == 22050
    shown = server.client.get("/v1/models/nathalie").json()
    assert shown["card"]["provenance"]["recipe"] == "cyclegan_voice"


def test_own_models_can_be_brought_and_used(server: Running, tmp_path: Path) -> None:
    path = tiny_upscaler(tmp_path / "mine.onnx")
    added = server.client.post("/v1/models", files=upload(path))
    assert added.status_code == 201
    name = added.json()["name"]
    found = server.client.post("/v1/upscale", files=upload(CAT), data={"model": name})
    expected = anamorph.load(path, device="cpu", threads=1).upscale(CAT)
    assert np.array_equal(Picture.open(found.content).pixels, expected.pixels)
    assert name not in [one["name"] for one in server.client.get("/v1/models").json()]


@pytest.mark.parametrize(
    ("path", "name", "data", "status", "message"),
    [
        ("convert", "me.wav", {"model": "nobody"}, 404, "nobody: no such model here"),
        ("convert", "me.wav", {"model": "photo-x4"}, 422, "for 'upscale', not for 'convert'"),
        ("convert", "me.wav", {"model": "../nathalie"}, 404, "../nathalie: no such model"),
        ("convert", "me.wav", {}, 422, "me.wav: is no recording that can be read"),
        ("convert", "../../me.wav", {}, 422, "me.wav: is no recording"),
        ("upscale", "me.png", {}, 422, "me.png: a text file, not an accepted picture"),
        ("upscale", "me.png", {"tile": "1000000"}, 422, "tile: input should be less than"),
        ("upscale", "me.png", {"format": "bmp"}, 422, "format: input should be 'png'"),
        ("upscale", "\N{GRINNING FACE}" * 80 + ".png", {}, 422, "a text file"),
        ("upscale", "..", {}, 422, "upload: a text file"),
        ("models", "me.onnx", {}, 422, "me.onnx: "),
    ],
)
def test_what_cannot_be_used_is_told_in_a_sentence(
    server: Running, path: str, name: str, data: dict[str, str], status: int, message: str
) -> None:
    files = {"file": (name, b"no such thing, but long enough to be looked at\n" * 20)}
    found = server.client.post(f"/v1/{path}", files=files, data=data)
    assert found.status_code == status
    assert message in found.json().get("error", "")
    assert str(server.workshop.folder) not in found.text
    assert left_behind(server) == []


def test_a_file_has_to_be_sent(server: Running) -> None:
    found = server.client.post("/v1/convert")
    assert found.status_code == 422
    assert found.json() == {"error": "file: field required; see /docs"}


@pytest.fixture(scope="module")
def strict() -> Iterator[Running]:
    with running(Limits(pixels=5000, seconds=2.0, waiting=0)) as one:
        yield one


def test_large_pictures_and_long_recordings_are_refused(strict: Running) -> None:
    found = strict.client.post("/v1/upscale", files=upload(CAT))
    assert found.status_code == 422
    assert "cat.jpg: 112 x 75" in found.json()["error"]
    found = strict.client.post("/v1/convert", files=upload(SENTENCE))
    assert found.status_code == 422
    assert "sentence.flac: is longer than" in found.json()["error"]


def test_no_more_than_may_wait_are_taken(strict: Running) -> None:
    entered, leave = Event(), Event()

    def occupy() -> None:
        with occupied(strict):
            entered.set()
            leave.wait(30)

    sound = io.BytesIO()
    soundfile.write(sound, np.zeros(8000), 8000, format="WAV")
    with ThreadPoolExecutor() as pool:
        pool.submit(occupy)
        entered.wait(30)
        found = strict.client.post("/v1/convert", files={"file": ("a.wav", sound.getvalue())})
        leave.set()
    assert found.status_code == 503
    assert int(found.headers["retry-after"]) > 0
    assert found.json()["error"].startswith("1 jobs are at work or wait, 1 are the most")
    found = strict.client.post("/v1/convert", files={"file": ("a.wav", sound.getvalue())})
    assert found.status_code == 200


def test_the_line_is_as_long_as_it_is_said_to_be() -> None:
    with running(Limits(waiting=20)) as server, ThreadPoolExecutor(30) as pool:
        with occupied(server):
            asked = [
                pool.submit(server.client.post, "/v1/upscale", files=upload(CAT)) for _ in range(24)
            ]
            while sum(one.done() for one in asked) < 4:
                time.sleep(0.02)
            assert server.workshop.desk.length == 21
            assert server.client.get("/healthz").json()["jobs"] == 21
        answers = Counter(one.result().status_code for one in asked)
    assert answers == {200: 20, 503: 4}


def test_a_job_ends_when_whoever_asked_has_left(server: Running) -> None:
    entered, leave = Event(), Event()

    def occupy() -> None:
        with occupied(server):
            entered.set()
            leave.wait(30)

    with ThreadPoolExecutor() as pool:
        pool.submit(occupy)
        entered.wait(30)
        with pytest.raises(Exception, match="timed out"):
            server.client.post("/v1/upscale", files=upload(CAT), timeout=0.5)
        for _ in range(100):
            if server.workshop.desk.length == 1:
                break
            time.sleep(0.05)
        assert server.workshop.desk.length == 1  # the other one alone
        leave.set()
    assert left_behind(server) == []


def test_the_reference_tells_every_route_and_needs_nothing_from_elsewhere(
    server: Running,
) -> None:
    schema = server.client.get("/openapi.json").json()
    assert {"/v1/convert", "/v1/upscale", "/v1/models", "/healthz"} <= set(schema["paths"])
    codes = ("encode", "decode", "reconstruct", "traverse", "generate")
    assert {f"/v1/{one}" for one in (*codes, "detect", "outliers", "divergence")} <= set(
        schema["paths"]
    )
    page = server.client.get("/docs").text
    for path in schema["paths"]:
        assert path in page
    assert "curl -F file=@me.wav -F model=nathalie" in page
    assert "Numbers of one code, or a list of such lists" in page
    assert "//" not in page.replace("http://127.0.0.1:7860", "")


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/file=/etc/passwd",
        "/anamorph/../server.py",
        "/anamorph/%2e%2e/server.py",
        "/v1/models/..%2f..%2fetc%2fpasswd",
        "/static/../../etc/passwd",
    ],
)
def test_no_other_file_is_served(server: Running, path: str) -> None:
    found = server.client.get(path)
    assert found.status_code in (403, 404)
    assert "root:" not in found.text
    assert "import" not in found.text


def test_files_of_jobs_and_models_are_not_served_by_the_page(server: Running) -> None:
    for place in ("work", "models"):
        file = server.workshop.folder / place / "secret.txt"
        file.write_text("hidden words")
        found = server.client.get(f"/gradio_api/file={file}")
        file.unlink()
        assert (found.status_code, "hidden words" in found.text) == (403, False)
