"""The page in a real browser, with real files."""

import os
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.runtime.tiny_models import tiny_upscaler
from tests.ui.browsers import browsing
from tests.ui.servers import Running

from anamorph.audio import Audio
from anamorph.picture import Picture
from anamorph_ui.samples import CAT, SENTENCE

pytestmark = pytest.mark.slow
expect.set_options(timeout=30_000)
# Where pictures for the README go; by default nowhere that is kept.
SHOTS = os.environ.get("ANAMORPH_SHOTS")


def open_tab(page: Page, name: str) -> Locator:
    page.get_by_role("tab", name=name).click()
    return panel_of(page, name)


def panel_of(page: Page, name: str) -> Locator:
    """Wait until a tab is the one that is shown, and return what it shows."""
    expect(page.get_by_role("tab", name=name)).to_have_attribute("aria-selected", "true")
    panel = page.locator("[role=tabpanel]").filter(visible=True)
    expect(panel).to_have_count(1)
    return panel


def give(panel: Locator, *files: Path, number: int = 0) -> None:
    panel.locator("input[type=file]").nth(number).set_input_files([str(one) for one in files])


def download(page: Page, link: Locator, folder: Path) -> Path:
    with page.expect_download() as got:
        link.click()
    path = folder / got.value.suggested_filename
    got.value.save_as(path)
    return path


def result(panel: Locator, name: str) -> Locator:
    """Return the link to a file that was made."""
    return panel.locator(f"a[download='{name}']")


def shoot(page: Page, name: str, folder: Path) -> None:
    """Photograph the page; for the README in few colours, which take little room."""
    path = Path(SHOTS or folder) / f"page-{name}.png"
    page.screenshot(path=path, full_page=True)
    assert Picture.open(path).pixels.std() > 5  # something is there
    if SHOTS:
        with Image.open(path) as shot:
            few = shot.convert("RGB").quantize(128)
        few.save(path, optimize=True)


def test_the_page_is_there_within_two_seconds(
    server: Running, record_property: Callable[[str, object], None]
) -> None:
    with browsing(server.url) as page:
        painted = "performance.getEntriesByName('first-contentful-paint')[0]"
        page.wait_for_function(painted)
        first = page.evaluate(f"{painted}.startTime")
        page.get_by_role("button", name="Convert", exact=True).wait_for()
        record_property("first_paint_ms", first)
        record_property("usable_ms", page.evaluate("performance.now()"))
        assert first < 2000


def test_a_voice_is_converted(server: Running, tmp_path: Path) -> None:
    with browsing(server.url) as page:
        panel = open_tab(page, "Voice")
        give(panel, SENTENCE)
        panel.get_by_role("button", name="Convert", exact=True).click()
        picture = panel.locator("img.spectrograms")
        picture.wait_for()
        assert "Spectrograms before and after" in (picture.get_attribute("alt") or "")
        assert picture.evaluate("one => one.naturalWidth") > 900
        expect(panel.get_by_text("semitones")).to_be_visible()
        path = download(page, panel.get_by_label("Download").last, tmp_path)
        shoot(page, "voice", tmp_path)
    given, made = Audio.open(SENTENCE), Audio.open(path)
    assert made.samples.shape == given.samples.shape
    assert np.abs(made.samples).max() > 0.05
    assert np.corrcoef(given.samples, made.samples)[0, 1] < 0.5


def test_several_voices_become_a_zip(server: Running, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    with browsing(server.url) as page:
        panel = open_tab(page, "Voice")
        panel.get_by_role("radio", name="flac").check()
        panel.get_by_role("button", name="Several files at once").click()
        several = panel.locator("input[type=file][multiple]")  # there once it is unfolded
        several.set_input_files([str(SENTENCE), str(broken)])
        panel.get_by_role("button", name="Convert all").click()
        expect(panel.get_by_text("1 of 2 done.")).to_be_visible()
        expect(panel.get_by_text("broken.wav: is no recording")).to_be_visible()
        path = download(page, result(panel, "anamorph.zip"), tmp_path)
    (name,) = zipfile.ZipFile(path).namelist()
    assert name.startswith("sentence-")
    assert name.endswith(".flac")


def test_a_picture_is_enlarged_and_compared(server: Running, tmp_path: Path) -> None:
    with browsing(server.url) as page:
        panel = open_tab(page, "Upscale")
        give(panel, CAT)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        compare = panel.locator(".compare")
        compare.wait_for()
        before, after = compare.locator(".compare-before"), compare.locator(".compare-after")
        for picture in (before, after):
            box = picture.bounding_box()
            assert box is not None
            assert (box["width"], box["height"]) == (448, 300)  # a pixel is a pixel
            assert picture.get_attribute("alt")
        slider = compare.get_by_role("slider")
        pictures = []
        for value in ("0", "100"):
            slider.fill(value)
            shown = tmp_path / f"{value}.png"
            compare.locator(".compare-stack").screenshot(path=shown)
            pictures.append(Picture.open(shown).pixels.astype(int))
        middle = [one[50:250, 50:400] for one in pictures]
        assert np.abs(middle[0] - middle[1]).mean() > 2
        slider.focus()
        page.keyboard.press("ArrowLeft")
        assert slider.input_value() == "99"
        path = download(page, result(panel, "cat-x4.png"), tmp_path)
        slider.fill("50")
        shoot(page, "upscale", tmp_path)
    assert Picture.open(path).pixels.shape == (300, 448, 3)


def test_several_pictures_become_a_zip(server: Running, tmp_path: Path) -> None:
    with browsing(server.url) as page:
        panel = open_tab(page, "Upscale")
        second = tmp_path / "second.png"
        Picture(np.zeros((9, 7, 3), np.uint8)).save(second)
        give(panel, CAT, second)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        expect(panel.get_by_text("2 of 2 done.")).to_be_visible()
        path = download(page, result(panel, "anamorph.zip"), tmp_path)
    assert zipfile.ZipFile(path).namelist() == ["cat-x4.png", "second-x4.png"]


def test_a_wrong_file_is_told_in_a_sentence(server: Running, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.png"
    wrong.write_text("no picture " * 20)
    with browsing(server.url) as page:
        panel = open_tab(page, "Upscale")
        give(panel, wrong)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        expect(page.get_by_text("wrong.png: a text file, not an accepted picture")).to_be_visible()


def test_a_long_job_can_be_cancelled(server: Running, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Picture(np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8)).save(large)
    with browsing(server.url) as page:
        panel = open_tab(page, "Upscale")
        give(panel, large)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        expect(panel.get_by_text("s left").first).to_be_visible()  # how far it is
        begun = time.perf_counter()
        panel.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("Cancelled.")).to_be_visible()
        assert time.perf_counter() - begun < 10
    assert server.workshop.desk.length == 0


def test_a_job_ends_when_the_page_is_closed(server: Running, tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    Picture(np.random.default_rng(1).integers(0, 256, (3000, 3000, 3), np.uint8)).save(large)
    with browsing(server.url) as page:
        panel = open_tab(page, "Upscale")
        give(panel, large)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        expect(panel.get_by_text("s left").first).to_be_visible()
        assert server.workshop.desk.length == 1
    begun = time.perf_counter()
    while server.workshop.desk.length and time.perf_counter() - begun < 60:
        time.sleep(0.1)
    assert time.perf_counter() - begun < 20


def test_a_card_is_read_and_a_model_measured_and_used(server: Running, tmp_path: Path) -> None:
    with browsing(server.url) as page:
        panel = open_tab(page, "Models")
        choose(page, panel.get_by_label("Model"), "photo-x2")
        expect(panel.get_by_role("heading", name="photo-x2@")).to_be_visible()
        expect(panel.get_by_text("trained on").first).to_be_visible()
        expect(panel.get_by_text("psnr_y on Set5 x2").first).to_be_visible()
        panel.get_by_role("button", name="Measure its speed here").click()
        expect(panel.get_by_text("s for a megapixel that comes out")).to_be_visible()
        shoot(page, "models", tmp_path)
        panel.get_by_role("button", name="Use it").click()
        upscale = panel_of(page, "Upscale")
        expect(upscale.get_by_label("Model")).to_have_value("photo-x2")


def test_an_own_model_leads_to_its_tab(server: Running, tmp_path: Path) -> None:
    model = tiny_upscaler(tmp_path / "mine.onnx")
    with browsing(server.url) as page:
        panel = open_tab(page, "Models")
        give(panel, model)
        upscale = panel_of(page, "Upscale")
        assert upscale.get_by_label("Model").input_value().startswith("own-")
        give(upscale, CAT)
        upscale.get_by_role("button", name="Upscale", exact=True).click()
        expect(upscale.get_by_text("112 x 75 pixels became 224 x 150")).to_be_visible()


def choose(page: Page, box: Locator, name: str) -> None:
    box.click()
    page.get_by_role("option", name=name, exact=True).click()


def test_the_microphone_is_converted_live(server: Running, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    sentence = Audio.open(SENTENCE).resample(48000)
    soundfile.write(speech, sentence.samples, 48000)
    with browsing(server.url, microphone=speech) as page:
        panel = open_tab(page, "Voice")
        panel.get_by_role("button", name="Live, from your microphone").click()
        live = panel.locator("[data-live]")
        assert live.get_by_label("Voice").input_value().endswith("-live")
        live.get_by_role("button", name="Start").click()
        status = live.get_by_role("status")
        expect(status).to_contain_text("real-time factor")
        level = 0.0
        for _ in range(40):
            level = max(level, float(live.get_by_label("Level").evaluate("one => one.value")))
            time.sleep(0.1)
        assert level > 0.02
        words = status.inner_text()
        live.get_by_role("button", name="Stop").click()
        expect(status).to_have_text("Off.")
    assert "by design" in words
    behind = int(words.partition(" ms behind")[0])
    assert 100 < behind < 2000


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_phones_and_desks_light_and_dark(
    server: Running, tmp_path: Path, width: int, dark: bool
) -> None:
    kind = f"{'phone' if width < 800 else 'desk'}-{'dark' if dark else 'light'}"
    with browsing(server.url, width=width, height=844, dark=dark) as page:
        for name in ("Voice", "Upscale", "Models"):
            open_tab(page, name)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            shoot(page, f"{kind}-{name.lower()}", tmp_path)
        panel = open_tab(page, "Upscale")
        give(panel, CAT)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        panel.locator(".compare").wait_for()  # wider than a phone, and scrolls within it
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        numbers = [int(one) for one in background.strip("rgb()").split(",")]
        assert (sum(numbers) < 200) == dark


def test_every_picture_is_described_and_every_control_is_named(server: Running) -> None:
    with browsing(server.url) as page:
        panel = open_tab(page, "Upscale")
        give(panel, CAT)
        panel.get_by_role("button", name="Upscale", exact=True).click()
        panel.locator(".compare").wait_for()
        silent = page.evaluate(
            "[...document.querySelectorAll('img')].filter(one => !one.alt).map(one => one.src)"
        )
        assert silent == []
        unnamed = page.evaluate(
            "[...document.querySelectorAll('button')].filter(one => one.offsetParent && "
            "!(one.innerText.trim() || one.ariaLabel || one.title || "
            "one.querySelector('img[alt]'))).map(one => one.outerHTML.slice(0, 200))"
        )
        assert unnamed == []


def test_the_keyboard_is_enough(server: Running) -> None:
    with browsing(server.url) as page:
        page.get_by_role("tab", name="Voice").focus()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        panel = panel_of(page, "Upscale")
        button = panel.get_by_role("button", name="cat.jpg")
        button.focus()
        page.keyboard.press("Enter")
        expect(panel.locator("a[download='cat.jpg']")).to_be_visible()
        panel.get_by_role("button", name="Upscale", exact=True).focus()
        page.keyboard.press("Enter")
        panel.locator(".compare").wait_for()
